"""Bounded fetches from the public internet: certificates, and the confirmation of a subscription.

No redirects, no private addresses, little time, few bytes. Which addresses are worth a fetch is decided by the callers.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from time import monotonic
from urllib.parse import urlsplit

import httpx

from mailvane.core.addresses import is_public_text
from mailvane.core.egress import PinnedTransport
from mailvane.core.errors import NotAllowed, Transient
from mailvane.core.names import mail_domain

_LARGEST_ANSWER = 64 * 1024  # a certificate with its chain has 2 to 8 KB
_STEP_SECONDS = 5.0
_ALL_SECONDS = 10.0

Fetch = Callable[[str], bytes]
Resolve = Callable[[str, int], Iterable[str]]


class Unreachable(Transient):
    """A page that was needed could not be fetched now."""


class Refused(NotAllowed):
    """What was asked for is not what it says it is, or not from where it says."""


def addresses_of(host: str, port: int) -> Iterable[str]:
    """Every address that the name stands for. Raises Unreachable."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unreachable(f"{host} has no address now") from None
    return {str(entry[4][0]) for entry in found}


class Fetcher:
    """Fetches one page at a call. Safe to share between threads."""

    def __init__(self, transport: httpx.BaseTransport | None = None, resolve: Resolve = addresses_of) -> None:
        self._transport = transport
        self._resolve = resolve

    def __call__(self, url: str) -> bytes:
        """The body of a 200 answer. Raises Unreachable, Refused."""
        address = self._judged(url)
        try:
            # One for each fetch: there are a few a day, and nothing stays open between them.
            with (
                httpx.Client(
                    transport=self._transport or PinnedTransport(address),
                    trust_env=False,
                    follow_redirects=False,
                    timeout=_STEP_SECONDS,
                    headers={"Accept-Encoding": "identity"},  # a few packed bytes unpack to many at once
                ) as client,
                client.stream("GET", url) as response,
            ):
                if response.is_redirect:
                    raise Refused(f"{url} leads elsewhere, and redirects are not followed")
                if response.status_code >= 500 or response.status_code == 429:
                    raise Unreachable(f"{url} answers {response.status_code}")
                if response.status_code != 200:
                    raise Refused(f"{url} answers {response.status_code}")
                return _bounded(url, response)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(f"{url} cannot be fetched: {type(error).__name__}") from None

    def _judged(self, url: str) -> str:
        """The address to connect to, whatever the name stands for a moment later. Raises Unreachable, Refused."""
        parts = urlsplit(url)
        host = mail_domain(parts.hostname or "")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        # ours: IPv4 first, since more machines reach it
        addresses = sorted(self._resolve(host, port), key=lambda each: ":" in each)
        if not addresses:
            raise Unreachable(f"{host} has no address now")
        if not all(map(is_public_text, addresses)):
            raise Refused(f"{host} is a private address")
        return addresses[0]


def _bounded(url: str, response: httpx.Response) -> bytes:
    if response.headers.get("Content-Encoding", "identity").strip().lower() not in {"", "identity"}:
        raise Refused(f"{url} answers with packed content, which was not asked for")
    started = monotonic()
    body = b""
    for part in response.iter_bytes():
        body += part
        if len(body) > _LARGEST_ANSWER:
            raise Refused(f"{url} answers with more than {_LARGEST_ANSWER} bytes")
        if monotonic() - started > _ALL_SECONDS:
            raise Unreachable(f"{url} answers too slowly")
    return body
