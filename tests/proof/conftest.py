"""Collects what the proofs measure, and prints it at the end."""

import pytest

from tests.proof.table import ProofTable

TABLE = ProofTable()


@pytest.fixture
def proof() -> ProofTable:
    return TABLE


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if TABLE.rows:
        terminalreporter.section("proof")
        for line in TABLE.lines():
            terminalreporter.write_line(line)
