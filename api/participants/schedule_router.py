"""A participant's schedule, as data for local notifications and as a calendar feed."""

import uuid
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Path, Request, Response
from pydantic import Field
from sqlmodel.ext.asyncio.session import AsyncSession

from api.content.deps import CurrentRelease
from api.content.release import Release
from api.core.errors import NotFound
from api.http.conditional import make_body, require_current, respond
from api.http.deps import CurrentClock, Db, ReadDb
from api.http.limits import PublicLimit
from api.http.openapi import content_responses
from api.http.queries import with_any_query
from api.participants import feeds, schedules, service
from api.participants.calendars import MEDIA_TYPE
from api.participants.deps import ReadingCaller, StoringCaller, WritingCaller
from api.participants.schemas import NewCalendarFeed, NewSchedule, Schedule

router = APIRouter(prefix="/v1", tags=["participants"])
TAGGED: dict[int | str, dict[str, object]] = {200: {"headers": {"ETag": {}}}}
GUARDED: dict[int | str, dict[str, object]] = {412: {}}
EXAMPLE_CALENDAR = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Footing//Reminders//EN\r\n…\r\nEND:VCALENDAR\r\n"
)
IfMatch = Annotated[
    str | None,
    Header(
        max_length=200,
        description="The ETag of the schedule you read: 412 if it was changed since. Without it "
        "the last write wins.",
        examples=['"3"'],
    ),
]
IfNoneMatch = Annotated[
    str | None,
    Header(
        max_length=200,
        description="`*`: 412 if a schedule already exists.",
        examples=["*"],
    ),
]
FeedToken = Annotated[
    str,
    Path(description="The secret part of the URL."),
    # Not validated: a malformed URL gets the same 404 as an unknown one.
    Field(json_schema_extra={"maxLength": 64}),
]


async def answer(
    db: AsyncSession,
    participant_id: uuid.UUID,
    in_force: schedules.ScheduleInForce | None,
    release: Release,
    response: Response,
) -> Schedule:
    """Return a schedule with its ETag, or raise NotFound."""
    if in_force is None or in_force.schedule is None:
        raise NotFound("There is no schedule.")
    language = await service.language_of(db, participant_id)
    response.headers["ETag"] = f'"{in_force.tag}"'
    return Schedule(
        **in_force.schedule.model_dump(),
        reminder_title=feeds.reminder_title(release.catalogue, language),
        changed_at=in_force.changed_at,
    )


@router.get("/me/schedule", responses={**TAGGED, 404: {}})
async def get_schedule(
    caller: ReadingCaller, db: ReadDb, release: CurrentRelease, response: Response
) -> Schedule:
    """Get your schedule; 404 if there is none."""
    in_force = await schedules.schedule_in_force(db, caller.participant_id)
    return await answer(db, caller.participant_id, in_force, release, response)


@router.put("/me/schedule", responses=TAGGED | GUARDED)
async def put_schedule(
    caller: StoringCaller,
    schedule: NewSchedule,
    release: CurrentRelease,
    clock: CurrentClock,
    db: Db,
    response: Response,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Schedule:
    """Replace your schedule. It applies from today on; past days keep the schedule they had.

    Sending the stored schedule again returns 200 whatever `If-Match` says, so that it can be
    retried until there is a response.
    """
    schedules.check_schedule(release.catalogue, schedule)
    guard = partial(require_current, if_match=if_match, if_none_match=if_none_match)
    in_force = await schedules.replace_schedule(
        db, caller.participant_id, schedule, guard, clock.now()
    )
    return await answer(db, caller.participant_id, in_force, release, response)


@router.delete("/me/schedule", status_code=204, responses=GUARDED)
async def delete_schedule(
    caller: WritingCaller, clock: CurrentClock, db: Db, if_match: IfMatch = None
) -> None:
    """Delete your schedule; deleting it again changes nothing."""
    guard = partial(require_current, if_match=if_match)
    await schedules.replace_schedule(db, caller.participant_id, None, guard, clock.now())


@router.post("/me/schedule/feed", status_code=201)
async def renew_calendar_feed(
    caller: StoringCaller, clock: CurrentClock, db: Db, response: Response
) -> NewCalendarFeed:
    """Get a new URL of a calendar with the reminders; the previous one stops working."""
    feed = await feeds.make_feed(db, caller.participant_id, clock.now())
    response.headers["Location"] = feed.path
    return feed


@router.delete("/me/schedule/feed", status_code=204)
async def end_calendar_feed(caller: WritingCaller, db: Db) -> None:
    """Revoke the calendar URL at once; revoking it again changes nothing."""
    await feeds.end_feed(db, caller.participant_id)


@router.get(
    "/calendars/{address}.ics",
    dependencies=[PublicLimit],
    responses=content_responses(
        {"type": "string", "maxLength": 100_000}, MEDIA_TYPE, example=EXAMPLE_CALENDAR
    ),
)
@with_any_query
async def get_calendar(
    request: Request, release: CurrentRelease, db: ReadDb, address: FeedToken
) -> Response:
    """Get the calendar of a URL. It needs no token: the URL is the secret."""
    calendar = await feeds.read_feed(db, address, release.catalogue)
    body = make_body(calendar, media_type=MEDIA_TYPE, quick=True)
    return respond(request, body, max_age=0, private=True)
