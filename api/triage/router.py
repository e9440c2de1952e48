"""Triage: the rule set for devices, and an evaluation that stores nothing."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from api.content import service
from api.content.deps import CurrentRelease
from api.content.router import IMMUTABLE_MAX_AGE, SAFETY_MAX_AGE
from api.core.errors import NotFound
from api.http.conditional import respond
from api.http.deps import ReadDb
from api.http.openapi import content_responses
from api.triage import schemas
from api.triage.deps import Asked, EvaluationRoute, KnownRuleSets, evaluated
from api.triage.service import path_of
from api.triage.vectors import PATH

EVALUATIONS = "/v1/triage/evaluations"
router = APIRouter(prefix="/v1/triage", tags=["triage"])
evaluating = APIRouter(prefix="/v1/triage", tags=["triage"], route_class=EvaluationRoute)

RuleSetHash = Annotated[
    str, Path(min_length=64, max_length=64, pattern=r"^[0-9a-f]{64}$", examples=["0" * 64])
]


@router.get("/rule-set", responses=content_responses(schemas.CurrentRuleSet))
async def get_rule_set(
    request: Request, release: CurrentRelease, rule_sets: KnownRuleSets
) -> Response:
    """Get the rule set in force; its ETag starts with its hash.

    A device that has one of the `withdrawn` rule sets must not use it again.
    """
    return respond(request, rule_sets.answer(release), max_age=SAFETY_MAX_AGE)


@router.get("/vectors", responses=content_responses(schemas.TriageVectors))
async def get_triage_vectors(request: Request, release: CurrentRelease) -> Response:
    """Get golden cases of the rule set in force, to check an evaluator against."""
    return respond(request, release.bodies[PATH, ""], max_age=SAFETY_MAX_AGE)


@router.get("/rule-sets/{rule_set_hash}", responses=content_responses(schemas.ServedRuleSet))
async def get_stored_rule_set(
    request: Request, release: CurrentRelease, db: ReadDb, rule_set_hash: RuleSetHash
) -> Response:
    """Get any rule set that was ever used."""
    path = path_of(rule_set_hash)
    body = release.bodies.get((path, "")) or await service.find_body(db, path)
    if body is None:
        message = "No rule set has this hash."
        raise NotFound(message)
    return respond(request, body, max_age=IMMUTABLE_MAX_AGE, immutable=True)


@evaluating.post("/evaluations", response_model=schemas.Decision)
async def evaluate_report(asked: Asked, report: schemas.TriageReport) -> Response:
    """Get a decision for a report. Nothing is stored, and no token is needed.

    Every JSON object gets a decision. Parts that cannot be used count as not answered, are listed
    in `ignored`, and prevent an all-clear. If something else is rejected, such as the language,
    the problem contains the decision on the body; if the body cannot be read at all, the
    cautious outcome, in the form of a decision.
    """
    return evaluated(asked, report.sent)
