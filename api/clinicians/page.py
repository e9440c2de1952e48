"""`/clinic`: the page on which clinicians read the figures.

It contains no data: every figure comes from the same endpoints, with the same key, as for any other
client.
"""

import json
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response

from api.core.config import Settings
from api.http.bundled_page import BundledPage
from api.http.conditional import make_body, respond

FOLDER = Path(__file__).parent / "clinic_page"
SCRIPT = "text/javascript; charset=utf-8"
MEDIA_TYPES = {
    "index.html": "text/html; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "app.js": SCRIPT,
    "api.js": SCRIPT,
    "chart.js": SCRIPT,
    "dom.js": SCRIPT,
    "figures.js": SCRIPT,
    "issuer.js": SCRIPT,
    "texts.js": SCRIPT,
}
# Nothing inline, nothing from other servers, no form that could be sent elsewhere, and no text that
# a script could use as markup.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src {connect}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


def sign_in_of(settings: Settings) -> dict[str, str] | None:
    """Return how a browser signs in at the issuer; None if only keys are accepted."""
    if settings.oidc_issuer is None or settings.oidc_client_id is None:
        return None
    return {
        "issuer": settings.oidc_issuer,
        "client_id": settings.oidc_client_id,
        "scope": f"openid {settings.oidc_required_scope}",
    }


def policy_of(settings: Settings) -> str:
    """Allow the page to send requests to this server, and to the issuer if there is one."""
    sign_in, connect = sign_in_of(settings), "'self'"
    if sign_in is not None:
        issuer = urlsplit(sign_in["issuer"])
        connect += f" {issuer.scheme}://{issuer.netloc}"
    return POLICY.format(connect=connect)


def install(app: FastAPI, settings: Settings) -> None:
    """Add the page and its assets; revalidated each time, so that their versions match."""
    sign_in = make_body(json.dumps(sign_in_of(settings)).encode(), quick=True)

    @app.get("/clinic/sign-in.json", include_in_schema=False)
    async def get_sign_in(request: Request) -> Response:
        return respond(request, sign_in, max_age=0)

    page = BundledPage(FOLDER, MEDIA_TYPES, policy_of(settings), max_age=0)
    page.install(app, "/clinic")
