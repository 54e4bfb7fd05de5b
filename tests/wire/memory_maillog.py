"""A mail log in memory, for tests of what stands above it: the same answers as the real one, by the plainest means."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import UUID, uuid5

from msgspec import structs

from mailvane.maillog.ever import Ever
from mailvane.maillog.figure_questions import Figure, FigureQuestion
from mailvane.maillog.model import DeliveryStatus, EventBatch, EventType, MailEvent, MailKey, MailKind
from mailvane.maillog.named_mails import NamedMail, NamedQuestion
from mailvane.maillog.outcomes import OutcomeQuestion, Outcomes, asked_apart
from mailvane.maillog.queries import (
    DelayQuestion,
    Delays,
    Delivery,
    EngagementCounts,
    EngagementQuestion,
    HourlyCounts,
    HourlyQuestion,
    LogPage,
    LogQuestion,
    MailLogHealth,
    Match,
    Pattern,
    QueueIdQuestion,
    ReceivedQuestion,
    RefusedMail,
    RefusedPage,
    RefusedQuestion,
    Reply,
    ReplyPage,
    ReplyQuestion,
    SenderCount,
    SenderPage,
    SenderQuestion,
    Statistics,
    StatisticsQuestion,
    Tally,
    TallyQuestion,
    Term,
    TimeTally,
    TimeTallyQuestion,
    least_kept,
)
from mailvane.maillog.ranking import RankingQuestion, SenderRanking, ranked_apart
from mailvane.maillog.refused_questions import RefusedTallyQuestion, RefusedTime, RefusedTimeQuestion

_EXACT = {
    "origin": "origin", "mx_host": "mx_host", "sender": "sender",
    "mail_id": "mail_id", "reply_to": "reply_to", "header_from": "header_from", "status": "status", "family": "family",
}  # fmt: skip
_KNOWN = (
    "sender", "subject", "message_id", "header_from", "reply_to", "in_reply_to", "origin", "client_name", "login",
    "protocol", "interface", "size", "queue_id", "host", "recipient_number", "original_recipient",
)  # fmt: skip
_ATTEMPT = ("transport", "mx_host", "mx_ip", "code", "enhanced_code", "reply", "delay", "tls", "family", "hard")
_OUTCOMES = {
    EventType.DELIVERED: DeliveryStatus.DELIVERED,
    EventType.DEFERRED: DeliveryStatus.DEFERRED,
    EventType.BOUNCED: DeliveryStatus.BOUNCED,
    EventType.EXPIRED: DeliveryStatus.EXPIRED,
    EventType.HELD: DeliveryStatus.HELD,
    EventType.DISCARDED: DeliveryStatus.DISCARDED,
}


class MemoryMailLog:
    """Keeps every event and builds each answer from all of them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._tokens: set[str] = set()
        self._events: dict[int, list[MailEvent]] = {}
        self.questions: list[LogQuestion] = []
        self.upkeeps: list[tuple[str, Path | None]] = []
        self.retentions: list[tuple[int, int]] = []

    def append(self, batch: EventBatch, doubtful: bool = False) -> None:
        with self._lock:
            if batch.token not in self._tokens:
                self._tokens.add(batch.token)
                self._events.setdefault(batch.workspace, []).extend(batch.events)

    def search(self, question: LogQuestion) -> LogPage:
        self.questions.append(question)
        rows = [row for row in self._deliveries(question.workspace, question.relays) if _passes(row, question)]
        rows.sort(key=lambda row: structs.astuple(row.place))
        if question.by_message:
            rows = list({row.mail_id: row for row in reversed(rows)}.values())[::-1]
        if question.after is not None:
            rows = [row for row in rows if _is_behind(row, question)]
        if not question.ascending:
            rows.reverse()
        return LogPage(len(rows), rows[question.skip : question.skip + question.limit])

    def statistics(self, question: StatisticsQuestion) -> Statistics:
        mails = {
            event.key: event
            for event in self._of(question.workspace, question.relays)
            if event.type is EventType.ACCEPTED and _within(event.accepted_at, question.since, question.until)
        }
        rows = [
            row
            for row in self._deliveries(question.workspace, question.relays)
            if _within(row.accepted_at, question.since, question.until)
        ]
        return Statistics(
            received=len(mails),
            sent=sum(row.status is DeliveryStatus.DELIVERED for row in rows),
            senders=_ranked([mail.sender for mail in mails.values()], question.top),
            recipients=_ranked([row.recipient for row in rows], question.top),
            origins=_ranked([mail.origin for mail in mails.values()], question.top),
        )

    def statistics_of(self, questions: Sequence[StatisticsQuestion]) -> list[Statistics]:
        return [self.statistics(each) for each in questions]

    def hourly(self, question: HourlyQuestion) -> list[HourlyCounts]:
        hours = Counter(event.at // 3_600_000 * 3_600_000 for event in self._of(question.workspace, question.relays))
        first = question.since - question.since % 3_600_000
        return [
            HourlyCounts(hour, count, 0, 0, 0, 0)
            for hour, count in sorted(hours.items())
            if first <= hour <= question.until
        ]

    def tally(self, question: TallyQuestion) -> list[Tally]:
        rows = self.search(structs.replace(question.log, limit=10**6, skip=0)).deliveries
        of = {
            "status": lambda row: row.status.value, "family": lambda row: row.family.value,
            "sender_domain": lambda row: row.sender.rpartition("@")[2],
            "recipient_domain": lambda row: row.recipient.rpartition("@")[2],
            "mx": lambda row: row.mx_host, "host": lambda row: row.host, "sender": lambda row: row.sender,
            "login": lambda row: row.login, "relay": lambda row: str(row.relay),
            "provider": lambda row: ".".join(row.mx_host.split(".")[-2:]),
        }[question.by]  # fmt: skip
        return [Tally(*each) for each in Counter(map(of, rows)).most_common(question.top)]

    def tallies(self, questions: Sequence[TallyQuestion]) -> list[list[Tally]]:
        return [self.tally(each) for each in questions]

    def delays(self, question: DelayQuestion) -> list[Delays]:
        """For the values that pages ask by."""
        assert question.by in {"recipient_domain", "status"}
        rows = self.search(structs.replace(question.log, limit=10**6, skip=0)).deliveries
        found: dict[str, list[int]] = {}
        for row in rows:
            value = row.status.value if question.by == "status" else row.recipient.rpartition("@")[2]
            found.setdefault(value, []).append(row.delay)
        ranked = sorted(found.items(), key=lambda each: (-len(each[1]), each[0]))[: question.top]
        return [
            Delays(value, len(times), *(sorted(times)[int(share * len(times))] for share in (0.5, 0.9, 0.99)))
            for value, times in ranked
        ]

    def total_and_first(self, question: LogQuestion) -> tuple[int, int | None]:
        page = self.search(structs.replace(question, skip=0, limit=1, ascending=True))
        return page.total, page.deliveries[0].accepted_at if page.deliveries else None

    def outcomes(self, question: OutcomeQuestion) -> Outcomes:
        return asked_apart(question, self.tally, self.delays)

    def over_time(self, question: TimeTallyQuestion) -> list[TimeTally]:
        rows = self.search(structs.replace(question.log, limit=10**6, skip=0)).deliveries
        found = [
            (row.accepted_at // question.step * question.step, row.status, domain if question.domains else "")
            for row in rows
            if not question.domains or (domain := row.sender.rpartition("@")[2]) in question.domains
        ]
        return [
            TimeTally(since, status, count, domain) for (since, status, domain), count in sorted(Counter(found).items())
        ]

    def figures(self, question: FigureQuestion) -> list[Figure]:
        """Nothing: no exchange that is judged here has an alert over them."""
        return []

    def engagement(self, question: EngagementQuestion) -> list[EngagementCounts]:
        return self._engagement(question) if question.recent is None else self._and_ever(question)

    def ranking(self, question: RankingQuestion) -> SenderRanking:
        return ranked_apart(question, self.engagement)

    def _engagement(self, question: EngagementQuestion) -> list[EngagementCounts]:
        mails: dict[MailKey, list[MailEvent]] = {}
        for event in self._of(question.workspace, question.relays):
            mails.setdefault(event.key, []).append(event)
        rows = [row for events in mails.values() if (row := _engaged(events)) and _wanted(row, question)]
        groups: dict[tuple[Any, ...], list[EngagementCounts]] = {}
        for row in rows:
            groups.setdefault(tuple(getattr(row, name) for name in question.by), []).append(row)
        found = [_summed(dict(zip(question.by, key, strict=True)), group) for key, group in groups.items()]
        if question.brief:
            found = [_brief(row) for row in found]
        elif question.counts is not None:
            kept = {*question.by, "sent", *question.counts}
            left = {name: getattr(EngagementCounts(), name) for name in EngagementCounts.__struct_fields__}
            found = [structs.replace(row, **{n: v for n, v in left.items() if n not in kept}) for row in found]
        found.sort(key=lambda row: (-row.sent, *(getattr(row, name) for name in question.by)))
        return found[: question.most]

    def _and_ever(self, question: EngagementQuestion) -> list[EngagementCounts]:
        asked = structs.replace(question, recent=None, since=None, until=None)
        inside = {row.sender: row for row in self._engagement(structs.replace(question, recent=None))}
        recent = {row.sender: row.sent for row in self._engagement(structs.replace(asked, since=question.recent))}
        return [
            structs.replace(
                inside.get(row.sender, EngagementCounts(sender=row.sender)), first_at=0, last_at=0, ever=Ever(
                    sent=row.sent, bounced=row.bounced, recent=recent.get(row.sender, 0), first_at=row.first_at,
                    opened=bool(row.opened_raw + row.clicked_raw), replied=bool(row.replied + row.auto_replied),
                    unsubscribed=bool(row.unsubscribed), complained=bool(row.complained), tagged=bool(row.tagged),
                ),
            )
            for row in self._engagement(asked)
        ]  # fmt: skip

    def received(self, question: ReceivedQuestion) -> dict[str, int]:
        got = Counter(
            event.recipient.lower()
            for event in self._of(question.workspace, question.relays)
            if event.type is EventType.DELIVERED and event.kind is MailKind.MAIL
        )
        return {address: got[address] for address in question.addresses if got[address]}

    def senders(self, question: SenderQuestion) -> SenderPage:
        log = LogQuestion(workspace=question.workspace, relays=question.relays, domains=question.domains, limit=10**6)
        mails: dict[str, set[int]] = {address: set() for address in question.beside}
        times: dict[str, dict[int, int]] = {}
        for row in self.search(log).deliveries:
            mail = row.accepted_at << 28 | row.number
            mails.setdefault(_author(row), set()).add(mail)
            times.setdefault(_author(row), {})[mail] = row.accepted_at
        found = [
            SenderCount(address, len(own), min(at := [0] if not own else [*times[address].values()]), max(at))
            for address, own in mails.items()
            if address
            and (question.only is None or address in question.only)
            and address not in question.without
            and (question.text or "").lower() in address
            and (question.uuid is None or uuid5(UUID(question.uuid[0]), address) == UUID(question.uuid[1]))
        ]
        found.sort(key=lambda one: one.address)
        found.sort(key=lambda one: getattr(one, question.order), reverse=not question.ascending)
        return SenderPage(len(found), found[question.skip : question.skip + question.limit])

    def replies(self, question: ReplyQuestion) -> ReplyPage:
        lives: dict[tuple[MailKey, str], list[MailEvent]] = {}
        for event in self._of(question.workspace, question.relays):
            lives.setdefault((event.key, event.recipient), []).append(event)
        found = []
        for (key, recipient), events in lives.items():
            replied = [e.at for e in events if e.type is EventType.REPLIED and not e.automatic]
            tags = sorted((not e.automatic, e.at, e.positive) for e in events if e.type is EventType.TAGGED)
            tag: Any = "none" if not tags else "positive" if tags[-1][-1] else "other"
            if replied and question.tag in (None, tag) and _within(key.accepted_at, question.since, None):
                found.append(
                    Reply(relay=key.relay, accepted_at=key.accepted_at, number=key.number, recipient=recipient,
                          replied_at=max(replied), tag=tag, by_program=bool(tags) and not tags[-1][0])
                )  # fmt: skip
        found.sort(key=lambda one: one.replied_at, reverse=True)
        return ReplyPage(len(found), found[question.skip : question.skip + question.limit])

    def refused(self, question: RefusedQuestion) -> RefusedPage:
        found = [
            RefusedMail(**{name: getattr(event, name) for name in RefusedMail.__struct_fields__})
            for event in self._of(question.workspace, question.relays)
            if event.type is EventType.REJECTED
            and question.sender in (None, event.sender)
            and _within(event.accepted_at, question.since, question.until)
            and all(_fits(event, term) for term in question.terms)
            and (question.domains is None or event.recipient.lower().rpartition("@")[2] in question.domains)
        ]
        found = [row for row in found if question.after is None or _is_behind(row, question)]
        found.sort(key=lambda row: structs.astuple(row.place), reverse=not question.ascending)
        return RefusedPage(len(found), found[question.skip : question.skip + question.limit])

    def refused_tally(self, question: RefusedTallyQuestion) -> list[Tally]:
        rows = self.refused(structs.replace(question.refused, limit=10**6, skip=0)).refused
        of = {
            "family": lambda row: row.family.value, "sender_domain": lambda row: row.sender.rpartition("@")[2],
            "recipient_domain": lambda row: row.recipient.rpartition("@")[2],
        }.get(question.by, lambda row: str(getattr(row, question.by)))  # fmt: skip
        return [Tally(*each) for each in Counter(map(of, rows)).most_common(question.top)]

    def refused_over_time(self, question: RefusedTimeQuestion) -> list[RefusedTime]:
        rows = self.refused(structs.replace(question.refused, limit=10**6, skip=0)).refused
        counts = Counter((row.accepted_at // question.step * question.step, row.code >= 500) for row in rows)
        return [RefusedTime(since, permanent, count) for (since, permanent), count in sorted(counts.items())]

    def with_queue_id(self, question: QueueIdQuestion) -> list[MailKey]:
        events = self._of(question.workspace, question.relays)
        return list(dict.fromkeys(event.key for event in events if question.queue_id in _queue_ids(event)))

    def named(self, question: NamedQuestion) -> list[NamedMail]:
        mails: dict[MailKey, list[MailEvent]] = {}
        for event in self._of(question.workspace, question.relays):
            if event.message_id in question.message_ids and event.kind is MailKind.MAIL:
                mails.setdefault(event.key, []).append(event)
        found = []
        for key, events in sorted(mails.items(), key=lambda item: (item[0].accepted_at, item[0].number)):
            recipients = sorted({event.recipient for event in events if event.recipient})
            author = max(event.header_from for event in events) or max(event.sender for event in events)
            asked = tuple(each for each in recipients if each.lower() in question.addresses)
            first = recipients[0] if recipients else ""
            if question.since <= key.accepted_at <= question.until:
                found.append(
                    NamedMail(key.relay, key.accepted_at, key.number, events[0].message_id, author, first, asked)
                )
        return found

    def mail_events(self, workspace: int, *mails: MailKey) -> list[MailEvent]:
        found = [event for event in self._events.get(workspace, []) if event.key in mails]
        return sorted(found, key=lambda event: (mails.index(event.key), event.at))

    def retain(self, workspace: int, days: int) -> None:
        self.retentions.append((workspace, days))

    def rebuild(self) -> None:
        self._note("rebuild")

    def backup(self, target: Path) -> None:
        self._note("backup", target)

    def restore(self, source: Path) -> None:
        self._note("restore", source)

    def accept_losses(self) -> None:
        self._note("accept")

    def _note(self, task: str, target: Path | None = None) -> None:
        self.upkeeps.append((task, target))

    def verify(self) -> list[str]:
        return []

    def health(self, measured: bool = True) -> MailLogHealth:
        return MailLogHealth("memory", sum(map(len, self._events.values())), 0, 0)

    def _of(self, workspace: int, relays: tuple[int, ...]) -> list[MailEvent]:
        return [event for event in self._events.get(workspace, []) if event.relay in relays]

    def _deliveries(self, workspace: int, relays: tuple[int, ...]) -> Iterator[Delivery]:
        lives: dict[tuple[MailKey, str], list[MailEvent]] = {}
        for event in self._of(workspace, relays):
            if event.type is not EventType.REJECTED:
                lives.setdefault((event.key, event.recipient), []).append(event)
        for events in lives.values():
            yield _delivery(sorted(events, key=lambda event: event.at))


_FLAGS = {
    EventType.ACCEPTED: ("sent",), EventType.DELIVERED: ("delivered",), EventType.BOUNCED: ("bounced",),
    EventType.EXPIRED: ("bounced",), EventType.OPENED: ("opened", "opened_raw"),
    EventType.CLICKED: ("clicked", "clicked_raw"), EventType.REPLIED: ("replied",),
    EventType.UNSUBSCRIBED: ("unsubscribed",), EventType.COMPLAINED: ("complained",),
}  # fmt: skip
_AUTOMATIC = {
    EventType.OPENED: ("opened_raw",), EventType.CLICKED: ("clicked_raw",), EventType.REPLIED: ("auto_replied",),
}  # fmt: skip


def _engaged(events: list[MailEvent]) -> EngagementCounts | None:
    """What became of one mail; None when it was not accepted as mail proper."""
    if not any(event.type is EventType.ACCEPTED and event.kind is MailKind.MAIL for event in events):
        return None
    flags: dict[str, Any] = {}
    for event in events:
        kinds = _AUTOMATIC if event.automatic and event.type in _AUTOMATIC else _FLAGS
        flags |= dict.fromkeys(kinds.get(event.type, ()), 1)
    tags = sorted((not each.automatic, each.at, each.positive) for each in events if each.type is EventType.TAGGED)
    first = events[0]
    return EngagementCounts(
        sender=(max(event.header_from for event in events) or max(event.sender for event in events)).lower(),
        day=first.accepted_at // 86_400_000 * 86_400_000,
        campaign=max(event.campaign for event in events),
        sequence=max(event.sequence for event in events).replace("main", ""),
        step=max(event.step for event in events),
        tagged=int(bool(flags.get("replied")) and bool(tags)),
        positive=int(bool(flags.get("replied")) and bool(tags) and tags[-1][-1]),
        first_at=first.accepted_at,
        last_at=first.accepted_at,
        **flags,
    )


def _wanted(row: EngagementCounts, question: EngagementQuestion) -> bool:
    domain = row.sender.rpartition("@")[2]
    scoped = question.domains is None or row.sender in question.besides or any(
        domain.endswith(name[1:]) if name.startswith("*.") else domain == name for name in question.domains
    )  # fmt: skip
    mine = question.senders is None or row.sender in question.senders
    outreach = question.campaign in {None, row.campaign} and question.sequence in {None, row.sequence}
    return scoped and row.sender != "" and mine and outreach and _within(row.first_at, question.since, question.until)


def _brief(row: EngagementCounts) -> EngagementCounts:
    kept = {"sender", "day", "campaign", "sequence", "step", "sent", "bounced", "first_at"}
    flags: dict[str, Any] = {
        name: min(1, getattr(row, name)) for name in row.__struct_fields__ if name not in {*kept, "last_at", "ever"}
    }
    return structs.replace(row, **(flags | {"positive": 0, "last_at": 0}))


def _summed(key: dict[str, Any], rows: list[EngagementCounts]) -> EngagementCounts:
    keys = {"sender", "day", "campaign", "sequence", "step"}
    names = [name for name in EngagementCounts.__struct_fields__ if name not in {*keys, "ever"}]
    sums = {name: sum(getattr(row, name) for row in rows) for name in names}
    sums |= {"first_at": min(row.first_at for row in rows), "last_at": max(row.last_at for row in rows)}
    return EngagementCounts(**key, **sums)


def _delivery(events: list[MailEvent]) -> Delivery:
    first = events[0]
    known: dict[str, Any] = {
        name: next((v for e in events if (v := getattr(e, name))), getattr(first, name)) for name in _KNOWN
    }
    outcome = next((event for event in reversed(events) if event.type in _OUTCOMES), None)
    attempt: dict[str, Any] = {name: getattr(outcome or first, name) for name in _ATTEMPT}
    later: dict[str, Any] = {f"{name}_at": 0 for name in ("complained", "opened", "clicked", "replied", "unsubscribed")}
    return Delivery(
        relay=first.relay,
        accepted_at=first.accepted_at,
        number=first.number,
        recipient=first.recipient,
        kind=first.kind,
        status=_OUTCOMES[outcome.type] if outcome else DeliveryStatus.QUEUED,
        at=outcome.at if outcome else 0,
        attempts=sum(event.type in {EventType.DELIVERED, EventType.DEFERRED, EventType.BOUNCED} for event in events),
        **known,
        **attempt,
        **later,
    )


def _is_behind(row: Delivery | RefusedMail, question: LogQuestion | RefusedQuestion) -> bool:
    assert question.after is not None
    place, after = structs.astuple(row.place), structs.astuple(question.after)
    return place > after if question.ascending else place < after


def _is_of(kept: str, subject: str) -> bool:
    least = least_kept(subject)
    return kept == subject or (0 < least <= len(kept) and subject.startswith(kept.rstrip("\ufffd")))


def _is_to(row: Delivery, question: LogQuestion) -> bool:
    addresses = {row.recipient, row.original_recipient} - {""}
    if question.recipient is not None and question.recipient not in addresses:
        return False
    return question.domains is None or any(
        address.lower().rpartition("@")[2] in question.domains for address in addresses
    )


def _passes(row: Delivery, question: LogQuestion) -> bool:
    for name, attribute in _EXACT.items():
        wanted = getattr(question, name)
        if wanted is not None and getattr(row, attribute) != wanted:
            return False
    if question.subject is not None and not _is_of(row.subject, question.subject):
        return False
    if not _is_to(row, question):
        return False
    if question.message_id_part is not None and question.message_id_part.lower() not in row.message_id.lower():
        return False
    if not all(_fits(row, term) for term in question.terms):
        return False
    if question.queue_ids is not None and not _queue_ids(row) & set(question.queue_ids):
        return False
    if question.delivered is not None and (row.status is DeliveryStatus.DELIVERED) is not question.delivered:
        return False
    return row.kind in question.kinds and _within(row.accepted_at, question.since, question.until)


_COLUMNS = {
    "text": ("sender", "recipient", "original_recipient", "subject", "message_id"), "from": ("sender",),
    "to": ("recipient", "original_recipient"), "subject": ("subject",), "answer": ("reply",), "why": ("family",),
    "is": ("status",), "mx": ("mx_host",), "host": ("host",), "login": ("login",), "origin": ("origin",),
    "queue": ("queue_id",), "id": ("mail_id",), "msgid": ("message_id",),
    "transport": ("transport",),
}  # fmt: skip


def _fits(row: Delivery | MailEvent, term: Term) -> bool:
    values = [_author(row)] if term.field == "author" else [str(getattr(row, name)) for name in _COLUMNS[term.field]]
    return any(_compares(value, pattern) for value in values for pattern in term.patterns) is not term.excludes


def _compares(value: str, pattern: Pattern) -> bool:
    if pattern.match is Match.PART:
        return pattern.text.lower() in value.lower()
    if pattern.match is Match.DOMAIN and "@" in value:
        return value.endswith("@" + pattern.text)
    return value == pattern.text or (pattern.match is Match.DOMAIN and value.endswith("." + pattern.text))


def _author(row: Delivery | MailEvent) -> str:
    return (row.header_from or row.sender).lower()


def _queue_ids(row: Delivery | MailEvent) -> set[str]:
    return {row.queue_id, *re.findall(r"queued as (\w+)", row.reply)}


def _within(at: int, since: int | None, until: int | None) -> bool:
    return (since is None or at >= since) and (until is None or at <= until)


def _ranked(values: list[str], top: int) -> dict[str, int]:
    return dict(sorted(Counter(filter(None, values)).items(), key=lambda item: (-item[1], item[0]))[:top])
