"""Errors of participants' requests."""

from api.core.errors import Problem


class Erased(Problem):
    """The participant was erased, from this device or another one."""

    status = 410
    code = "erased"
    title = "This participant was erased"


class StorageConsentWithdrawn(Problem):
    """The participant has withdrawn consent to storing anything new about them."""

    status = 403
    code = "storage_consent_withdrawn"
    title = "The consent to storage is withdrawn"
