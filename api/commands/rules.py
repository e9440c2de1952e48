"""`footing rules`: the rule set for a clinician to read, to compare and to withdraw."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from api.commands.console import (
    PATIENT_SECONDS,
    fail,
    opened,
    read_settings,
    run,
)
from api.commands.seed_folder import SeedFolder, valid_or_fail
from api.content.catalogue import Catalogue
from api.content.loading import SeedInvalid, load_catalogue
from api.content.rule_set import reviewed_document
from api.content.service import active_hash, load_release
from api.core.clock import SystemClock
from api.core.errors import InvalidRequest
from api.core.logging import set_up_logging
from api.journal.withdrawal import count_people, redo_decisions
from api.migrations import require_head
from api.triage import checks as triage_checks
from api.triage import population as ordinary
from api.triage import review, vectors
from api.triage.evaluation import Case, decide
from api.triage.reports import read_answers
from api.triage.rules import RuleSet, compile_rule_set
from api.triage.schemas import ReportFields
from api.triage.service import RuleSets, withdraw

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Read, compare and withdraw rule sets.",
)


def rule_set_of(catalogue: Catalogue) -> RuleSet:
    """Compile the rule set of a seed folder."""
    return compile_rule_set(reviewed_document(catalogue))


@app.command()
def table(
    folder: SeedFolder = None,
    form: Annotated[review.Format, typer.Option("--format", help="Output format.")] = "markdown",
    language: Annotated[str, typer.Option(help="The language of the texts.")] = "en",
) -> None:
    """Print the rule set as a table for a clinician."""
    catalogue, _ = valid_or_fail(folder or read_settings().seed_folder)
    if language not in catalogue.language_codes:
        known = ", ".join(catalogue.language_codes)
        raise fail(f"Language {language} is not available. Available: {known}.")
    rule_set = rule_set_of(catalogue)
    uses: dict[str, int] = {}
    for _, case in vectors.cases(rule_set):
        decision, _ = decide(rule_set, case)
        for reason in decision["reasons"]:
            uses[reason["rule_id"]] = uses.get(reason["rule_id"], 0) + 1
    document = reviewed_document(catalogue)
    typer.echo(review.render(rule_set, document["review"], language, form, uses), nl=False)


@app.command()
def population(
    folder: SeedFolder = None,
    people: Annotated[
        int, typer.Option(min=100, max=1_000_000, help="How many people to make up.")
    ] = 10_000,
) -> None:
    """Print how many synthetic people with ordinary back pain reach each level."""
    catalogue, _ = valid_or_fail(folder or read_settings().seed_folder)
    typer.echo(ordinary.render(rule_set_of(catalogue), people), nl=False)


def read_reports(path: Path, rule_set: RuleSet) -> Iterator[tuple[str, Case]]:
    """Read a file with one report a line, in the form of POST /v1/triage/evaluations."""
    now = SystemClock().now()
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        name = f"{path.name}:{number}"
        try:
            report = ReportFields.model_validate(json.loads(line))
            answers = read_answers(rule_set, report)
        except (ValidationError, InvalidRequest, ValueError) as error:
            raise fail(f"{name}: not a report: {error}") from None
        yield name, Case(answers, "en", now, country=report.country)


@app.command()
def diff(
    other: Annotated[Path, typer.Argument(help="The seed folder with the changed rule set.")],
    folder: SeedFolder = None,
    reports: Annotated[
        Path | None, typer.Option(help="A file with one report per line, as JSON.")
    ] = None,
) -> None:
    """Show what a changed rule set would do to the vectors, and to a file of reports."""
    catalogue, _ = valid_or_fail(folder or read_settings().seed_folder)
    try:
        changed = load_catalogue(other)
    except SeedInvalid as invalid:
        raise fail(str(invalid)) from None
    # Faults are shown and not fatal: a threshold is tried before its examples are rewritten.
    # Such a folder cannot be seeded.
    for fault in sorted(fault for check in triage_checks.ALL for fault in check(changed)):
        typer.echo(f"Would be rejected: {fault}", err=True)
    before, after = rule_set_of(catalogue), rule_set_of(changed)
    for line in review.rule_set_differences(before, after):
        typer.echo(line)
    cases = list(vectors.cases(before))
    if reports is not None:
        cases += read_reports(reports, before)
    found = list(review.decision_differences(before, after, cases))
    for change in found:
        typer.echo(str(change))
    typer.echo(f"{len(found)} of {len(cases)} decisions would change.")


@app.command("withdraw")
def withdraw_rule_set(
    rule_set_hash: Annotated[str, typer.Argument(help="The hash of the rule set.")],
    reason: Annotated[str, typer.Option(help="The reason; sent to devices.", max=500)],
) -> None:
    """Never use a rule set again, and decide again where it was used."""
    patient = {"database_timeout_seconds": PATIENT_SECONDS}
    settings = read_settings().model_copy(update=patient)
    set_up_logging(settings)
    clock = SystemClock()

    async def work() -> int:
        async with opened(settings, patient=True) as database:
            await require_head(database)
            rule_sets = RuleSets()
            async with database.write() as db:
                active = await active_hash(db)
                release = await load_release(db, active) if active else None
                if release is None or release.rule_set_hash == rule_set_hash:
                    message = "It is in force. Seed a corrected one first: footing seed"
                    raise fail(message)
                if await rule_sets.find(db, rule_set_hash) is None:
                    raise fail("No rule set with this hash was ever stored in this database.")
                in_force = rule_sets.of(release)
                await withdraw(db, rule_set_hash, reason, clock)
            count = 0
            length = await count_people(database)
            with typer.progressbar(length=length, label="Deciding again", file=sys.stderr) as bar:
                again = redo_decisions(database, rule_set_hash, in_force, clock.now())
                async for people, redone in again:
                    bar.update(people)
                    count += len(redone)
                    for each in redone:
                        levels = f"{each.level_before} -> {each.level_after}"
                        typer.echo(f"{each.old_id} -> {each.new_id}: {levels}")
            return count

    count = run(work())
    typer.echo(f"Withdrawn. {count} decisions were made again.")
