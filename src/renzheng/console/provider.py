"""The identity provider with which people may sign in: OpenID Connect's code flow with PKCE.

Source: OpenID Connect Core 1.0, sections 3.1.2 and 3.1.3.7; RFC 7636. joserfc checks the signature and the dates of the
provider's tokens. Requests to it go through urllib3, with limits on time and size, and no redirect is followed.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec
import urllib3

from renzheng.base.bounded_http import AnswerError, BoundedClient, Bounds, CutConnection, CutSecureConnection
from renzheng.base.threads import OwnThreads

if TYPE_CHECKING:  # imported only when needed, as most servers have no provider
    from joserfc.jwk import KeySet

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Signatures that a provider may use: those that the client's secret cannot make."""
MAX_CLOCK_SKEW = 60
"""Seconds by which the provider's clock may differ from ours."""
FRESH_SECONDS = 600
"""How long the provider's published metadata is kept before it is read again."""
MAX_UNDER_WAY = 16
"""Sign-ins that may ask the provider at once. Further ones are told to try again, as anybody may begin one."""
SCOPES = "openid email profile"

T = TypeVar("T")


class ProviderError(Exception):
    """The provider does not answer, or its answer cannot be trusted. The text is for the operator's log."""


class StrangerError(ProviderError):
    """The provider's answer names nobody whom this server can know: the claim is missing, or is not verified."""


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """`issuer`: its address, in its own form. `claim`: the claim with the operator's name. `back`: where browsers are
    sent back to. `title`: what people call it. `seconds`: time limit for one request."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    claim: str
    back: str
    title: str
    seconds: float = 10.0


class _Published(msgspec.Struct):
    """The parts of `/.well-known/openid-configuration` that are used."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: list[str] = msgspec.field(default_factory=lambda: ["client_secret_basic"])


class _Tokens(msgspec.Struct):
    id_token: str


