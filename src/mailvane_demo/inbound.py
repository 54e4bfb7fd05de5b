"""The demo's fifth part: an office whose mail comes in through the gateway, over SMTP, to mailboxes behind it."""

from __future__ import annotations

import logging
import smtplib
import socket
from collections.abc import Callable, Iterable
from threading import Event
from zoneinfo import ZoneInfo

from mailvane.core.identifiers import ordered_uuid
from mailvane.core.moments import DAY_MS
from mailvane.inbound import events
from mailvane.inbound.contacts import decide
from mailvane.inbound.filters import Filters, Wanted
from mailvane.inbound.headers import read_headers
from mailvane.inbound.model import (
    Address,
    AddressType,
    AuditEntry,
    ContactState,
    FilterAction,
    InboundDomain,
    Message,
    MessageStatus,
    NextHop,
    Team,
)
from mailvane.inbound.settings import InboundSettings
from mailvane.inbound.store.rows import NewMail
from mailvane.inbound.stores import InboundStores
from mailvane.inbound.weeks import week_start
from mailvane_demo.world import incoming
from mailvane_demo.world.incoming import Incoming

log = logging.getLogger(__name__)

SETTINGS = InboundSettings(
    hostname=f"mx.{incoming.DOMAIN}", trusted_relays=("127.0.0.1",), score_from="headers", quarantine_at=6.0
)
ROOM = {incoming.ARCHIVE: 6}
_PAUSE_SECONDS = 1.0
_WAIT_SECONDS = 30.0
_USED = 0.85  # of the weekly limit, once today's mail has come
_AT_ONCE = 200


