"""/mail/log: deliveries of the mail log, as rows of the vendor's. Blocking; the caller brings the thread."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from mailvane.core.errors import NotFound
from mailvane.core.mailbox import domain_of
from mailvane.maillog.mailbaby.parameters import LogQuery, When, read_log_query
from mailvane.maillog.mailbaby.shape import MailLogEntry, MailLogPage
from mailvane.maillog.model import DeliveryStatus
from mailvane.maillog.queries import Delivery, LogPage, LogQuestion
from mailvane.maillog.queue_id import is_queue_id
from mailvane.maillog.services import MailLogServices
from mailvane.web.endpoints import Asked

_OWN_ID = re.compile(r"[0-9a-f]{18}")
_UNTRIED = frozenset({DeliveryStatus.QUEUED, DeliveryStatus.HELD})
_NUMBER_BITS_OF_ROW = 10  # leaves room for acceptance times up to the year 2248


def log_page(services: MailLogServices, asked: Asked) -> MailLogPage:
    """Raises InvalidInput, NotFound, StoreUnavailable."""
    workspace = asked.workspace
    query = read_log_query(asked.query, When(asked.now, services.zone))
    page = _search(services, workspace, query)
    rows = Rows(services.zone)
    entries = [rows.entry(delivery) for delivery in page.deliveries]
    return MailLogPage(page.total, query.skip, query.limit, entries)


def _search(services: MailLogServices, workspace: int, query: LogQuery) -> LogPage:
    try:
        relay = services.tenancy.relay_of(workspace, query.relay)
    except NotFound:
        raise NotFound("no active mail order" if query.relay is None else "no such active mail order") from None
    filters = {name: value for name, value in msgspec.structs.asdict(query).items() if name not in ("relay", "mail_id")}
    question = LogQuestion(workspace=workspace, relays=(relay.id,), **filters)
    if query.mail_id is None:
        return services.maillog.search(question)
    return _with_id(services, question, query.mail_id)


def _with_id(services: MailLogServices, question: LogQuestion, name: str) -> LogPage:
    """`mailid` is our id of a mail, or the queue id that the sender was told."""
    page = LogPage(0, [])
    if _OWN_ID.fullmatch(name.lower()):
        page = services.maillog.search(msgspec.structs.replace(question, mail_id=name.lower()))
    if not page.total and is_queue_id(name):
        page = services.maillog.search(msgspec.structs.replace(question, queue_ids=(name,)))
    return page


class Rows:
    """Turns deliveries into entries. Rows of a page share most of their seconds, so each is put into words once."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._seconds: dict[int, tuple[str, str]] = {}

    def entry(self, delivery: Delivery) -> MailLogEntry:
        seconds, milliseconds = divmod(delivery.accepted_at, 1000)
        created, queued = self._seconds.get(seconds) or self._in_words(seconds)
        tried = was_tried(delivery)
        return MailLogEntry(
            row=row_number(delivery),
            id=delivery.mail_id,
            from_=delivery.sender,
            to=delivery.original_recipient or delivery.recipient,  # the envelope said so before any alias
            subject=delivery.subject or None,
            messageId=delivery.message_id or None,
            created=created,
            time=seconds,
            user=f"mb{delivery.relay}",
            transtype=delivery.protocol or "SMTP",
            origin=delivery.origin,
            interface=delivery.interface,
            sendingZone=delivery.transport or None,
            bodySize=delivery.size or None,
            seq=delivery.recipient_number or None,
            delivered=int(delivery.status is DeliveryStatus.DELIVERED) if tried else None,
            response=delivery.reply or None,
            code=delivery.code or None,
            recipient=delivery.recipient or None,
            domain=domain_of(delivery.recipient) or None,
            locked=1 if tried else None,  # ours: a sending process took the delivery up, at `lockTime`
            lockTime=str(delivery.at) if tried else None,
            assigned=delivery.host or None,
            queued=f"{queued}.{milliseconds:03d}Z",
            mxHostname=delivery.mx_host or None,
        )

    def _in_words(self, seconds: int) -> tuple[str, str]:
        utc = datetime.fromtimestamp(seconds, UTC)
        words = (
            utc.astimezone(self._zone).strftime("%Y-%m-%d %H:%M:%S"),
            utc.strftime("%Y-%m-%dT%H:%M:%S"),
        )
        self._seconds[seconds] = words
        return words


def row_number(delivery: Delivery) -> int:
    """Grows with the acceptance time, as upstream's row number does, and stays exact in JavaScript.

    # ours: we keep no row numbers; rows of one mail share it, as they do upstream.
    """
    return delivery.accepted_at << _NUMBER_BITS_OF_ROW | delivery.number & ((1 << _NUMBER_BITS_OF_ROW) - 1)


def was_tried(delivery: Delivery) -> bool:
    return delivery.attempts > 0 or delivery.status not in _UNTRIED
