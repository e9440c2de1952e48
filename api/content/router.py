"""Content endpoints: prepared bytes from memory."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

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
# Warnings are refreshed more often.
SAFETY_MAX_AGE = 60
IMMUTABLE_MAX_AGE = 31_536_000
# Pages in memory; there are many more combinations of limit, cursor and filters.
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


@dataclass(frozen=True)
class PageRequest:
    """Which page of a list a request asks for."""

    limit: int
    cursor: str | None


@dataclass(frozen=True)
class Filters:
    """Which activities a request asks for; None means any."""

    equipment: Equipment | None = None
    position: Position | None = None
    target: Target | None = None

    def match(self, entry: Activity) -> bool:
        """Return whether an activity passes all filters."""
        if self.equipment and not any(self.equipment in need.any_of for need in entry.equipment):
            return False
        if self.position and entry.position is not self.position:
            return False
        return not self.target or self.target in entry.targets


ANY = Filters()


@dataclass(frozen=True)
class ContentResponses:
    """The responses to a request, from the served release in the language of the request."""

    request: Request
    release: Release
    language: str

    def body(self, body: Body, max_age: int = CONTENT_MAX_AGE) -> Response:
        """Respond with a prepared body."""
        return respond(self.request, body, max_age=max_age)

    def item(self, name: str, item_id: str, max_age: int = CONTENT_MAX_AGE) -> Response:
        """Respond with an entry of a list."""
        body = self.release.bodies.get((f"{name}/{item_id}", self.language))
        if body is None:
            message = f"Unknown id {item_id} in {name}."
            raise NotFound(message)
        return self.body(body, max_age)

    def page(
        self, name: str, page: PageRequest, filters: Filters = ANY, max_age: int = CONTENT_MAX_AGE
    ) -> Response:
        """Respond with a list, filtered and paged."""
        entries = getattr(self.release.catalogue, name)
        if page.cursor is None and page.limit >= len(entries) and filters == ANY:
            return self.body(self.release.bodies[name, self.language], max_age)
        assembled = self.release.assembled
        key = (name, self.language, page, filters)
        if key not in assembled:
            ids = [entry_key(each) for each in entries if filters == ANY or filters.match(each)]
            body = make_body(self._cut(name, ids, page), language=self.language, quick=True)
            if len(assembled) >= MAX_ASSEMBLED:
                assembled.pop(next(iter(assembled)))
            assembled[key] = body
        return self.body(assembled[key], max_age)

    def _cut(self, name: str, ids: list[str], page: PageRequest) -> bytes:
        start = 0
        if page.cursor is not None:
            (after,) = decode_cursor(page.cursor, 1)
            if after not in ids:
                raise unreadable_cursor()
            start = ids.index(after) + 1
        found = ids[start : start + page.limit]
        bodies = (self.release.bodies[f"{name}/{item}", self.language] for item in found)
        more = start + page.limit < len(ids)
        return list_bytes(
            (body.encodings[IDENTITY] for body in bodies),
            encode_cursor(found[-1]) if more else None,
        )


async def open_responses(
    request: Request, release: CurrentRelease, language: CurrentLanguage
) -> ContentResponses:
    """Return the responses to a request."""
    return ContentResponses(request, release, language)


async def choose_page(
    limit: Annotated[Limit, Query()] = DEFAULT_LIMIT,
    cursor: Annotated[Cursor, Query()] = None,
) -> PageRequest:
    """Return the requested page."""
    return PageRequest(limit, cursor)


async def choose_filters(
    equipment: Annotated[
        Equipment | None, Query(description="Only what uses this.", examples=["towel"])
    ] = None,
    position: Annotated[
        Position | None, Query(description="Only what is done like this.", examples=["seated"])
    ] = None,
    target: Annotated[
        Target | None, Query(description="Only what works on this.", examples=["foot_muscles"])
    ] = None,
) -> Filters:
    """Return the requested filters."""
    return Filters(equipment, position, target)


Responses = Annotated[ContentResponses, Depends(open_responses)]
WantedPage = Annotated[PageRequest, Depends(choose_page)]
WantedFilters = Annotated[Filters, Depends(choose_filters)]


@router.get("/exercises", responses=content_responses(schemas.ExerciseList))
async def list_exercises(
    filters: WantedFilters, page: WantedPage, responses: Responses
) -> Response:
    """List the exercises."""
    return responses.page("exercises", page, filters)


@router.get("/exercises/{item_id}", responses=content_responses(schemas.Exercise))
async def get_exercise(item_id: ContentId, responses: Responses) -> Response:
    """Get one exercise."""
    return responses.item("exercises", item_id)


@router.get("/massages", responses=content_responses(schemas.MassageList))
async def list_massages(filters: WantedFilters, page: WantedPage, responses: Responses) -> Response:
    """List the massage techniques: traditional use, not shown to treat back pain."""
    return responses.page("massages", page, filters)


@router.get("/massages/{item_id}", responses=content_responses(schemas.Massage))
async def get_massage(item_id: ContentId, responses: Responses) -> Response:
    """Get one massage technique."""
    return responses.item("massages", item_id)


@router.get("/warnings", responses=content_responses(schemas.WarningList))
async def list_warnings(page: WantedPage, responses: Responses) -> Response:
    """List when to stop and seek help, the article's three warnings first."""
    return responses.page("warnings", page, max_age=SAFETY_MAX_AGE)


@router.get("/warnings/{item_id}", responses=content_responses(schemas.HealthWarning))
async def get_warning(item_id: ContentId, responses: Responses) -> Response:
    """Get one warning."""
    return responses.item("warnings", item_id, SAFETY_MAX_AGE)


@router.get("/routines", responses=content_responses(schemas.RoutineList))
async def list_routines(page: WantedPage, responses: Responses) -> Response:
    """List the routines, the daily one first."""
    return responses.page("routines", page)


@router.get("/routines/{item_id}", responses=content_responses(schemas.Routine))
async def get_routine(item_id: ContentId, responses: Responses) -> Response:
    """Get one routine with its computed duration."""
    return responses.item("routines", item_id)


@router.get("/tips", responses=content_responses(schemas.TipList))
async def list_tips(page: WantedPage, responses: Responses) -> Response:
    """List the tips."""
    return responses.page("tips", page)


@router.get("/benefits", responses=content_responses(schemas.BenefitList))
async def list_benefits(page: WantedPage, responses: Responses) -> Response:
    """List how the whole is said to help, with the evidence."""
    return responses.page("benefits", page)


@router.get("/sources", responses=content_responses(schemas.SourceList))
async def list_sources(page: WantedPage, responses: Responses) -> Response:
    """List the citations."""
    return responses.page("sources", page)


@router.get("/consents", responses=content_responses(schemas.ConsentList))
async def list_consents(page: WantedPage, responses: Responses) -> Response:
    """List the consent texts and their versions."""
    return responses.page("consents", page, max_age=SAFETY_MAX_AGE)


@router.get("/content", responses=content_responses(schemas.ContentBundle))
async def get_content(responses: Responses) -> Response:
    """Get everything in one language, for use offline."""
    return responses.body(responses.release.bodies["content", responses.language], SAFETY_MAX_AGE)


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
