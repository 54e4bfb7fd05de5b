"""The demo's third part: a world that judges senders, what the server watches of it, and alerts that will fire.

Blocklists, Google, Microsoft, a registry and the senders of reports are servers of this machine and files in a
directory; the server reaches them by its settings, as it would the real ones.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import msgspec

from mailvane.reputation.alerts.drafts import AlertDraft
from mailvane.reputation.assets import WatchedAssets
from mailvane.reputation.model import AssetKind, Zone
from mailvane.reputation.sources import snds as snds_collector
from mailvane.reputation.sources.dnsbl.zones import shipped
from mailvane.server.alerting import alerting_of, monitoring_settings
from mailvane.server.ledger import Ledger
from mailvane.server.settings import CONFIG_FILE, Settings
from mailvane_demo.world.blocklists import Blocklist, blocklists
from mailvane_demo.world.dmarc_reporters import SPOOFED_MESSAGES, Report, Reporters
from mailvane_demo.world.incidents import Incidents
from mailvane_demo.world.name_server import NameServer
from mailvane_demo.world.names import Names, relay_records, sender_records
from mailvane_demo.world.postmaster import Postmaster, credentials
from mailvane_demo.world.registry import LIST_PATH, Registry, lookalikes
from mailvane_demo.world.sending_account import NEWSLETTER, SHOP
from mailvane_demo.world.snds import Snds, newest_day
from mailvane_demo.world.web_server import web_server
from mailvane_demo.world.webhook_receiver import WebhookReceiver

_DAY = 86_400_000
_MOST_HISTORY_DAYS = 60
_REFRESH_HOURS = 0.02  # so that an incident is noticed while somebody watches
_KEY = "demo-snds-key"
_BRAND = "kettl.example"  # short: of each longer one, hundreds of names more are looked up again and again
_RELAYS = {
    "mx1.mailhub.example": "192.0.2.25",
    "mx2.mailhub.example": "192.0.2.26",
    "out.mailhub.example": "192.0.2.27",
}
_DOMAINS = (SHOP.name, NEWSLETTER.name)

_WATCHED: Mapping[AssetKind, Sequence[str]] = {
    AssetKind.IP: tuple(_RELAYS.values()),
    AssetKind.DOMAIN: _DOMAINS,
    AssetKind.GP_DOMAIN: _DOMAINS,
    AssetKind.DMARC: _DOMAINS,
    AssetKind.LOOKALIKE: (_BRAND,),
}
_ALERTS: Mapping[str, Mapping[str, Any]] = {
    "A relay is on a blocklist": {"type": "IP_IN_RBL", "ips": ["ALL_IPS"], "rbls": ["HIGH_REPUTATION"]},
    "Google sees SPF fail": {
        "type": "GP_SPF_SUCCESS_RATIO",
        "gp_spf_success_ratio": {"value": 0.8, "operator": "lt"},
    },
    "Microsoft calls a relay red": {
        "type": "SNDS_FILTER_RESULT",
        "snds_ips": ["ALL_SNDS_IPS"],
        "snds_filter_result": ["RED"],
    },
    "Somebody took a name like ours": {
        "type": "LOOKALIKE_REG_CREATED_DATE",
        "lookalike_reg_created_date": {"value": "ONE_DAY", "operator": "lt"},
    },
    "Somebody writes in our name": {
        "type": "DMARC_DMARC_FAIL",
        "dmarc_dmarc_fail": {"value": 100, "operator": "gt", "time_range": "ONE_WEEK"},
    },
}

_SETTINGS = """\
# Written by `mailvane demo`. The servers named here live as long as the demo does.
[reputation]
refresh_hours = {hours}
resolvers = ["127.0.0.1:{name_server}"]
lookups_at_once = 100
allowed_targets = ["127.0.0.1"]
snds_url = "{snds}/snds"
postmaster_url = "{postmaster}"
postmaster_credentials = {credentials}
rdap_bootstrap = "{registry}{list_path}"
reports_address = "reports@mailhub.example"
reports_directory = {{ path = {reports}, workspace = "{workspace}" }}
"""


@dataclass(frozen=True)
class JudgingWorld:
    """Everybody who judges senders, running."""

    reports: Path
    receiver: str  # address of the program that alerts are told to
    zones: tuple[Blocklist, ...]
    snds: Snds
    reporters: Reporters
    incidents: Incidents
    stopped: Event = field(default_factory=Event)

    def write_history(self, days: int, now: int) -> None:
        """The reports of the days before yesterday, and those of yesterday that came already."""
        today = now // _DAY * _DAY
        for day in range(today - min(days, _MOST_HISTORY_DAYS) * _DAY, today - _DAY, _DAY):
            self._deliver(self.reporters.of_day(day))
        self._deliver(self.reporters.punctual(today - _DAY))

    def live(self, clock: Callable[[], int]) -> None:
        """Deliver what comes during the demo; for a thread of its own, until the world ends."""
        while (wait := self.incidents.spoofed_at - clock()) > 0:
            if self.stopped.wait(wait / 1000):
                return
        self._deliver(self.reporters.late(clock() // _DAY * _DAY - _DAY))

    def _deliver(self, reports: Iterable[Report]) -> None:
        for report in reports:
            # A file whose name begins with a dot is not read: it appears when it is whole.
            hidden = self.reports / f".{report.name}"
            hidden.write_bytes(report.body)
            os.utime(hidden, (report.ends / 1000, report.ends / 1000))
            hidden.rename(self.reports / report.name)


@contextmanager
def judging_world(
    place: Path, workspace: str, seed: int, incidents: Incidents, clock: Callable[[], int]
) -> Iterator[JudgingWorld]:
    """It runs for the length of a block; the settings that lead to it are in the place's settings file."""
    relays = list(_RELAYS.values())
    zones = blocklists(relays[0], incidents)
    registered = lookalikes(_BRAND, clock(), incidents)
    records = relay_records(_RELAYS)
    for domain in (*_DOMAINS, _BRAND):
        records |= sender_records(domain, "ip4:192.0.2.24/30", "quarantine")
    snds = Snds(seed, _KEY, [(address, name) for name, address in _RELAYS.items()], incidents)
    reports, secrets = place / "reports", place / "demo-postmaster.json"
    reports.mkdir()
    with ExitStack() as running:
        names = running.enter_context(NameServer(Names(zones, records, registered), clock).running())
        google = running.enter_context(web_server(Postmaster(seed, _DOMAINS, NEWSLETTER.name, incidents), clock))
        microsoft = running.enter_context(web_server(snds, clock))
        registry = running.enter_context(web_server(Registry(registered), clock))
        receiver = running.enter_context(web_server(WebhookReceiver(), clock))
        secrets.write_bytes(credentials(google))
        text = _SETTINGS.format(
            hours=_REFRESH_HOURS,
            workspace=workspace,
            name_server=names.port,
            snds=microsoft,
            postmaster=google,
            credentials=json.dumps(str(secrets)),
            registry=registry,
            list_path=LIST_PATH,
            reports=json.dumps(str(reports)),
        )
        (place / CONFIG_FILE).write_text(text, "utf-8")
        world = JudgingWorld(reports, receiver, zones, snds, Reporters(seed, _DOMAINS, relays[:2]), incidents)
        try:
            yield world
        finally:
            world.stopped.set()


