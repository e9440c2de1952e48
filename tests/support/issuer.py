"""An OpenID Connect issuer: a real HTTP server that publishes real keys and signs with them."""

import contextlib
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey
from joserfc.jws import JWSRegistry

from api.core.clock import Clock

Json = dict[str, Any]
AUDIENCE = "https://footing.example.org"
SUBJECT = "dr-quokka-4711"
DISCOVERY = "/.well-known/openid-configuration"


class Issuer:
    """Signs access tokens; a test can rotate its keys, break its answers or send it away."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.keys: dict[str, Key] = {"first": RSAKey.generate_key(2048)}
        self.calls: list[str] = []
        self.documents: dict[str, Any] = {}
        self.status = 200
        self.delay = 0.0
        self.server: ThreadingHTTPServer | None = None
        self.url = ""
        self.start()

    def start(self) -> None:
        """Listen, at the same address as before."""
        issuer = self
        port = self.server.server_address[1] if self.server else 0

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.calls.append(self.path)
                time.sleep(issuer.delay)
                body = issuer.body(self.path)
                self.send_response(issuer.status)
                self.send_header("Location", f"{issuer.url}/elsewhere")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Go away: connections are refused."""
        assert self.server is not None
        self.server.shutdown()
        self.server.server_close()

    def body(self, path: str) -> bytes:
        documents = {
            DISCOVERY: {"issuer": self.url, "jwks_uri": f"{self.url}/keys"},
            "/keys": {
                "keys": [
                    {**key.as_dict(private=False), "kid": kid, "use": "sig"}
                    for kid, key in self.keys.items()
                ]
            },
        } | self.documents
        document = documents.get(path, {})
        return document if isinstance(document, bytes) else json.dumps(document).encode()

    def add_key(self, kid: str, *, curve: bool = False) -> None:
        self.keys[kid] = ECKey.generate_key("P-256") if curve else RSAKey.generate_key(2048)

    def claims(self, **changes: Any) -> Json:
        now = int(self.clock.now().timestamp())
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": SUBJECT,
            "iat": now,
            "exp": now + 300,
            "scope": "openid aggregates:read",
        } | changes
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, header: Json | None = None, kid: str = "first", **changes: Any) -> str:
        """Sign an access token; a claim or a header set to None is left out."""
        key = self.keys[kid]
        given = {"alg": "ES256" if isinstance(key, ECKey) else "RS256", "kid": kid, "typ": "at+jwt"}
        given = {name: value for name, value in (given | (header or {})).items() if value}
        # Issuers write what they like into a header.
        registry = JWSRegistry(algorithms=[given["alg"]], strict_check_header=False)
        claims = self.claims(**changes)
        return jwt.encode(given, claims, key, registry=registry, default_type=None)

    def settings(self, **changes: Any) -> Json:
        return {"oidc_issuer": self.url, "oidc_audience": AUDIENCE} | changes


@contextlib.contextmanager
def running_issuer(clock: Clock) -> Iterator[Issuer]:
    issuer = Issuer(clock)
    try:
        yield issuer
    finally:
        issuer.stop()
