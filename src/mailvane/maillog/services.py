"""What the HTTP interfaces of the mail log need. The composition root fills it in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from mailvane.core.tenants.service import Tenancy
from mailvane.maillog.history import History
from mailvane.maillog.interface import MailLog
from mailvane.maillog.recording import Recorder


@dataclass(frozen=True)
class MailLogServices:
    """The mail log, what is recorded into it, and the two things that come from outside: where we are and what time
    it is.
    """

    maillog: MailLog
    tenancy: Tenancy
    history: History
    recorder: Recorder
    zone: ZoneInfo  # of dates without a zone, of days and months
    clock: Callable[[], int]  # milliseconds since the epoch, UTC
    damage: Callable[[], str] = lambda: ""  # of the mail log, for people; empty when it is whole
