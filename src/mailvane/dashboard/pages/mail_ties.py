"""What a mail has to do with: others with its answer, listings and alerts about its sender, its domain's limits.

It is asked for after the page of the mail, as it asks several rooms.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

import msgspec

from mailvane.core.addresses import is_address
from mailvane.core.errors import InvalidInput, NotFound
from mailvane.core.mailbox import domain_of
from mailvane.core.moments import DAY_MS
from mailvane.dashboard.pages.alerts import told as alert_told
from mailvane.dashboard.pages.chain import word
from mailvane.dashboard.pages.reputation import MARKS, path_of
from mailvane.dashboard.panels import Panels
from mailvane.dashboard.parts.local_time import local, term
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Visit
from mailvane.maillog import query_language
from mailvane.maillog.model import EventType, MailEvent, ReasonFamily
from mailvane.outbound.model import Reason
from mailvane.reputation.alerts.model import LogEntry
from mailvane.reputation.board import BoardRow, Place
from mailvane.reputation.cells import CellState
from mailvane.reputation.model import SOURCES
from mailvane.reputation.questions import EntryQuestion

_NEAR_MS = DAY_MS  # before the mail was accepted, and after the last that happened to it
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_MOST_NAMES = 4
_MOST_ALERTS = 3
_ENTRIES = 50
_TRIED = frozenset({EventType.DEFERRED, EventType.BOUNCED, EventType.EXPIRED})
_TOLD = {CellState.BAD: "is bad now", CellState.LOOK: "wants a look", CellState.GOOD: "is good now"}


class Tie(msgspec.Struct, frozen=True):
    """One thing that the mail has to do with."""

    mark: str
    told: str
    more: str
    path: str  # of its page, below the workspace


def ties(services: DashboardServices, visit: Visit, life: Sequence[MailEvent], panels: Panels) -> list[Tie]:
    """Those of each question that is answered."""
    sender = domain_of(next((event.sender for event in life if event.sender), "")).lower()
    names = _names(life, sender)

    def listings() -> list[Tie]:
        return [_listed(row) for place, name in names if (row := _row(services, visit, place, name))]

    def alerts() -> list[Tie]:
        return [] if visit.reach else list(_alerts(services, visit, life, [name for _, name in names]))

    none: list[Tie] = []
    return [
        *panels.ask("answer", "Other mail with its answer", lambda: list(_same_answer(services, visit, life)), none),
        *panels.ask("listings", "What is said of its addresses", listings, none),
        *panels.ask("alerts", "Which alerts fired about it", alerts, none),
        *panels.ask("policy", "What governs it", lambda: list(_policy(services, visit, life, sender)), none),
    ]


def _same_answer(services: DashboardServices, visit: Visit, life: Sequence[MailEvent]) -> Iterator[Tie]:
    """How many other mails to that domain were answered so at about that time."""
    failed = [event for event in life if event.type in _TRIED and event.family is not ReasonFamily.NONE]
    if not failed or not (domain := domain_of(failed[-1].recipient)):
        return
    last = failed[-1]
    first, until = term(last.accepted_at - _NEAR_MS), term(last.at + _NEAR_MS)
    answer = f' answer:"{last.enhanced_code}"' if last.enhanced_code else ""
    query = f"to:{word(domain)} why:{last.family.value}{answer} since:{first} until:{until}"
    relays = [relay.id for relay in services.tenancy.relays(visit.workspace.id)]
    try:
        asked = query_language.question(query, visit.workspace.id, relays, visit.now, visit.zone)
    except InvalidInput:
        return  # what stands behind the @ cannot be a term
    total = services.history.search(msgspec.structs.replace(asked, limit=1)).total
    words = last.family.value.replace("_", " ")
    told = f"{total:,} deliver{'y' if total == 1 else 'ies'} to {domain} stopped at this answer"
    yield Tie(
        "warn" if total else "none", told, f"{words} {last.enhanced_code}, within a day of it", f"log?q={quote(query)}"
    )


def _names(life: Sequence[MailEvent], sender: str) -> list[tuple[Place, str]]:
    """Addresses that answers name, and the domain that it was sent from."""
    found = [each for event in life for each in _ADDRESS.findall(event.reply) if is_address(each)]
    theirs = {event.mx_ip for event in life}
    named = [(Place.ADDRESS, each) for each in dict.fromkeys(found) if each not in theirs][: _MOST_NAMES - 1]
    return [*named, (Place.DOMAIN, sender)] if sender else named


def _row(services: DashboardServices, visit: Visit, place: Place, name: str) -> BoardRow | None:
    return services.reputation.board.row(visit.workspace.id, place, name, visit.now)


def _listed(row: BoardRow) -> Tie:
    found = next(((source, cell) for source, cell in row.sources.items() if cell.state is row.state), None)
    more = f"{SOURCES[found[0]].title}: {found[1].reason}" if found and found[1].reason else ""
    return Tie(MARKS[row.state], f"{row.name} {_TOLD.get(row.state, 'is unknown')}", more, path_of(row))


def _alerts(
    services: DashboardServices, visit: Visit, life: Sequence[MailEvent], names: Sequence[str]
) -> Iterator[Tie]:
    """Those that fired at about that time, of something that the mail has to do with."""
    question = EntryQuestion(
        workspace=visit.workspace.id, since=life[0].accepted_at - _NEAR_MS,
        until=max(event.at for event in life) + _NEAR_MS, limit=_ENTRIES,
    )  # fmt: skip
    found = [each for each in services.reputation.alerting.entries(question).entries if _is_about(each, names)]
    for entry in found[:_MOST_ALERTS]:
        at = local(entry.at, visit.zone).strftime("%d %b %H:%M")
        more = f"fired {at}: {alert_told(entry)}"
        yield Tie("bad", entry.name or "an alert fired", more, f"alerts/fired/{entry.id}")


def _is_about(entry: LogEntry, names: Sequence[str]) -> bool:
    items = [item for rule in entry.rules for item in rule.matchings.get("items") or ()]
    return any(value in names for item in items if isinstance(item, Mapping) for value in item.values())


def _policy(services: DashboardServices, visit: Visit, life: Sequence[MailEvent], sender: str) -> Iterator[Tie]:
    """What governs it, and where the policy refused it, why: the answer that the mail server gave says so."""
    try:
        domain = services.outbound.governance.domain(sender, visit.workspace.id)
    except NotFound:
        return
    path = f"domains/{domain.name}"
    reasons = [reason for reason in Reason for event in life if f"({reason.value})" in event.reply]
    if reasons:
        words = reasons[0].value.replace("_", " ")
        yield Tie("refused", f"The policy did not let it pass: {words}", "in the answer of the mail server", path)
        return
    limits = [
        f"{most:,} a {name}" for most, name in ((domain.daily_limit, "day"), (domain.monthly_limit, "month")) if most
    ]
    told = f"{domain.name} has limits: {', '.join(limits)}" if limits else f"{domain.name} has no limit"
    state = "it is stopped now" if domain.stopped else "the policy lets its mail pass now"
    yield Tie("bad" if domain.stopped else "ok", told, state, path)
