"""How lines begin, in SQL: the forms of stamps that the plain path cuts, and the times and writers that they name.

An hour is told by `Stamps` itself, once; minutes and seconds are added to it. An hour that a change of clocks touches,
or that comes twice, is not for this path.
"""

from __future__ import annotations

from mailvane.core.moments import HOUR_MS
from mailvane.maillog.postfix.lines import Lines, Tag
from mailvane.maillog.postfix.stamps import MONTHS, Stamps

_LAST = 59 * 60_000 + 59_000  # milliseconds of an hour
_AT_THE_START = {"record": "0", "stamp": "''", "body": "line", "decoded": "1", "sound": "1", "kept": "''"}
_SYSLOG = _AT_THE_START | {
    "hour": "substring(body, 1, 9)",
    "past": "toUInt32OrZero(substring(body, 11, 2)) * 60000 + toUInt32OrZero(substring(body, 14, 2)) * 1000",
    "timed": r"match(substring(body, 1, 16), '^[A-Z][a-z]{2} [ \\d]\\d [0-2]\\d:[0-5]\\d:(?:[0-5]\\d|60) $')",
    "head": "17",
}
_INTERNET = {
    "hour": "concat(substring(stamp, 1, 13),"
    r" extract(substring(stamp, 20, 20), '^(?:\\.\\d+)?(Z|[+-]\\d\\d:\\d\\d)? '))",
    "past": "toUInt32OrZero(substring(stamp, 15, 2)) * 60000 + toUInt32OrZero(substring(stamp, 18, 2)) * 1000"
    " + if(substring(stamp, 20, 1) = '.', toUInt32OrZero(substring(stamp, 21, 3)), 0)",
    "timed": r"match(substring(stamp, 1, 40), '^\\d{4}-\\d\\d-\\d\\dT[0-2]\\d:[0-5]\\d:[0-5]\\d"
    r"(?:\\.\\d{3,9})?(?:Z|[+-]\\d\\d:\\d\\d)? ')",
}
_ISO = _AT_THE_START | _INTERNET | {"stamp": "line", "head": "position(body, ' ') + 1"}
_OF_DOCKER = ("log", "time")
_OF_JOURNALD = (
    "MESSAGE", "SYSLOG_IDENTIFIER", "_HOSTNAME", "_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP", "SYSLOG_PID",
    "_PID",
)  # fmt: skip


def _decoded(fields: tuple[str, ...], others: tuple[str, ...], time: str) -> str:
    """Whether a record has these fields as texts, once each at most, the others not, and no name in another spelling.

    Without a time it may be one that the engine cannot read at all.
    """
    once = (
        f"""countSubstrings(line, '"{name}"') <= 1 AND (position(line, '"{name}"') = 0"""
        f""" OR position(line, '"{name}":"') > 0 OR position(line, '"{name}": "') > 0)"""
        for name in fields
    )
    none = (f"""position(line, '"{name}"') = 0""" for name in others)
    spelt = r"""(position(line, '\\u') = 0 OR NOT match(line, '\\\\u[0-9a-fA-F]{4}(?:[^"\\\\]|\\\\.)*" ?:'))"""
    whole = " AND ".join((f"{time} != ''", *once, *none, spelt))
    return f"NOT startsWith(line, '{{') OR ({whole})"


def _record(fields: tuple[str, ...]) -> str:
    return f"JSONExtract(line, 'Tuple({', '.join(f'`{name}` String' for name in fields)})')"


_DOCKER = _INTERNET | {
    "record": _record(_OF_DOCKER),
    "stamp": "concat(record.2, ' ')",
    "body": r"if(startsWith(line, '{'), trimRight(record.1, '\r\n'), line)",
    "decoded": _decoded(_OF_DOCKER, _OF_JOURNALD, "record.2"),
    "sound": "1",
    "kept": "whole",
    "hour": f"concat({_INTERNET['hour']}, '|', {_SYSLOG['hour']})",
    "timed": f"{_INTERNET['timed']} AND {_SYSLOG['timed']}",
    "head": "17",
}
_MICROS = "if(record.4 != '', record.4, record.5)"
_JOURNALD = {
    "record": _record(_OF_JOURNALD),
    "stamp": _MICROS,
    "body": "if(startsWith(line, '{'),"
    " concat(record.3, ' ', record.2, '[', if(record.6 != '', record.6, record.7), ']: ', record.1), line)",
    "decoded": _decoded(_OF_JOURNALD, _OF_DOCKER, "stamp"),
    "sound": r"match(record.2, '^[A-Za-z0-9][\\w.+/-]*$') AND match(record.3, '^[\\w.-]+$')",
    "kept": "whole",
    "hour": "toString(intDiv(toUInt64OrZero(stamp), 3600000000))",
    "past": "intDiv(toUInt64OrZero(stamp) % 3600000000, 1000)",
    "timed": r"match(stamp, '^\\d{1,17}$') AND record.2 != ''",
    "head": "1",
}
EXPRESSIONS = frozenset(_DOCKER)


class Form:
    """Of the stamps of one block."""

    def __init__(self, expressions: dict[str, str], stamps: Stamps) -> None:
        self.expressions = expressions
        self._stamps = stamps
        self._lines = Lines(stamps)

    @property
    def is_wrapped(self) -> bool:
        """Whether each line is a record of which the text is a part."""
        return self.expressions is _DOCKER or self.expressions is _JOURNALD

    def time_of(self, hour: str) -> int | None:
        """When an hour begins; None if its other times do not follow from that."""
        before = self._stamps.repeated
        first, last = self._ends(hour)
        if first is None or last is None or last - first != _LAST or self._stamps.repeated != before:
            return None
        return first

    def _ends(self, hour: str) -> tuple[int | None, int | None]:
        """The times of its first second and its last."""
        stamps = self._stamps
        if self.expressions is _JOURNALD:
            first = int(hour) * HOUR_MS
            return first if stamps.possible(first) else None, first + _LAST if stamps.possible(first + _LAST) else None
        hour, _, shown = hour.partition("|")
        if shown and None in (stamps.syslog(f"{shown}:00:00"), stamps.syslog(f"{shown}:59:59")):
            return None, None  # what stands before the text is no stamp
        if self.expressions is _SYSLOG:
            return stamps.syslog(f"{hour}:00:00"), stamps.syslog(f"{hour}:59:59")
        day, zone = hour[:13], hour[13:]
        return stamps.internet(f"{day}:00:00{zone}"), stamps.internet(f"{day}:59:59{zone}")

    def writer(self, prefix: str) -> Tag | None:
        """Whose lines have this host and tag; None if they may be read in another way."""
        return self._lines.writer(prefix)


def form_of_lines(text: bytes, stamps: Stamps) -> Form | None:
    """Of a block, by its first line; None if it is none that is cut here. The stamps are used up."""
    start = text[:20].decode("utf-8", "replace")
    if start[:3] in MONTHS and start[3:4] == " ":
        return Form(_SYSLOG, stamps)
    if start[:1] == "{":
        return Form(_DOCKER if start.startswith('{"log"') else _JOURNALD, stamps)
    return Form(_ISO, stamps) if start[4:5] == "-" and start[10:11] == "T" else None