def derived(secret: str, purpose: str) -> str:
    """Derive one of a sign-in's values from the one secret that the browser keeps: 43 characters."""
    digest = hashlib.sha256(f"oidc {purpose} {secret}".encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Provider:
    """One provider, used from one event loop. Its network requests run in threads of their own, so that a provider that
    does not answer delays nothing else.

    `clock`: unix seconds.
    """

    def __init__(self, settings: ProviderSettings, clock: Callable[[], float]) -> None:
        self.settings = settings
        self._clock = clock
        bounds = Bounds(settings.seconds, settings.seconds, settings.seconds)
        self._client = BoundedClient(bounds, CutConnection, CutSecureConnection)
        self._threads = OwnThreads("provider", 4)
        self._under_way = 0
        self._published: tuple[float, _Published] | None = None
        self._keys: tuple[float, KeySet] | None = None

    async def address(self, secret: str) -> str:
        """Return where a browser is sent to sign in. Raises ProviderError."""
        published = await self._in_thread(self._read_published)
        verifier = derived(secret, "verifier").encode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": self.settings.back,
            "scope": SCOPES,
            "state": derived(secret, "state"),
            "nonce": derived(secret, "nonce"),
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        joint = "&" if urlsplit(published.authorization_endpoint).query else "?"
        return f"{published.authorization_endpoint}{joint}{urlencode(query)}"

    async def name(self, secret: str, code: str) -> str:
        """Return the operator's name from the provider, for a code that it sent the browser back with.

        Raises StrangerError if it names nobody; ProviderError for everything else.
        """
        return await self._in_thread(self._name, secret, code)

    def stop(self) -> None:
        self._threads.stop()

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        if self._under_way >= MAX_UNDER_WAY:
            raise ProviderError("too many people are signing in by the provider at this moment")
        self._under_way += 1
        return await self._threads.run(work, *arguments, ended=self._give_back)

    def _give_back(self) -> None:
        self._under_way -= 1

    def _name(self, secret: str, code: str) -> str:
        published = self._read_published()
        tokens = self._redeem(published, secret, code)
        claims = self._verify(published, tokens.id_token, derived(secret, "nonce"))
        claim = self.settings.claim
        value = claims.get(claim)
        if not isinstance(value, str) or not value:
            raise StrangerError(f"the provider gives no {claim}")
        if claim == "email" and claims.get("email_verified") is not True:
            raise StrangerError("the provider has not verified the e-mail address")
        return value

    # -- the provider's metadata and tokens

    def _read_published(self) -> _Published:
        if self._published is not None and self._clock() - self._published[0] < FRESH_SECONDS:
            return self._published[1]
        address = f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration"
        published = self._decode(self._ask("GET", address), _Published)
        if published.issuer.rstrip("/") != self.settings.issuer.rstrip("/"):
            raise ProviderError("the provider names itself otherwise than RENZHENG_OIDC_ISSUER does")
        secure = self.settings.issuer.startswith("https:")
        for used in (published.authorization_endpoint, published.token_endpoint, published.jwks_uri):
            if secure and not used.startswith("https:"):
                raise ProviderError("the provider publishes an address without TLS")
        self._published = (self._clock(), published)
        return published

    def _redeem(self, published: _Published, secret: str, code: str) -> _Tokens:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.settings.back,
            "code_verifier": derived(secret, "verifier"),
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        known = self.settings.client_id, self.settings.client_secret
        if "client_secret_basic" in published.token_endpoint_auth_methods_supported:
            pair = ":".join(quote(part, safe="") for part in known)
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": known[0], "client_secret": known[1]}
        return self._decode(self._ask("POST", published.token_endpoint, urlencode(form).encode(), headers), _Tokens)

    def _verify(self, published: _Published, token: str, nonce: str) -> dict[str, Any]:
        from joserfc import jwt
        from joserfc.errors import JoseError

        client_id = self.settings.client_id
        asked = jwt.JWTClaimsRegistry(
            now=lambda: int(self._clock()),
            leeway=MAX_CLOCK_SKEW,
            iss={"essential": True, "value": published.issuer},
            aud={"essential": True, "value": client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            claims = self._open(published, token)
            asked.validate(claims)
        except (JoseError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ProviderError(f"the provider's token is not good: {type(error).__name__}") from None
        audience = claims["aud"]
        several = isinstance(audience, list) and len(audience) > 1
        if (several or "azp" in claims) and claims.get("azp") != client_id:
            raise ProviderError("the provider's token is for another client")
        return claims

    def _open(self, published: _Published, token: str) -> dict[str, Any]:
        """Return the token's claims. An unknown key may be new, so the keys are read again, once."""
        from joserfc import jwt
        from joserfc.errors import JoseError

        for fresh in (False, True):
            try:
                return dict(jwt.decode(token, self._read_keys(published, fresh), algorithms=ALGORITHMS).claims)
            except (JoseError, ValueError):
                if fresh:
                    raise
        raise AssertionError

    def _read_keys(self, published: _Published, fresh: bool) -> KeySet:
        from joserfc.jwk import KeySet

        known = self._keys
        if known is not None and not fresh and self._clock() - known[0] < FRESH_SECONDS:
            return known[1]
        keys = KeySet.import_key_set(msgspec.json.decode(self._ask("GET", published.jwks_uri)))
        self._keys = (self._clock(), keys)
        return keys

    # -- the network

    def _ask(
        self, method: str, address: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        try:
            reply = self._client.request(
                method, address, body=body, headers={"Accept": "application/json", **(headers or {})}
            )
        except AnswerError as error:
            raise ProviderError(f"the provider is not waited for: {error}") from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ProviderError(f"the provider cannot be reached: {type(error).__name__}") from None
        if reply.status != 200:
            raise ProviderError(f"the provider answers {urlsplit(address).path} with status {reply.status}")
        return bytes(reply.data)

    @staticmethod
    def _decode(content: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(content, type=kind)
        except (ValueError, RecursionError):  # msgspec's own error is a ValueError too
            raise ProviderError("the provider's answer is not what OpenID Connect says") from None
