"""What a mail log must answer, worked out from a plain list of events the slow and obvious way."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from mailvane.maillog.model import DeliveryStatus, EventType, MailEvent, MailKey, MailKind
from mailvane.maillog.queries import (
    Delivery,
    HourlyCounts,
    HourlyQuestion,
    LogPage,
    LogQuestion,
    Statistics,
    StatisticsQuestion,
)

_STATES = (
    EventType.ACCEPTED,
    EventType.HELD,
    EventType.DEFERRED,
    EventType.DISCARDED,
    EventType.EXPIRED,
    EventType.BOUNCED,
    EventType.DELIVERED,
)
_ATTEMPTS = {EventType.DELIVERED, EventType.DEFERRED, EventType.BOUNCED}
_FACTS = (
    *("original_recipient", "recipient_number", "kind", "sender", "subject", "message_id", "header_from", "reply_to"),
    *("in_reply_to", "origin", "client_name", "login", "protocol", "interface", "size", "queue_id", "host"),
)
_ATTEMPT = ("transport", "mx_host", "mx_ip", "code", "enhanced_code", "reply", "delay", "tls", "family", "hard")
_NO_ATTEMPT = MailEvent(relay=0, accepted_at=0, number=0, type=EventType.ACCEPTED, at=0)
_EXACT = ("origin", "mx_host", "sender", "subject", "reply_to", "header_from", "status", "family")


def _status(event: MailEvent) -> DeliveryStatus:
    return DeliveryStatus.QUEUED if event.type is EventType.ACCEPTED else DeliveryStatus(event.type.value)


def _delivery(key: MailKey, recipient: str, events: list[MailEvent], states: list[MailEvent]) -> Delivery:
    told = [event for event in states if event.type is not EventType.ACCEPTED]
    newest = max(told, key=lambda event: (event.at, _STATES.index(event.type)), default=_NO_ATTEMPT)
    told_of = [event for event in events if event.type in _STATES]
    values: dict[str, Any] = {name: max(getattr(event, name) for event in told_of) for name in _FACTS}
    values |= {name: getattr(newest, name) for name in _ATTEMPT}
    for name in ("complained", "opened", "clicked", "replied", "unsubscribed"):
        values[f"{name}_at"] = max([0, *(event.at for event in events if event.type.value == name)])
    return Delivery(
        relay=key.relay,
        accepted_at=key.accepted_at,
        number=key.number,
        recipient=recipient,
        status=_status(newest),
        at=newest.at,
        attempts=sum(event.type in _ATTEMPTS for event in events) if recipient else 0,
        **values,
    )


def deliveries(events: Iterable[MailEvent]) -> list[Delivery]:
    """The newest state of everything, in no order."""
    rows: dict[tuple[MailKey, str], list[MailEvent]] = defaultdict(list)
    waiting: Counter[MailKey] = Counter()
    handed: dict[MailKey, list[MailEvent]] = defaultdict(list)
    for event in events:
        waiting[event.key] += event.waiting
        if event.type is EventType.REINJECTED and event.recipient:
            handed[event.key].append(event)
        if event.type not in {EventType.REJECTED, EventType.REINJECTED}:
            rows[event.key, event.recipient].append(event)
    found = []
    tried = {name for name, about in rows.items() if any(event.type in _STATES for event in about)}
    for (key, recipient), about in rows.items():
        if recipient:
            states = [event for event in about if event.type in _STATES]
            found += [_delivery(key, recipient, about, states)] if states else []
        elif waiting[key] > 0:
            onward = [event for event in handed[key] if (key, event.recipient) not in tried]
            found += _untried(key, about, onward)
    return found


def _untried(key: MailKey, about: list[MailEvent], handed: list[MailEvent]) -> list[Delivery]:
    """To those for whom a content filter has the mail, under their newest names, else to nobody."""
    events = [event for event in about if event.type in {EventType.ACCEPTED, EventType.HELD}]
    if not events:
        return []
    before: dict[str, str] = {}
    numbers: dict[str, int] = {}
    for event in handed:
        before[event.recipient] = max(before.get(event.recipient, ""), event.original_recipient)
        numbers[event.recipient] = max(numbers.get(event.recipient, 0), event.recipient_number)
    rewritten = {was for name, was in before.items() if was != name}
    names = [name for name in before if name not in rewritten] or [""]
    states = [MailEvent(relay=0, accepted_at=0, number=0, type=event.type, at=event.at) for event in events]
    found = []
    for name in names:
        whom = {"original_recipient": before.get(name, ""), "recipient_number": numbers.get(name, 0)}
        known = [
            MailEvent(**({field: getattr(event, field) for field in event.__struct_fields__} | whom))
            for event in events
        ]
        found.append(_delivery(key, name, known, states))
    return found


def _passes(row: Delivery, question: LogQuestion) -> bool:
    wanted = {name: getattr(question, name) for name in _EXACT if getattr(question, name) is not None}
    return (
        row.relay in question.relays
        and row.kind in question.kinds
        and all(getattr(row, name) == value for name, value in wanted.items())
        and (question.recipient is None or question.recipient in (row.recipient, row.original_recipient))
        and (question.mail_id is None or row.mail_id == question.mail_id)
        and (question.message_id_part is None or question.message_id_part.lower() in row.message_id.lower())
        and (question.delivered is None or question.delivered == (row.status is DeliveryStatus.DELIVERED))
        and (question.since is None or row.accepted_at >= question.since)
        and (question.until is None or row.accepted_at <= question.until)
    )


def search(events: Iterable[MailEvent], question: LogQuestion) -> LogPage:
    rows = [row for row in deliveries(events) if _passes(row, question)]
    rows.sort(key=lambda row: (row.recipient_number, row.recipient))
    if question.by_message:
        rows = list({(row.relay, row.accepted_at, row.number): row for row in reversed(rows)}.values())
    elif not question.ascending:
        rows.reverse()
    rows.sort(key=lambda row: (row.accepted_at, row.number, row.relay), reverse=not question.ascending)
    return LogPage(len(rows), rows[question.skip : question.skip + question.limit])


def _ranked(names: Iterable[str], top: int) -> dict[str, int]:
    counts = sorted(Counter(name for name in names if name).items(), key=lambda pair: (-pair[1], pair[0]))
    return dict(counts[:top])


def _mails(events: Iterable[MailEvent]) -> list[MailEvent]:
    """One acceptance for each mail proper, with the greatest of what several said."""
    about: dict[MailKey, list[MailEvent]] = defaultdict(list)
    for event in events:
        if event.type is EventType.ACCEPTED:
            about[event.key].append(event)
    mails = [
        MailEvent(
            relay=key.relay,
            accepted_at=key.accepted_at,
            number=key.number,
            type=EventType.ACCEPTED,
            at=key.accepted_at,
            kind=max(event.kind for event in told),
            sender=max(event.sender for event in told),
            origin=max(event.origin for event in told),
        )
        for key, told in about.items()
    ]
    return [mail for mail in mails if mail.kind is MailKind.MAIL]


def statistics(events: list[MailEvent], question: StatisticsQuestion) -> Statistics:
    window = LogQuestion(
        workspace=question.workspace, relays=question.relays, since=question.since, until=question.until, limit=10**9
    )
    named = {(event.key, event.recipient) for event in events if event.type in _STATES and event.recipient}
    rows = [
        row
        for row in search(events, window).deliveries
        if (MailKey(row.relay, row.accepted_at, row.number), row.recipient) in named
    ]
    mails = [
        mail
        for mail in _mails(events)
        if mail.relay in question.relays
        and (question.since is None or mail.accepted_at >= question.since)
        and (question.until is None or mail.accepted_at <= question.until)
    ]
    return Statistics(
        received=len(mails),
        sent=sum(row.status is DeliveryStatus.DELIVERED for row in rows),
        senders=_ranked((mail.sender for mail in mails), question.top),
        recipients=_ranked((row.recipient for row in rows), question.top),
        origins=_ranked((mail.origin for mail in mails), question.top),
    )


def hourly(events: list[MailEvent], question: HourlyQuestion) -> list[HourlyCounts]:
    hour = 3_600_000
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    for mail in _mails(events):
        if mail.relay in question.relays:
            counts[mail.accepted_at // hour * hour]["accepted"] += 1
    for event in events:
        if event.relay in question.relays and event.kind is MailKind.MAIL:
            name = "bounced" if event.type is EventType.EXPIRED else event.type.value
            if name in {"delivered", "deferred", "bounced", "rejected"}:
                counts[event.at // hour * hour][name] += 1
    names = ("accepted", "delivered", "deferred", "bounced", "rejected")
    return [
        HourlyCounts(start, *(counts[start][name] for name in names))
        for start in sorted(counts)
        if question.since // hour * hour <= start <= question.until
    ]
