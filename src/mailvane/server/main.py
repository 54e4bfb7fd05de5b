"""The program: what the commands ask for, built from the settings and the stores that they name.

What only one command needs is imported within its method (PLC0415): no other should wait a second for the libraries of
a server or an engine.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from mailvane.server import cli
from mailvane.server.asking import maillog_anywhere, server_of
from mailvane.server.data_directory import owner
from mailvane.server.settings import TOKEN_FILE, Settings, base_url, load, master_token

if TYPE_CHECKING:
    from mailvane.core.cli.selection import Tenants
    from mailvane.core.listening import Listen
    from mailvane.core.nodes import Node
    from mailvane.core.tenants.service import Tenancy
    from mailvane.dashboard.people.service import People
    from mailvane.dmarc.intake import Taken
    from mailvane.dmarc.senders import Senders
    from mailvane.dmarc.store.reports import ReportStore
    from mailvane.inbound.cli.program import HealthDesk
    from mailvane.inbound.digest.sending import Digest, Digests
    from mailvane.inbound.services import InboundServices
    from mailvane.mailboxes.services import MailboxServices
    from mailvane.mailboxes.tracking.tagging import Tagging
    from mailvane.maillog.cli.program import ImportProgress, ImportRequest, ImportSummary
    from mailvane.maillog.interface import MailLog
    from mailvane.maillog.ownership import Ownership
    from mailvane.notify.channels import Channels
    from mailvane.outbound.governance import Governance
    from mailvane.outbound.holds import Holds
    from mailvane.outbound.send_limits import SendLimits
    from mailvane.outbound.suppression_list import SuppressionList
    from mailvane.reputation.alerts.service import Alerting
    from mailvane.reputation.alerts.warnings import AlertWarnings
    from mailvane.reputation.assets import WatchedAssets
    from mailvane.reputation.blocklists import ListingCheck
    from mailvane.reputation.heartbeats import Heartbeats
    from mailvane.reputation.model import AssetKind
    from mailvane.server.configuration.service import Configuration
    from mailvane.server.ledger import Ledger
    from mailvane.server.mcp.desk import DeskServices
    from mailvane.server.program import ApiAnswer, ApiRequest, Check
    from mailvane.server.tenants.removal import Removal


_RARELY = 50_000  # objects made and not freed


class Mailvane:
    """Implements what the commands of each room ask for (`*Program`). Stores are opened when they are first needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open = ExitStack()
        self._opening = Lock()

    @property
    def settings(self) -> Settings:
        """For a command that puts a program of its own around a server, as the demo does."""
        return self._settings

    @property
    def zone(self) -> ZoneInfo:
        return self._settings.timezone

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    @cached_property
    def _ledger(self) -> Ledger:
        from mailvane.server.ledgers import ledger_of  # noqa: PLC0415

        return self._open.enter_context(ledger_of(self._settings))

    def tenancy(self) -> Tenancy:
        from mailvane.core.tenants.service import Tenancy  # noqa: PLC0415

        return Tenancy(self._ledger.tenants, master_token(self._settings))

    def tenants(self) -> Tenants:
        return self._tenants

    @cached_property
    def _tenants(self) -> Tenants:
        remote = server_of(self._settings)
        return self.tenancy() if remote is None else self._open.enter_context(remote)

    def people(self) -> People:
        from mailvane.dashboard.people.service import People  # noqa: PLC0415

        return People(self._ledger.people, self._ledger.tenants)

    def address(self) -> str:
        held = owner(self._settings.data)  # whose server may have been told another address
        return (held.http if held else "") or base_url(self._settings)

    def governance(self) -> Governance:
        from mailvane.server.governance import governance_of  # noqa: PLC0415

        return governance_of(self._settings.outbound, self._ledger)

    def send_limits(self) -> SendLimits:
        from mailvane.outbound.send_limits import SendLimits  # noqa: PLC0415

        return SendLimits(self._ledger.send_limits)

    def suppressions(self) -> SuppressionList:
        from mailvane.outbound.admission.rules import suppression_rules  # noqa: PLC0415
        from mailvane.outbound.suppression_list import SuppressionList  # noqa: PLC0415

        return SuppressionList(self._ledger.suppressions, suppression_rules(self._settings.outbound))

    def holds(self) -> Holds:
        from mailvane.outbound.holds import Holds  # noqa: PLC0415

        return Holds(self._ledger.holds)

    def alert_warnings(self) -> AlertWarnings:
        from mailvane.server.alerting import monitoring_settings, warnings_about  # noqa: PLC0415

        return warnings_about(monitoring_settings(self._settings), self._ledger)

    def alerting(self) -> Alerting:
        from mailvane.server.alerting import alerting_of, monitoring_settings  # noqa: PLC0415

        settings = monitoring_settings(self._settings)
        return alerting_of(settings, self._ledger, maillog=self._maillog_kept_open)

    def watched_assets(self) -> WatchedAssets:
        from mailvane.server.alerting import watched_assets_of  # noqa: PLC0415

        return watched_assets_of(self._ledger, self.alerting().evaluate)

    def channels(self) -> Channels:
        from mailvane.server.alerting import channels_of, monitoring_settings  # noqa: PLC0415

        return channels_of(monitoring_settings(self._settings), self._ledger)

    def heartbeats(self) -> Heartbeats:
        from mailvane.reputation.heartbeats import Heartbeats  # noqa: PLC0415

        return Heartbeats(self._ledger.heartbeats)

    def listings(self, kind: AssetKind, names: Sequence[str]) -> ListingCheck:
        from mailvane.server.listings import check  # noqa: PLC0415

        return check(self._settings, kind, names, self.now())

    def reports(self) -> ReportStore:
        return self._ledger.reports

    def senders(self) -> Senders:
        from mailvane.dmarc.senders import Senders  # noqa: PLC0415

        return Senders(self._ledger.senders)

    def take_reports(self, workspace: int, files: Sequence[str]) -> Iterator[Taken]:
        from mailvane.server.report_files import ReportFiles  # noqa: PLC0415

        reports = ReportFiles(self._settings, self._ledger, self.alerting(), self.now)
        return reports.take(workspace, files, self.maillog)

    def health(self) -> HealthDesk:
        from mailvane.server.health import health_of  # noqa: PLC0415

        return health_of(self._settings, lambda: self._ledger, self.now, self._maillog_kept_open)

    def inbound(self) -> InboundServices:
        from mailvane.server.inbound import inbound_services  # noqa: PLC0415

        settings = self._settings
        return inbound_services(self._ledger, self.tenancy(), settings.inbound, settings.data, self._maillog_kept_open)

    def digests(self, url: str | None) -> Digests:
        from mailvane.server.digesting import digests_of  # noqa: PLC0415

        return digests_of(self._settings, self.inbound(), url)

    async def due_digests(self, workspace: int, url: str | None) -> Sequence[Digest]:
        from mailvane.server.digesting import digest_schedule  # noqa: PLC0415

        inbound = self._settings.inbound
        schedule = digest_schedule(self._ledger, self.digests(url), self.now)
        return await schedule.due(workspace, inbound.digest_hour, inbound.digest_timezone)

    def _maillog_kept_open(self) -> AbstractContextManager[MailLog]:
        """Opened once, until the command ends: threads of one command may ask at the same time."""
        with self._opening:
            return nullcontext(self._kept_maillog)

    @cached_property
    def _kept_maillog(self) -> MailLog:
        return self._open.enter_context(self.maillog())

    def maillog(self) -> AbstractContextManager[MailLog]:
        return maillog_anywhere(self._settings, "a mailvane command")

    @contextmanager
    def mailboxes(self) -> Iterator[MailboxServices]:
        from mailvane.server.mailboxes import mailbox_services  # noqa: PLC0415

        with self.maillog() as maillog:
            yield mailbox_services(self._settings, self._ledger, self.tenancy(), lambda: maillog)

    def tagging(self) -> Tagging:
        from mailvane.mailboxes.tracking.tagging import Tagging  # noqa: PLC0415

        return Tagging(self.tenancy(), self._ledger.journal.commit)

    def removal(self) -> AbstractContextManager[Removal]:
        from mailvane.server.tenants.remote import removal_anywhere  # noqa: PLC0415

        return removal_anywhere(self._settings, "a mailvane command")

    def ownership(self) -> AbstractContextManager[Ownership]:
        from mailvane.server.stores import ownership_here  # noqa: PLC0415

        return ownership_here(self._settings, "a mailvane command")

    def import_postfix(self, request: ImportRequest, report: Callable[[ImportProgress], None]) -> ImportSummary:
        from mailvane.server.import_ways import way_in  # noqa: PLC0415

        with way_in(self._settings, self._ledger) as way:
            # Loaded while the way in is opened.
            from mailvane.server.importing import Importer  # noqa: PLC0415

            return Importer(self._settings, self._ledger, self.tenancy(), self.now).run(request, report, way)

    def ask(self, request: ApiRequest) -> ApiAnswer:
        from mailvane.server.api_requests import ask  # noqa: PLC0415

        return ask(self._settings, request)

    def nodes(self) -> Sequence[Node]:
        return self._ledger.nodes.nodes()

    def serve(self, roles: frozenset[str]) -> None:
        from mailvane.server.starting import started  # noqa: PLC0415

        with started(self._settings, roles) as start:
            from mailvane.server.serving import serve_from  # noqa: PLC0415

            serve_from(start, self._settings, roles)

    def configuration(self) -> Configuration:
        from mailvane.server.configuration.parts import Rooms  # noqa: PLC0415
        from mailvane.server.configuration.service import Configuration  # noqa: PLC0415

        ledger, alerting = self._ledger, self.alerting()
        rooms = Rooms(
            governance=self.governance(), send_limits=self.send_limits(), alerting=alerting,
            watched_assets=self.watched_assets(), profiles=ledger.profiles,
            channels=self.channels(), heartbeats=self.heartbeats(),
        )  # fmt: skip
        return Configuration(rooms)

    def mcp(self, workspace: str | None, listen: Listen | None) -> None:
        from mailvane.core.extras import needing  # noqa: PLC0415

        with needing("mcp", "mcp", "pydantic", "starlette"):
            from mailvane.server.mcp.protocol import serve_http, serve_stdio  # noqa: PLC0415
        from mailvane.core.cli.selection import chosen_workspace  # noqa: PLC0415

        if listen is None:
            serve_stdio(self._desk(), chosen_workspace(self.tenancy(), workspace).id)
        else:
            serve_http(self._desk(), listen)

    def _desk(self) -> DeskServices:
        from mailvane.reputation.source_schedule import SourceSchedule  # noqa: PLC0415
        from mailvane.server.alerting import schedule_of  # noqa: PLC0415
        from mailvane.server.mcp.desk import DeskServices  # noqa: PLC0415

        ledger, schedule = self._ledger, schedule_of(self._settings.reputation)
        return DeskServices(
            tenancy=self.tenancy(),
            maillog=self.maillog,
            governance=self.governance(),
            alerting=self.alerting(),
            observed=ledger.observations,
            assets=ledger.assets,
            sources=SourceSchedule(ledger.assets, ledger.observations, ledger.leases, schedule),
            settings=self._settings.mcp,
            zone=self.zone,
            clock=self.now,
        )

    def backup(self, directory: Path) -> Sequence[str]:
        with self.maillog() as maillog:
            maillog.backup(directory)
        config, token = self._settings.config, self._settings.data / TOKEN_FILE
        settings = f"the settings ({config}), with the passwords in them" if config else "no settings: there is no file"
        apart = str(token) if token.exists() else "it is given by a setting"
        return (
            f"it holds the mail log, the ledger, and {settings}",
            f"apart, to be kept by you: the master token ({apart})",
        )

    def restore(self, directory: Path) -> None:
        with self.maillog() as maillog:
            maillog.restore(directory)

    def checks(self, deep: bool = False) -> Iterator[Check]:
        from mailvane.server.doctor import checks  # noqa: PLC0415

        return checks(self._settings, deep)

    def close(self) -> None:
        self._open.close()


def main() -> None:
    """The `mailvane` command."""
    # Modules make hundreds of thousands of objects that stay: looking through them for garbage took an eighth of the
    # time that they take to load. A server looks as usual once it has started (`serving`).
    gc.set_threshold(_RARELY)
    try:
        cli.run(lambda given: Mailvane(load(given, os.environ)))
    finally:
        # At its end the interpreter looks through all objects for garbage, several times, and lets go of them anyway.
        gc.freeze()
