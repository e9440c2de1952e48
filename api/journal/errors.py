"""Errors of records."""

from api.core.errors import Problem


class IdConflict(Problem):
    """The same id was sent before with other content."""

    status = 409
    code = "id_conflict"
    title = "The id is already used for other content"
