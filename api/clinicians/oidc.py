"""Access tokens of the configured OpenID Connect issuer, verified with the keys it publishes.

The keys are cached. An unknown key id makes the server fetch them again, but not more often than
once in a while: a key id can be invented, and must not trigger any number of requests to the
issuer. While the issuer is unavailable, known keys remain valid for an hour.
"""

import asyncio
import datetime
import json
import re
from typing import Any

import httpx
import structlog
from joserfc import jwt
from joserfc.errors import ClaimError, ExpiredTokenError, InvalidClaimError, JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, KeySet, OKPKey, RSAKey
from joserfc.jws import JWSRegistry, extract_compact

from api.clinicians.audit import subject_hash
from api.clinicians.errors import refused
from api.clinicians.identity import READ_AGGREGATES, Clinician
from api.core.clock import Clock
from api.core.config import Settings, is_safe_url
from api.core.errors import Unavailable

DISCOVERY = "/.well-known/openid-configuration"
LEEWAY_SECONDS = 60
TIMEOUT_SECONDS = 5
FRESH = datetime.timedelta(minutes=5)
USABLE = datetime.timedelta(hours=1)
PAUSE = datetime.timedelta(seconds=30)
MAX_TOKEN_LENGTH = 16 * 1024
MAX_DOCUMENT_BYTES = 512 * 1024
MAX_NAME_LENGTH = 200
LATEST = datetime.datetime(2200, 1, 1, tzinfo=datetime.UTC)
# RFC 9068 defines the first two; most issuers still use the third, or none.
TYPES = {"at+jwt", "application/at+jwt", "jwt", None}
SIGNATURE_KEYS = (RSAKey, ECKey, OKPKey)
NAME_CLAIMS = ("name", "preferred_username")
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
# Deep nesting makes Python's JSON parser raise a RecursionError.
MALFORMED = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError)
UNREADABLE = (*MALFORMED, httpx.HTTPError, httpx.InvalidURL, TimeoutError)

log = structlog.get_logger(__name__)


class IssuerFault(Exception):
    """The issuer's response is not what was requested."""


async def _get(client: httpx.AsyncClient, url: str) -> dict[str, Any]:
    """Fetch a JSON document of limited length, without following redirects."""
    body = b""
    async with client.stream("GET", url, headers={"Accept": "application/json"}) as response:
        if response.status_code != httpx.codes.OK:
            message = f"status {response.status_code}"
            raise IssuerFault(message)
        async for part in response.aiter_bytes():
            body += part
            if len(body) > MAX_DOCUMENT_BYTES:
                message = "the document is too large"
                raise IssuerFault(message)
    document = json.loads(body)
    if not isinstance(document, dict):
        message = "the document is not a JSON object"
        raise IssuerFault(message)
    return document


def read_key_set(document: dict[str, Any]) -> KeySet:
    """Parse the published keys; a key that cannot be parsed is skipped."""
    keys: list[Key] = []
    for entry in document["keys"]:
        try:
            key = JWKRegistry.import_key(entry)
        except MALFORMED:
            log.warning("cannot read a key of the issuer")
            continue
        if isinstance(key, SIGNATURE_KEYS) and key.get("use", "sig") == "sig":
            keys.append(key)
    if not keys:
        message = "no key for signatures"
        raise IssuerFault(message)
    return KeySet(keys)


def granted(claims: dict[str, Any]) -> set[str]:
    """Return the scopes of a token: separated by spaces or a list, in `scope` or `scp`."""
    found: set[str] = set()
    for claim in ("scope", "scp"):
        value = claims.get(claim, ())
        scopes = value.split() if isinstance(value, str) else value
        if isinstance(scopes, list | tuple):
            found.update(scope for scope in scopes if isinstance(scope, str))
    return found


def display_name(claims: dict[str, Any]) -> str | None:
    """Return the user's name in the token, if any."""
    for claim in NAME_CLAIMS:
        value = claims.get(claim)
        if isinstance(value, str) and (name := UNPRINTABLE.sub("", value).strip()):
            return name[:MAX_NAME_LENGTH]
    return None


def is_downgrade(issuer: str, url: str) -> bool:
    """Return whether an issuer on https gives a URL without it."""
    return issuer.startswith("https:") and not url.startswith("https:")


