"""What can be wrong with a caller."""

from api.core.errors import Problem

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="footing"'}


class NotAuthenticated(Problem):
    """No token, or one that is not (or no longer) valid."""

    status = 401
    code = "not_authenticated"
    title = "Not authenticated"


class Erased(Problem):
    """The participant was erased, by this phone or by another one."""

    status = 410
    code = "erased"
    title = "This participant was erased"


class WrongTokenKind(Problem):
    """A token of another kind: a clinician's key on a participant's call, or the reverse."""

    status = 403
    code = "wrong_token_kind"
    title = "This token is for other calls"


class StorageConsentWithdrawn(Problem):
    """The person no longer agrees that anything new is stored about them."""

    status = 403
    code = "storage_consent_withdrawn"
    title = "The consent to storage is withdrawn"
