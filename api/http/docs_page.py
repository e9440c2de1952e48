"""`/docs`: Swagger UI."""

from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse

from api.http.bundled_page import BundledPage
from api.http.media_types import choose_media_type

FOLDER = Path(__file__).parent / "swagger_ui"
MEDIA_TYPES = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "start.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": "image/png",
    "index.html": "text/html; charset=utf-8",
}
# Swagger UI has inline styles, and icons in data: URLs.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)


async def lead_on(request: Request) -> RedirectResponse:
    """Redirect browsers to the page, and clients to the OpenAPI document."""
    media_type = choose_media_type(request, ("application/json", "text/html"))
    place = "/docs" if media_type == "text/html" else "/v1/openapi.json"
    return RedirectResponse(place, headers={"Vary": "Accept"})


def install(app: FastAPI) -> None:
    """Add the page, its assets, and the redirect of `GET /`."""
    app.add_route("/", lead_on, methods=["GET"], include_in_schema=False)
    page = BundledPage(folder=FOLDER, media_types=MEDIA_TYPES, policy=POLICY, max_age=3600)
    page.install(app, "/docs")
