"""The OpenID Connect provider: discovery, authorization code flow with PKCE, and what the ID token must be.

Only the issuer's host and public addresses are asked, and `allowed_targets`; only over TLS or on this machine.
Blocking, so it belongs on a thread. Where two threads ask already, a third is told to try again: a provider that
hangs must not hold up the pages of those who are logged in.
"""

from __future__ import annotations

import asyncio
import logging
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from mailvane.core.decoding import prepared
from mailvane.core.egress import EgressGuard
from mailvane.core.errors import CollectionFailed, NotAuthenticated, Transient
from mailvane.core.http_client import Answer, HttpClient
from mailvane.core.moments import HOUR_MS, MINUTE_MS
from mailvane.core.oidc_settings import OidcSettings, is_safe
from mailvane.dashboard.oidc.attempt import Attempt
from mailvane.dashboard.oidc.model import Proven

log = logging.getLogger(__name__)

# By the provider's own key only: `none`, and HMAC with what the client knows too, are no proof (RFC 8725, 3.1).
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
_MOST_BYTES = 512 * 1024
_SECONDS = 10.0
_AT_ONCE = 2
_LEEWAY = 60  # seconds that two clocks may differ
_LONGEST_SUBJECT = 255  # OpenID Connect Core 1.0, 2
_KEPT_MS = HOUR_MS
_KEYS_AGAIN_MS = MINUTE_MS  # keys that are not known are asked for no more often
_NOT_PROVEN = "the login provider's answer is not one that proves who you are: try again, or ask who runs this server"


class LoginBusy(Transient):
    """The provider is asked by others now, or does not answer."""


