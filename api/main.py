"""Creates the app from settings and a clock."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Sequence
from importlib.metadata import version
from typing import Any

import structlog
from fastapi import APIRouter, Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from api.aggregates.router import router as aggregates_router
from api.clinicians import page as clinic_page
from api.clinicians.oidc import AccessTokens
from api.clinicians.router import router as clinicians_router
from api.content.release import ServedRelease
from api.content.router import router as content_router
from api.content.service import active_hash, load_release
from api.core.clock import Clock, SystemClock
from api.core.config import Settings
from api.core.db import Database
from api.core.errors import NotReady
from api.core.writable import WriteCheck
from api.http import compatibility, docs_page, openapi, problems
from api.http.admission import Admission
from api.http.compatibility import DeprecationMiddleware
from api.http.compatibility import router as compatibility_router
from api.http.context import AppContext
from api.http.json_limits import BodyLimits
from api.http.limiter import Limiter
from api.http.middleware import CacheMiddleware, RequestMiddleware
from api.http.operations import router as operations_router
from api.http.ordinary import OrdinaryMiddleware, OrdinaryRoute
from api.http.queries import check_query
from api.http.response_cache import ResponseCache
from api.journal.plans import router as plans_router
from api.journal.router import REPORTS
from api.journal.router import logging as logging_router
from api.journal.router import reporting as reporting_router
from api.journal.router import router as journal_router
from api.migrations import require_head
from api.participants.router import router as participants_router
from api.participants.schedule_router import router as schedule_router
from api.privacy.exports import Exports
from api.privacy.router import router as privacy_router
from api.publications.policy import read_policies
from api.sync.router import BATCHES, batching
from api.sync.router import router as sync_router
from api.sync.schemas import MAX_BATCH_VALUES
from api.triage.deps import last_resort
from api.triage.refusals import wants_decision
from api.triage.router import EVALUATIONS, evaluating
from api.triage.router import router as triage_router
from api.triage.service import RuleSets, withdrawn_rule_sets

DESCRIPTION = """
An open backend for mobile apps that help people with back pain through foot exercises, reflex-point
massage and a daily set, and that tells them clearly when to see a professional.

