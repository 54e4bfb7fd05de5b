"""Access tokens for the report mailbox (RFC 6749), by what a file of the settings says. Nothing of it is ever shown.

Three kinds of files, all JSON:
- `client_id`, `refresh_token`, `client_secret` where there is one, `token_url`: a person agreed once (Google names the
  last one `token_uri`, and its files of the type `authorized_user` are read as they are);
- `tenant`, `client_id`, `client_secret`: an application of Microsoft Entra that acts for itself; with `refresh_token`,
  for the person who agreed;
- a service account of Google (`"type": "service_account"`), which acts for the mailbox's user (RFC 7523).

A refresh token that the server replaces is kept in the ledger, beside a digest of the one that it began with: another
one in the file counts again. Blocking, so it belongs on a thread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from mailvane import __version__
from mailvane.core.decoding import prepared
from mailvane.core.errors import CollectionFailed
from mailvane.core.extras import needing

Way = Literal["imap", "graph", "gmail"]

TIMEOUT_SECONDS = 20.0
MARGIN_MS = 120_000  # a token that ends so soon is not used any more
_USUAL_MS = 3_600_000  # of one whose answer does not say
_MOST_BYTES = 256 * 1024
_LONGEST = 200
GOOGLE_TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
_MICROSOFT = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"
_GOOGLE_SCOPES: Mapping[Way, str] = {
    "imap": "https://mail.google.com/",
    "gmail": "https://www.googleapis.com/auth/gmail.modify",
    "graph": "",
}
_APPLICATION_SCOPES: Mapping[Way, str] = {
    "imap": "https://outlook.office365.com/.default",
    "graph": "https://graph.microsoft.com/.default",
    "gmail": "",
}
_PERSON_SCOPES: Mapping[Way, str] = {
    "imap": "https://outlook.office.com/IMAP.AccessAsUser.All offline_access",
    "graph": "https://graph.microsoft.com/Mail.ReadWrite offline_access",
    "gmail": "",
}
# What an operator can do about the errors of RFC 6749, 5.2.
_ADVICE = {
    "invalid_grant": "the refresh token or the grant was revoked or has expired: agree anew and put it into the file",
    "invalid_client": "the client's id or secret is wrong or has expired: put the new one into the file",
    "unauthorized_client": "the client may not do this: docs/how-to/report-mailbox.md says what is granted to it",
    "invalid_scope": "the scope was not granted: see docs/how-to/report-mailbox.md",
}


class OauthFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a file of the settings says; what it says besides is passed over."""

    type: str = ""
    client_id: str = ""
    client_secret: str = ""
    refresh_token: str = ""
    tenant: str = ""
    token_url: str = ""
    token_uri: str = ""  # as Google names it
    scope: str = ""
    client_email: str = ""  # of a service account
    private_key: str = ""  # of a service account
    private_key_id: str = ""  # of a service account


class KeptToken(msgspec.Struct, frozen=True, kw_only=True):
    """A refresh token that replaced another one."""

    name: str  # of the mailbox
    origin: str  # digest of the one in the file
    refresh_token: str
    at: int


class Keeping(Protocol):
    """Where refresh tokens are kept that were replaced."""

    def kept_token(self, name: str) -> KeptToken | None: ...

    def keep_token(self, token: KeptToken) -> None: ...


class _Answer(msgspec.Struct):
    """Of a token server, RFC 6749, 5.1 and 5.2."""

    access_token: str = ""
    expires_in: float | str | None = None
    refresh_token: str = ""
    error: str = ""
    error_description: str = ""


