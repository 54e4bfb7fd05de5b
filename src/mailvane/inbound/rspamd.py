"""Rspamd over HTTP: what it thinks of a mail, and what it is told that people think. Its protocol is at
https://rspamd.com/doc/developers/protocol.html: the whole mail to `/checkv2`, the envelope in headers.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Protocol

import httpx
import msgspec

from mailvane.core.decoding import prepared
from mailvane.core.egress import certificates
from mailvane.core.errors import CollectionFailed, InvalidSetting
from mailvane.inbound.scores import SpamScore, Symbol, authentication_of
from mailvane.inbound.settings import InboundSettings

_SECONDS = 30.0
_MOST_BYTES = 4 * 1024 * 1024


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A mail to be judged, with its envelope."""

    content: bytes
    sender: str
    recipients: tuple[str, ...]
    client: str
    client_name: str
    helo: str


class SpamFilter(Protocol):
    """Who tells scores."""

    async def score(self, mail: Checked) -> SpamScore:
        """Raises CollectionFailed when there is no answer."""


class _Symbol(msgspec.Struct):
    score: float = 0.0


class _Answer(msgspec.Struct):
    score: float
    symbols: dict[str, _Symbol] = {}
    is_skipped: bool = False
    error: str | None = None


class Rspamd:
    """One server. Belongs to one event loop."""

    def __init__(self, url: str, controller: str = "", password: str = "") -> None:
        self._url = url.rstrip("/")
        self._controller = controller.rstrip("/")
        self._password = password
        self._is_tls = any(each.startswith("https:") for each in (url, controller))

    @cached_property
    def _client(self) -> httpx.AsyncClient:
        """Made when it is first needed: to read the certificate authorities takes some 50 ms."""
        limits = httpx.Limits(max_connections=64)
        return httpx.AsyncClient(
            verify=self._is_tls and certificates(), trust_env=False, timeout=_SECONDS, limits=limits
        )

    async def close(self) -> None:
        if "_client" in vars(self):
            await self._client.aclose()

    async def score(self, mail: Checked) -> SpamScore:
        """Raises CollectionFailed when it does not answer, or not to the question."""
        headers = [("From", mail.sender), ("IP", mail.client), ("Helo", mail.helo), ("Hostname", mail.client_name)]
        headers += [("Rcpt", recipient) for recipient in mail.recipients[:50]]
        body = await self._post(f"{self._url}/checkv2", mail.content, headers)
        try:
            answer = msgspec.json.decode(body, type=prepared(_Answer))
        except (msgspec.DecodeError, msgspec.ValidationError):
            raise CollectionFailed("Rspamd answered with what is no result") from None
        if answer.error or answer.is_skipped:
            return SpamScore(problem=answer.error or "Rspamd skipped the mail")
        symbols = tuple(Symbol(name, each.score) for name, each in sorted(answer.symbols.items()))
        return SpamScore(value=answer.score, symbols=symbols, authentication=authentication_of(symbols))

    async def learn(self, content: bytes, *, spam: bool) -> bool:
        """Tell the controller what somebody decided; False where none is configured. Raises CollectionFailed."""
        if not self._controller:
            return False
        url = f"{self._controller}/{'learnspam' if spam else 'learnham'}"
        await self._post(url, content, [("Password", self._password)] if self._password else [])
        return True

    async def _post(self, url: str, content: bytes, headers: list[tuple[str, str]]) -> bytes:
        told = [(name.encode(), _printable(value)) for name, value in headers if value]
        try:
            async with self._client.stream("POST", url, content=content, headers=told) as response:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > _MOST_BYTES:
                        raise CollectionFailed("Rspamd answered with too much")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise CollectionFailed(f"Rspamd cannot be reached ({type(error).__name__})") from None
        # 208: learned already, which is what was wanted.
        if response.status_code not in (httpx.codes.OK, httpx.codes.NO_CONTENT, httpx.codes.ALREADY_REPORTED):
            raise CollectionFailed(f"Rspamd answered with status {response.status_code}")
        return bytes(body)


def _printable(value: str) -> bytes:
    return "".join(each for each in value if each.isprintable()).encode("utf-8", "replace")[:1000]


def rspamd_of(inbound: InboundSettings) -> Rspamd:
    """Raises InvalidSetting."""
    password = ""
    if inbound.rspamd_password_file is not None:
        try:
            password = Path(inbound.rspamd_password_file).read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            raise InvalidSetting(f"inbound: rspamd_password_file: cannot be read: {error}") from None
    return Rspamd(inbound.rspamd_url, inbound.rspamd_controller_url, password)
