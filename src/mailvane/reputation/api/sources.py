"""Outside sources: how they do, asking them now, taking in a file; the dictionary of blocklists. Blocking."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network
from typing import Annotated

import msgspec

from mailvane.core.errors import InvalidFields, NotAllowed
from mailvane.core.names import checked_name
from mailvane.core.tenants.model import KeyKind
from mailvane.reputation.cells import Cell
from mailvane.reputation.model import OUTSIDE, VERIFIED_AT, Asset, AssetKind, Source, SourceHealth, Zone, ZoneHealth
from mailvane.reputation.services import ReputationServices
from mailvane.web.endpoints import Asked, Parameter
from mailvane.web.json_body import read_json
from mailvane.web.wanted import WantedFile

_MOST_COMPLAINTS = 100
_LARGEST_BIT = 255
IMPORT = (Parameter("name", "The name of the file."),)


class RunBody(msgspec.Struct, frozen=True, kw_only=True):
    """Which assets to ask about; all of the source's when nothing is said."""

    ids: Sequence[str] | None = None


class RunReply(msgspec.Struct, frozen=True):
    """About how many assets the source is asked."""

    count: int


class RunAllReply(msgspec.Struct, frozen=True):
    """About how many assets each source is asked."""

    counts: dict[str, int]


class TakenIn(msgspec.Struct, frozen=True):
    """How many statements of the file were kept."""

    count: int


class ZoneBody(msgspec.Struct, frozen=True, kw_only=True):
    """A blocklist, as the dictionary should have it."""

    lists: tuple[str, ...] = ("ips",)
    high_reputation: bool = False
    enabled: bool = True
    codes: dict[str, str] = {}
    refusals: tuple[str, ...] = ()
    harmless: tuple[str, ...] = ()
    removal: Annotated[str, msgspec.Meta(max_length=500, pattern=r"^(https?://\S+)?$")] = ""
    note: str = ""


class ZoneReply(msgspec.Struct, frozen=True):
    """A blocklist of the dictionary, and whether its answers can be trusted, if it was probed."""

    zone: Zone
    health: ZoneHealth | None


class BoardLine(msgspec.Struct, frozen=True):
    """A watched address or domain, with a cell of each blocklist and of each other source."""

    place: str
    name: str
    state: str
    blocklists: dict[str, Cell]
    sources: dict[str, Cell]


def board(services: ReputationServices, asked: Asked) -> list[BoardLine]:
    found = services.board.board(asked.workspace, asked.now)
    return [
        BoardLine(
            row.place, row.name, row.state, dict(row.zones), {str(key): cell for key, cell in row.sources.items()}
        )
        for row in found.rows
    ]


def health(services: ReputationServices, asked: Asked) -> list[SourceHealth]:
    return services.sources.health(asked.workspace, asked.now)


def run(services: ReputationServices, asked: Asked) -> RunReply:
    source = _source(asked)
    given = read_json(RunBody, asked.body)
    count = services.watched_assets.ask_now(asked.workspace, source, given.ids)
    services.wake(source)
    return RunReply(count)


def run_all(services: ReputationServices, asked: Asked) -> RunAllReply:
    counts = services.watched_assets.ask_all_now(asked.workspace, asked.now)
    for source in counts:
        services.wake(source)
    return RunAllReply({source.value: count for source, count in counts.items()})


def take_in(services: ReputationServices, asked: Asked) -> TakenIn:
    """Whatever the source would say, as a file; `name` helps where it is not understood."""
    name = asked.query.get("name") or "the file"
    return TakenIn(
        services.take_in(asked.workspace, _source(asked), WantedFile(asked.body, asked.wanted), name[:200], asked.now)
    )


def zones(services: ReputationServices, _asked: Asked) -> list[ZoneReply]:
    probed = {one.host: one for one in services.zones.zone_health()}
    return [ZoneReply(zone, probed.get(zone.host)) for zone in services.dictionary()]


def save_zone(services: ReputationServices, asked: Asked) -> Zone:
    _check_master(asked)
    given = read_json(ZoneBody, asked.body)
    if not given.lists or not set(given.lists) <= {"ips", "ipv6", "domains"}:
        raise InvalidFields(("lists", "expected some of ips, ipv6, domains"))
    wrong = [
        (f"{field}.{name}", "expected an IPv4 address, a network, or & and a bit such as &8")
        for field, names in (("codes", given.codes), ("refusals", given.refusals), ("harmless", given.harmless))
        for name in names
        if not _is_answer(name)
    ]
    if wrong:
        # Whoever asks blocklists compares answers with these: one that cannot be would stop asking for everybody.
        raise InvalidFields(*wrong[:_MOST_COMPLAINTS])
    zone = Zone(host=checked_name(asked.path["host"]), **msgspec.structs.asdict(given))
    services.zones.save_zone(zone)
    return zone


def forget_zone(services: ReputationServices, asked: Asked) -> None:
    """Back to what is shipped."""
    _check_master(asked)
    services.zones.forget_zone(asked.path["host"])


def approve(services: ReputationServices, asked: Asked) -> None:
    """Mail to spam traps is kept of this address or domain from now on."""
    _check_master(asked)

    def approved(trap: Asset) -> Asset:
        since = {} if trap.verified else {VERIFIED_AT: asked.now}
        return msgspec.structs.replace(trap, verified=True, details={**trap.details, **since})

    services.watched_assets.change(asked.workspace, AssetKind.TRAP, asked.path["asset_id"], approved)


def _is_answer(text: str) -> bool:
    if text.startswith("&"):
        return text[1:].isascii() and text[1:].isdecimal() and len(text) <= 4 and 0 < int(text[1:]) <= _LARGEST_BIT
    try:
        IPv4Network(text)
    except ValueError:
        return False
    return True


def _source(asked: Asked) -> Source:
    try:
        return {source.value: source for source in OUTSIDE}[asked.path["source"]]
    except KeyError:
        raise InvalidFields(("source", f"expected one of {', '.join(OUTSIDE)}")) from None


def _check_master(asked: Asked) -> None:
    if asked.principal.kind is not KeyKind.MASTER:
        raise NotAllowed("only the master token may do this")
