"""What the settings say of watching, of reports and of telling people, together."""

from __future__ import annotations

from typing import NamedTuple

from mailvane.dmarc.settings import DmarcSettings
from mailvane.notify.settings import NotifySettings
from mailvane.reputation.settings import ReputationSettings
from mailvane.server.settings import Settings


class WatchingSettings(NamedTuple):
    """The table `[reputation]` of the settings file, part by part."""

    reputation: ReputationSettings = ReputationSettings()
    dmarc: DmarcSettings = DmarcSettings()
    notify: NotifySettings = NotifySettings()


def watching_settings(settings: Settings) -> WatchingSettings:
    return WatchingSettings(settings.reputation, settings.dmarc, settings.notify)
