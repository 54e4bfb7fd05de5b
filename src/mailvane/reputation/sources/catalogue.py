"""Every collector of this folder, a row each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mailvane.reputation.settings import ReputationSettings
from mailvane.reputation.sources import dnsbl, honeytokens, lookalikes, postmaster, snds, traps
from mailvane.reputation.sources.collector import Collector

MAKERS: Sequence[Callable[[ReputationSettings], Collector]] = (
    dnsbl.COLLECTOR,
    honeytokens.COLLECTOR,
    lookalikes.COLLECTOR,
    postmaster.COLLECTOR,
    snds.COLLECTOR,
    traps.COLLECTOR,
)
