"""Every collector of this folder, a row each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mailvane.collectors import dnsbl, honeytokens, lookalikes, postmaster, snds, traps
from mailvane.collectors.collector import Collector
from mailvane.reputation_config import ReputationSettings

MAKERS: Sequence[Callable[[ReputationSettings], Collector]] = (
    dnsbl.COLLECTOR,
    honeytokens.COLLECTOR,
    lookalikes.COLLECTOR,
    postmaster.COLLECTOR,
    snds.COLLECTOR,
    traps.COLLECTOR,
)
