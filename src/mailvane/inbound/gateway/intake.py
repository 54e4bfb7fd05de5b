"""A mail on its way in, command by command: who it is for, what becomes of it, when the client hears that it is safe.

The answer 250 is given when content and ledger are on the disk, and not before. Mails that come at once share both.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import Envelope, Session

from mailvane.core.errors import MailvaneError, StoreFull, StoreUnavailable
from mailvane.inbound.gateway.arrival import Arrival, Arrivals
from mailvane.inbound.gateway.opinions import Opinions
from mailvane.inbound.headers import LONGEST_HEADER, header_length, read_headers
from mailvane.inbound.model import Message, MessageStatus
from mailvane.inbound.routing import OVER_QUOTA, Directory, Refusal, Route
from mailvane.inbound.settings import InboundSettings

if TYPE_CHECKING:
    from mailvane.inbound.gateway.protocol import GatewayProtocol
    from mailvane.inbound.gateway.server import GatewayMetrics

log = logging.getLogger(__name__)

_MOST_RELAYS = 100  # RFC 5321 section 6.3
_UNAVAILABLE = "451 4.3.0 The mail cannot be stored at the moment; try again later"
_FULL = "452 4.3.1 There is no room for the mail at the moment; try again later"


class Intake:
    """The hooks that the protocol calls. Belongs to one event loop."""

    def __init__(
        self,
        settings: InboundSettings,
        directory: Directory,
        opinions: Opinions,
        arrivals: Arrivals,
        metrics: GatewayMetrics,
        clock: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._opinions = opinions
        self._arrivals = arrivals
        self._metrics = metrics
        self._clock = clock
        self._trusted = [ip_network(each) for each in settings.trusted_relays]

    def __dir__(self) -> list[str]:
        """The library looks at everything that is named here to find its hooks."""
        return _HOOKS

    def is_trusted(self, peer: str) -> bool:
        """Whether what this client's mails say about themselves is believed."""
        return is_within(peer, self._trusted)

    async def handle_EHLO(  # noqa: N802 - the library's name, likewise below
        self, server: GatewayProtocol, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = _printable(hostname)
        offered = [each for each in responses if not each.startswith("250-AUTH")]
        return [offered[0], "250-PIPELINING", "250-ENHANCEDSTATUSCODES", *offered[1:]]

    async def handle_HELO(self, server: GatewayProtocol, session: Session, envelope: Envelope, hostname: str) -> str:  # noqa: N802
        session.host_name = _printable(hostname)
        return f"250 {server.hostname}"

    async def handle_MAIL(  # noqa: N802
        self, server: GatewayProtocol, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not address.isascii() and not envelope.smtp_utf8:
            return "553 5.6.7 The address needs SMTPUTF8"
        if server.gateway.is_too_fast(server.peer):
            return "451 4.7.1 Too many mails in a minute; try again later"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: GatewayProtocol, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not address.isascii() and not envelope.smtp_utf8:
            return "553 5.6.7 The address needs SMTPUTF8"
        if len(envelope.rcpt_tos) >= self._settings.recipients:
            self._metrics.refused(452)
            return "452 4.5.3 Too many recipients in one mail; send the others in another"
        try:
            found = await self._directory.route(address, self._clock())
        except StoreUnavailable as error:
            log.warning("a recipient cannot be looked up: %s", error)
            return "451 4.3.0 The recipient cannot be looked up at the moment; try again later"
        if isinstance(found, Refusal):
            self._metrics.refused(found.code)
            return str(found)
        server.gateway.prove(server)
        self._arrivals.expect(server)
        envelope.rcpt_tos.append(address)
        _routes(envelope)[address] = found
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: GatewayProtocol, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        if header_length(content) > LONGEST_HEADER:
            return "552 5.3.4 The header of this mail is too long"
        headers = read_headers(content)
        if headers.received > _MOST_RELAYS:
            return "554 5.4.6 Too many hops: this mail goes round in circles"
        arrival = Arrival(
            received_at=self._clock(),
            content=content,
            headers=headers,
            sender="" if envelope.mail_from == "<>" else str(envelope.mail_from),
            routes=tuple(_routes(envelope).values()),
            client=server.peer,
            helo=str(session.host_name or ""),
            protocol=_protocol(session, envelope),
            is_trusted=self.is_trusted(server.peer),
        )
        try:
            return await self._take(arrival)
        except StoreFull:
            return _FULL
        except StoreUnavailable as error:
            log.warning("mail cannot be taken: %s", error)
            return _FULL if "full" in error.message else _UNAVAILABLE
        except MailvaneError as error:
            log.warning("mail is asked to come later: %s", error)
            return f"451 4.7.1 {error.message}"[:400]
        finally:
            self._arrivals.forget(server)

    def leave(self, server: GatewayProtocol) -> None:
        """Its connection has ended."""
        self._arrivals.forget(server)

    async def handle_exception(self, error: Exception) -> str:
        log.error("a command of SMTP failed", exc_info=error)
        return _UNAVAILABLE

    async def _take(self, arrival: Arrival) -> str:
        judged = await self._opinions.judge(arrival)
        stored = await self._arrivals.store(arrival, judged)
        if isinstance(stored, str):  # whose week is full
            return str(OVER_QUOTA)
        for message in stored:
            self._metrics.message(message.status.value, message.size)
        return answer(stored)


_HOOKS = [name for name in dir(Intake) if name.startswith("handle_")]


def answer(stored: Sequence[Message]) -> str:
    """What the client hears. One reply is for all recipients: it is refused only where all of them refuse."""
    if all(message.status is MessageStatus.REJECTED for message in stored):
        return stored[0].reply
    return f"250 2.0.0 OK: {stored[0].mail_id}"


def is_within(peer: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in networks)


def _routes(envelope: Any) -> dict[str, Route]:
    """Of the recipients that were taken, in their order; one that is named twice is one."""
    if not hasattr(envelope, "routes"):
        envelope.routes = {}
    found: dict[str, Route] = envelope.routes
    return found


def _protocol(session: Session, envelope: Envelope) -> str:
    """RFC 3848, RFC 6531 section 4.3."""
    if not session.extended_smtp:
        return "SMTP"
    name = "UTF8SMTP" if envelope.smtp_utf8 else "ESMTP"
    return f"{name}S" if session.ssl is not None else name


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() and each.isascii() and each not in "()<>;" else "?" for each in text)[
        :255
    ]
