"""What can be wrong with a participant who calls."""

from api.core.errors import Problem


class Erased(Problem):
    """The participant was erased, by this phone or by another one."""

    status = 410
    code = "erased"
    title = "This participant was erased"
