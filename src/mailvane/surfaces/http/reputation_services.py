"""What the HTTP interfaces of reputation need. The composition root fills it in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from mailvane.domain.reputation import Source, Zone
from mailvane.services.alert_statistics import AlertStatistics
from mailvane.services.alerting import Alerting
from mailvane.services.source_schedule import SourceSchedule
from mailvane.services.watching import Watching
from mailvane.storage.questions import ObservationPages
from mailvane.storage.reputation import Profiles, Zones


@dataclass(frozen=True)
class ReputationServices:
    """What is watched, the alerts over it, and a word to whoever asks sources."""

    alerting: Alerting
    statistics: AlertStatistics
    watching: Watching
    sources: SourceSchedule
    profiles: Profiles
    observed: ObservationPages
    zones: Zones
    dictionary: Callable[[], Sequence[Zone]]  # of blocklists
    wake: Callable[[Source], None]  # something is due
    take_in: Callable[[int, Source, BinaryIO, str, int], int]  # a workspace's file of what a source would say
