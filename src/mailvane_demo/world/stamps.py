"""How a log line is dressed: classic syslog, RFC 3339, or a record of the systemd journal. Always UTC.

A line comes in as its time and the rest: host, process and text, as classic syslog writes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache

from mailvane_demo.world.log import Line

_REST = re.compile(r"(\S+) ([^\[:]+)(?:\[(\d+)\])?: (.*)", re.DOTALL)


class LogFormat(StrEnum):
    """What the lines of a log look like."""

    SYSLOG = "syslog"  # RFC 3164: "Oct  1 00:00:00 host …", no year, no fraction
    RFC3339 = "rfc3339"  # "2026-10-01T00:00:00.123000+00:00 host …"
    JOURNAL = "journal"  # one JSON object a line, as `journalctl --output json` prints


@lru_cache(maxsize=8)
def _syslog_stamp(second: int) -> str:
    when = datetime.fromtimestamp(second, UTC)
    return f"{when:%b} {when.day:2d} {when:%H:%M:%S} "


def dressed_second(at: int) -> str:
    """A time as classic syslog writes it, for texts that mention one."""
    return _syslog_stamp(at // 1000).rstrip()


@lru_cache(maxsize=8)
def _rfc3339_stamp(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"


def _syslog(lines: Iterable[Line]) -> Iterator[str]:
    second, stamp = -1, ""
    for at, rest in lines:
        if at // 1000 != second:
            second = at // 1000
            stamp = _syslog_stamp(second)
        yield stamp + rest


def _rfc3339(lines: Iterable[Line]) -> Iterator[str]:
    for at, rest in lines:
        second, fraction = divmod(at, 1000)
        yield f"{_rfc3339_stamp(second)}.{fraction:03d}000+00:00 {rest}"


def _journal(lines: Iterable[Line]) -> Iterator[str]:
    for at, rest in lines:
        found = _REST.fullmatch(rest)
        host, process, pid, text = found.groups() if found else ("localhost", "", None, rest)
        record = {
            "__REALTIME_TIMESTAMP": f"{at * 1000}",
            "PRIORITY": "4" if text.startswith("warning: ") else "6",
            "SYSLOG_FACILITY": "2",
            "SYSLOG_IDENTIFIER": process,
            "SYSLOG_TIMESTAMP": _syslog_stamp(at // 1000),
            "_HOSTNAME": host,
            "_TRANSPORT": "syslog",
            "MESSAGE": text,
        }
        if pid:
            record |= {"SYSLOG_PID": pid, "_PID": pid}
        yield json.dumps(record)


_DRESSES: dict[LogFormat, Callable[[Iterable[Line]], Iterator[str]]] = {
    LogFormat.SYSLOG: _syslog,
    LogFormat.RFC3339: _rfc3339,
    LogFormat.JOURNAL: _journal,
}


def dressed(lines: Iterable[Line], log_format: LogFormat) -> Iterator[str]:
    """The lines as they stand in a log, without line ends."""
    return _DRESSES[log_format](lines)
