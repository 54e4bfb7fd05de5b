"""One mail: what became of it in a sentence, then event by event with the lines that prove it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import msgspec
from markupsafe import Markup

from mailvane.core.errors import InvalidInput, NotFound
from mailvane.dashboard.pages.mail_ties import ties
from mailvane.dashboard.panels import Panels
from mailvane.dashboard.parts.axis import Point, axis
from mailvane.dashboard.rendering import span
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import File, Html, Page, Reply, Visit
from mailvane.maillog.model import EventType, MailEvent, MailKey, parse_mail_id

_MARKS = {
    EventType.DELIVERED: "ok",
    EventType.DEFERRED: "warn",
    EventType.HELD: "warn",
    EventType.BOUNCED: "bad",
    EventType.EXPIRED: "bad",
    EventType.REJECTED: "refused",
    EventType.COMPLAINED: "bad",
}
_SHORTEST_AXIS_MS = 10_000
_MOST_POINTS = 100
_TIES = "/{workspace:int}/mail/{mail:str}/ties"
_FINAL = frozenset({EventType.DELIVERED, EventType.BOUNCED, EventType.EXPIRED, EventType.DISCARDED})


class Line(msgspec.Struct, frozen=True):
    """Of a log."""

    number: str
    text: str


class Step(msgspec.Struct, frozen=True):
    """Events that say the same, one after the other."""

    events: Sequence[MailEvent]
    mark: str

    @property
    def first(self) -> MailEvent:
        return self.events[0]

    @property
    def last(self) -> MailEvent:
        return self.events[-1]

    @property
    def lines(self) -> list[Line]:
        found = (line.partition("\t") for event in self.events for line in event.raw.split("\n") if line)
        return [Line(number, text) for number, _, text in found]


def show(services: DashboardServices, visit: Visit) -> Reply:
    life, panels = _life(services, visit), Panels(services, visit, _TIES)
    values = {
        "section": "Mail log",
        "life": life,
        "steps": [Step(tuple(each), _MARKS.get(key[0], "none")) for key, each in groupby(life, _says)],
        "facts": list(_facts(life)),
        "sentences": list(_sentences(life)),
        "mail": life[0],
        "sender": _known(life, "sender") or "<>",
        "subject": _known(life, "subject") or "(no subject seen)",
        "recipients": sorted({event.recipient for event in life if event.recipient}),
        "axis": _axis(life),
        "ties": ties(services, visit, life, panels) if visit.asked("ties") else None,
    }
    return panels.html("mail.html", values)


def tied(services: DashboardServices, visit: Visit) -> Reply:
    """What it has to do with; asked for by itself."""
    panels = Panels(services, visit, _TIES)
    found = ties(services, visit, _life(services, visit), panels)
    return Html("mail_ties.html", {"ties": found, "unanswered": panels.unanswered})  # it replaces a part of a page


def as_text(services: DashboardServices, visit: Visit) -> Reply:
    """The lines behind it, as the log had them."""
    life = _life(services, visit)
    lines = [f"{event.source}:{line}" for event in life for line in event.raw.split("\n") if line]
    name = f"mail-{life[0].mail_id}.txt"
    return File("\n".join([*dict.fromkeys(lines), ""]).encode("utf-8", "replace"), "text/plain; charset=utf-8", name)


def as_json(services: DashboardServices, visit: Visit) -> Reply:
    life = _life(services, visit)
    events = [{name: getattr(event, name) for name in MailEvent.__struct_fields__} for event in life]
    return File(msgspec.json.encode(events), "application/json", f"mail-{life[0].mail_id}.json")


def _life(services: DashboardServices, visit: Visit) -> list[MailEvent]:
    try:
        accepted_at, number = parse_mail_id(visit.path["mail"])
    except InvalidInput as error:
        raise NotFound(error.message) from None
    relays = services.tenancy.relays(visit.workspace.id)
    keys = [MailKey(relay.id, accepted_at, number) for relay in relays]
    life = services.maillog.mail_events(visit.workspace.id, *keys)
    if not life:
        raise NotFound(f"workspace {visit.workspace.name} has no mail {visit.path['mail']}")
    return life


def _axis(life: Sequence[MailEvent]) -> Markup | str:
    """Of a mail that was tried more than once, or for a while; nothing where all happened at once."""
    told = [event for event in life if event.type in _MARKS]
    if not told or told[-1].at - life[0].accepted_at < _SHORTEST_AXIS_MS:
        return ""
    begin = life[0].accepted_at
    points = [Point(begin, "none", "accepted", "accepted")]
    tries: dict[str, int] = {}
    for event in sorted(told, key=lambda event: event.at)[-_MOST_POINTS:]:
        tries[event.recipient] = tries.get(event.recipient, 0) + 1
        number = tries[event.recipient]
        label = str(number) if event.type is EventType.DEFERRED else event.type.value
        title = f"{event.type.value} {span(event.at - begin)} after it was accepted"
        points.append(Point(max(event.at, begin), _MARKS[event.type], label, title))
    return axis(points, span, "What happened, on a line of time")


def _says(event: MailEvent) -> tuple[EventType, str, str, str]:
    if event.type is EventType.DEFERRED:
        return event.type, event.recipient, event.enhanced_code, event.family.value
    return event.type, event.recipient, str(event.at), event.reply


def _known(life: Sequence[MailEvent], field: str) -> str:
    return next((str(value) for event in life if (value := getattr(event, field))), "")


def _facts(life: Sequence[MailEvent]) -> Iterator[tuple[str, str]]:
    for name, fields in (
        ("Message-ID", ("message_id",)),
        ("From header", ("header_from",)),
        ("Reply-To", ("reply_to",)),
        ("Came from", ("client_name", "origin")),
        ("Login", ("login", "protocol", "interface")),
        ("Queue id", ("queue_id", "host")),
    ):
        if told := " ".join(filter(None, (_known(life, field) for field in fields))):
            yield name, told
    if size := _known(life, "size"):
        yield "Size", f"{int(size):,} bytes"


def _sentences(life: Sequence[MailEvent]) -> Iterator[tuple[str, str, str]]:
    """For each recipient: a mark, who, and what became of the mail to them."""
    accepted = life[0].accepted_at
    if any(event.type is EventType.REJECTED and not event.recipient for event in life):
        yield "refused", "The whole mail", "was refused at the door and never taken in"
    for recipient in sorted({event.recipient for event in life if event.recipient}):
        own = [event for event in life if event.recipient == recipient]
        tries = [event for event in own if event.type in _FINAL or event.type is EventType.DEFERRED]
        if not tries and any(event.type is EventType.REJECTED for event in own):
            yield "refused", recipient, "was refused at the door and never taken in"
            continue
        if not tries:
            yield "unknown", recipient, "has not been tried yet"
            continue
        last = max(tries, key=lambda event: event.at)
        put_off = sum(event.type is EventType.DEFERRED for event in tries)
        after = span(last.at - accepted)
        if last.type is EventType.DEFERRED:
            told = f"waits: put off {_times(put_off)}, last {after} after it was accepted"
        else:
            told = f"{last.type.value} {after} after it was accepted"
            told += f", having been put off {_times(put_off)}" if put_off else ""
        yield _MARKS.get(last.type, "none"), recipient, told


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


PAGES = (
    Page("get", "/{workspace:int}/mail/{mail:str}", show, of_domains=True),
    Page("get", _TIES, tied, of_domains=True),
    Page("get", "/{workspace:int}/mail/{mail:str}/lines.txt", as_text, of_domains=True),
    Page("get", "/{workspace:int}/mail/{mail:str}/events.json", as_json, of_domains=True),
)