Footing does not diagnose. Everything about reflex points is traditional use and not shown to treat
back pain.
"""
TAGS = [
    {"name": "content", "description": "Exercises, massages, tips and warnings; no token."},
    {"name": "triage", "description": "The red-flag rule set and its evaluation; no token."},
    {"name": "participants", "description": "Enrolment, devices, consent, profile and schedule."},
    {"name": "journal", "description": "Your sessions, symptom reports and composed routines."},
    {"name": "clinicians", "description": "Access of clinicians, by key or access token."},
    {"name": "aggregates", "description": "Anonymised figures about many people, for clinicians."},
    {"name": "operations", "description": "Health, readiness and compatibility."},
]
log = structlog.get_logger(__name__)


async def take_up(context: AppContext) -> None:
    """Serve the active release, if another one became active, and what was withdrawn."""
    served, rule_sets = context.part(ServedRelease), context.part(RuleSets)
    before = served.release
    async with context.database.read() as db:
        # In this order: a rule set is withdrawn only once another one is active, so a reader
        # that sees it withdrawn also sees its successor.
        withdrawn = await withdrawn_rule_sets(db)
        active = await active_hash(db)
        if active is None:
            message = "There is no content in the database yet. Run: footing seed"
            raise NotReady(message)
        release = before
        if release is None or release.hash != active:
            release = await load_release(db, active)
    # Compiled before it is served: a rule set that cannot be compiled is not activated.
    rule_sets.of(release)
    rule_sets.take_up(withdrawn)
    served.release = release
    if release is not before:
        log.info("release taken up", release=release.hash, rule_set=release.rule_set_hash)


async def watch_releases(context: AppContext) -> None:
    """Look for a new release every few seconds, for as long as the app runs."""
    while True:
        await asyncio.sleep(context.settings.release_poll_seconds)
        try:
            await take_up(context)
        except Exception as error:  # the current release stays, and the next attempt follows
            log.warning("cannot check for a new release", exc_info=error)


def make_context(settings: Settings, clock: Clock, version: str) -> AppContext:
    """Create what all requests share. No connection is opened yet."""
    database, served = Database(settings), ServedRelease()
    parts: list[object] = [
        served,
        RuleSets(),
        read_policies(settings.seed_folder, settings.aggregates_profile),
        Exports(settings.max_exports),
    ]
    if settings.oidc_issuer:
        parts.append(AccessTokens(settings.oidc_issuer, settings, clock))
    return AppContext(
        settings=settings,
        clock=clock,
        database=database,
        write_check=WriteCheck(database),
        limiter=Limiter(settings),
        admission=Admission(settings.max_requests_in_progress, {REPORTS, BATCHES}),
        body_limits={
            "": BodyLimits(settings.max_body_bytes),
            BATCHES: BodyLimits(settings.max_batch_bytes, MAX_BATCH_VALUES),
        },
        compatibility=compatibility.describe(settings, version),
        response_cache=ResponseCache(lambda: served.release),
        served_release=lambda: served.release.hash if served.release else None,
        last_resort=last_resort({EVALUATIONS: lambda _problem: True, REPORTS: wants_decision}),
        parts={type(part): part for part in parts},
    )


@contextlib.asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    """Check the database, load the active release and follow it until the app stops."""
    context: AppContext = app.state.context
    try:
        await require_head(context.database)
        await take_up(context)
        watcher = asyncio.create_task(watch_releases(context))
        # The connections get nothing but the settings.
        yield {"settings": context.settings}
        watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher
    finally:
        await context.database.close()


def middleware_for(settings: Settings) -> list[Middleware]:
    """Return the middleware, outermost first."""
    middleware = [Middleware(RequestMiddleware)]
    if settings.cors_origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(settings.cors_origins),
                allow_methods=["*"],
                allow_headers=["*"],
                expose_headers=[
                    *("ETag", "Location", "Retry-After", "X-Request-ID"),
                    *("RateLimit", "RateLimit-Policy"),
                    *("Deprecation", "Sunset", "Link"),
                    *("Content-Disposition", "Content-Language"),
                ],
            )
        )
    if settings.deprecations:
        middleware.append(Middleware(DeprecationMiddleware, endpoints=settings.deprecations))
    uploads = (logging_router, reporting_router, batching, evaluating)
    ordinary = [
        route for router in uploads for route in router.routes if isinstance(route, OrdinaryRoute)
    ]
    middleware.append(Middleware(OrdinaryMiddleware, routes=ordinary))
    return middleware


def create_app(settings: Settings, clock: Clock | None = None) -> FastAPI:
    """Create the app, or raise NotReady. Nothing is opened before its lifespan starts."""
    app = FastAPI(
        title="Footing",
        version=version("footing"),
        summary="Foot exercises, massage and triage for people with back pain.",
        description=DESCRIPTION.strip(),
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        contact={"name": "Footing contributors"},
        openapi_tags=TAGS,
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        servers=[{"url": "/", "description": "This server."}],
        redirect_slashes=False,
        # Spans would contain URLs with secrets; and looking for providers takes time.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        middleware=middleware_for(settings),
        lifespan=serving,
    )
    app.state.context = make_context(settings, clock or SystemClock(), app.version)
    problems.install(app)
    openapi.install(app)
    docs_page.install(app)
    clinic_page.install(app, settings)
    app.router.routes.extend(shared_routes())
    compatibility.check(app, settings.deprecations)
    stack = app.build_middleware_stack()
    app.middleware_stack = CacheMiddleware(stack, app.state.context.response_cache)
    return app


@functools.cache
def shared_routes() -> Sequence[BaseRoute]:
    """Create the routes of the API. They depend on no settings: all apps of a process share them.

    They are built immediately: FastAPI would do so during the first request. It suppresses warnings
    meanwhile, for the whole process, so that apps in two threads would affect each other.
    """
    routes = APIRouter(
        dependencies=[Depends(check_query)],
        generate_unique_id_function=openapi.operation_id,
        redirect_slashes=False,
    )
    for router in (
        content_router,
        triage_router,
        evaluating,
        participants_router,
        schedule_router,
        logging_router,
        journal_router,
        reporting_router,
        batching,
        sync_router,
        plans_router,
        privacy_router,
        clinicians_router,
        aggregates_router,
        operations_router,
        compatibility_router,
    ):
        routes.include_router(router)
    nowhere = {"type": "http", "method": "GET", "path": "", "root_path": "", "headers": []}
    for route in routes.routes:
        route.matches(dict(nowhere))
    return routes.routes
