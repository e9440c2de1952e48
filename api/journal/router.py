"""Session logs and symptom reports of a participant, each stored exactly once."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from api.content.deps import CurrentRelease
from api.http.deps import CurrentClock, ReadDb
from api.http.fields import RecordId
from api.http.pages import DEFAULT_LIMIT, Cursor, Limit
from api.journal import decisions, reading, service
from api.journal.deps import (
    OwnJournal,
    ReadingLanguage,
    ReportRoute,
    StoringJournal,
    UploadRoute,
)
from api.journal.progress_queries import read_progress
from api.journal.schemas import (
    DecisionDetails,
    LoggedClearance,
    LoggedSession,
    LoggedSymptomReport,
    NewClearance,
    NewSession,
    NewSymptomReport,
    Progress,
    ReplayedDecision,
    SessionList,
    SymptomReportList,
)
from api.participants.deps import ReadingCaller
from api.triage.deps import CurrentRules, KnownRuleSets

REPORTS = "/v1/symptom-reports"
router = APIRouter(prefix="/v1", tags=["journal"])
logging = APIRouter(prefix="/v1", tags=["journal"], route_class=UploadRoute)
reporting = APIRouter(prefix="/v1", tags=["journal"], route_class=ReportRoute)
# 201 the first time, 200 if the same content was stored before, 409 if other content was.
REPEATABLE: dict[int | str, dict[str, object]] = {
    200: {"description": "Already stored; the same response again."},
    409: {},
}
OwnId = Annotated[RecordId, Path(examples=["01939d6e-7a5b-7c3e-8f10-2b6d5c4e3a21"])]
PageLimit = Annotated[Limit, Query()]
PageCursor = Annotated[Cursor, Query()]


@logging.post("/sessions", status_code=201, responses=REPEATABLE | {200: {"model": LoggedSession}})
async def log_session(
    journal: StoringJournal, session: NewSession, response: Response
) -> LoggedSession:
    """Log a finished session; send it again as often as you like."""
    stored, created = await service.log_session(journal, session)
    response.headers["Content-Language"] = journal.language
    answer_created(response, f"/v1/sessions/{stored.id}", created=created)
    return stored


@router.get("/sessions")
async def list_sessions(
    caller: ReadingCaller,
    db: ReadDb,
    rule_set: CurrentRules,
    language: ReadingLanguage,
    limit: PageLimit = DEFAULT_LIMIT,
    cursor: PageCursor = None,
) -> SessionList:
    """List your sessions, newest first."""
    return await reading.list_sessions(
        db, caller.participant_id, rule_set, language, limit=limit, cursor=cursor
    )


@router.get("/sessions/{session_id}")
async def get_session(
    caller: ReadingCaller,
    db: ReadDb,
    rule_set: CurrentRules,
    language: ReadingLanguage,
    session_id: OwnId,
) -> LoggedSession:
    """Get one of your sessions."""
    return await reading.get_session(db, caller.participant_id, session_id, rule_set, language)


@reporting.post(
    "/symptom-reports",
    status_code=201,
    responses=REPEATABLE | {200: {"model": LoggedSymptomReport}},
)
async def file_symptom_report(
    journal: StoringJournal, report: NewSymptomReport, response: Response
) -> LoggedSymptomReport:
    """Upload a symptom report and get its decision. Retries are stored once.

    A rejected report gets a decision too, in the problem: on the parts of it that can be used.
    """
    stored, created = await service.file_report(journal, report)
    response.headers["Content-Language"] = stored.decision.language
    answer_created(response, f"/v1/symptom-reports/{stored.id}", created=created)
    return stored


@router.delete("/sessions/{session_id}", status_code=204)
async def delete_session(journal: OwnJournal, session_id: OwnId) -> None:
    """Delete a session, and every session that it corrected, for good."""
    await service.delete_session(journal, session_id)


@router.delete("/symptom-reports/{report_id}", status_code=204)
async def delete_symptom_report(journal: OwnJournal, report_id: OwnId) -> None:
    """Permanently delete a symptom report and its decisions. A hold that it caused remains."""
    await service.delete_report(journal, report_id)


@router.get("/symptom-reports")
async def list_symptom_reports(
    caller: ReadingCaller,
    db: ReadDb,
    limit: PageLimit = DEFAULT_LIMIT,
    cursor: PageCursor = None,
) -> SymptomReportList:
    """List your symptom reports with their decisions, newest first."""
    return await reading.list_reports(db, caller.participant_id, limit=limit, cursor=cursor)


@router.get("/symptom-reports/{report_id}")
async def get_symptom_report(
    caller: ReadingCaller, db: ReadDb, report_id: OwnId
) -> LoggedSymptomReport:
    """Get one of your symptom reports with its decision."""
    return await reading.get_report(db, caller.participant_id, report_id)


@router.get("/decisions/{decision_id}")
async def get_decision(caller: ReadingCaller, db: ReadDb, decision_id: OwnId) -> DecisionDetails:
    """Get one of your decisions, with its facts and rules."""
    return await reading.get_decision(db, caller.participant_id, decision_id)


@router.post("/decisions/{decision_id}/replay")
async def replay_decision(
    caller: ReadingCaller, db: ReadDb, rule_sets: KnownRuleSets, decision_id: OwnId
) -> ReplayedDecision:
    """Compute a decision again from its stored rule set and report, and compare."""
    stored, differences = await decisions.replay(db, caller.participant_id, decision_id, rule_sets)
    return ReplayedDecision(
        identical=not differences,
        differences=differences,
        rule_set_hash=stored.rule_set_hash,
        engine=stored.engine,
    )


@router.post(
    "/me/clearances", status_code=201, responses=REPEATABLE | {200: {"model": LoggedClearance}}
)
async def record_clearance(
    journal: StoringJournal, clearance: NewClearance, response: Response
) -> LoggedClearance:
    """Record that a professional has seen the user and said that the activities are fine."""
    stored, created = await service.clear(journal, clearance)
    response.status_code = 201 if created else 200
    return stored


@router.get("/me/progress")
async def get_progress(
    caller: ReadingCaller,
    db: ReadDb,
    release: CurrentRelease,
    rule_set: CurrentRules,
    language: ReadingLanguage,
    clock: CurrentClock,
) -> Progress:
    """Get your progress, by your local dates."""
    return await read_progress(
        db, caller.participant_id, release.catalogue, rule_set, language, clock.now()
    )


def answer_created(response: Response, location: str, *, created: bool) -> None:
    """Respond with 201 to a first upload, and with 200 to a repeated one."""
    response.status_code = 201 if created else 200
    response.headers["Location"] = location
