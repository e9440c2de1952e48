"""Dependencies of journal handlers: the participant's journal, and the language of the response.

Also the route of a report, whose problem responses include a decision.
"""

import datetime
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from fastapi import Depends

from api.content.deps import AcceptLanguage, CurrentRelease, Lang
from api.content.release import ServedRelease
from api.http.deps import Context, Db
from api.http.languages import choose_language
from api.journal.writing import Writing
from api.participants.deps import Access, Caller, ReadingCaller, participant
from api.triage.deps import AnsweringRoute
from api.triage.evaluation import Json
from api.triage.refusals import decide_on_usable
from api.triage.rules import RuleSet
from api.triage.service import RuleSets


async def get_own_language(
    caller: ReadingCaller,
    release: CurrentRelease,
    lang: Lang = None,
    accept_language: AcceptLanguage = "",
) -> str:
    """Choose the language of a response: as requested, else that of the enrolment."""
    return choose_language(lang, accept_language or caller.language, release.languages)


def journal(access: Access) -> Callable[..., AsyncIterator[Writing]]:
    """Make the dependency that opens the participant's journal, locked until the commit."""

    async def open_journal(
        context: Context,
        caller: Annotated[Caller, Depends(participant(access), scope="function")],
        db: Db,
        lang: Lang = None,
        accept_language: AcceptLanguage = "",
    ) -> AsyncIterator[Writing]:
        release = context.part(ServedRelease).now
        rule_sets = context.part(RuleSets)
        writing = Writing(
            db,
            caller.participant_id,
            rule_sets.of(release),
            rule_sets,
            choose_language(lang, accept_language or caller.language, release.languages),
            context.clock.now(),
            release.known_activities,
        )
        yield writing
        await writing.flush()

    return open_journal


OwnJournal = Annotated[Writing, Depends(journal(Access.WRITE), scope="function")]
StoringJournal = Annotated[Writing, Depends(journal(Access.STORE), scope="function")]
ReadingLanguage = Annotated[str, Depends(get_own_language, scope="function")]


class ReportRoute(AnsweringRoute):
    """The route of a symptom report."""

    def decide(
        self, rule_set: RuleSet, sent: Any, language: str, now: datetime.datetime
    ) -> Json | None:
        """Decide on the usable parts of the report."""
        return decide_on_usable(rule_set, sent, language, now)
