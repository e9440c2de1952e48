"""The table that `make proof` prints."""

from dataclasses import dataclass, field


@dataclass
class ProofTable:
    """Rows of what was measured, beside what it is held against."""

    rows: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(self, test: str, what: str, measured: str, held_against: str) -> None:
        self.rows.append((test, what, measured, held_against))

    def lines(self) -> list[str]:
        rows = [("proof", "what", "measured", "held against"), *self.rows]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        return [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
