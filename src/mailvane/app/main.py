"""The program: what the commands ask for, built from the settings and the stores that they name.

Parts of this layer are imported where a command needs them: no other should wait for the libraries of a server.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from mailvane.app.governing import governance_of
from mailvane.app.importing import Importer
from mailvane.app.ledgers import ledger_of
from mailvane.app.watching_settings import watching_settings
from mailvane.config import Settings, load, master_token
from mailvane.domain.blocklists import ListingCheck
from mailvane.domain.reputation import AssetKind
from mailvane.services.alerting import Alerting
from mailvane.services.governance import Governance
from mailvane.services.report_intake import Taken
from mailvane.services.tenancy import Tenancy
from mailvane.storage.interface import MailLog
from mailvane.storage.ledger import SqlLedger
from mailvane.storage.reputation import Reports
from mailvane.surfaces.cli import main as cli
from mailvane.surfaces.cli.demo_program import DemoOptions
from mailvane.surfaces.cli.maillog_program import ImportProgress, ImportRequest, ImportSummary
from mailvane.surfaces.cli.server_program import Check


class Mailvane:
    """Implements what the commands of each room ask for (`*Program`). Stores are opened when they are first needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open = ExitStack()

    @property
    def zone(self) -> ZoneInfo:
        return self._settings.timezone

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    @cached_property
    def _ledger(self) -> SqlLedger:
        return self._open.enter_context(ledger_of(self._settings))

    def tenancy(self) -> Tenancy:
        return Tenancy(self._ledger, master_token(self._settings))

    def governance(self) -> Governance:
        return governance_of(self._settings.outbound, self._ledger)

    def alerting(self) -> Alerting:
        from mailvane.app.alerting import alerting_of  # noqa: PLC0415 - see the top

        return alerting_of(watching_settings(self._settings), self._ledger)

    def listings(self, kind: AssetKind, names: Sequence[str]) -> ListingCheck:
        from mailvane.app import listings  # noqa: PLC0415 - see the top

        return listings.check(self._settings, kind, names, self.now())

    def reports(self) -> Reports:
        return self._ledger

    def take_reports(self, workspace: int, files: Sequence[str]) -> Iterator[Taken]:
        from mailvane.app.report_files import ReportFiles  # noqa: PLC0415 - see the top

        taking = ReportFiles(self._settings, self._ledger, self.alerting(), self.now)
        return taking.take(workspace, files, self.maillog)

    def maillog(self) -> AbstractContextManager[MailLog]:
        from mailvane.app.stores import maillog_anywhere  # noqa: PLC0415 - see the top

        return maillog_anywhere(self._settings, "a mailvane command")

    def import_postfix(self, request: ImportRequest, report: Callable[[ImportProgress], None]) -> ImportSummary:
        return Importer(self._settings, self._ledger, self.tenancy(), self.now).run(request, report)

    def serve(self, roles: frozenset[str]) -> None:
        from mailvane.app import serving  # noqa: PLC0415 - see the top

        serving.serve(self._settings, roles)

    def demo(self, options: DemoOptions) -> None:
        from mailvane.app import demonstration  # noqa: PLC0415 - see the top

        demonstration.run(self._settings, options)

    def backup(self, directory: Path) -> None:
        with self.maillog() as maillog:
            maillog.upkeep("backup", directory)

    def restore(self, directory: Path) -> None:
        with self.maillog() as maillog:
            maillog.upkeep("restore", directory)

    def checks(self) -> Iterator[Check]:
        from mailvane.app import examination  # noqa: PLC0415 - see the top

        return examination.checks(self._settings)

    def close(self) -> None:
        self._open.close()


def main() -> None:
    """The `mailvane` command."""
    cli.run(lambda given: Mailvane(load(given, os.environ)))
