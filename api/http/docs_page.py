"""`/docs`: Swagger UI."""

from pathlib import Path

from fastapi import FastAPI

from api.http.bundled_page import BundledPage

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


def install(app: FastAPI) -> None:
    """Add the page and its assets."""
    page = BundledPage(folder=FOLDER, media_types=MEDIA_TYPES, policy=POLICY, max_age=3600)
    page.install(app, "/docs")
