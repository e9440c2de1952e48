"""An OpenID Connect issuer: a real HTTP server that publishes real keys and signs with them."""

import base64
import contextlib
import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlencode

from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey
from joserfc.jws import JWSRegistry

from api.core.clock import Clock

Json = dict[str, Any]
AUDIENCE = "https://footing.example.org"
SUBJECT = "dr-quokka-4711"
AUTHORIZE = "/authorize"
DISCOVERY = "/.well-known/openid-configuration"


# By their names, each made once: to find the primes takes longer than most tests.
RSA_KEYS: defaultdict[str, RSAKey] = defaultdict(lambda: RSAKey.generate_key(2048))


class Issuer:
    """Signs access tokens; a test can rotate its keys, break its answers or send it away."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.keys: dict[str, Key] = {"first": RSA_KEYS["first"]}
        self.calls: list[str] = []
        self.documents: dict[str, Any] = {}
        # What the browser is sent back with instead of a code.
        self.refusal: dict[str, str] = {}
        self.codes: dict[str, dict[str, str]] = {}
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
                path, _, query = self.path.partition("?")
                if path == AUTHORIZE:
                    self.send_response(302)
                    self.send_header("Location", issuer.let_in(dict(parse_qsl(query))))
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                body = issuer.body(self.path)
                self.send_response(issuer.status)
                self.send_header("Access-Control-Allow-Origin", "*")
                self.send_header("Location", f"{issuer.url}/elsewhere")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status, answer = issuer.exchange(dict(parse_qsl(form)))
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Access-Control-Allow-Origin", "*")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Log nothing."""

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
            DISCOVERY: {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/keys",
                "authorization_endpoint": f"{self.url}{AUTHORIZE}",
                "token_endpoint": f"{self.url}/token",
            },
            "/keys": {
                "keys": [
                    {**key.as_dict(private=False), "kid": kid, "use": "sig"}
                    for kid, key in self.keys.items()
                ]
            },
        } | self.documents
        document = documents.get(path, {})
        return document if isinstance(document, bytes) else json.dumps(document).encode()

    def let_in(self, asked: dict[str, str]) -> str:
        """Sign a user in immediately, and send the browser back with a code (RFC 6749, 4.1.2)."""
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        said = {"state": asked["state"], "iss": self.url} | (self.refusal or {"code": code})
        return f"{asked['redirect_uri']}?{urlencode(said)}"

    def exchange(self, form: dict[str, str]) -> tuple[int, Json]:
        """Give an access token for a code, once, to a client that knows the verifier (RFC 7636)."""
        asked = self.codes.pop(form["code"], {})
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        right = {
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "redirect_uri": form["redirect_uri"],
            "client_id": form["client_id"],
            "response_type": "code",
        }
        if form["grant_type"] != "authorization_code" or not right.items() <= asked.items():
            return 400, {"error": "invalid_grant"}
        token = self.token(scope=asked["scope"], name="Dr Quokka")
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": 300}

    def add_key(self, kid: str, *, curve: bool = False) -> None:
        self.keys[kid] = ECKey.generate_key("P-256") if curve else RSA_KEYS[kid]

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
