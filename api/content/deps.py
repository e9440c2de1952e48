"""Dependencies of content handlers: the active release, and the language of the response."""

from typing import Annotated

from fastapi import Depends, Header, Query

from api.content.release import Release, ServedRelease
from api.http.deps import Context
from api.http.languages import choose_language


async def get_release(context: Context) -> Release:
    """Return the served release."""
    return context.part(ServedRelease).now


CurrentRelease = Annotated[Release, Depends(get_release)]
Lang = Annotated[
    str | None,
    Query(
        description="Language of the response, such as `es`; takes precedence over "
        "`Accept-Language`.",
        # Documented, not validated: an unknown language is rejected with the available ones.
        json_schema_extra={
            "minLength": 2,
            "maxLength": 35,
            "pattern": r"^[A-Za-z]{2,3}([_-][A-Za-z0-9]{1,8})*$",
        },
        examples=["es"],
    ),
]
AcceptLanguage = Annotated[
    str,
    Header(
        max_length=500,
        description="RFC 9110; `es-MX` is served `es`, no match is served `en`.",
        examples=["es-MX,es;q=0.9"],
    ),
]


async def get_language(
    release: CurrentRelease, lang: Lang = None, accept_language: AcceptLanguage = ""
) -> str:
    """Choose the language of the response."""
    return choose_language(lang, accept_language, release.languages)


CurrentLanguage = Annotated[str, Depends(get_language)]
