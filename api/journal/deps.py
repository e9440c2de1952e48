"""What journal handlers ask for: the caller's journal, and the language to answer them in.

And the route of a report, whose problem responses carry a decision.
"""

import datetime
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Depends

from api.content.deps import AcceptLanguage, CurrentRelease, Lang
from api.content.release import Release
from api.http.deps import CurrentClock, Db
from api.http.languages import choose_language
from api.journal.writing import Writing
from api.participants.deps import Caller, ReadingCaller, WritingCaller, require_storage_consent
from api.participants.service import lock_participant
from api.triage.deps import AnsweringRoute, CurrentRules, KnownRuleSets
from api.triage.evaluation import Json
from api.triage.refusals import decide_on_usable
from api.triage.rules import RuleSet


def _own_language(caller: Caller, release: Release, lang: str | None, accept_language: str) -> str:
    """Choose what was asked for now, else the language of the enrolment."""
    return choose_language(lang, accept_language or caller.language, release.languages)


async def get_own_language(
    caller: WritingCaller,
    release: CurrentRelease,
    lang: Lang = None,
    accept_language: AcceptLanguage = "",
) -> str:
    """Choose the language of a response to a participant."""
    return _own_language(caller, release, lang, accept_language)


async def get_own_language_for_reading(
    caller: ReadingCaller,
    release: CurrentRelease,
    lang: Lang = None,
    accept_language: AcceptLanguage = "",
) -> str:
    """Choose the same where nothing is written."""
    return _own_language(caller, release, lang, accept_language)


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
    # Before the first write: two devices that send the same record would otherwise deadlock.
    storage_consent = await lock_participant(db, caller.participant_id)
    usable = await rule_sets.usable(db, rule_set)
    writing = Writing(
        db, caller.participant_id, usable, rule_sets, language, clock.now(), storage_consent
    )
    yield writing
    await writing.finish()


OwnJournal = Annotated[Writing, Depends(get_writing, scope="function")]


async def get_storing(journal: OwnJournal) -> Writing:
    """Open the caller's journal for something new, if they still agree to its being stored."""
    require_storage_consent(given=journal.storage_consent)
    return journal


StoringJournal = Annotated[Writing, Depends(get_storing, scope="function")]
ReadingLanguage = Annotated[str, Depends(get_own_language_for_reading, scope="function")]


class ReportRoute(AnsweringRoute):
    """The route of a symptom report."""

    def decide(
        self, rule_set: RuleSet, sent: Any, language: str, now: datetime.datetime
    ) -> Json | None:
        """Decide on what can be used of the report."""
        return decide_on_usable(rule_set, sent, language, now)