def watch(world: JudgingWorld, settings: Settings, ledger: Ledger, workspace: int, days: int, now: int) -> None:
    """What a user would set up: which blocklists are asked, what is watched, and what is told."""
    for zone in shipped():
        ledger.zones.save_zone(msgspec.structs.replace(zone, enabled=False))
    for blocklist in world.zones:
        ledger.zones.save_zone(_zone(blocklist))
    watching = WatchedAssets(ledger.assets, ledger.observations)
    for kind, names in _WATCHED.items():
        watching.add(workspace, kind, names, now)
    watching.add(workspace, AssetKind.SNDS, ["the relays"], now, secret=_KEY)
    _import_snds(world, settings, watching, workspace, days, now)
    alerting = alerting_of(monitoring_settings(settings), ledger)
    for name, rule in _ALERTS.items():
        draft = AlertDraft(name=name, rules=(rule,), webhook_url=f"{world.receiver}/alerts", is_in_daily_report=True)
        alerting.create(workspace, draft, now)


def _zone(blocklist: Blocklist) -> Zone:
    return Zone(
        host=blocklist.host,
        lists=(blocklist.lists,),
        high_reputation=blocklist.high_reputation,
        codes={"127.0.0.2": blocklist.meaning} if blocklist.meaning else {},
        note="Of the demo.",
    )


def _import_snds(
    world: JudgingWorld, settings: Settings, watching: WatchedAssets, workspace: int, days: int, now: int
) -> None:
    """The tables of former days, which Microsoft is not asked for, as a user has them saved."""
    newest = newest_day(now)
    former = [newest - timedelta(days=back) for back in range(min(days, _MOST_HISTORY_DAYS), 0, -1)]
    saved = "".join(world.snds.data(day, now) for day in former).encode()
    if saved:
        collector = snds_collector.make(settings.reputation)
        watching.record(workspace, collector.read(io.BytesIO(saved), "saved tables", now), now)


def guide(world: JudgingWorld, url: str, token: str, command: str) -> str:
    """What people may try, as the rest of the demo's welcome."""
    header = f"-H 'Authorization: Bearer {token}'"
    return f"""\
[bold]Reputation is watched:[/] within two minutes a relay gets onto a blocklist, Google and Microsoft complain,
somebody takes a name like {_BRAND}, and a report tells of {SPOOFED_MESSAGES} spoofed mails.
A webhook is told of each alert; the last line shows what it got.

  {command} alerts list
  {command} alerts log
  {command} check ip {next(iter(_RELAYS.values()))}
  {command} dmarc show
  curl -s {header} {url}/api/v1.0/alerts
  curl -s {header} {url}/api/v1.0/ips
  curl -s {world.receiver}
"""
