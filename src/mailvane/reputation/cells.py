"""What one source says about one watched thing, as one of five states with its reason. Pure.

Unknown is not good: what could not be asked, or was told too long ago, is shown as unknown with the reason.
Times are milliseconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from mailvane.core.moments import DAY_MS
from mailvane.reputation.blocklists import UNKNOWN
from mailvane.reputation.model import Asset, Observation, SourceHealth, Zone, ZoneHealth

LATE_MS = 4 * DAY_MS  # Google's and Microsoft's data of a day come two days after it, and sometimes later
LISTED_BEFORE_MS = 7 * DAY_MS  # a listing that ended is worth a look for so long
NEW_MS = 30 * DAY_MS  # of the registration of a lookalike, and of hits on traps
# Gmail asks senders to stay below 0.1 % and never to reach 0.3 %.
_SPAM_LOOK, _SPAM_BAD = 0.001, 0.003
_PASSED_LOOK, _PASSED_BAD = 0.95, 0.8  # ours: shares of mail that pass SPF, DKIM, DMARC
_FAILED_LOOK, _FAILED_BAD = 0.02, 0.1  # ours: shares of reported mail that fails DMARC
_PASSED = {"spfSuccessRatio": "SPF", "dkimSuccessRatio": "DKIM", "dmarcSuccessRatio": "DMARC"}


class CellState(StrEnum):
    BAD = "bad"
    LOOK = "look"
    UNKNOWN = "unknown"
    GOOD = "good"
    NONE = "none"  # the source says nothing about such a thing, or is not asked about it


class Cell(msgspec.Struct, frozen=True):
    """The word is short enough for a table; the reason is a sentence. `at`: the time that it tells of; 0: none."""

    state: CellState
    word: str = ""
    reason: str = ""
    at: int = 0


NOTHING = Cell(CellState.NONE)
_ORDER = tuple(CellState)


def worst(cells: Sequence[Cell]) -> Cell:
    """That of the worst state, the first of several; unknown comes before good."""
    return min(cells, key=lambda cell: _ORDER.index(cell.state), default=NOTHING)


def staleness(asset: Asset, stale_before: int) -> Cell | None:
    """Why nothing that was told of an asset counts any more; None while it does."""
    why = f": {asset.error}" if asset.error else ""
    if not asset.verified:
        return Cell(CellState.UNKNOWN, "", "it was not approved yet, so nothing is asked about it")
    if not asset.updated_at:
        return Cell(CellState.UNKNOWN, "", f"it was never answered{why}")
    if asset.updated_at < stale_before:
        return Cell(CellState.UNKNOWN, "", f"the last answer is too old{why}", asset.updated_at)
    return None


def listing(
    asset: Asset, zone: Zone, health: ZoneHealth | None, one: Observation | None, moments: tuple[int, int]
) -> Cell:
    """Of one blocklist; `one` is the newest that is known of it and the asset. Moments: now, and stale before."""
    now, stale_before = moments
    old = staleness(asset, stale_before)
    if one is not None and one.data.get("listed"):
        told = str(one.data.get("reason") or ", ".join(str(code) for code in one.data.get("codes") or ()))
        if max(one.confirmed_at, one.seen_at) < stale_before:
            return Cell(CellState.UNKNOWN, "was listed", f"listed when it was asked last{_after(told)}", one.at)
        return Cell(
            CellState.BAD if zone.high_reputation else CellState.LOOK, "listed", f"listed{_after(told)}", one.at
        )
    if old is not None:
        return old
    if zone.host in (asset.details.get(UNKNOWN) or ()):
        why = health.reason if health is not None and health.reason else "it gave no valid answer"
        return Cell(CellState.UNKNOWN, "", why, asset.updated_at)
    if one is not None and one.at > now - LISTED_BEFORE_MS:
        return Cell(CellState.LOOK, "free again", "it was listed, and is no longer", one.at)
    return Cell(CellState.GOOD, "", "asked, not listed", asset.updated_at)


def google(asset: Asset, day: Observation | None, moments: tuple[int, int]) -> Cell:
    """`day` is the newest of Postmaster Tools."""
    _, stale_before = moments
    if day is None:
        return staleness(asset, stale_before) or Cell(CellState.UNKNOWN, "", "Google told of no day yet")
    if day.at < stale_before - LATE_MS:
        why = f": {asset.error}" if asset.error else ""
        return Cell(CellState.UNKNOWN, "", f"Google told of no day since{why}", day.at)
    found = [*_reputation(day), *_spam(day), *_authentication(day)]
    return worst([*found, Cell(CellState.GOOD, "", "nothing bad by Google's newest day", day.at)])


def _reputation(day: Observation) -> list[Cell]:
    word = str(day.data.get("domainReputation") or "")
    state = {"BAD": CellState.BAD, "LOW": CellState.BAD, "MEDIUM": CellState.LOOK}.get(word)
    return [Cell(state, word.lower(), f"the domain's reputation is {word.lower()}", day.at)] if state else []


def _spam(day: Observation) -> list[Cell]:
    share = number(day.data, "userReportedSpamRatio")
    if share is None or share < _SPAM_LOOK:
        return []
    state = CellState.BAD if share >= _SPAM_BAD else CellState.LOOK
    return [Cell(state, "spam", f"{share:.2%} of its mail was marked as spam", day.at)]


def _authentication(day: Observation) -> list[Cell]:
    found = []
    for field, name in _PASSED.items():
        share = number(day.data, field)
        if share is not None and share < _PASSED_LOOK:
            state = CellState.BAD if share < _PASSED_BAD else CellState.LOOK
            found.append(Cell(state, name, f"{share:.1%} of its mail passed {name}", day.at))
    return found


def microsoft(
    keys: Sequence[Asset], day: Observation | None, status: Observation | None, moments: tuple[int, int]
) -> Cell:
    """Of an address: its newest day of SNDS, and whether it is blocked. Keys are those that data come by."""
    _, stale_before = moments
    if status is not None and status.at >= stale_before - LATE_MS and str(status.data.get("blocked", "")) == "Yes":
        return Cell(CellState.BAD, "blocked", str(status.data.get("details") or "Microsoft blocks it"), status.at)
    if day is None:
        if not keys:
            return NOTHING
        stale = [cell for key in keys if (cell := staleness(key, stale_before)) is not None]
        return stale[0] if len(stale) == len(keys) else NOTHING
    if day.at < stale_before - LATE_MS:
        why = next((f": {key.error}" for key in keys if key.error), "")
        return Cell(CellState.UNKNOWN, "", f"Microsoft told of no day since{why}", day.at)
    colour = str(day.data.get("filter_result", ""))
    hits = number(day.data, "trap_hits") or 0
    state = {"RED": CellState.BAD, "YELLOW": CellState.LOOK}.get(colour, CellState.GOOD)
    cell = Cell(
        state, colour.lower() if state is not CellState.GOOD else "", f"the filter says {colour.lower()}", day.at
    )
    trapped = Cell(CellState.LOOK, f"{hits:g} traps", f"{hits:g} mails reached spam traps", day.at)
    return worst([cell, trapped]) if hits else cell


def dmarc(reports: int, messages: int, failed: int) -> Cell:
    """Of a week of aggregate reports about a domain."""
    if not reports:
        return Cell(CellState.UNKNOWN, "", "no report of the last week came")
    share = failed / messages if messages else 0.0
    told = f"{failed:,} of {messages:,} messages of the last week failed DMARC"
    if share >= _FAILED_LOOK:
        return Cell(CellState.BAD if share >= _FAILED_BAD else CellState.LOOK, f"{failed:,}", told)
    return Cell(CellState.GOOD, "", told)


def lookalikes(asset: Asset, found: Sequence[Observation], moments: tuple[int, int]) -> Cell:
    """Of those of a brand that exist; what people chose to ignore counts for nothing."""
    now, stale_before = moments
    states: Mapping[str, str] = asset.details.get("states") or {}
    heard = [one for one in found if states.get(one.key) != "IGNORED" and not one.data.get("gone")]
    threats = [one for one in heard if states.get(one.key) == "THREAT"]
    if threats:
        return Cell(CellState.BAD, f"{len(threats):,}", f"{threats[0].key} was called a threat", threats[0].at)
    new = [one for one in heard if (number(one.data, "reg_created_date") or 0) > now - NEW_MS]
    if new:
        return Cell(CellState.LOOK, f"{len(new):,} new", f"{new[0].key} was registered of late", new[0].at)
    if (old := staleness(asset, stale_before)) is not None:
        return old
    return Cell(CellState.GOOD, "", f"{len(heard):,} exist, none of them new", asset.updated_at)


def traps(asset: Asset, hits: Sequence[Observation], health: SourceHealth | None, now: int) -> Cell:
    """Of the last thirty days. Nobody is asked: trap data come when they come."""
    if not asset.verified:
        return Cell(CellState.UNKNOWN, "", "it was not approved yet, so hits are not kept")
    if hits:
        newest = max(one.at for one in hits)
        state = CellState.BAD if newest > now - 7 * DAY_MS else CellState.LOOK
        return Cell(state, f"{len(hits):,}", f"{len(hits):,} mails reached spam traps in 30 days", newest)
    if health is None or not health.succeeded_at:
        return Cell(CellState.UNKNOWN, "", "no trap data ever came")
    return Cell(CellState.GOOD, "", "no hit in the last 30 days", health.succeeded_at)


def number(data: Mapping[str, Any], field: str) -> float | None:
    value = data.get(field)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _after(told: str) -> str:
    return f": {told}" if told else ""