def free_port() -> int:
    """One that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found


def make_office(stores: InboundStores, workspace: int, hop: int, seed: int, days: int, now: int) -> None:
    """What a user would set up, and what came on the days before; `hop` is the port of the mailboxes behind."""
    entry = AuditEntry(at=now, actor="demo", action="", subject="")
    server = NextHop("127.0.0.1", hop, tls="none")
    stores.domains.add(
        InboundDomain(id=ordered_uuid(now), workspace=workspace, name=incoming.DOMAIN, hop=server, created_at=now)
    )
    known: dict[str, Address] = {}
    for name in (incoming.TEAM, incoming.BOOKS, incoming.ARCHIVE):
        known[name] = _address(workspace, AddressType.MAILBOX, name, now)
    for name, label in ((incoming.SHOP, "Shop"), (incoming.INFO, "Everybody")):
        known[name] = _address(workspace, AddressType.ALIAS, name, now, known[incoming.TEAM].id, label)
    for address in known.values():
        stores.addresses.add(address)
    decide(stores, workspace, incoming.BLOCKED, {"state": ContactState.BLOCKED}, entry)
    decide(stores, workspace, incoming.FRIEND, {"state": ContactState.WHITELISTED}, entry)
    rule = Wanted(name="no lotteries", action=FilterAction.DENY, every=["subject contains lottery"], some=[])
    Filters(stores, workspace, entry).create(rule)
    _write_history(stores, workspace, known, incoming.of_days(seed, now - days * DAY_MS, now))
    used = stores.teams.used(workspace, week_start(now, ZoneInfo("UTC"))) + len(incoming.of_today(seed, now))
    stores.teams.save_team(Team(workspace=workspace, weekly_limit=round(used / _USED), mailboxes_limit=10))


def _address(
    workspace: int, kind: AddressType, name: str, now: int, mailbox: str | None = None, label: str = ""
) -> Address:
    return Address(
        id=ordered_uuid(now), workspace=workspace, type=kind, address=name, mailbox=mailbox, label=label, created_at=now
    )


def _write_history(stores: InboundStores, workspace: int, known: dict[str, Address], mails: Iterable[Incoming]) -> None:
    """As the gateway would have kept it: messages, senders, weekly numbers and mail events."""
    waiting: list[NewMail] = []
    for number, mail in enumerate(mails, 1):
        waiting.append(_past(workspace, known, number, mail))
        if len(waiting) == _AT_ONCE:
            stores.messages.take_in(waiting, mail.at)
            waiting.clear()
    if waiting:
        stores.messages.take_in(waiting, waiting[-1].messages[0].received_at)


def _past(workspace: int, known: dict[str, Address], number: int, mail: Incoming) -> NewMail:
    address = known[mail.recipient]
    target = next(one.address for one in known.values() if one.id == (address.mailbox or address.id))
    is_blocked = mail.sender == incoming.BLOCKED
    content = mail.content
    message = Message(
        id=ordered_uuid(mail.at), workspace=workspace, number=number, received_at=mail.at,
        status=MessageStatus.DENIED if is_blocked else MessageStatus.DELIVERED, address=address.id,
        recipient=mail.recipient, recipient_number=1, target=target, contact="", sender=mail.sender,
        from_address=mail.sender, from_name=mail.name, subject=mail.subject, message_id="", client="203.0.113.7",
        client_name="mail.out.example", protocol="ESMTPS", size=len(content), score=mail.score,
        reason="blocked contact" if is_blocked else "", hop="smtp:127.0.0.1",
        delivered_at=0 if is_blocked else mail.at + 800, changed_at=mail.at + 800,
    )  # fmt: skip
    if is_blocked:
        after = events.decided(message, mail.at)
    else:
        answered = events.Answered(code=250, enhanced="2.0.0", reply="250 2.0.0 Saved", host="mailboxes")
        after = events.tried(message, mail.at + 800, answered)
    accepted = events.accepted(message, SETTINGS.hostname, read_headers(content))
    told = (accepted, *([after] if after is not None else []))
    return NewMail(workspace=workspace, messages=(message,), events=told, week=week_start(mail.at, ZoneInfo("UTC")))


class SimulatedSenders:
    """Everybody who writes to the office, over SMTP. `run` is for a thread of its own, until `stop`."""

    def __init__(self, port: int, seed: int) -> None:
        self._port = port
        self._seed = seed
        self._stopped = Event()

    def send_today(self, now: int) -> None:
        """The bad hour, at once."""
        self._send(incoming.of_today(self._seed, now))

    def run(self, clock: Callable[[], int]) -> None:
        done = clock()
        while not self._stopped.wait(_PAUSE_SECONDS):
            now = clock()
            self._send(incoming.living(self._seed, done, now))
            done = now // 1000 * 1000

    def stop(self) -> None:
        """Safe from any thread."""
        self._stopped.set()

    def _send(self, mails: Iterable[Incoming]) -> None:
        waiting = list(mails)
        if not waiting:
            return
        try:
            with smtplib.SMTP("127.0.0.1", self._port, timeout=_WAIT_SECONDS) as client:
                for mail in waiting:
                    if self._stopped.is_set():
                        return
                    _hand_over(client, mail)
        except (OSError, smtplib.SMTPException) as error:
            log.warning("mail cannot reach the gateway: %s", error)


def _hand_over(client: smtplib.SMTP, mail: Incoming) -> None:
    """What is refused, for its score or because the week is full, is no fault of anybody's."""
    try:
        client.sendmail(mail.sender, [mail.recipient], mail.content)
    except (smtplib.SMTPDataError, smtplib.SMTPRecipientsRefused) as refusal:
        log.debug("refused: %s", refusal)


def guide(url: str, token: str, command: str, port: int) -> str:
    """What people may try, as the rest of the demo's welcome."""
    header = f"-H 'Authorization: Bearer {token}'"
    return f"""\
[bold]Mail comes in through the gateway[/] on 127.0.0.1:{port}: newsletters, invoices, spam, strangers, a full mailbox.

  {command} quarantine list
  {command} contact list --limit 10
  {command} inbound limit
  {command} report health
  curl -s {header} '{url}/v1/quarantine?per_page=3'
  curl -s {header} '{url}/v1/messages?status=failed&per_page=3'
"""
