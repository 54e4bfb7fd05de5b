"""Reputation for commands: implements `surfaces.cli.program.ReputationProgram`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import cache
from pathlib import Path

from mailvane.app.alerting import alerting_of, watching_of
from mailvane.app.governing import complaints_of
from mailvane.app.listings import check
from mailvane.collectors.dmarc import read_reports
from mailvane.config import Settings
from mailvane.domain.blocklists import ListingCheck
from mailvane.domain.reputation import AssetKind
from mailvane.errors import InvalidInput
from mailvane.services.alerting import Alerting
from mailvane.services.report_intake import ReportIntake, Taken
from mailvane.storage.interface import MailLog
from mailvane.storage.ledger import SqlLedger
from mailvane.storage.reputation import Reports


class Watchtower:
    """The ledger is opened when it is first needed: a check of blocklists needs none."""

    def __init__(
        self,
        settings: Settings,
        ledger: Callable[[], SqlLedger],
        clock: Callable[[], int],
        maillog: Callable[[], AbstractContextManager[MailLog]],
    ) -> None:
        self._maillog = maillog
        self._settings = settings
        self._ledger = ledger
        self._clock = clock

    def alerting(self) -> Alerting:
        return alerting_of(self._settings.reputation, self._ledger())

    def reports(self) -> Reports:
        return self._ledger()

    def take_reports(self, workspace: int, files: Sequence[str]) -> Iterator[Taken]:
        """Raises InvalidInput."""
        ledger = self._ledger()
        with ExitStack() as opened:

            @cache
            def maillog() -> MailLog:
                # Only a complaint needs it, and opening it takes a while.
                return opened.enter_context(self._maillog())

            complaints = complaints_of(self._settings.outbound, ledger, maillog, ledger.commit)
            intake = ReportIntake(ledger, watching_of(ledger, self.alerting().evaluate), read_reports, complaints)
            for name in files:
                try:
                    with Path(name).open("rb") as file:
                        yield from intake.take(workspace, file, name, self._clock())
                except OSError as error:
                    raise InvalidInput(f"{name}: {error.strerror}") from None

    def listings(self, kind: AssetKind, names: Sequence[str]) -> ListingCheck:
        return check(self._settings, kind, names, self._clock())
