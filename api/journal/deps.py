"""Dependencies of journal handlers: the participant's journal, and the language of the response.

Also the route of a report, whose problem responses include a decision.
"""

import datetime
import functools
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from pydantic import TypeAdapter, ValidationError
from sqlmodel.ext.asyncio.session import AsyncSession

from api.content.deps import AcceptLanguage, CurrentRelease, Lang
from api.content.release import ServedRelease
from api.http.conditional import JSON
from api.http.context import AppContext, context_of
from api.http.deps import Context, Db
from api.http.languages import choose_language
from api.http.ordinary import OrdinaryRoute, accepted_languages
from api.journal.writing import Writing
from api.participants.deps import (
    Access,
    Caller,
    ReadingCaller,
    admit,
    bearer,
    participant,
    read_credentials,
)
from api.triage.deps import AnsweringRoute
from api.triage.evaluation import Json
from api.triage.refusals import decide_on_usable
from api.triage.rules import RuleSet
from api.triage.service import RuleSets

# What a response says of its own body.
OWN = frozenset({"content-length", "content-type"})


async def get_own_language(
    caller: ReadingCaller,
    release: CurrentRelease,
    lang: Lang = None,
    accept_language: AcceptLanguage = "",
) -> str:
    """Choose the language of a response: as requested, else that of the enrolment."""
    return choose_language(lang, accept_language or caller.language, release.languages)


def _writing(
    context: AppContext, db: AsyncSession, caller: Caller, lang: str | None, accept_language: str
) -> Writing:
    release = context.part(ServedRelease).now
    rule_sets = context.part(RuleSets)
    return Writing(
        db,
        caller.participant_id,
        rule_sets.of(release),
        rule_sets,
        choose_language(lang, accept_language or caller.language, release.languages),
        context.clock.now(),
        release.known_activities,
    )


def journal(access: Access) -> Callable[..., AsyncIterator[Writing]]:
    """Make the dependency that opens the participant's journal, locked until the commit."""

    async def open_journal(
        context: Context,
        caller: Annotated[Caller, Depends(participant(access), scope="function")],
        db: Db,
        lang: Lang = None,
        accept_language: AcceptLanguage = "",
    ) -> AsyncIterator[Writing]:
        writing = _writing(context, db, caller, lang, accept_language)
        yield writing
        await writing.flush()

    return open_journal


OwnJournal = Annotated[Writing, Depends(journal(Access.WRITE), scope="function")]
StoringJournal = Annotated[Writing, Depends(journal(Access.STORE), scope="function")]
ReadingLanguage = Annotated[str, Depends(get_own_language, scope="function")]


class UploadRoute(OrdinaryRoute):
    """The route of an upload: its handler takes a journal, what was sent, and a response."""

    async def answer_ordinary(self, request: Request, sent: Any) -> Response | None:
        """Store a valid upload, with what the dependencies of the handler would do."""
        try:
            upload = self.sent_type.validate_python(sent)
        except ValidationError:
            return None
        response = Response()
        token = await read_credentials(request, await bearer(request))
        context = context_of(request.scope)
        async with context.database.write() as db:
            caller = await admit(request, response, token, db, Access.STORE)
            writing = _writing(context, db, caller, None, accepted_languages(request.scope))
            answer = await self.endpoint(writing, upload, response)
            await writing.flush()
        headers = {name: value for name, value in response.headers.items() if name not in OWN}
        body = self.answer_type.dump_json(answer)
        return Response(body, response.status_code, headers, media_type=JSON)

    @functools.cached_property
    def sent_type(self) -> TypeAdapter[Any]:
        """The type of what is sent."""
        (body,) = self.dependant.body_params
        sent_type: Any = body.field_info.annotation
        return TypeAdapter(sent_type)

    @functools.cached_property
    def answer_type(self) -> TypeAdapter[Any]:
        """The type of the answer."""
        return TypeAdapter(self.response_model)


class AnsweringUploadRoute(UploadRoute, AnsweringRoute):
    """The route of an upload that asks what to do."""

    async def answer_ordinary(self, request: Request, sent: Any) -> Response | None:
        """Store a valid upload; what is refused is answered with a decision as well."""
        async with self.telling(request):
            return await super().answer_ordinary(request, sent)


class ReportRoute(AnsweringUploadRoute):
    """The route of a symptom report."""

    def decide(
        self, rule_set: RuleSet, sent: Any, language: str, now: datetime.datetime
    ) -> Json | None:
        """Decide on the usable parts of the report."""
        return decide_on_usable(rule_set, sent, language, now)
