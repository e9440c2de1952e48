"""Content: what the article teaches, as prepared bytes from memory."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from api.content import schemas, service
from api.content.deps import CurrentLanguage, CurrentRelease
from api.content.release import Release, entry_key, list_bytes
from api.content.seed import Activity
from api.content.vocabulary import Equipment, Position, Target
from api.core.errors import NotFound
from api.http.conditional import IDENTITY, Body, make_body, respond
from api.http.deps import ReadDb
from api.http.openapi import content_responses
from api.http.pages import (
    DEFAULT_LIMIT,
    Cursor,
    Limit,
    decode_cursor,
    encode_cursor,
    unreadable_cursor,
)
from api.http.queries import with_any_query
from api.http.response_cache import ReleaseRoute

router = APIRouter(prefix="/v1", tags=["content"], route_class=ReleaseRoute)

CONTENT_MAX_AGE = 3600
# What a person must not miss is asked for again soon.
SAFETY_MAX_AGE = 60
IMMUTABLE_MAX_AGE = 31_536_000
# Pages kept in memory; there are many more combinations of limit, cursor and filters.
MAX_ASSEMBLED = 512

ContentId = Annotated[
    str, Path(max_length=64, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", examples=["toe-curls"])
]
MediaName = Annotated[
    str,
    Path(
        max_length=100,
        pattern=r"^[a-z0-9-]+\.svg$",
        examples=["toe-curls-0123456789abcdef.svg"],
    ),
]
PageLimit = Annotated[Limit, Query()]
PageCursor = Annotated[Cursor, Query()]
EquipmentFilter = Annotated[
    Equipment | None, Query(description="Only what uses this.", examples=["towel"])
]
PositionFilter = Annotated[
    Position | None, Query(description="Only what is done like this.", examples=["seated"])
]
TargetFilter = Annotated[
    Target | None, Query(description="Only what works on this.", examples=["foot_muscles"])
]


def _page(
    release: Release,
    name: str,
    language: str,
    *,
    limit: int = DEFAULT_LIMIT,
    cursor: str | None = None,
    filters: tuple[Equipment | None, Position | None, Target | None] = (None, None, None),
) -> Body:
    """Return a list, or the part of it that filters and paging leave."""
    whole = release.bodies[name, language]
    entries = getattr(release.catalogue, name)
    if cursor is None and limit >= len(entries) and not any(filters):
        return whole
    key = (name, language, str(limit), cursor or "", *(value or "" for value in filters))
    if key not in release.assembled:
        ids = [
            entry_key(entry) for entry in entries if not any(filters) or _matches(entry, *filters)
        ]
        start = 0
        if cursor is not None:
            (after,) = decode_cursor(cursor, 1)
            if after not in ids:
                raise unreadable_cursor()
            start = ids.index(after) + 1
        page = ids[start : start + limit]
        more = start + limit < len(ids)
        data = list_bytes(
            (release.bodies[f"{name}/{item}", language].codings[IDENTITY] for item in page),
            encode_cursor(page[-1]) if more else None,
        )
        if len(release.assembled) >= MAX_ASSEMBLED:
            release.assembled.pop(next(iter(release.assembled)))
        release.assembled[key] = make_body(data, language=language, quick=True)
    return release.assembled[key]


def _matches(
    entry: Activity,
    equipment: Equipment | None,
    position: Position | None,
    target: Target | None,
) -> bool:
    if equipment and not any(equipment in need.any_of for need in entry.equipment):
        return False
    if position and entry.position is not position:
        return False
    return not target or target in entry.targets


def _one(release: Release, name: str, item_id: str, language: str) -> Body:
    body = release.bodies.get((f"{name}/{item_id}", language))
    if body is None:
        message = f"Unknown id {item_id} in {name}."
        raise NotFound(message)
    return body


def _answer(request: Request, body: Body, max_age: int = CONTENT_MAX_AGE) -> Response:
    return respond(request, body, max_age=max_age)


@router.get("/exercises", responses=content_responses(schemas.ExerciseList))
async def list_exercises(
    request: Request,
    release: CurrentRelease,
    language: CurrentLanguage,
    equipment: EquipmentFilter = None,
    position: PositionFilter = None,
    target: TargetFilter = None,
    limit: PageLimit = DEFAULT_LIMIT,
    cursor: PageCursor = None,
) -> Response:
    """List the exercises."""
    filters = (equipment, position, target)
    body = _page(release, "exercises", language, limit=limit, cursor=cursor, filters=filters)
    return _answer(request, body)


@router.get("/exercises/{item_id}", responses=content_responses(schemas.Exercise))
async def get_exercise(
    request: Request, release: CurrentRelease, language: CurrentLanguage, item_id: ContentId
) -> Response:
    """Get one exercise."""
    return _answer(request, _one(release, "exercises", item_id, language))


@router.get("/massages", responses=content_responses(schemas.MassageList))
async def list_massages(
    request: Request,
    release: CurrentRelease,
    language: CurrentLanguage,
    equipment: EquipmentFilter = None,
    position: PositionFilter = None,
    target: TargetFilter = None,
    limit: PageLimit = DEFAULT_LIMIT,
    cursor: PageCursor = None,
) -> Response:
    """List the massage techniques: traditional use, not shown to treat back pain."""
    filters = (equipment, position, target)
    body = _page(release, "massages", language, limit=limit, cursor=cursor, filters=filters)
    return _answer(request, body)


@router.get("/massages/{item_id}", responses=content_responses(schemas.Massage))
async def get_massage(
    request: Request, release: CurrentRelease, language: CurrentLanguage, item_id: ContentId
) -> Response:
    """Get one massage technique."""
    return _answer(request, _one(release, "massages", item_id, language))


@router.get("/warnings", responses=content_responses(schemas.WarningList))
async def list_warnings(
    request: Request,
    release: CurrentRelease,
    language: CurrentLanguage,
    limit: PageLimit = DEFAULT_LIMIT,
    cursor: PageCursor = None,
) -> Response:
    """List when to stop and seek help, the article's three warnings first."""
    body = _page(release, "warnings", language, limit=limit, cursor=cursor)
    return _answer(request, body, SAFETY_MAX_AGE)


