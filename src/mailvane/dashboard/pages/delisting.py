"""Evidence for the operator of a list: since when it lists something, what it answers, what was sent and done since."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from mailvane.core.errors import NotFound
from mailvane.core.moments import DAY_MS, MINUTE_MS
from mailvane.dashboard.pages.domain_story import story
from mailvane.dashboard.pages.log import question_of
from mailvane.dashboard.pages.log_links import link
from mailvane.dashboard.pages.reputation import listings_of, path_of, row_of
from mailvane.dashboard.parts.local_time import term
from mailvane.dashboard.rendering import iso
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import File, Html, Page, Reply, Visit
from mailvane.maillog.figure_questions import FigureQuestion
from mailvane.maillog.model import DeliveryStatus
from mailvane.maillog.queries import TallyQuestion
from mailvane.reputation.alerts.model import EntryState, LogEntry
from mailvane.reputation.board import BoardRow, Place
from mailvane.reputation.model import Observation, Zone, ZoneHealth
from mailvane.reputation.questions import EntryQuestion
from mailvane.reputation.sources.dnsbl.answers import verdict_of
from mailvane.reputation.texts.evidence import visible

_BEFORE_MS = 7 * DAY_MS  # before the listing: what is compared with the time since
_ENTRIES, _AUDIT, _STOPPED = 200, 50, 10


class Listing(msgspec.Struct, frozen=True):
    """On one list, now."""

    zone: str
    since: int  # when it was seen first
    confirmed: int  # and last
    answers: str
    reason: str  # in the list's words; empty: it gives none
    probe: str  # whether the list works, as it was tried
    removal: str  # the page for requests; empty: not known


class Sent(msgspec.Struct, frozen=True):
    """Deliveries of mail that was accepted in a time."""

    since: int
    until: int
    deliveries: int
    bounced: int
    given_up: int
    complaints: int
    link: str

    @property
    def told(self) -> str:
        share = f" ({self.bounced / self.deliveries:.1%})" if self.deliveries else ""
        return (
            f"{self.deliveries:,} deliver{'y' if self.deliveries == 1 else 'ies'}; bounced {self.bounced:,}{share}; "
            f"given up {self.given_up:,}; complaints told of {self.complaints:,}"
        )


class Evidence(msgspec.Struct, frozen=True):
    name: str
    listings: Sequence[Listing]
    sent: tuple[Sent, Sent]  # before the oldest of the listings, and since
    whose: str  # what mail that is
    refusals: int  # answers of receivers since then that name the address; of a domain, its first list
    refusals_name: str
    refusals_link: str
    done: Sequence[tuple[int, str]]  # the oldest first


def show(services: DashboardServices, visit: Visit) -> Reply:
    row = row_of(services, visit)
    found = evidence_of(services, visit, row)
    values = {
        "section": "Reputation", "row": row, "found": found, "text": _text(found, visit),
        "here": f"/ui/{visit.workspace.id}/{path_of(row)}",
    }  # fmt: skip
    return Html("delisting.html", values)


def as_text(services: DashboardServices, visit: Visit) -> Reply:
    row = row_of(services, visit)
    text = _text(evidence_of(services, visit, row), visit)
    name = "".join(each if each.isalnum() or each in ".-" else "-" for each in row.name)
    return File(text.encode("utf-8", "replace"), "text/plain; charset=utf-8", f"listed-{name}.txt")


def evidence_of(services: DashboardServices, visit: Visit, row: BoardRow) -> Evidence:
    """Raises NotFound where no list has it."""
    listings = _listings(services, visit, row)
    if not listings:
        raise NotFound("no list that was asked has it now: there is nothing to be taken off")
    since = min(each.since for each in listings)
    named = row.name if row.place is Place.ADDRESS else listings[0].zone
    refused = f"answer:{named} since:{term(since)}"
    tally = services.maillog.tally(TallyQuestion(question_of(services, visit, refused), "status"))
    is_domain = row.place is Place.DOMAIN
    return Evidence(
        name=row.name,
        listings=listings,
        sent=(_sent(services, visit, row, since - _BEFORE_MS, since), _sent(services, visit, row, since, visit.now)),
        whose=f"mail from {row.name}" if is_domain else "all mail of the workspace, by whichever of its addresses",
        refusals=sum(each.count for each in tally),
        refusals_name=named,
        refusals_link=link(visit, refused),
        done=sorted(_done(services, visit, row, since)),
    )


def _listings(services: DashboardServices, visit: Visit, row: BoardRow) -> list[Listing]:
    newest: dict[str, Observation] = {}
    for one in listings_of(services, visit, row):
        newest.setdefault(one.key, one)
    zones = {zone.host: zone for zone in services.reputation.dictionary()}
    health = {each.host: each for each in services.reputation.zones.zone_health()}
    return [
        _listing(one, zones.get(key, Zone(host=key)), health.get(key), visit.now)
        for key, one in sorted(newest.items())
        if one.data.get("listed")
    ]


def _listing(one: Observation, zone: Zone, health: ZoneHealth | None, now: int) -> Listing:
    codes = [str(code) for code in one.data.get("codes") or ()]
    meaning = verdict_of(zone, codes).meaning if codes else ""
    return Listing(
        zone=one.key,
        since=one.at,
        confirmed=max(one.seen_at, one.confirmed_at),
        answers=visible(", ".join(codes) + (f": {meaning}" if meaning else "")) or "not kept",
        reason=visible(one.data.get("reason") or ""),
        probe=_probe(health, now),
        removal=zone.removal,
    )


def _probe(health: ZoneHealth | None, now: int) -> str:
    if health is None or not health.checked_at:
        return "not tried yet"
    at = f"tried {iso(health.checked_at)}" if health.checked_at <= now else "tried"
    if not health.usable:
        return f"{at}: its answers cannot be trusted, {visible(health.reason)}"
    return (
        f"{at}: it has its test point and lists nothing that it must not"
        if not health.reason
        else (f"{at}: {visible(health.reason)}")
    )


def _sent(services: DashboardServices, visit: Visit, row: BoardRow, since: int, until: int) -> Sent:
    query = f"from:{row.name} " if row.place is Place.DOMAIN else ""
    query += f"since:{term(since)} until:{term(until - 1000)}"
    asked = question_of(services, visit, query)
    states = {each.value: each.count for each in services.maillog.tally(TallyQuestion(asked, "status"))}
    window = max(MINUTE_MS, until - since)
    figures = services.maillog.figures(
        FigureQuestion(
            workspace=asked.workspace, relays=asked.relays, what="complaints",
            by="sender_domain" if row.place is Place.DOMAIN else "",
            domains=(row.name,) if row.place is Place.DOMAIN else (),
            first=until, last=until, step=window, window=window, least=0,
        )
    )  # fmt: skip
    return Sent(
        since=since, until=until, deliveries=sum(states.values()), bounced=states.get(DeliveryStatus.BOUNCED, 0),
        given_up=states.get(DeliveryStatus.EXPIRED, 0), complaints=sum(each.count for each in figures),
        link=link(visit, query),
    )  # fmt: skip


def _done(services: DashboardServices, visit: Visit, row: BoardRow, since: int) -> Iterator[tuple[int, str]]:
    """What is written down here: what alerts said of it and who saw it; what was done to the domains that send."""
    workspace, governance = visit.workspace.id, services.outbound.governance
    question = EntryQuestion(workspace=workspace, since=since, limit=_ENTRIES)
    for entry in services.reputation.alerting.entries(question).entries:
        if _names(entry, row.name):
            yield entry.at, f"the alert {visible(entry.name)} told of it"
            if entry.state is not EntryState.OPEN:
                yield entry.state_at, f"that was {entry.state.value} by {visible(entry.state_by)}"
    governed = governance.domains(workspace)
    meant = [each for each in governed if each.name == row.name or (row.place is Place.ADDRESS and each.stopped)]
    for domain in meant[:_STOPPED]:
        for each in story(governance.audit(domain.name, _AUDIT, workspace)):
            if each.entry.at >= since:
                why = f": {visible(each.why)}" if each.why else ""
                yield each.entry.at, f"{domain.name} {each.action} by {visible(each.entry.actor)}{why}"


def _names(entry: LogEntry, name: str) -> bool:
    items = (item for rule in entry.rules for item in rule.matchings.get("items") or ())
    return any(isinstance(item, dict) and name in (item.get("ip"), item.get("domain")) for item in items)


def _text(found: Evidence, visit: Visit) -> str:
    """For a form or a mail; times are UTC."""
    before, since = found.sent
    lines = [
        f"{found.name}: request to be taken off",
        f"Written {iso(visit.now)} from the records of the mail server.",
        "",
    ]
    for each in found.listings:
        lines += [
            f"List: {each.zone}",
            f"  seen first {iso(each.since)}, last {iso(each.confirmed)}",
            f"  answers {each.answers}",
            *([f"  reason {each.reason}"] if each.reason else []),
            f"  the list itself: {each.probe}",
            f"  requests: {each.removal or 'we know of no page for them'}",
            "",
        ]
    lines += [
        f"What was sent ({found.whose}):",
        f"  {iso(before.since)} to {iso(before.until)}, the 7 days before: {before.told}",
        f"  {iso(since.since)} to {iso(since.until)}, since then: {since.told}",
        f"  answers of receivers since then that name {found.refusals_name}: {found.refusals:,}",
        "",
        "What was done since then:",
        *(f"  {iso(at)} {told}" for at, told in found.done),
        *([] if found.done else ["  nothing is written down; say here what was done by hand"]),
        "",
    ]
    return "\n".join(lines)


_ONE = "/{workspace:int}/reputation/{kind:str}/{name:str}"
PAGES = (
    Page("get", f"{_ONE}/evidence", show),
    Page("get", f"{_ONE}/evidence.txt", as_text),
)
