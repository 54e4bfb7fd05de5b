"""The way to addresses that others wrote: never into this machine's own network, unless the settings allow it.

A name is resolved here, every address that it has is judged, and the connection goes to one that was judged: what a
name server says a moment later makes no difference. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from ipaddress import ip_address, ip_network

import httpx

from mailvane.core.addresses import is_address, is_public
from mailvane.core.errors import NotAllowed, Transient
from mailvane.core.names import mail_domain

# The client tells its log every address that it asks, and those of receivers hold their secrets.
logging.getLogger("httpx").setLevel(logging.WARNING)

Resolve = Callable[[str, int], Awaitable[Collection[str]]]


class HostUnknown(Transient):
    """A name does not resolve, or not now."""


async def resolved(host: str, port: int) -> Collection[str]:
    """The addresses of a host, as this machine resolves names. Raises HostUnknown."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise HostUnknown(f"{host[:100]} cannot be resolved") from error
    return [str(address[0]) for *_, address in found]


class EgressGuard:
    """Which addresses may be reached."""

    def __init__(self, allowed: Collection[str] = (), resolve: Resolve = resolved) -> None:
        self._networks = [ip_network(each) for each in allowed if "/" in each or is_address(each)]
        self._hosts = {mail_domain(each) for each in allowed}
        self._resolve = resolve

    def check_written(self, host: str) -> None:
        """Judge a host without asking anybody. Raises NotAllowed for one that certainly may not be reached."""
        name = mail_domain(host)
        if name in self._hosts:
            return
        if is_address(name):
            self._judge(name)
        elif name.rstrip(".") == "localhost" or name.rstrip(".").endswith(".localhost"):
            raise NotAllowed("localhost is not a public address; `allowed_targets` of the settings may name it")

    async def address_of(self, host: str, port: int) -> str:
        """One that may be reached. Raises NotAllowed when any of the host's may not, HostUnknown."""
        addresses = await self._resolve(host, port)
        if not addresses:
            raise HostUnknown(f"{host[:100]} has no address")
        if mail_domain(host) not in self._hosts:
            for address in addresses:
                self._judge(address)
        return next(iter(addresses))

    def _judge(self, text: str) -> None:
        address = ip_address(text.partition("%")[0])
        if not is_public(address) and not any(address in network for network in self._networks):
            raise NotAllowed(f"{address} is not a public address; `allowed_targets` of the settings may name it")


@cache
def certificates() -> ssl.SSLContext:
    """What servers' certificates are checked by. Shared: to read the authorities takes some 50 ms and a few MiB."""
    return httpx.create_ssl_context()


class GuardedTransport(httpx.AsyncBaseTransport):
    """Sends a request to an address that was judged; the server's name and certificate stay those of the URL."""

    def __init__(self, guard: EgressGuard, inner: httpx.AsyncBaseTransport | None = None) -> None:
        self._guard = guard
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.raw_host.decode("ascii")  # in Unicode it would be looked up by IDNA 2003
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        address = await self._guard.address_of(host, port)
        if self._inner is None:
            authorities = await asyncio.to_thread(certificates)
            self._inner = self._inner or httpx.AsyncHTTPTransport(verify=authorities, retries=0)
        return await self._inner.handle_async_request(sent_to(request, address))

    async def aclose(self) -> None:
        if self._inner is not None:
            await self._inner.aclose()


class PinnedTransport(httpx.BaseTransport):
    """Sends requests to one address, which was judged; closed, it closes its inner transport."""

    def __init__(self, address: str, inner: httpx.BaseTransport | None = None) -> None:
        self._address = address
        self._inner = inner or httpx.HTTPTransport(verify=certificates(), retries=0)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._inner.handle_request(sent_to(request, self._address))

    def close(self) -> None:
        self._inner.close()


def sent_to(request: httpx.Request, address: str) -> httpx.Request:
    """The request as it goes to an address: the Host header and the name that a certificate is checked for stay."""
    host = request.url.raw_host.decode("ascii")
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address.partition("%")[0]),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )


def retry_after_ms(text: str, now: datetime | None = None) -> int:
    """Of a Retry-After header, in seconds or as a date (RFC 9110, 10.2.3); 0 when it cannot be understood."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), 7 * 86_400) * 1000
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0, int((moment - (now or datetime.now(UTC))).total_seconds() * 1000))