@router.get("/warnings/{item_id}", responses=content_responses(schemas.HealthWarning))
async def get_warning(
    request: Request, release: CurrentRelease, language: CurrentLanguage, item_id: ContentId
) -> Response:
    """Get one warning."""
    return _answer(request, _one(release, "warnings", item_id, language), SAFETY_MAX_AGE)


@router.get("/routines", responses=content_responses(schemas.RoutineList))
async def list_routines(
    request: Request,
    release: CurrentRelease,
    language: CurrentLanguage,
    limit: PageLimit = DEFAULT_LIMIT,
    cursor: PageCursor = None,
) -> Response:
    """List the routines, the daily one first."""
    return _answer(request, _page(release, "routines", language, limit=limit, cursor=cursor))


@router.get("/routines/{item_id}", responses=content_responses(schemas.Routine))
async def get_routine(
    request: Request, release: CurrentRelease, language: CurrentLanguage, item_id: ContentId
) -> Response:
    """Get one routine with its computed duration."""
    return _answer(request, _one(release, "routines", item_id, language))


@router.get("/tips", responses=content_responses(schemas.TipList))
async def list_tips(
    request: Request,
    release: CurrentRelease,
    language: CurrentLanguage,
    limit: PageLimit = DEFAULT_LIMIT,
    cursor: PageCursor = None,
) -> Response:
    """List the tips."""
    return _answer(request, _page(release, "tips", language, limit=limit, cursor=cursor))


@router.get("/benefits", responses=content_responses(schemas.BenefitList))
async def list_benefits(
    request: Request,
    release: CurrentRelease,
    language: CurrentLanguage,
    limit: PageLimit = DEFAULT_LIMIT,
    cursor: PageCursor = None,
) -> Response:
    """List how the whole is said to help, with the evidence."""
    return _answer(request, _page(release, "benefits", language, limit=limit, cursor=cursor))


@router.get("/sources", responses=content_responses(schemas.SourceList))
async def list_sources(
    request: Request,
    release: CurrentRelease,
    language: CurrentLanguage,
    limit: PageLimit = DEFAULT_LIMIT,
    cursor: PageCursor = None,
) -> Response:
    """List the citations."""
    return _answer(request, _page(release, "sources", language, limit=limit, cursor=cursor))


@router.get("/consents", responses=content_responses(schemas.ConsentList))
async def list_consents(
    request: Request,
    release: CurrentRelease,
    language: CurrentLanguage,
    limit: PageLimit = DEFAULT_LIMIT,
    cursor: PageCursor = None,
) -> Response:
    """List the consent texts and their versions."""
    body = _page(release, "consents", language, limit=limit, cursor=cursor)
    return _answer(request, body, SAFETY_MAX_AGE)


@router.get("/content", responses=content_responses(schemas.ContentBundle))
async def get_content(
    request: Request, release: CurrentRelease, language: CurrentLanguage
) -> Response:
    """Get everything in one language, for use offline."""
    return _answer(request, release.bodies["content", language], SAFETY_MAX_AGE)


@router.get(
    "/media/{name}",
    responses=content_responses(
        {"type": "string", "maxLength": 100_000, "contentMediaType": "image/svg+xml"},
        "image/svg+xml",
    ),
)
@with_any_query
async def get_media(
    request: Request, release: CurrentRelease, db: ReadDb, name: MediaName
) -> Response:
    """Get a picture. Its name contains its hash, so that it may be cached forever."""
    path = f"media/{name}"
    body = release.bodies.get((path, "")) or await service.find_body(db, path)
    if body is None:
        message = "Unknown picture."
        raise NotFound(message)
    return respond(request, body, max_age=IMMUTABLE_MAX_AGE, immutable=True)
