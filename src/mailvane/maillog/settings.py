"""The `[[postfix]]` tables of the settings file: which logs are followed. Values only."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from mailvane.core.errors import InvalidSetting
from mailvane.core.setting_tables import beside, check_name, time_zone

_MATCH = re.compile(r"[A-Z0-9_]+=.+|\+")  # journalctl(1); + stands between alternatives


class PostfixLog(msgspec.Struct, frozen=True):
    """One `[[postfix]]` table: a log file to follow, or entries of journald, and the relay whose mail it tells of."""

    path: Path | None
    workspace: str
    relay: int | None = None  # the workspace's first active one when not given
    timezone: ZoneInfo | None = None  # of stamps that name none; the setting `timezone` when not given
    journal: str | None = None  # in place of a path: matches as journalctl takes them, such as SYSLOG_FACILITY=2
    journal_directory: Path | None = None  # this machine's own journal when not given

    @property
    def name(self) -> str:
        """What it is called in messages and metrics."""
        if self.path is not None:
            return str(self.path)
        return f"journald {self.journal}" + (f" in {self.journal_directory}" if self.journal_directory else "")


def read_postfix_logs(path: Path, tables: object) -> tuple[PostfixLog, ...]:
    """The tables of a settings file. Raises InvalidSetting with one line that says which key and what is expected."""
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise InvalidSetting(f"{path}: postfix: expected tables that begin with [[postfix]]")
    logs: list[PostfixLog] = []
    for number, table in enumerate(tables, 1):
        where = f"{path}: postfix table {number}: "
        found = _postfix_log(path, table, where)
        if any(found.name == other.name for other in logs):
            raise InvalidSetting(f"{where}{found.name} has a table already: its mails would count twice")
        logs.append(found)
    return tuple(logs)


def _postfix_log(path: Path, table: dict[str, Any], where: str) -> PostfixLog:
    for key, value in table.items():
        check_name(key, PostfixLog.__struct_fields__, "key", where)
        if key != "relay" and not (isinstance(value, str) and value.strip()):
            raise InvalidSetting(f"{where}{key}: expected text in quotes")
    if "path" in table and "journal" in table:
        raise InvalidSetting(f"{where}path and journal are two logs: give each a table")
    for key in ("journal" if "journal" in table else "path", "workspace"):
        if key not in table:
            raise InvalidSetting(f"{where}{key} is missing")
    if "journal_directory" in table and "journal" not in table:
        raise InvalidSetting(f"{where}journal_directory: there is no journal")
    wrong = [match for match in table.get("journal", "").split() if not _MATCH.fullmatch(match)]
    if wrong:
        raise InvalidSetting(f"{where}journal: {wrong[0]!r}: expected matches such as SYSLOG_FACILITY=2")
    relay = table.get("relay")
    if "relay" in table and (not isinstance(relay, int) or isinstance(relay, bool) or relay < 1):
        raise InvalidSetting(f"{where}relay: expected the number of a relay")
    try:
        zone = time_zone(table["timezone"]) if "timezone" in table else None
    except InvalidSetting as error:
        raise InvalidSetting(f"{where}timezone: {error.message}") from None
    directory = table.get("journal_directory")
    return PostfixLog(
        beside(path, table["path"]) if "path" in table else None,
        table["workspace"].strip(),
        relay,
        zone,
        " ".join(table["journal"].split()) if "journal" in table else None,
        beside(path, directory) if directory else None,
    )