class Metadata(msgspec.Struct, frozen=True):
    """OpenID Connect Discovery 1.0, 3: what is used of it."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class _Tokens(msgspec.Struct, frozen=True):
    """OpenID Connect Core 1.0, 3.1.3.3; or the error of RFC 6749, 5.2."""

    id_token: str = ""
    access_token: str = ""
    error: str = ""


class _Known(msgspec.Struct, frozen=True):
    metadata: Metadata
    keys: KeySet
    at: int


class OidcProvider:
    """Of one issuer. Safe to share between threads."""

    def __init__(self, settings: OidcSettings, guard: EgressGuard) -> None:
        self.name = settings.name
        self._settings = settings
        self._guard = guard
        self._asking = BoundedSemaphore(_AT_ONCE)
        self._lock = Lock()
        self._known: _Known | None = None

    def address(self, attempt: Attempt, redirect_uri: str, now: int) -> str:
        """Where the browser goes to log in. Raises LoginBusy."""
        again = {"prompt": "login", "max_age": "0"} if attempt.again else {}
        return str(
            prepare_grant_uri(
                self._current(now).metadata.authorization_endpoint, self._settings.client_id, "code",
                redirect_uri=redirect_uri, scope=list(self._settings.scopes), state=attempt.state, nonce=attempt.nonce,
                code_challenge=create_s256_code_challenge(attempt.verifier), code_challenge_method="S256", **again,
            )
        )  # fmt: skip

    def proven(self, code: str, attempt: Attempt, redirect_uri: str, now: int) -> Proven:
        """Whom the provider vouches for. Raises NotAuthenticated, LoginBusy."""
        known = self._current(now)
        tokens = self._exchanged(known.metadata, code, attempt, redirect_uri)
        claims = self._checked(known, tokens, attempt, now)
        if "email" not in claims and known.metadata.userinfo_endpoint and tokens.access_token:
            claims = {**self._userinfo(known.metadata, tokens.access_token, claims["sub"]), **claims}
        email = claims.get("email")
        return Proven(
            identity=f"{known.metadata.issuer} {claims['sub']}",
            email=email.strip().lower() if isinstance(email, str) else "",
            is_verified=claims.get("email_verified") in (True, "true"),  # some providers write it as text
        )

    def is_issuer(self, issuer: str, now: int) -> bool:
        """Whether an answer that says who gave it is this provider's (RFC 9207)."""
        return issuer == self._current(now).metadata.issuer

    def _current(self, now: int) -> _Known:
        with self._lock:
            known = self._known
        if known is not None and known.at <= now < known.at + _KEPT_MS:
            return known
        return self._asked_anew(now)

    def _asked_anew(self, now: int) -> _Known:
        issuer = self._settings.issuer
        said = self._ask(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        try:
            metadata = msgspec.json.decode(said.body, type=prepared(Metadata))
        except msgspec.MsgspecError:
            raise self._failed("the discovery document cannot be read") from None
        if metadata.issuer != issuer:
            raise self._failed(f"the discovery document is of another issuer, {metadata.issuer[:200]!r}")
        if not is_safe(metadata.authorization_endpoint):
            raise self._failed("its authorization endpoint is no address with TLS")
        known = _Known(metadata, self._keys(metadata), now)
        with self._lock:
            self._known = known
        return known

    def _keys(self, metadata: Metadata) -> KeySet:
        """Public keys for signatures. Raises LoginBusy."""
        try:
            given = msgspec.json.decode(self._ask(metadata.jwks_uri).body, type=dict[str, Any])["keys"]
            kept = [key for key in given if key.get("kty") != "oct" and key.get("use", "sig") == "sig"]
            return KeySet.import_key_set({"keys": kept})
        except (msgspec.MsgspecError, JoseError, KeyError, ValueError, TypeError, AttributeError):
            raise self._failed("its keys cannot be read") from None

    def _exchanged(self, metadata: Metadata, code: str, attempt: Attempt, redirect_uri: str) -> _Tokens:
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri,
            "client_id": self._settings.client_id, "code_verifier": attempt.verifier,
        }  # fmt: skip
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if secret := self._secret():
            if "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:  # RFC 6749, 2.3.1
                pair = f"{quote(self._settings.client_id, safe='')}:{quote(secret, safe='')}"
                headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
            else:
                form["client_secret"] = secret
        answer = self._ask(metadata.token_endpoint, urlencode(form).encode(), headers)
        try:
            tokens = msgspec.json.decode(answer.body, type=prepared(_Tokens))
        except msgspec.MsgspecError:
            raise self._failed(f"its token endpoint answers {answer.status} with no tokens") from None
        if answer.status != 200 or not tokens.id_token:
            log.warning("login provider: the code is refused: %s %.100r", answer.status, tokens.error)
            raise NotAuthenticated(_NOT_PROVEN)
        return tokens

    def _checked(self, known: _Known, tokens: _Tokens, attempt: Attempt, now: int) -> Mapping[str, Any]:
        """The claims of an ID token that is right in every point of OpenID Connect Core 1.0, 3.1.3.7."""
        client = self._settings.client_id
        try:
            token = self._decoded(known, tokens.id_token, now)
            claims = CodeIDToken(
                token.claims, token.header,
                options={
                    "iss": {"essential": True, "value": known.metadata.issuer},
                    "aud": {"essential": True, "value": client},
                },
                params={
                    "nonce": attempt.nonce, "client_id": client, "access_token": tokens.access_token,
                    "max_age": attempt.again,
                },
            )  # fmt: skip
            claims.validate(now // 1000, _LEEWAY)
        except (JoseError, ValueError, TypeError) as error:
            log.warning("login provider: the ID token is refused: %s %.100s", type(error).__name__, error)
            raise NotAuthenticated(_NOT_PROVEN) from None
        subject = claims["sub"]
        if not isinstance(subject, str) or not 1 <= len(subject) <= _LONGEST_SUBJECT or not subject.isprintable():
            raise NotAuthenticated(_NOT_PROVEN)
        if attempt.again and claims["auth_time"] < attempt.began_at // 1000 - _LEEWAY:
            log.warning("login provider: it did not ask the person anew")
            raise NotAuthenticated(_NOT_PROVEN)
        return dict(claims)

    def _decoded(self, known: _Known, text: str, now: int) -> jwt.Token:
        """By a key that is known; providers change theirs, so they are asked for again where it is not."""
        try:
            return jwt.decode(text, known.keys, algorithms=_ALGORITHMS)
        except (JoseError, ValueError):
            if known.at > now - _KEYS_AGAIN_MS:
                raise
        return jwt.decode(text, self._asked_anew(now).keys, algorithms=_ALGORITHMS)

    def _userinfo(self, metadata: Metadata, access_token: str, subject: str) -> Mapping[str, Any]:
        """OpenID Connect Core 1.0, 5.3: where providers tell the address that a scope asks for."""
        answer = self._ask(metadata.userinfo_endpoint, None, {"Authorization": f"Bearer {access_token}"})
        try:
            said = msgspec.json.decode(answer.body, type=dict[str, Any])
        except msgspec.MsgspecError:
            raise self._failed("its userinfo endpoint answers with no JSON") from None
        if answer.status != 200 or said.get("sub") != subject:  # 5.3.2: else it may be of somebody else
            raise NotAuthenticated(_NOT_PROVEN)
        return {name: said[name] for name in ("email", "email_verified") if name in said}

    def _secret(self) -> str:
        path = self._settings.client_secret_file
        if path is None:
            return ""
        try:
            return Path(path).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise self._failed(f"the file of the client's secret, {path}, cannot be read") from None

    def _ask(self, url: str, content: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
        """GET, or POST where there is content. Raises LoginBusy."""
        if not is_safe(url):
            raise self._failed(f"it names an address without TLS, on the host {(urlsplit(url).hostname or '')[:100]}")
        if not self._asking.acquire(blocking=False):
            raise LoginBusy("others are logging in just now: try again in a moment")
        try:
            return asyncio.run(self._asked(url, content, headers))
        except (CollectionFailed, TimeoutError) as error:
            raise self._failed(str(error) or "it does not answer in time") from None
        finally:
            self._asking.release()

    async def _asked(self, url: str, content: bytes | None, headers: Mapping[str, str] | None) -> Answer:
        client = HttpClient("the login provider", most_bytes=_MOST_BYTES, pauses=(), guard=self._guard)
        async with asyncio.timeout(_SECONDS), client:
            return await client.ask(url, content=content, headers=headers, public=True)

    def _failed(self, why: str) -> LoginBusy:
        """For the log: the person who logs in can do nothing about it."""
        log.warning("login provider: %s", why)
        return LoginBusy("the login provider cannot be asked now: try again, or use a password")