class AccessTokens:
    """Verifies access tokens of one issuer, and caches its keys."""

    def __init__(self, issuer: str, settings: Settings, clock: Clock) -> None:
        self.issuer = issuer
        self.clock = clock
        self.required_scope = settings.oidc_required_scope
        self.jwks_url = settings.oidc_jwks_url
        self.algorithms = settings.oidc_algorithms
        # Issuers add headers of their own; `crit`, which forbids that, is still respected.
        self.registry = JWSRegistry(algorithms=self.algorithms, strict_check_header=False)
        self.claims = jwt.JWTClaimsRegistry(
            now=lambda: int(clock.now().timestamp()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": settings.oidc_audience or ""},
            exp={"essential": True},
            sub={"essential": True},
        )
        self.keys: KeySet | None = None
        self.read_at = datetime.datetime.min.replace(tzinfo=datetime.UTC)
        self.tried_at = self.read_at
        self.reading = asyncio.Lock()

    async def verify(self, text: str) -> Clinician:
        """Verify an access token and return its clinician, or raise an error."""
        header = self._header(text)
        key = await self._key(header)
        if key is None:
            raise refused("The access token is signed with a key that its issuer does not publish.")
        try:
            claims = jwt.decode(text, key, registry=self.registry).claims
            self.claims.validate(claims)
        except ExpiredTokenError:
            raise refused("The access token has expired.") from None
        except InvalidClaimError as error:
            raise refused(f"The access token's {error.claim} is not right here.") from None
        except ClaimError as error:
            raise refused(f"The access token lacks {error.claim}.") from None
        except MALFORMED:
            raise refused("The access token is not valid.") from None
        return Clinician(
            kind="access_token",
            who=subject_hash(self.issuer, claims["sub"]),
            name=display_name(claims),
            scopes=frozenset({READ_AGGREGATES} if self.required_scope in granted(claims) else ()),
            expires_at=datetime.datetime.fromtimestamp(
                min(claims["exp"], LATEST.timestamp()), datetime.UTC
            ),
            issuer=self.issuer,
        )

    def _header(self, text: str) -> dict[str, Any]:
        """Parse a token's header, and reject tokens that no key could make valid."""
        invalid = refused("The access token is not valid.")
        if len(text) > MAX_TOKEN_LENGTH:
            raise invalid
        try:
            header = extract_compact(text.encode("ascii"), registry=self.registry).protected
            kind = header.get("typ")
            if header["alg"] not in self.algorithms:
                raise invalid
            if (kind.lower() if isinstance(kind, str) else kind) not in TYPES:
                raise refused("This is not an access token.")
        except MALFORMED:
            raise invalid from None
        return header

    async def _key(self, header: dict[str, Any]) -> Any:
        """Find the key of a token, and fetch the issuer's keys again if it is unknown."""
        known = self._pick(header)
        # Requests whose key is known do not wait for a fetch that another request has started.
        if known is None or (self._age() > FRESH and not self.reading.locked()):
            await self._read()
        if self.keys is None or self._age() > USABLE:
            message = "The keys of the access token issuer cannot be fetched at the moment."
            retry = str(int(PAUSE.total_seconds()))
            raise Unavailable(message, headers={"Retry-After": retry})
        return self._pick(header)

    def _age(self) -> datetime.timedelta:
        return abs(self.clock.now() - self.read_at)

    def _pick(self, header: dict[str, Any]) -> Any:
        """Return the key of a token by its id; without an id, the only key."""
        if self.keys is None:
            return None
        try:
            return self.keys.get_by_kid(header.get("kid"), {"alg": header["alg"], "use": "sig"})
        except JoseError:
            return None

    async def _read(self) -> None:
        """Fetch the issuer's keys, unless that was tried very recently."""
        async with self.reading:
            now = self.clock.now()
            if abs(now - self.tried_at) < PAUSE:
                return
            self.tried_at = now
            try:
                self.keys = await self._fetch()
                self.read_at = now
            except (IssuerFault, *UNREADABLE) as error:
                log.warning("cannot fetch the issuer's keys", exc_info=error)

    async def _fetch(self) -> KeySet:
        async with (
            asyncio.timeout(TIMEOUT_SECONDS),
            httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as client,
        ):
            url = self.jwks_url or await self._discover(client)
            return read_key_set(await _get(client, url))

    async def _discover(self, client: httpx.AsyncClient) -> str:
        """Get the URL of the issuer's keys from its discovery document."""
        document = await _get(client, self.issuer.rstrip("/") + DISCOVERY)
        url = document.get("jwks_uri")
        if document.get("issuer") != self.issuer:
            message = "its issuer differs from FOOTING_OIDC_ISSUER"
            raise IssuerFault(message)
        if not isinstance(url, str) or not is_safe_url(url) or is_downgrade(self.issuer, url):
            message = "its jwks_uri is not allowed"
            raise IssuerFault(message)
        return url
