"""The command behind `make bench`."""

import os
from typing import Annotated

import typer

from bench.load import BenchError, require_wrk
from bench.results import COLUMNS, Result, commit, line, machine, write, write_plot
from bench.rows import ROWS, Row
from bench.servers import CLIENT_CORE
from bench.stage import Sizes, Stage

WARM_UP_SECONDS = 1.0


def measure(stage: Stage, row: Row, rounds: int, seconds: float) -> Result:
    """Measure all contestants of a row in turns, round by round."""
    with row.contest(stage) as contest:
        if seconds > WARM_UP_SECONDS:
            for take in contest.turns.values():
                take(WARM_UP_SECONDS)
        values: dict[str, list[float]] = {name: [] for name in contest.turns}
        for _ in range(rounds):
            for name, take in contest.turns.items():
                values[name].append(take(seconds))
        return Result(row, values, contest.note(), contest.sizes)


def bench(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="ROW", help="Rows to measure; default: all.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each contestant.")] = 7,
    seconds: Annotated[float, typer.Option(min=0, help="How long a turn takes.")] = 3.0,
    own: Annotated[int, typer.Option(min=100, help="Sessions of one participant.")] = 1000,
    people: Annotated[int, typer.Option(min=1, help="Participants in all.")] = 10_000,
    sessions: Annotated[int, typer.Option(min=1, help="Sessions in all.")] = 100_000,
    keep: Annotated[bool, typer.Option(help="Write bench/results.md.")] = True,  # noqa: FBT002
) -> None:
    """Measure Footing against its limits, and print the table."""
    rows = {row.name: row for row in ROWS}
    wanted = [name for given in names or rows for name in given.split(",")]
    unknown = [name for name in wanted if name not in rows]
    if unknown:
        typer.echo(f"Unknown row {unknown[0]}. Available: {', '.join(rows)}.", err=True)
        raise typer.Exit(2)
    failed = False
    results: list[Result] = []
    # Whatever is started from here inherits it, but the servers.
    os.sched_setaffinity(0, {CLIENT_CORE})
    try:
        require_wrk()
        with Stage(Sizes(own, people, sessions)) as stage:
            typer.echo(f"{machine()}\n\n{line(COLUMNS)}\n|{'---|' * len(COLUMNS)}")
            for name in wanted:
                try:
                    result = measure(stage, rows[name], rounds, seconds)
                except BenchError as error:
                    typer.echo(f"{name}: {error}", err=True)
                    failed = True
                    continue
                results.append(result)
                typer.echo(line(result.cells(commit())))
                if keep:
                    write([result])
                    write_plot(results)
    except BenchError as error:
        typer.echo(str(error), err=True)
        failed = True
    if failed:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(bench)
