"""Dependencies of triage handlers: the compiled rule set in force, and all others.

Also the decision in rejections and failures: every request for triage gets a decision.
"""

import contextlib
import datetime
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers, QueryParams

from api.content.deps import AcceptLanguage, CurrentRelease, Lang
from api.content.release import ServedRelease
from api.core.canonical import canonical_simple
from api.core.errors import InvalidRequest, Problem
from api.http.conditional import JSON
from api.http.context import context_of
from api.http.deps import Context
from api.http.languages import choose_language
from api.http.limits import count_public
from api.http.ordinary import MAX_ACCEPT_LANGUAGE, OrdinaryRoute, accepted_languages
from api.http.problems import from_validation
from api.triage.cautious import cautious_outcome
from api.triage.evaluation import Json, decide
from api.triage.refusals import decide_on_usable, is_decided_on
from api.triage.reports import case_of_sent
from api.triage.rules import RuleSet
from api.triage.service import RuleSets


async def get_rule_sets(context: Context) -> RuleSets:
    """Return the rule sets of this process."""
    return context.part(RuleSets)


KnownRuleSets = Annotated[RuleSets, Depends(get_rule_sets)]


async def get_rule_set(rule_sets: KnownRuleSets, release: CurrentRelease) -> RuleSet:
    """Return the rule set in force."""
    return rule_sets.of(release)


CurrentRules = Annotated[RuleSet, Depends(get_rule_set)]


@dataclass(frozen=True, slots=True)
class Asking:
    """The inputs of an evaluation besides the report."""

    rule_set: RuleSet
    language: str
    now: datetime.datetime


async def get_asked(
    request: Request, lang: Lang = None, accept_language: AcceptLanguage = ""
) -> Asking:
    """Return the inputs of an evaluation. One dependency, because each takes time in FastAPI."""
    context = context_of(request.scope)
    release = context.part(ServedRelease).now
    return Asking(
        rule_set=context.part(RuleSets).of(release),
        language=choose_language(lang, accept_language, release.languages),
        now=context.clock.now(),
    )


Asked = Annotated[Asking, Depends(get_asked)]


def language_asked_for(scope: Mapping[str, Any], available: tuple[str, ...]) -> str:
    """Choose the language of a response to a request that may be invalid in any way.

    By default it is `own_language` of the request's state: that of the enrolment, once the
    participant is authenticated.
    """
    accepted = Headers(raw=scope["headers"]).get("accept-language", "")[:MAX_ACCEPT_LANGUAGE]
    accepted = accepted or scope.get("state", {}).get("own_language", "")
    asked = QueryParams(scope["query_string"]).get("lang")
    with contextlib.suppress(InvalidRequest):
        return choose_language(asked, accepted, available)
    return choose_language(None, accepted, available)


def last_resort(
    endpoints: Mapping[str, Callable[[Problem], bool]],
) -> Callable[[Mapping[str, Any], Problem], dict[str, Any] | None]:
    """Return the cautious outcome for failed requests that asked for a decision and have none.

    `endpoints` has the paths of these POST requests, each with a test of the problem.
    """

    def decide(scope: Mapping[str, Any], problem: Problem) -> dict[str, Any] | None:
        wanted = endpoints.get(scope["path"])
        if scope["method"] != "POST" or wanted is None or not wanted(problem):
            return None
        context = context_of(scope)
        release = context.part(ServedRelease).now
        language = language_asked_for(scope, release.languages)
        rule_set = context.part(RuleSets).of(release)
        return cautious_outcome(rule_set, language, context.clock.now())

    return decide


class AnsweringRoute(OrdinaryRoute):
    """A route whose caller asks what to do: what it refuses is answered with a decision as well.

    Its router is included by the app directly: nested in another one, requests would be logged
    without the prefix of that.
    """

    @abstractmethod
    def decide(
        self, rule_set: RuleSet, sent: Any, language: str, now: datetime.datetime
    ) -> Json | None:
        """Decide on the usable parts of a rejected body, whatever it contains."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler: add a decision to what it raises."""
        handle = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                async with self.telling(request):
                    return await handle(request)
            except RequestValidationError as raised:
                invalid = from_validation(raised)
                await self._tell(request, invalid)
                raise invalid from raised

        return answered

    @contextlib.asynccontextmanager
    async def telling(self, request: Request) -> AsyncIterator[None]:
        """Put a decision beside each refusal."""
        try:
            yield
        except Problem as problem:
            await self._tell(request, problem)
            raise

    async def _tell(self, request: Request, problem: Problem) -> None:
        """Add a decision to a rejection; the body was read before."""
        if not is_decided_on(problem) or not problem.body_usable:
            return
        sent = None
        with contextlib.suppress(ValueError):  # there may be no body
            sent = await request.json()
        context = context_of(request.scope)
        release = context.part(ServedRelease).now
        problem.decision = self.decide(
            context.part(RuleSets).of(release),
            sent,
            language_asked_for(request.scope, release.languages),
            context.clock.now(),
        )


def evaluated(asked: Asking, sent: Mapping[str, Any]) -> Response:
    """Return the decision on a report, whatever it contains."""
    case = case_of_sent(asked.rule_set, sent, asked.language, asked.now)
    decision, _outcome = decide(asked.rule_set, case)
    headers = {"Content-Language": asked.language}
    return Response(_encoded(asked, decision), headers=headers, media_type=JSON)


def _encoded(asked: Asking, decision: Json) -> bytes:
    """Return the canonical bytes of a decision: those that a device with the same rules computes.

    Open questions are most of it, and the same in every decision. They are the last member.
    """
    known = asked.rule_set.encoded_questions
    questions = []
    for each in decision.pop("unanswered"):
        name = (each["question_id"], each["could_raise_to"], asked.language)
        if name not in known:
            known[name] = canonical_simple(each)
        questions.append(known[name])
    others = canonical_simple(decision).removesuffix(b"}")
    return b'%b,"unanswered":[%b]}' % (others, b",".join(questions))


class EvaluationRoute(AnsweringRoute):
    """The route of evaluations."""

    async def answer_ordinary(self, request: Request, sent: Any) -> Response | None:
        """Evaluate a JSON object: nothing can be refused in it but one too many."""
        if not isinstance(sent, dict):
            return None
        headers = await count_public(request)
        accept_language = accepted_languages(request.scope)
        response = evaluated(await get_asked(request, accept_language=accept_language), sent)
        response.headers.update(headers)
        return response

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler: requests are counted first, as rejected ones get a decision too."""
        handle = super().get_route_handler()

        async def counted(request: Request) -> Response:
            headers = await count_public(request)
            response = await handle(request)
            response.headers.update(headers)
            return response

        return counted

    def decide(
        self, rule_set: RuleSet, sent: Any, language: str, now: datetime.datetime
    ) -> Json | None:
        """Decide as if nothing but the body had been sent."""
        return decide_on_usable(rule_set, sent, language, now)