class AccessTokens:
    """Of one mailbox. For one thread at a time."""

    def __init__(self, file: str, user: str, way: Way, keeping: Keeping | None, clock: Callable[[], int]) -> None:
        """Without `keeping`, a refresh token that is replaced lives as long as this does."""
        self._file = file
        self._user = user
        self._way: Way = way
        self._keeping = keeping
        self._clock = clock
        self._token = ""
        self._ends = 0
        self._replaced: KeptToken | None = None
        self._secrets: set[str] = set()

    def token(self) -> str:
        """One that is good for a while yet. Raises CollectionFailed."""
        if not self._token or self._clock() >= self._ends:
            self._ask()
        return self._token

    def forget(self) -> None:
        """Ask for another one the next time: this one was refused."""
        self._token = ""

    def masked(self, text: str) -> str:
        """Without any secret that a server may have repeated."""
        for secret in sorted(filter(None, (self._token, *self._secrets)), key=len, reverse=True):
            text = text.replace(secret, "…")
        return text

    def _ask(self) -> None:
        now, read = self._clock(), read_oauth_file(self._file)
        self._secrets |= {each for each in (read.client_secret, read.refresh_token, read.private_key) if each}
        name = hashlib.sha256(f"{self._way} {self._user} {read.client_id}".encode()).hexdigest()
        origin = hashlib.sha256(read.refresh_token.encode()).hexdigest()
        refresh_token = self._current(name, origin) or read.refresh_token
        self._secrets |= {refresh_token} if refresh_token else set()
        answer = self._asked(_url_of(read), _form_of(read, refresh_token, self._way, self._user, now))
        if answer.refresh_token and answer.refresh_token != refresh_token:
            self._keep(KeptToken(name=name, origin=origin, refresh_token=answer.refresh_token, at=now))
        self._token = answer.access_token
        lives = _milliseconds(answer.expires_in)
        self._ends = now + lives - min(MARGIN_MS, lives // 2)

    def _current(self, name: str, origin: str) -> str:
        kept = self._keeping.kept_token(name) if self._keeping is not None else self._replaced
        return kept.refresh_token if kept is not None and kept.origin == origin else ""

    def _keep(self, token: KeptToken) -> None:
        self._replaced = token
        self._secrets.add(token.refresh_token)
        if self._keeping is not None:
            self._keeping.keep_token(token)

    def _asked(self, url: str, form: Mapping[str, str]) -> _Answer:
        """Raises CollectionFailed."""
        import httpx  # noqa: PLC0415 - half as long to load as all the rest of a command that opens the ledger

        headers = {"User-Agent": f"Mailvane/{__version__}", "Accept": "application/json"}
        try:
            with httpx.Client(trust_env=False, follow_redirects=False, timeout=TIMEOUT_SECONDS) as client:
                response = client.post(url, data=dict(form), headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise CollectionFailed(f"the token server cannot be reached: {type(error).__name__}") from None
        try:
            answer = msgspec.json.decode(response.content[:_MOST_BYTES], type=prepared(_Answer))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            answer = _Answer()
        if response.is_success and answer.access_token:
            return answer
        raise CollectionFailed(f"the token server gives no token: {self._reason(response.status_code, answer)}")

    def _reason(self, status: int, answer: _Answer) -> str:
        if not answer.error:
            return f"status {status}"
        told = self.masked(" ".join(answer.error_description.split()))[:_LONGEST]
        advice = _ADVICE.get(answer.error, "")
        return ": ".join(filter(None, [self.masked(answer.error)[:50], advice, f"it says: {told}" if told else ""]))


def read_oauth_file(path: str) -> OauthFile:
    """Raises CollectionFailed, which names no secret."""
    try:
        read = msgspec.json.decode(Path(path).read_bytes(), type=prepared(OauthFile))
    except OSError as error:
        raise CollectionFailed(f"the OAuth file {path} cannot be read: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise CollectionFailed(f"the OAuth file {path} is not JSON of this kind") from None
    if read.type == "service_account":
        missing = [name for name in ("client_email", "private_key") if not getattr(read, name)]
    elif read.refresh_token:
        missing = [] if read.client_id else ["client_id"]
    else:
        missing = [name for name in ("client_id", "client_secret") if not getattr(read, name)]
        missing += [] if read.tenant or read.token_url else ["refresh_token or tenant"]
    if missing:
        raise CollectionFailed(f"the OAuth file {path} lacks {', '.join(missing)}")
    return read


def _url_of(read: OauthFile) -> str:
    if given := read.token_url or read.token_uri:
        return given
    return _MICROSOFT.format(tenant=read.tenant) if read.tenant else GOOGLE_TOKEN_URL


def _form_of(read: OauthFile, refresh_token: str, way: Way, user: str, now: int) -> dict[str, str]:
    """Raises CollectionFailed."""
    if read.type == "service_account":
        scope = read.scope or _GOOGLE_SCOPES[way]
        return {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": _assertion(read, scope, user, now),
        }
    client = {"client_id": read.client_id} | ({"client_secret": read.client_secret} if read.client_secret else {})
    if refresh_token:
        # Google's refresh token carries what was agreed to; Microsoft's may be asked for any part of it.
        scope = read.scope or (_PERSON_SCOPES[way] if read.tenant else "")
        wanted = {"scope": scope} if scope else {}
        return {"grant_type": "refresh_token", "refresh_token": refresh_token, **client, **wanted}
    scope = read.scope or _APPLICATION_SCOPES[way]
    return {"grant_type": "client_credentials", **client} | ({"scope": scope} if scope else {})


def _assertion(read: OauthFile, scope: str, user: str, now: int) -> str:
    """Raises CollectionFailed."""
    seconds = now // 1000
    said = {
        "iss": read.client_email, "sub": user, "scope": scope, "aud": _url_of(read), "iat": seconds,
        "exp": seconds + 3600,
    }  # fmt: skip
    try:
        with needing("google", "google"):
            import google.auth.crypt  # noqa: PLC0415
            import google.auth.jwt  # noqa: PLC0415
        signer: Any = google.auth.crypt.RSASigner.from_string(read.private_key, read.private_key_id or None)  # type: ignore[no-untyped-call]
        return bytes(google.auth.jwt.encode(signer, said)).decode()  # type: ignore[no-untyped-call]
    except ValueError:
        raise CollectionFailed("the private key of the OAuth file cannot be read") from None


def _milliseconds(seconds: float | str | None) -> int:
    try:
        found = int(float(seconds) * 1000) if seconds is not None else _USUAL_MS
    except (ValueError, OverflowError):
        return _USUAL_MS
    return max(0, min(found, 24 * _USUAL_MS))
