"""Reputation: the board of what is watched and what each source says of it; one watched thing; watching more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

import msgspec
from markupsafe import Markup

from mailvane.core.errors import InvalidFields, InvalidInput, NotFound, NotPossible
from mailvane.core.moments import DAY_MS
from mailvane.dashboard.pages.google_days import HEADS, google_days
from mailvane.dashboard.pages.needs import Need
from mailvane.dashboard.panels import Panels
from mailvane.dashboard.parts.local_time import utc_day
from mailvane.dashboard.parts.strip import Day, strip
from mailvane.dashboard.people.model import Role
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit
from mailvane.reputation.board import Board, BoardRow, Place
from mailvane.reputation.cells import Cell, CellState
from mailvane.reputation.model import (
    ASKED_ABOUT,
    OUTSIDE,
    SOURCES,
    AssetKind,
    Comes,
    Observation,
    ObservationKind,
    Source,
)
from mailvane.reputation.questions import ObservationQuestion

MARKS = {
    CellState.BAD: "bad",
    CellState.LOOK: "warn",
    CellState.UNKNOWN: "unknown",
    CellState.GOOD: "ok",
    CellState.NONE: "none",
}
WATCHABLE = {
    AssetKind.IP: "Addresses on blocklists",
    AssetKind.DOMAIN: "Domains on blocklists",
    AssetKind.GP_DOMAIN: "Domains at Google Postmaster Tools",
    AssetKind.DMARC: "Domains whose DMARC reports come here",
    AssetKind.LOOKALIKE: "Brands and their lookalikes",
    AssetKind.TRAP: "Addresses and domains in spam traps",
}
_ROWS = 100
_MOST_ZONES = 8  # columns of single blocklists; more of them are one column
_DAYS = 30
_HISTORY = 50
_MOST_NAMES = 1000
_ONE = "/{workspace:int}/reputation/{kind:str}/{name:str}"
_COLOURS = {"GREEN": "ok", "YELLOW": "warn", "RED": "bad"}


class Column(msgspec.Struct, frozen=True):
    head: str
    note: str


class Line(msgspec.Struct, frozen=True):
    """A row of the board, its cells in the order of the columns."""

    row: BoardRow
    cells: Sequence[Cell]
    link: str


class Said(msgspec.Struct, frozen=True):
    """What one source says of one thing, for its page."""

    name: str
    source: Source
    cell: Cell
    asset: str  # the id of what it is asked about; empty: it is not asked


def listed(services: DashboardServices, visit: Visit, failure: str = "") -> Reply:
    board = services.reputation.board.board(visit.workspace.id, visit.now)
    may_change = visit.visitor.may(visit.workspace.id, Role.OPERATOR)
    number_, rows = visit.page_number(), board.rows
    first = (number_ - 1) * _ROWS
    columns, lines = _table(board, rows[first : first + _ROWS], visit)
    values = {
        "section": "Reputation",
        "tab": "Board",
        "columns": columns,
        "lines": lines,
        "marks": MARKS,
        "counts": {state.value: count for state, count in board.counts.items()},
        "total": len(rows),
        "newer": visit.with_query(page=str(number_ - 1)) if number_ > 1 else "",
        "older": visit.with_query(page=str(number_ + 1)) if first + _ROWS < len(rows) else "",
        "kinds": {kind.value: name for kind, name in WATCHABLE.items()},
        "may_change": may_change,
        "askable": _askable(services, visit) if may_change else [],
        "asked_now": visit.asked("asked"),
        "failure": failure,
    }
    return Html("reputation.html", values, 409 if failure else 200)


def _askable(services: DashboardServices, visit: Visit) -> list[tuple[str, int]]:
    counts = services.reputation.watched_assets.askable(visit.workspace.id)
    return [(SOURCES[source].title, count) for source, count in counts.items()]


def ask_all(services: DashboardServices, visit: Visit) -> Reply:
    """Ask every source now."""
    try:
        counts = services.reputation.watched_assets.ask_all_now(visit.workspace.id, visit.now)
    except NotPossible as error:
        return listed(services, visit, error.message)
    for source in counts:
        services.reputation.wake(source)
    return Redirect(f"/ui/{visit.workspace.id}/reputation?asked=all")


def _table(board: Board, rows: Sequence[BoardRow], visit: Visit) -> tuple[list[Column], list[Line]]:
    zones = board.zones if len(board.zones) <= _MOST_ZONES else ()
    sources = [
        source
        for source in OUTSIDE
        if any(row.sources.get(source, Cell(CellState.NONE)).state is not CellState.NONE for row in board.rows)
        and not (source is Source.BLOCKLISTS and zones)
    ]
    columns = [Column(zone.host, "high reputation" if zone.high_reputation else "") for zone in zones]
    columns += [Column(SOURCES[source].title, "") for source in sources]
    lines = []
    for row in rows:
        cells = [*(row.zones[zone.host] for zone in zones), *(row.sources[source] for source in sources)]
        lines.append(Line(row, cells, f"/ui/{visit.workspace.id}/{path_of(row)}"))
    return columns, lines


def path_of(row: BoardRow) -> str:
    """Of its page, below the workspace."""
    return f"reputation/{row.place}/{quote(row.name, safe='')}"


def show(services: DashboardServices, visit: Visit) -> Reply:
    row, workspace = row_of(services, visit), visit.workspace.id
    ids = {asset.kind: asset.id for asset in row.assets}
    google = next((asset for asset in row.assets if asset.kind is AssetKind.GP_DOMAIN), None)
    asked = {source: next((ids[kind] for kind in kinds if kind in ids), "") for source, kinds in ASKED_ABOUT.items()}
    said = [
        Said(SOURCES[source].title, source, cell, asked.get(source, ""))
        for source, cell in row.sources.items()
        if cell.state is not CellState.NONE
    ]
    panels = Panels(services, visit, _ONE)
    listings = panels.ask("listings", "What was listed and freed", lambda: listings_of(services, visit, row), [])

    def microsoft() -> Mapping[str, object] | None:
        return _microsoft(services, visit, row.name) if row.place is Place.ADDRESS else None

    values = {
        "section": "Reputation",
        "row": row,
        "state": MARKS[row.state],
        "said": said,
        "marks": MARKS,
        "zones": [(host, cell) for host, cell in row.zones.items() if cell.state is not CellState.NONE],
        "listings": listings,
        "is_listed": visit.reach is None and _is_listed(listings),
        "google": google
        and panels.ask("google", "What Google said", lambda: google_days(services, visit, google), None),
        "google_heads": HEADS,
        "microsoft": panels.ask("microsoft", "What Microsoft said", microsoft, None),
        "facts": list(_facts(row)),
        "kinds": {kind.value: name for kind, name in WATCHABLE.items()},
        "asked_now": visit.asked("asked"),
        "may_change": visit.reach is None and visit.visitor.may(workspace, Role.OPERATOR),
        "here": f"/ui/{workspace}/{path_of(row)}",
    }
    return panels.html("asset.html", values)


def ask(services: DashboardServices, visit: Visit) -> Reply:
    """Ask a source now."""
    row = row_of(services, visit)
    try:
        source = Source(visit.entered("source"))
    except ValueError:
        raise InvalidInput("there is no such source") from None
    ids = [asset.id for asset in row.assets if asset.kind in ASKED_ABOUT[source]]
    services.reputation.watched_assets.ask_now(visit.workspace.id, source, ids)
    services.reputation.wake(source)
    return Redirect(f"/ui/{visit.workspace.id}/{path_of(row)}?asked={source}")


def watch(services: DashboardServices, visit: Visit) -> Reply:
    kind = _kind(visit)
    names = [name for name in visit.entered("names").replace(",", " ").split() if name]
    if not 1 <= len(names) <= _MOST_NAMES:
        raise InvalidInput(f"give 1 to {_MOST_NAMES:,} names")
    verified = kind is not AssetKind.TRAP
    try:
        services.reputation.watched_assets.add(visit.workspace.id, kind, names, visit.now, verified=verified)
    except InvalidFields as error:
        raise InvalidInput(error.message) from None
    for source, kinds in ASKED_ABOUT.items():
        if kind in kinds:
            services.reputation.wake(source)
    return Redirect(f"/ui/{visit.workspace.id}/reputation")


def forget(services: DashboardServices, visit: Visit) -> Reply:
    """Watch it no more as this kind; what was said of it stays until it is too old."""
    row, kind = row_of(services, visit), _kind(visit)
    asset = next((each for each in row.assets if each.kind is kind), None)
    if asset is None:
        raise NotFound("it is not watched so")
    services.reputation.watched_assets.remove(visit.workspace.id, kind, asset.id)
    return Redirect(f"/ui/{visit.workspace.id}/reputation")


def not_known(services: DashboardServices, visit: Visit) -> Iterator[Need]:
    """Sources that fail and blocklists that cannot be asked: all that they are asked about is unknown, and not good."""
    health = services.reputation.watched_assets.health(visit.workspace.id)
    for each in health:
        # It failed last: that it is to be asked again at once changes nothing of that.
        if each.failed_at > each.succeeded_at and each.succeeded_at < visit.now - services.reputation.alerting.stale_ms:
            text = f"{SOURCES[each.source].title}: no answer that counts any more"
            may_ask = SOURCES[each.source].comes is Comes.ASKED
            yield Need("unknown", text, each.error, "reputation", "Board", each.source if may_ask else "")
    if all(each.source is not Source.BLOCKLISTS for each in health):
        return
    asked = {zone.host for zone in services.reputation.dictionary() if zone.enabled}
    for zone in services.reputation.zones.zone_health():
        if zone.host in asked and not zone.usable:
            text = f"{zone.host} cannot be asked"
            yield Need("unknown", text, zone.reason, "reputation", "Board", Source.BLOCKLISTS)


def row_of(services: DashboardServices, visit: Visit) -> BoardRow:
    kind = visit.path["kind"]
    place = Place(kind) if kind in set(Place) else None
    row = services.reputation.board.row(visit.workspace.id, place, visit.path["name"], visit.now) if place else None
    if row is None:
        raise NotFound("nobody watches such a thing here")
    return row


def _kind(visit: Visit) -> AssetKind:
    kind = visit.entered("kind")
    if kind not in {each.value for each in WATCHABLE}:
        raise InvalidInput("choose what it is watched as")
    return AssetKind(kind)


def listings_of(services: DashboardServices, visit: Visit, row: BoardRow) -> list[Observation]:
    """Openings and closings of listings, the newest first."""
    kind = ObservationKind.IP_LISTING if row.place is Place.ADDRESS else ObservationKind.DOMAIN_LISTING
    question = ObservationQuestion(workspace=visit.workspace.id, kind=kind, assets=(row.name,))
    return services.reputation.observed.observation_page(question, 0, _HISTORY).observations


def _is_listed(listings: Sequence[Observation]) -> bool:
    """Whether the newest that is known of some list is that it has it."""
    newest: dict[str, Observation] = {}
    for one in listings:
        newest.setdefault(one.key, one)
    return any(one.data.get("listed") for one in newest.values())


def _microsoft(services: DashboardServices, visit: Visit, name: str) -> Mapping[str, object] | None:
    question = ObservationQuestion(
        workspace=visit.workspace.id, kind=ObservationKind.SNDS_DATA, assets=(name,), since=visit.now - _DAYS * DAY_MS
    )
    days = services.reputation.observed.observation_page(question, 0, 3 * _DAYS).observations
    if not days:
        return None
    return {"picture": _strip(days, visit.now), "days": days}


def _strip(days: Sequence[Observation], now: int) -> Markup:
    told = {day.at // DAY_MS: str(day.data.get("filter_result", "")) for day in reversed(days)}
    first = now // DAY_MS - _DAYS + 1
    drawn = []
    for number_ in range(first, first + _DAYS):
        colour = told.get(number_, "")
        words = colour.lower() or "Microsoft has not told"
        drawn.append(Day(_COLOURS.get(colour, "unknown"), f"{utc_day(number_ * DAY_MS)}: {words}"))
    return strip(drawn, f"The last {_DAYS} days at Microsoft")


def _facts(row: BoardRow) -> Iterator[tuple[str, str]]:
    for asset in row.assets:
        for name in ("spf", "dmarc"):
            if told := asset.details.get(name):
                yield name.upper(), str(told)
        for each in asset.details.get("dns_lookup_result") or ():
            if isinstance(each, dict):
                yield "Reverse name", str(each.get("rDNS", ""))
        if asset.details.get("wrong_rdns"):
            yield "Reverse name", "does not lead back to the address"


PAGES = (
    Page("get", "/{workspace:int}/reputation", listed),
    Page("post", "/{workspace:int}/reputation/ask", ask_all, role=Role.OPERATOR),
    Page("post", "/{workspace:int}/reputation/watch", watch, role=Role.OPERATOR),
    Page("get", _ONE, show, of_domains=True),
    Page("post", f"{_ONE}/ask", ask, role=Role.OPERATOR),
    Page("post", f"{_ONE}/forget", forget, role=Role.OPERATOR),
)
