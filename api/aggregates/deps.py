"""Dependencies of the aggregate endpoints: the response format, and the available figures."""

from typing import Annotated

from fastapi import Depends, Request
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header, parse_options_header

from api.aggregates import service
from api.aggregates.fhir import MEDIA_TYPE, VERSIONS, Version
from api.aggregates.formats import CSV, JSON, Form
from api.aggregates.service import AvailableFigures
from api.aggregates.texts import Texts
from api.content.deps import CurrentLanguage, CurrentRelease
from api.core.errors import NotAcceptable
from api.http.deps import Context, CurrentClock, CurrentSettings, ReadDb
from api.http.media_types import choose_media_type
from api.publications.policy import PublicationPolicies

FORMS = (JSON, CSV, MEDIA_TYPE)


def fhir_version(accept: str) -> Version:
    """Choose the FHIR version: the best supported one that is requested, by default R4B."""
    wishes = sorted(parse_accept_header(accept, MIMEAccept), key=lambda wish: -wish[1])
    named = [
        options["fhirversion"]
        for value, _ in wishes
        for media_type, options in [parse_options_header(value)]
        if media_type == MEDIA_TYPE and "fhirversion" in options
    ]
    for asked in named:
        for version in VERSIONS:
            if asked == version:
                return version
    if named:
        message = f"Unknown FHIR version. Available: {', '.join(VERSIONS)} (R4B and R5)."
        raise NotAcceptable(message)
    return VERSIONS[0]


async def get_policies(context: Context) -> PublicationPolicies:
    """Return the policies of the app."""
    return context.part(PublicationPolicies)


CurrentPolicies = Annotated[PublicationPolicies, Depends(get_policies)]


async def choose_form(request: Request) -> Form:
    """Choose the response format."""
    media_type = choose_media_type(request, FORMS)
    if media_type != MEDIA_TYPE:
        return Form(media_type)
    return Form(media_type, fhir_version(request.headers.get("accept", "")))


async def require_json(request: Request) -> None:
    """Reject other formats: the list of available figures is JSON only."""
    choose_media_type(request, (JSON,))


async def find_available(
    db: ReadDb,
    policies: CurrentPolicies,
    release: CurrentRelease,
    language: CurrentLanguage,
    settings: CurrentSettings,
    clock: CurrentClock,
) -> AvailableFigures:
    """Look up which figures are available."""
    texts = Texts(release.catalogue, language)
    return await service.find_available(db, policies, texts, settings.regions, clock.now().date())


# The router authenticates first: without access, not even the requested format is checked.
WantedForm = Annotated[Form, Depends(choose_form)]
JsonOnly = Depends(require_json)
CurrentlyAvailable = Annotated[AvailableFigures, Depends(find_available, scope="function")]
