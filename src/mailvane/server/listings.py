"""Asks blocklists for a command: a collector for a moment, with the dictionary as the ledger has it if there is one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from mailvane.core.errors import InvalidInput
from mailvane.reputation.asset_names import normalized
from mailvane.reputation.blocklists import ListingCheck
from mailvane.reputation.model import AssetKind, Zone
from mailvane.reputation.sources.dnsbl import make
from mailvane.server.ledgers import ledger_of
from mailvane.server.settings import Settings

_MOST = 1024


def check(settings: Settings, kind: AssetKind, names: Sequence[str], now: int) -> ListingCheck:
    """Raises InvalidInput, InvalidSetting, StoreUnavailable."""
    found: dict[str, None] = {}
    for name in names:
        found.update(dict.fromkeys(normalized(kind, name)))
    if len(found) > _MOST:
        raise InvalidInput(f"more than {_MOST} at once")
    wanted = list(found)
    changed = _changed(settings)
    collector = make(settings.reputation)
    collector.changed = lambda: changed
    return asyncio.run(collector.check(kind, wanted, now))


def _changed(settings: Settings) -> Iterable[Zone]:
    """A command that only looks makes no ledger."""
    if settings.ledger.startswith("sqlite:") and not (settings.data / "ledger.sqlite").exists():
        return ()
    with ledger_of(settings) as ledger:
        return ledger.zones.zones()
