"""Takes in files of reports for a command, with what the settings say of complaints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import cache
from pathlib import Path

from mailvane.core.errors import InvalidInput
from mailvane.dmarc.intake import ReportIntake, Taken
from mailvane.dmarc.joining import Joining
from mailvane.dmarc.readers.reading import read_reports
from mailvane.maillog.interface import MailLog
from mailvane.reputation.alerts.service import Alerting
from mailvane.server.alerting import watched_assets_of
from mailvane.server.governance import complaints_of
from mailvane.server.ledger import Ledger
from mailvane.server.settings import Settings


class ReportFiles:
    """One run of the command."""

    def __init__(self, settings: Settings, ledger: Ledger, alerting: Alerting, clock: Callable[[], int]) -> None:
        self._settings = settings
        self._ledger = ledger
        self._alerting = alerting
        self._clock = clock

    def take(
        self, workspace: int, files: Sequence[str], open_maillog: Callable[[], AbstractContextManager[MailLog]]
    ) -> Iterator[Taken]:
        """Raises InvalidInput."""
        ledger = self._ledger
        with ExitStack() as opened:

            @cache
            def maillog() -> MailLog:
                # Only a complaint needs it, and opening it takes a while.
                return opened.enter_context(open_maillog())

            complaints = complaints_of(self._settings.outbound, ledger, maillog, ledger.journal.commit)
            intake = ReportIntake(
                ledger.reports,
                watched_assets_of(ledger, self._alerting.evaluate),
                read_reports,
                Joining(complaints, ledger.unjoined),
                ledger.senders,
            )
            for name in files:
                try:
                    with Path(name).open("rb") as file:
                        yield from intake.take(workspace, file, name, self._clock())
                except OSError as error:
                    raise InvalidInput(f"{name}: {error.strerror}") from None
