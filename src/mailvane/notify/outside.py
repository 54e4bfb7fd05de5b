"""The way to addresses that users wrote: never into this machine's own network, unless the settings allow it.

A name is resolved here, every address that it has is judged, and the connection goes to one that was judged: what a
name server says a moment later makes no difference. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Collection
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

import httpx

from mailvane.domain.names import mail_domain
from mailvane.errors import NotAllowed, Transient

# The client tells its log every address that it asks, and those of receivers hold their secrets.
logging.getLogger("httpx").setLevel(logging.WARNING)

Resolve = Callable[[str, int], Awaitable[Collection[str]]]
_NAT64 = IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")


class HostUnknown(Transient):
    """A name does not resolve, or not now."""


async def resolved(host: str, port: int) -> Collection[str]:
    """The addresses of a host, as this machine resolves names. Raises HostUnknown."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise HostUnknown(f"{host[:100]} cannot be resolved") from error
    return [str(address[0]) for *_, address in found]


class Outside:
    """Which addresses may be reached."""

    def __init__(self, allowed: Collection[str] = (), resolve: Resolve = resolved) -> None:
        self._networks = [ip_network(each) for each in allowed if "/" in each or _is_address(each)]
        self._hosts = {mail_domain(each) for each in allowed}
        self._resolve = resolve

    def check_written(self, host: str) -> None:
        """Judge a host without asking anybody. Raises NotAllowed for one that certainly may not be reached."""
        name = mail_domain(host)
        if name in self._hosts:
            return
        if _is_address(name):
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


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address belongs to the internet, whatever it is wrapped in."""
    if isinstance(address, IPv6Address):
        inner = _wrapped(address)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_link_local or address.is_loopback
    )


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for: mapped, 6to4, Teredo or NAT64."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64 or address in _LOCAL_NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


class OutsideTransport(httpx.AsyncBaseTransport):
    """Sends a request to an address that was judged; the server's name and certificate stay those of the URL."""

    def __init__(self, outside: Outside, inner: httpx.AsyncBaseTransport | None = None) -> None:
        self._outside = outside
        self._inner = inner or httpx.AsyncHTTPTransport(retries=0)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.raw_host.decode("ascii")  # in Unicode it would be looked up by IDNA 2003
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        address = await self._outside.address_of(host, port)
        extensions = {**request.extensions, "sni_hostname": host}
        sent = httpx.Request(
            request.method,
            request.url.copy_with(host=address),
            headers=request.headers,  # the Host header is among them
            stream=request.stream,
            extensions=extensions,
        )
        return await self._inner.handle_async_request(sent)

    async def aclose(self) -> None:
        await self._inner.aclose()
