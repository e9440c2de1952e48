"""What journal handlers ask for: the caller's journal, and the language to answer them in.

And the route of reports, whose sender is told what to do also where the report is refused.
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from api.content.deps import AcceptLanguage, CurrentRelease, Lang
from api.core.errors import Problem
from api.http.deps import CurrentClock, Db, ReadDb
from api.http.languages import choose_language
from api.http.problems import from_validation
from api.journal.refusals import REFUSED, decide_on_refused
from api.journal.writing import Writing
from api.participants.deps import ReadingCaller, WritingCaller, require_storage_consent
from api.participants.service import language_of, lock_participant
from api.triage.deps import CurrentRules, KnownRuleSets, language_asked_for


async def get_own_language(
    request: Request,
    db: Db,
    caller: WritingCaller,
    release: CurrentRelease,
    lang: Lang = None,
    accept_language: AcceptLanguage = "",
) -> str:
    """Choose what was asked for now, else the language of the enrolment."""
    if not lang and not accept_language:
        accept_language = await language_of(db, caller.participant_id)
    language = choose_language(lang, accept_language, release.languages)
    # For the answer to what is refused after this.
    request.state.own_language = language
    return language


async def get_own_language_for_reading(
    request: Request,
    db: ReadDb,
    caller: ReadingCaller,
    release: CurrentRelease,
    lang: Lang = None,
    accept_language: AcceptLanguage = "",
) -> str:
    """Choose the same where nothing is written."""
    return await get_own_language(request, db, caller, release, lang, accept_language)


OwnLanguage = Annotated[str, Depends(get_own_language, scope="function")]


async def get_writing(
    db: Db,
    caller: WritingCaller,
    rule_set: CurrentRules,
    rule_sets: KnownRuleSets,
    language: OwnLanguage,
    clock: CurrentClock,
) -> AsyncIterator[Writing]:
    """Open the caller's journal; what changed in it is numbered when the handler is done."""
    # Before the first write: two phones that send the same would otherwise wait for each other.
    storage_consent = await lock_participant(db, caller.participant_id)
    usable = await rule_sets.usable(db, rule_set)
    writing = Writing(
        db, caller.participant_id, usable, rule_sets, language, clock.now(), storage_consent
    )
    yield writing
    await writing.finish()


OwnJournal = Annotated[Writing, Depends(get_writing, scope="function")]


def get_storing(journal: OwnJournal) -> Writing:
    """Open the caller's journal for something new, if they still agree to its being stored."""
    require_storage_consent(given=journal.storage_consent)
    return journal


StoringJournal = Annotated[Writing, Depends(get_storing, scope="function")]
ReadingLanguage = Annotated[str, Depends(get_own_language_for_reading, scope="function")]


class ReportRoute(APIRoute):
    """The route of a symptom report: a refusal holds a decision on what of the report is usable."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler: what it raises leaves with a decision."""
        handle = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handle(request)
            except Problem as problem:
                await _tell(request, problem)
                raise
            except RequestValidationError as raised:
                invalid = from_validation(raised)
                await _tell(request, invalid)
                raise invalid from raised

        return answered


async def _tell(request: Request, problem: Problem) -> None:
    """Put a decision beside the refusal of a report; its body was read before."""
    if problem.status not in REFUSED or not problem.body_usable:
        return
    sent = None
    with contextlib.suppress(ValueError):  # there may be no body at all
        sent = await request.json()
    state = request.app.state
    language = getattr(request.state, "own_language", None)
    problem.decision = decide_on_refused(
        state.rule_sets.of(state.release),
        sent,
        language or language_asked_for(request.scope, state.release.languages),
        state.clock.now(),
    )
