"""Access tokens for Google, from the credentials file of the settings. Nothing of it is ever shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from threading import Lock

import google.auth.exceptions
import google.auth.transport
import google.oauth2.credentials
import google.oauth2.service_account
import httpx
import msgspec

from mailvane import __version__
from mailvane.core.errors import CollectionFailed, InvalidSetting

SCOPE = "https://www.googleapis.com/auth/postmaster.traffic.readonly"
_TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
_TIMEOUT_SECONDS = 20.0
_MOST_BYTES = 256 * 1024

_Google = google.oauth2.credentials.Credentials | google.oauth2.service_account.Credentials


class Credentials:
    """Safe to share between threads."""

    def __init__(self, google_credentials: _Google) -> None:
        self._google = google_credentials
        self._lock = Lock()

    def token(self) -> str:
        """One that is still good, asked for anew when it must be. Blocks. Raises CollectionFailed."""
        with self._lock:
            if not self._google.valid:
                try:
                    self._google.refresh(_ask)  # type: ignore[no-untyped-call]
                except google.auth.exceptions.TransportError as error:
                    raise CollectionFailed(f"Google's token server cannot be reached: {error}") from None
                except google.auth.exceptions.GoogleAuthError as error:
                    raise CollectionFailed(
                        f"Google gives no token for `postmaster_credentials`: {_reason(error)}"
                    ) from None
            return str(self._google.token)

    def forget(self) -> None:
        """Ask for another token the next time: this one was refused."""
        with self._lock:
            self._google.token = None


def read_credentials(path: str) -> Credentials:
    """Of a service account, or of a user's refresh token. Raises InvalidSetting."""
    where = "postmaster_credentials"
    try:
        document = msgspec.json.decode(Path(path).read_bytes())
    except OSError as error:
        raise InvalidSetting(f"{where}: {path} cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidSetting(f"{where}: {path} is not JSON") from None
    kind = document.get("type") if isinstance(document, dict) else None
    try:
        if kind == "service_account":
            return Credentials(
                google.oauth2.service_account.Credentials.from_service_account_info(document, scopes=[SCOPE])  # type: ignore[no-untyped-call]
            )
        if kind == "authorized_user":
            # What the user agreed to is part of the refresh token, so no scope is asked for.
            return Credentials(
                google.oauth2.credentials.Credentials(  # type: ignore[no-untyped-call]
                    token=None,
                    refresh_token=document["refresh_token"],
                    client_id=document["client_id"],
                    client_secret=document["client_secret"],
                    token_uri=document.get("token_uri") or _TOKEN_URL,
                )
            )
    except (KeyError, ValueError, TypeError):
        # Their text may carry a part of the key.
        raise InvalidSetting(f"{where}: {path} is no complete file of Google's kind {kind!r}") from None
    raise InvalidSetting(f'{where}: {path}: its "type" is neither "service_account" nor "authorized_user"')


def _reason(error: google.auth.exceptions.GoogleAuthError) -> str:
    """Google's word for it, such as `invalid_grant`; not the answer itself, whatever it repeats."""
    for part in error.args:
        if isinstance(part, Mapping) and isinstance(part.get("error"), str):
            return str(part["error"])[:100]
    return type(error).__name__


class _Response(google.auth.transport.Response):
    def __init__(self, answer: httpx.Response) -> None:
        self._answer = answer

    @property
    def status(self) -> int:
        return self._answer.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        return self._answer.headers

    @property
    def data(self) -> bytes:
        return self._answer.content[:_MOST_BYTES]


def _ask(
    url: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float | None = None,
    **_: object,
) -> _Response:
    """How Google's library reaches its token server: our time limit, no proxies of the environment, no redirects."""
    given = {**(headers or {}), "User-Agent": f"Mailvane/{__version__}"}
    try:
        with httpx.Client(trust_env=False, follow_redirects=False, timeout=timeout or _TIMEOUT_SECONDS) as client:
            return _Response(client.request(method, url, content=body, headers=given))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise google.auth.exceptions.TransportError(type(error).__name__) from None  # type: ignore[no-untyped-call]
