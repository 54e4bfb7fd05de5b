"""What the HTTP interfaces of reputation need. The composition root fills it in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from mailvane.notify.channels import Channels
from mailvane.reputation.alerts.service import Alerting
from mailvane.reputation.alerts.statistics import AlertStatistics
from mailvane.reputation.alerts.warnings import AlertWarnings
from mailvane.reputation.assets import WatchedAssets
from mailvane.reputation.board import BoardService
from mailvane.reputation.heartbeats import Heartbeats
from mailvane.reputation.model import Source, Zone
from mailvane.reputation.source_schedule import SourceSchedule
from mailvane.reputation.store.observations import ObservationStore
from mailvane.reputation.store.profiles import ProfileStore
from mailvane.reputation.store.zones import ZoneStore


@dataclass(frozen=True)
class ReputationServices:
    """What is watched, the alerts over it, and a word to whoever asks sources."""

    alerting: Alerting
    warnings: AlertWarnings
    statistics: AlertStatistics
    watched_assets: WatchedAssets
    board: BoardService
    sources: SourceSchedule
    profiles: ProfileStore
    observed: ObservationStore
    zones: ZoneStore
    channels: Channels
    heartbeats: Heartbeats
    dictionary: Callable[[], Sequence[Zone]]  # of blocklists
    wake: Callable[[Source], None]  # something is due
    take_in: Callable[[int, Source, BinaryIO, str, int], int]  # a workspace's file of what a source would say
