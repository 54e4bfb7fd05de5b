"""The `[[postfix]]` tables of the settings file: which logs are followed. Values only."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from mailvane.core.errors import InvalidSetting
from mailvane.core.setting_tables import beside, check_name, time_zone


class PostfixLog(msgspec.Struct, frozen=True):
    """One `[[postfix]]` table: a log file to follow, and the relay whose mail it tells of."""

    path: Path
    workspace: str
    relay: int | None = None  # the workspace's first active one when not given
    timezone: ZoneInfo | None = None  # of stamps that name none; the setting `timezone` when not given


def read_postfix_logs(path: Path, tables: object) -> tuple[PostfixLog, ...]:
    """The tables of a settings file. Raises InvalidSetting with one line that says which key and what is expected."""
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise InvalidSetting(f"{path}: postfix: expected tables that begin with [[postfix]]")
    logs: list[PostfixLog] = []
    for number, table in enumerate(tables, 1):
        where = f"{path}: postfix table {number}: "
        found = _postfix_log(path, table, where)
        if any(found.path == other.path for other in logs):
            raise InvalidSetting(f"{where}{found.path} has a table already: its mails would count twice")
        logs.append(found)
    return tuple(logs)


def _postfix_log(path: Path, table: dict[str, Any], where: str) -> PostfixLog:
    for key, value in table.items():
        check_name(key, PostfixLog.__struct_fields__, "key", where)
        if key != "relay" and not (isinstance(value, str) and value.strip()):
            raise InvalidSetting(f"{where}{key}: expected text in quotes")
    for key in ("path", "workspace"):
        if key not in table:
            raise InvalidSetting(f"{where}{key} is missing")
    relay = table.get("relay")
    if "relay" in table and (not isinstance(relay, int) or isinstance(relay, bool) or relay < 1):
        raise InvalidSetting(f"{where}relay: expected the number of a relay")
    try:
        zone = time_zone(table["timezone"]) if "timezone" in table else None
    except InvalidSetting as error:
        raise InvalidSetting(f"{where}timezone: {error.message}") from None
    return PostfixLog(beside(path, table["path"]), table["workspace"].strip(), relay, zone)
