"""Tests of what goes wrong log errors, and need the log as plain as in production."""

import pytest
import structlog

from api.core.logging import describe_exception


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> None:
    """Write exceptions as production does; structlog's own way takes seconds for each."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            describe_exception,
            structlog.processors.JSONRenderer(),
        ]
    )
