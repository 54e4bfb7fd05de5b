"""What `mailvane doctor` finds out about the logs that are followed."""

from __future__ import annotations

import os
import time
from pathlib import Path
from zoneinfo import ZoneInfo

from mailvane.core.errors import InvalidInput
from mailvane.core.moments import DAY_MS, MINUTE_MS
from mailvane.maillog.postfix.journald import newest_entry
from mailvane.maillog.postfix.newest_line import newest_line
from mailvane.maillog.settings import PostfixLog
from mailvane.server.program import Check, CheckResult
from mailvane.server.running_server import running_server, server_user
from mailvane.server.settings import Settings

TOLERANCE = 15 * MINUTE_MS  # milliseconds; zones differ by no less
_FROM_DAYS = 3
_SILENT_MS = DAY_MS  # ours: a mail server that is up writes something every day


def followed_log(settings: Settings, number: int) -> Check:
    """Of one that the settings name: whether it is there, can be read, and is stamped as it is written."""
    log = settings.postfix[number]
    name = f"postfix {number + 1}"
    if log.path is None:
        return _journal(name, log)
    if not log.path.exists():
        advice = "does Postfix log to a file? see maillog_file; for systemd's journal, set `journal` in place of `path`"
        return Check(name, CheckResult.BAD, f"{log.path} is not there", advice)
    user = server_user(settings, running_server(settings))
    readable = user.may(log.path, "r")
    if readable is False:
        finding = f"{log.path} cannot be read by {user.name}, as whom the server runs"
        return Check(name, CheckResult.BAD, finding, f"add {user.name} to the group of the file")
    if readable is None and not os.access(log.path, os.R_OK):
        finding = f"{log.path}: whether {user.name} may read it cannot be seen by this user"
        return Check(name, CheckResult.WARNING, finding, f"run this as {user.name} or as root")
    return _clock(name, log, log.path, log.timezone or settings.timezone)


def _journal(name: str, log: PostfixLog) -> Check:
    """Whether `journalctl` shows any of the entries that are followed."""
    try:
        newest = newest_entry(log.journal or "", log.journal_directory)
    except InvalidInput as error:
        advice = "the server's user has to be in the group systemd-journal or adm, and journalctl to be installed"
        return Check(name, CheckResult.BAD, f"{log.name}: {error.message}", advice)
    message = f"{log.name} for workspace {log.workspace}"
    if newest is None:
        finding = f"{message}: no entry matches, or this user may not see them"
        return Check(name, CheckResult.WARNING, finding, "`journalctl -n 1 MATCHES` as the server's user tells")
    age = time.time_ns() // 1_000_000 - newest
    told = f"{message}: newest entry of {hours(age)} ago"
    if age > _SILENT_MS:
        return Check(name, CheckResult.WARNING, told, "does Postfix still log to this journal, and match these terms?")
    return Check(name, CheckResult.GOOD, told)


def _clock(name: str, log: PostfixLog, path: Path, zone: ZoneInfo) -> Check:
    """Whether the newest stamp is that of the moment at which it was written, and that moment is not long ago."""
    now = time.time_ns() // 1_000_000
    newest = newest_line(path, zone, now)
    message = f"{path} for workspace {log.workspace}"
    if newest.stamped is None:
        if newest.empty:
            return Check(name, CheckResult.GOOD, f"{message}: empty")
        finding = f"{message}: no line near its end is understood"
        advice = "is this the log of a Postfix? `mailvane import postfix FILE --show-unparsed` shows such lines"
        return Check(name, CheckResult.WARNING, finding, advice)
    advice = (
        f"stamps that name no zone are read in {zone.key}: set the timezone of this log, or the clock of its writer"
    )
    if newest.stamped > now + TOLERANCE:
        finding = f"{message}: its newest line is stamped {hours(newest.stamped - now)} ahead"
        return Check(name, CheckResult.WARNING, finding, advice)
    if newest.early > TOLERANCE:
        found = f"its newest line is stamped {hours(newest.early)} before it was written"
        return Check(name, CheckResult.WARNING, f"{message}: {found}", advice)
    told = f"{message}: newest line of {hours(now - newest.stamped)} ago"
    if now - newest.written > _SILENT_MS:
        advice = "does Postfix still write to this file? After a rotation its writer has to open the new one"
        return Check(name, CheckResult.WARNING, told, advice)
    return Check(name, CheckResult.GOOD, told)


def hours(milliseconds: int) -> str:
    """A length of time: in hours and minutes, from three days on in days."""
    minutes = max(0, milliseconds) // MINUTE_MS
    days = minutes * MINUTE_MS // DAY_MS
    return f"{minutes // 60} h {minutes % 60} min" if days < _FROM_DAYS else f"{days:,} days"
