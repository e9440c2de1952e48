"""`/docs`: Swagger UI from the package itself, since hospital networks reach no CDN."""

from pathlib import Path

from fastapi import FastAPI, Request, Response

from api.core.errors import NotFound
from api.http.conditional import Body, make_body, respond

FOLDER = Path(__file__).parent / "swagger_ui"
MEDIA_TYPES = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "start.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": "image/png",
    "index.html": "text/html; charset=utf-8",
}
# Swagger UI styles its elements inline and draws its icons from data: addresses.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
MAX_AGE = 3600


def install(app: FastAPI) -> None:
    """Add the page and its assets, which are read and compressed when first asked for."""
    assets: dict[str, Body] = {}

    def asset(name: str) -> Body:
        if name not in MEDIA_TYPES:
            message = "There is no such file."
            raise NotFound(message)
        if name not in assets:
            data = (FOLDER / name).read_bytes()
            assets[name] = make_body(data, media_type=MEDIA_TYPES[name], quick=True)
        return assets[name]

    @app.get("/docs", include_in_schema=False)
    async def show_docs(request: Request) -> Response:
        response = respond(request, asset("index.html"), max_age=MAX_AGE)
        response.headers["Content-Security-Policy"] = POLICY
        return response

    @app.get("/docs/{name}", include_in_schema=False)
    def get_docs_asset(request: Request, name: str) -> Response:
        return respond(request, asset(name), max_age=MAX_AGE)
