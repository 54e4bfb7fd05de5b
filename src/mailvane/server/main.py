"""The program: what the commands ask for, built from the settings and the stores that they name."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from zoneinfo import ZoneInfo

from mailvane.core.tenants.service import Tenancy
from mailvane.dmarc.intake import Taken
from mailvane.dmarc.store.reports import ReportStore
from mailvane.inbound.cli.program import HealthDesk
from mailvane.maillog.cli.program import ImportProgress, ImportRequest, ImportSummary
from mailvane.maillog.interface import MailLog
from mailvane.maillog.ownership import Ownership
from mailvane.outbound.governance import Governance
from mailvane.reputation.alerts.service import Alerting
from mailvane.reputation.blocklists import ListingCheck
from mailvane.reputation.model import AssetKind
from mailvane.server import cli
from mailvane.server.alerting import monitoring_settings
from mailvane.server.governing import governance_of
from mailvane.server.importing import Importer
from mailvane.server.ledger import Ledger
from mailvane.server.ledgers import ledger_of
from mailvane.server.program import Check
from mailvane.server.settings import Settings, load, master_token


class Mailvane:
    """Implements what the commands of each room ask for (`*Program`). Stores are opened when they are first needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open = ExitStack()

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
        return self._open.enter_context(ledger_of(self._settings))

    def tenancy(self) -> Tenancy:
        return Tenancy(self._ledger.tenants, master_token(self._settings))

    def governance(self) -> Governance:
        return governance_of(self._settings.outbound, self._ledger)

    def alerting(self) -> Alerting:
        found: Alerting = _part("alerting").alerting_of(monitoring_settings(self._settings), self._ledger)
        return found

    def listings(self, kind: AssetKind, names: Sequence[str]) -> ListingCheck:
        found: ListingCheck = _part("listings").check(self._settings, kind, names, self.now())
        return found

    def reports(self) -> ReportStore:
        return self._ledger.reports

    def take_reports(self, workspace: int, files: Sequence[str]) -> Iterator[Taken]:
        taking = _part("report_files").ReportFiles(self._settings, self._ledger, self.alerting(), self.now)
        found: Iterator[Taken] = taking.take(workspace, files, self.maillog)
        return found

    def health(self) -> HealthDesk:
        found: HealthDesk = _part("health").health_of(self._settings, lambda: self._ledger, self.now)
        return found

    def maillog(self) -> AbstractContextManager[MailLog]:
        found: AbstractContextManager[MailLog] = _part("stores").maillog_anywhere(self._settings, "a mailvane command")
        return found

    def ownership(self) -> AbstractContextManager[Ownership]:
        found: AbstractContextManager[Ownership] = _part("stores").ownership_here(self._settings, "a mailvane command")
        return found

    def import_postfix(self, request: ImportRequest, report: Callable[[ImportProgress], None]) -> ImportSummary:
        return Importer(self._settings, self._ledger, self.tenancy(), self.now).run(request, report)

    def serve(self, roles: frozenset[str]) -> None:
        _part("serving").serve(self._settings, roles)

    def backup(self, directory: Path) -> None:
        with self.maillog() as maillog:
            maillog.backup(directory)

    def restore(self, directory: Path) -> None:
        with self.maillog() as maillog:
            maillog.restore(directory)

    def checks(self, deep: bool = False) -> Iterator[Check]:
        found: Iterator[Check] = _part("doctor").checks(self._settings, deep)
        return found

    def close(self) -> None:
        self._open.close()


def _part(name: str) -> ModuleType:
    """A part of this layer, loaded when its command is run: no other should wait for the libraries of a server."""
    return import_module(f"mailvane.server.{name}")


def main() -> None:
    """The `mailvane` command."""
    cli.run(lambda given: Mailvane(load(given, os.environ)))
