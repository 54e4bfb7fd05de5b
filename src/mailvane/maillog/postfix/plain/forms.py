"""How lines begin, in SQL: the forms of stamps that the plain path cuts, and the times and writers that they name.

An hour is told by `Stamps` itself, once; minutes and seconds are added to it. An hour that a change of clocks touches,
or that comes twice, is not for this path.
"""

from __future__ import annotations

from mailvane.maillog.postfix.lines import Lines, Tag
from mailvane.maillog.postfix.stamps import MONTHS, Stamps

_LAST = 59 * 60_000 + 59_000  # milliseconds of an hour
_SYSLOG = {
    "hour": "substring(line, 1, 9)",
    "past": "toUInt32OrZero(substring(line, 11, 2)) * 60000 + toUInt32OrZero(substring(line, 14, 2)) * 1000",
    "timed": r"match(substring(line, 1, 16), '^[A-Z][a-z]{2} [ \\d]\\d [0-2]\\d:[0-5]\\d:(?:[0-5]\\d|60) $')",
    "head": "17",
}
_ISO = {
    "hour": "concat(substring(line, 1, 13),"
    r" extract(substring(line, 20, 20), '^(?:\\.\\d+)?(Z|[+-]\\d\\d:\\d\\d)? '))",
    "past": "toUInt32OrZero(substring(line, 15, 2)) * 60000 + toUInt32OrZero(substring(line, 18, 2)) * 1000"
    " + if(substring(line, 20, 1) = '.', toUInt32OrZero(substring(line, 21, 3)), 0)",
    "timed": r"match(substring(line, 1, 40), '^\\d{4}-\\d\\d-\\d\\dT[0-2]\\d:[0-5]\\d:[0-5]\\d"
    r"(?:\\.\\d{3,9})?(?:Z|[+-]\\d\\d:\\d\\d)? ')",
    "head": "position(line, ' ') + 1",
}


class Form:
    """Of the stamps of one block."""

    def __init__(self, expressions: dict[str, str], stamps: Stamps) -> None:
        self.expressions = expressions
        self._stamps = stamps
        self._lines = Lines(stamps)

    def time_of(self, hour: str) -> int | None:
        """When an hour begins; None if its other times do not follow from that."""
        stamps = self._stamps
        before = stamps.repeated
        if self.expressions is _SYSLOG:
            first, last = stamps.syslog(f"{hour}:00:00"), stamps.syslog(f"{hour}:59:59")
        else:
            day, zone = hour[:13], hour[13:]
            first, last = stamps.internet(f"{day}:00:00{zone}"), stamps.internet(f"{day}:59:59{zone}")
        if first is None or last is None or last - first != _LAST or stamps.repeated != before:
            return None
        return first

    def writer(self, prefix: str) -> Tag | None:
        """Whose lines have this host and tag; None if they may be read in another way."""
        return self._lines.writer(prefix)


def form_of_lines(text: bytes, stamps: Stamps) -> Form | None:
    """Of a block, by its first line; None if it is none that is cut here. The stamps are used up."""
    start = text[:20].decode("utf-8", "replace")
    if start[:3] in MONTHS and start[3:4] == " ":
        return Form(_SYSLOG, stamps)
    return Form(_ISO, stamps) if start[4:5] == "-" and start[10:11] == "T" else None
