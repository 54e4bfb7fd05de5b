"""Joins abuse reports and late bounces to the mail that they are about, also when that comes to the mail log later.

A report whose mail is not known when it comes is looked for again: after a minute, then ever more seldom, and not any
more after two weeks. What a report does, its event and its count, is known by the report, so it happens once, however
often and by however many it is looked for.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

import msgspec

from mailvane.core.moments import DAY_MS, HOUR_MS, MINUTE_MS
from mailvane.maillog.complaints import Came, Complaint, ComplaintIntake, EnclosedMail

log = logging.getLogger(__name__)

EVERY_SECONDS = 60.0
PATIENCE_MS = 14 * DAY_MS  # ours: what the mail log does not know by then it will not know
_FIRST_RETRY_MS, _LONGEST_RETRY_MS = MINUTE_MS, HOUR_MS
_MOST_DOUBLED = 6  # times: then it is the longest
_AT_ONCE = 50  # a round: each is some questions to the mail log


class Unjoined(msgspec.Struct, frozen=True, kw_only=True):
    """A report whose mail is not known. Unique by workspace and digest."""

    workspace: int
    domain: str
    digest: str
    mail: EnclosedMail
    came: Came


class UnjoinedReports(Protocol):
    """Where they wait."""

    def add(self, report: Unjoined, due_at: int) -> None:
        """One that is there already stays as it is."""

    def due(self, now: int, limit: int) -> Sequence[tuple[Unjoined, int]]:
        """Each with how often it was looked for."""

    def put_off(self, report: Unjoined, due_at: int) -> None: ...

    def forget(self, report: Unjoined) -> None: ...

    def join(self, report: Unjoined, became: Complaint) -> None:
        """The report is kept with what became of it, and waits no more."""


class Joining:
    """Safe to share between threads. Blocking."""

    def __init__(self, complaints: ComplaintIntake, waiting: UnjoinedReports) -> None:
        self._complaints = complaints
        self._waiting = waiting

    def take(self, workspace: int, domain: str, mail: EnclosedMail, digest: str, now: int) -> Complaint:
        """A report as it comes; returns when what it does is durable. Raises StoreUnavailable."""
        became = self._complaints.take(workspace, mail, digest, now)
        if not became.mail_id:
            came = Came(at=now, counted=became.counted)
            report = Unjoined(workspace=workspace, domain=domain, digest=digest, mail=mail, came=came)
            self._waiting.add(report, now + _FIRST_RETRY_MS)
        return became

    def round(self, now: int) -> int:
        """Look for the mail of those that are due; how many these were. Raises StoreUnavailable."""
        due = self._waiting.due(now, _AT_ONCE)
        for report, tries in due:
            self._look(report, tries, now)
        return len(due)

    def finish(self, now: int) -> None:
        """The same for all that are due. Raises StoreUnavailable."""
        while self.round(now):
            pass

    def _look(self, report: Unjoined, tries: int, now: int) -> None:
        became = self._complaints.join(report.workspace, report.mail, report.digest, report.came, now)
        if became is not None:
            self._waiting.join(report, became)
            log.info("a report about %s of workspace %d was joined to its mail", report.domain, report.workspace)
        elif now - report.came.at >= PATIENCE_MS:
            self._waiting.forget(report)
        else:
            self._waiting.put_off(report, now + _pause(tries))


def _pause(tries: int) -> int:
    return min(_FIRST_RETRY_MS << min(tries + 1, _MOST_DOUBLED), _LONGEST_RETRY_MS)
