"""`/clinic`: the page on which clinicians read the figures.

It holds nothing but what the package brings: every figure comes through the same calls, with the
same key, as for any other client.
"""

from pathlib import Path

from fastapi import FastAPI

from api.http.bundled_page import BundledPage

FOLDER = Path(__file__).parent / "clinic_page"
SCRIPT = "text/javascript; charset=utf-8"
MEDIA_TYPES = {
    "index.html": "text/html; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "app.js": SCRIPT,
    "calls.js": SCRIPT,
    "chart.js": SCRIPT,
    "dom.js": SCRIPT,
    "figures.js": SCRIPT,
    "texts.js": SCRIPT,
}
# Nothing inline, nothing from elsewhere, no form that could be sent away, and no text that a
# script could take for markup.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


def install(app: FastAPI) -> None:
    """Add the page and its assets; asked for anew each time, so that they fit together."""
    page = BundledPage(folder=FOLDER, media_types=MEDIA_TYPES, policy=POLICY, max_age=0)
    page.install(app, "/clinic")
