"""What the settings say of watching, of reports and of telling people, together."""

from __future__ import annotations

from typing import NamedTuple

from mailvane.config import Settings
from mailvane.dmarc_config import DmarcSettings
from mailvane.notify_config import NotifySettings
from mailvane.reputation_config import ReputationSettings


class WatchingSettings(NamedTuple):
    """The table `[reputation]` of the settings file, part by part."""

    reputation: ReputationSettings = ReputationSettings()
    dmarc: DmarcSettings = DmarcSettings()
    notify: NotifySettings = NotifySettings()


def watching_settings(settings: Settings) -> WatchingSettings:
    return WatchingSettings(settings.reputation, settings.dmarc, settings.notify)
