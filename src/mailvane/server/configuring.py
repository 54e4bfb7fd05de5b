"""Puts the configuration file together from the rooms that it declares."""

from __future__ import annotations

from mailvane.notify.channels import Channels
from mailvane.outbound.governance import Governance
from mailvane.outbound.send_limits import SendLimits
from mailvane.reputation.alerts.service import Alerting
from mailvane.reputation.assets import WatchedAssets
from mailvane.reputation.store.assets import ProfileStore
from mailvane.server.configuration.parts import Ground
from mailvane.server.configuration.service import Configuration


def configuration_of(
    governance: Governance,
    send_limits: SendLimits,
    alerting: Alerting,
    watched_assets: WatchedAssets,
    profiles: ProfileStore,
    channels: Channels,
) -> Configuration:
    def ground(workspace: int, by: str, now: int) -> Ground:
        return Ground(
            governance=governance,
            send_limits=send_limits,
            watched_assets=watched_assets,
            profiles=profiles,
            alerting=alerting,
            channels=channels,
            workspace=workspace,
            by=by,
            now=now,
        )

    return Configuration(ground)
