"""Listens for mail: connections and their bounds, memory, STARTTLS, and what is counted. Decides nothing about mail."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections import Counter as Tally
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

from mailvane.core.connections import ConnectionLimits, Connections, peer_of
from mailvane.core.errors import InvalidSetting
from mailvane.core.listening import Listen
from mailvane.inbound.gateway.intake import Intake
from mailvane.inbound.gateway.protocol import GatewayProtocol
from mailvane.inbound.settings import InboundSettings

log = logging.getLogger(__name__)

_BACKLOG = 1024
_IDLE_SECONDS = 300.0  # RFC 5321 section 4.5.3.2.7
_STOPPING_SECONDS = 10.0
_MINUTE = 60.0


class GatewayMetrics:
    """Mail that came in, by what became of it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._messages = Counter(
            "mailvane_inbound_messages",
            "Messages taken in or refused after DATA, by status",
            ["status"],
            registry=registry,
        )
        self._refused = Counter(
            "mailvane_inbound_refused_recipients",
            "Recipients refused at RCPT, by reply code",
            ["code"],
            registry=registry,
        )
        self._connections = Gauge("mailvane_inbound_connections", "Connections of the SMTP gateway", registry=registry)
        self._bytes = Counter("mailvane_inbound_bytes", "Bytes of mail taken in", registry=registry)

    def message(self, status: str, size: int) -> None:
        self._messages.labels(status).inc()
        self._bytes.inc(size)

    def refused(self, code: int) -> None:
        self._refused.labels(str(code)).inc()

    def connections(self, open_now: int) -> None:
        self._connections.set(open_now)


class GatewayServer:
    """Belongs to one event loop."""

    def __init__(self, intake: Intake, settings: InboundSettings, metrics: GatewayMetrics) -> None:
        self.settings = settings
        self.greeting_delay = settings.greeting_delay
        self._intake = intake
        self._metrics = metrics
        limits = ConnectionLimits(settings.connections, settings.connections_per_client)
        self._connections: Connections[GatewayProtocol] = Connections(limits, _is_idle, _evict)
        self._held = 0
        self._recent: Tally[str] = Tally()
        self._since = 0.0
        self._tls = tls_context(settings)
        self._listening: list[asyncio.Server] = []
        self._hostname = settings.hostname or socket.getfqdn()
        self._unconnected: GatewayProtocol | None = None

    async def listen(self, where: Listen) -> None:
        """Begin to take mail. Raises InvalidSetting."""
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(self._protocol, where.host, where.port, backlog=_BACKLOG)
        except OSError as error:
            raise InvalidSetting(f"cannot listen on {where}: {error.strerror or error}") from None
        self._listening.append(server)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens, with the ports that the system chose."""
        return [each.getsockname()[:2] for server in self._listening for each in server.sockets]

    async def stop(self) -> None:
        """Take nothing new, and let the mails in hand come to their answer."""
        for server in self._listening:
            server.close()
        until = asyncio.get_running_loop().time() + _STOPPING_SECONDS
        while any(each.busy for each in self._connections) and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.02)
        for connection in self._connections:
            _evict(connection)

    def enter(self, connection: GatewayProtocol) -> None:
        self._connections.enter(connection, peer_of((connection.peer,)))
        self._metrics.connections(len(self._connections))

    def leave(self, connection: GatewayProtocol) -> None:
        self.let_go(connection)
        self._intake.leave(connection)
        self._connections.leave(connection)
        self._metrics.connections(len(self._connections))

    def prove(self, connection: GatewayProtocol) -> None:
        """It has mail for somebody here."""
        self._connections.prove(connection)

    def hold(self, connection: GatewayProtocol, more: int) -> bool:
        """Whether there is room for so many more bytes of its mail."""
        if self._held + more > self.settings.memory_bytes:
            return False
        self._held += more
        connection.receiving += more
        return True

    def let_go(self, connection: GatewayProtocol) -> None:
        self._held -= connection.receiving
        connection.receiving = 0

    def is_too_fast(self, peer: str) -> bool:
        """Whether it has sent all the mails that one address may send in a minute; counts this one otherwise."""
        limit = self.settings.mails_per_minute
        if not limit or self._intake.is_trusted(peer):
            return False
        now = asyncio.get_running_loop().time()
        if now - self._since >= _MINUTE:
            self._recent.clear()
            self._since = now
        if self._recent[peer] >= limit:
            return True
        self._recent[peer] += 1
        return False

    def _protocol(self) -> GatewayProtocol:
        if self._unconnected is None:
            self._unconnected = self._first_protocol()
        return self._unconnected.another()

    def _first_protocol(self) -> GatewayProtocol:
        return GatewayProtocol(
            self,
            self._intake,
            hostname=self._hostname,
            ident="ESMTP",
            data_size_limit=self.settings.message_bytes,
            tls_context=self._tls,
            timeout=_IDLE_SECONDS,
            auth_exclude_mechanism=("LOGIN", "PLAIN"),
            loop=asyncio.get_running_loop(),
        )


def tls_context(settings: InboundSettings) -> ssl.SSLContext | None:
    """For STARTTLS. Raises InvalidSetting for files that are no certificate and key."""
    if settings.tls_certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise InvalidSetting(f"inbound: tls_certificate: cannot be used: {error}") from None
    return context


def _is_idle(connection: GatewayProtocol) -> bool:
    return not connection.busy


def _evict(connection: GatewayProtocol) -> None:
    if connection.transport is not None:
        write: Callable[[bytes], None] | None = getattr(connection.transport, "write", None)
        if write is not None:
            write(b"421 4.3.2 Too many connections, or the service ends; try again later\r\n")
        connection.transport.close()
