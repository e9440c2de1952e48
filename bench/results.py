"""The table of what was measured."""

import os
import platform
import re
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.plot import PLOT, draw
from bench.rows import LIMIT, PEER, PRODUCT, ROWS, Row
from bench.servers import ROOT

RESULTS = Path(__file__).with_name("results.md")
HEAD = """\
# Results

Written by `make bench`; "Speed" in [For developers](../docs/developers.md#speed) says how to read
it. Each ratio compares two medians of one run, whose turns alternated. The spread is that of the
ratios of single rounds, smallest and largest. Rates and times depend on the machine and on what
else ran on it: compare ratios only.

"""
COLUMNS = (
    *("row", "what", "limit", "median of the limit", "median of Footing", "ratio", "spread"),
    *("goal", "median of the peer", "times the peer", "goal", "note", "commit"),
)


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured of a row: values by contestant, in the order of the rounds."""

    row: Row
    values: Mapping[str, Sequence[float]]
    note: str = ""
    # For the plot, how many own records each contestant has.
    sizes: Mapping[str, int] = field(default_factory=dict)

    def median(self, contestant: str) -> float:
        """Return the median of all rounds."""
        return statistics.median(self.values[contestant])

    @property
    def ratio(self) -> float:
        """Footing to the limit."""
        return self.median(PRODUCT) / self.median(LIMIT)

    @property
    def spread(self) -> tuple[float, float]:
        """The smallest and the largest ratio of one round."""
        ratios = [
            product / limit
            for product, limit in zip(self.values[PRODUCT], self.values[LIMIT], strict=True)
        ]
        return min(ratios), max(ratios)

    def cells(self, commit: str) -> tuple[str, ...]:
        """Return the row of the table."""
        sign = "≥" if self.row.more_is_better else "≤"
        peer = ("", "", "")
        if PEER in self.values:
            times = self.median(PRODUCT) / self.median(PEER)
            peer = (self._value(PEER), f"{times:.2f}", f"≥ {self.row.peer_goal:g}")
        low, high = self.spread
        return (
            self.row.name,
            self.row.what,
            self.row.limit,
            self._value(LIMIT),
            self._value(PRODUCT),
            f"**{self.ratio:.3f}**",
            f"{low:.3f} to {high:.3f}",
            f"{sign} {self.row.goal:.2f}",
            *peer,
            self.note,
            commit,
        )

    def _value(self, contestant: str) -> str:
        value = self.median(contestant)
        return f"{value:,.{0 if value >= 100 else 2}f} {self.row.unit}"  # noqa: PLR2004


def line(cells: Sequence[str]) -> str:
    """Write a line of the table."""
    return f"| {' | '.join(cells)} |"


def commit() -> str:
    """Return the commit that is measured; a plus sign says that files were changed since."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--", "api", "seed", "alembic")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")


def machine() -> str:
    """Describe the machine, without its name."""
    cpuinfo = Path("/proc/cpuinfo").read_text("utf-8")
    model = re.findall(r"^model name\s*: (.*)$", cpuinfo, re.MULTILINE) or [platform.machine()]
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return (
        f"Machine: {model[0]}, {os.cpu_count()} cores, {pages * size / 2**30:.0f} GiB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}. "
        "Servers on one core; client and database on the other."
    )


def kept(machine_now: str) -> dict[str, str]:
    """Return the lines of the last table by row, if they are of this machine."""
    if not RESULTS.exists():
        return {}
    text = RESULTS.read_text("utf-8")
    if machine_now not in text:
        return {}
    names = {row.name for row in ROWS}
    lines = [each for each in text.splitlines() if each.startswith("| ")]
    return {each.split(" | ")[0][2:]: each for each in lines if each.split(" | ")[0][2:] in names}


def write_plot(results: Sequence[Result]) -> None:
    """Draw the rows about own records, if any were measured."""
    lines = {
        result.row.name: {size: result.median(name) for name, size in result.sizes.items()}
        for result in results
        if result.sizes
    }
    if lines:
        PLOT.write_text(draw(lines, "own sessions"), "utf-8")


def write(results: Sequence[Result]) -> None:
    """Replace the lines of these rows in the table."""
    here, now = machine(), commit()
    lines = kept(here) | {result.row.name: line(result.cells(now)) for result in results}
    table = [line(COLUMNS), "|" + "---|" * len(COLUMNS)]
    table += [lines[row.name] for row in ROWS if row.name in lines]
    RESULTS.write_text(HEAD + here + "\n\n" + "\n".join(table) + "\n", "utf-8")
