"""The two tables of SNDS, comma separated and without a heading: data of addresses, and ranges that are blocked.

Pure. Stamps come in a time zone that the caller names; a period belongs to the day on which it begins.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import msgspec

from mailvane.core.errors import InvalidInput

MOST_ROWS = 1_000_000
MOST_IN_RANGE = 4096  # addresses that one blocked range is written out to
MOST_RANGES = 10_000
_STAMP = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?:\s+(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\s*([AaPp])\.?[Mm]\.?)?)?")
_COLOURS = ("GREEN", "YELLOW", "RED")  # from good to bad
_LONGEST_TEXT = 500
_COUNTS = ("rcpt_commands", "data_commands", "recipients", "trap_hits")


class Period(msgspec.Struct, frozen=True):
    """What SNDS says of an address at one day."""

    address: str
    day: int  # its beginning as if it were UTC: the days of a table are told apart by it, and shown
    data: Mapping[str, Any]


class BlockedRange(msgspec.Struct, frozen=True):
    """Addresses that Microsoft does not let in, and why."""

    first: str
    last: str
    reason: str = ""
    blocked: str = "Yes"

    def addresses(self, known: Iterable[str] = (), most: int = MOST_IN_RANGE) -> list[str]:
        """Every one; of a range that is too large only those that are known otherwise."""
        low, high = ip_address(self.first), ip_address(self.last)
        if int(high) - int(low) < most:
            kind = type(low)
            return [str(kind(number)) for number in range(int(low), int(high) + 1)]
        inside = (address for address in map(ip_address, known) if address.version == low.version)
        return [str(address) for address in inside if int(low) <= int(address) <= int(high)]


def rows(text: str) -> Iterator[tuple[int, Sequence[str]]]:
    """The rows that say something, numbered. Raises InvalidInput."""
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
    try:
        for cells in reader:
            if reader.line_num > MOST_ROWS:
                raise InvalidInput(f"more than {MOST_ROWS:,} lines")
            if any(cell.strip() for cell in cells) and not _is_heading(cells):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise InvalidInput(f"line {reader.line_num}: {error}") from None


def _is_heading(cells: Sequence[str]) -> bool:
    return cells[0].strip().lower() in ("ip", "ip address", "first ip", "first ip address")


def says_blocked(cells: Sequence[str]) -> bool:
    """Whether a row is of the table of blocked ranges: there, the second cell is an address."""
    return len(cells) > 1 and _address(cells[1]) is not None


def periods(lines: Iterable[tuple[int, Sequence[str]]], zone: tzinfo) -> list[Period]:
    """One for each address and day; several rows of a day are put together. Raises InvalidInput."""
    found: dict[tuple[str, int], Period] = {}
    for line, cells in lines:
        try:
            period = _period(cells, zone)
        except ValueError as error:
            raise InvalidInput(f"line {line}: {error}") from None
        known = found.get((period.address, period.day))
        found[period.address, period.day] = period if known is None else _together(known, period)
    return list(found.values())


def blocked_ranges(lines: Iterable[tuple[int, Sequence[str]]]) -> list[BlockedRange]:
    """Raises InvalidInput."""
    found: list[BlockedRange] = []
    for line, cells in lines:
        first, last = _address(cells[0]), _address(cells[1]) if len(cells) > 1 else None
        if first is None or last is None or first.version != last.version or int(first) > int(last):
            raise InvalidInput(f"line {line}: expected the first and the last address of a range")
        if len(found) >= MOST_RANGES:
            raise InvalidInput(f"line {line}: more than {MOST_RANGES:,} ranges")
        blocked, reason = (*cells[2:4], "", "")[:2]
        # ours: that a range is named at all says that it is blocked, unless it says otherwise.
        found.append(
            BlockedRange(
                str(first), str(last), reason[:_LONGEST_TEXT], "No" if blocked.lower() in ("no", "false") else "Yes"
            )
        )
    return found


def _period(cells: Sequence[str], zone: tzinfo) -> Period:
    address = _address(cells[0])
    if address is None:
        raise ValueError(f"{cells[0][:40]!r} is no address")
    cell = dict(enumerate(cells)).get
    begins, ends = _moment(cell(1), zone), _moment(cell(2), zone)
    if begins is None or ends is None:
        raise ValueError("expected when the activity began and ended")
    rcpt, recipients = _count(cell(3)), _count(cell(5))
    rate, is_bound = _rate(cell(7))
    traps_from, traps_to = _moment(cell(8), zone), _moment(cell(9), zone)
    text = cell(6)
    colour = (text or "").upper()
    if colour and colour not in _COLOURS:
        raise ValueError(f"{colour[:40]!r} is no filter result")
    data = {
        "period_from": _ms(begins),
        "period_to": _ms(ends),
        "rcpt_commands": rcpt,
        "data_commands": _count(cell(4)),
        "recipients": recipients,
        "filter_result": colour or None,
        **_bounced(rcpt, recipients),
        "complaint_rate": rate,
        "complaint_rate_upper_bound": is_bound,
        "trap_period_from": None if traps_from is None else _ms(traps_from),
        "trap_period_to": None if traps_to is None else _ms(traps_to),
        "trap_hits": 0 if cell(10) == "" else _count(cell(10)),
        "sample_helo": (cell(11) or "")[:_LONGEST_TEXT],
        "sample_mail_from": (cell(12) or "")[:_LONGEST_TEXT],
        "comments": (cell(13) or "")[:_LONGEST_TEXT],
    }
    day = begins.replace(hour=0, minute=0, second=0, tzinfo=UTC)
    return Period(str(address), _ms(day), data)


def _bounced(rcpt: int | None, recipients: int | None) -> dict[str, Any]:
    """# ours: SNDS has no such column; recipients that were named but not taken are the nearest thing."""
    if rcpt is None or recipients is None:
        return {"bounce": None, "bounce_rate": None}
    bounce = max(0, rcpt - recipients)
    return {"bounce": bounce, "bounce_rate": round(100 * bounce / rcpt, 4) if rcpt else 0.0}


def _together(one: Period, other: Period) -> Period:
    """Counts add up; of colours and rates the worse one counts."""
    first, second = one.data, other.data
    worse = max((first, second), key=lambda data: (data["complaint_rate"] or 0, not data["complaint_rate_upper_bound"]))
    merged = {
        **first,
        **{name: _sum(first[name], second[name]) for name in _COUNTS},
        "period_from": min(first["period_from"], second["period_from"]),
        "period_to": max(first["period_to"], second["period_to"]),
        "trap_period_from": min(
            (each for each in (first["trap_period_from"], second["trap_period_from"]) if each is not None), default=None
        ),
        "trap_period_to": max(
            (each for each in (first["trap_period_to"], second["trap_period_to"]) if each is not None), default=None
        ),
        "filter_result": max(
            (each for each in (first["filter_result"], second["filter_result"]) if each),
            key=_COLOURS.index,
            default=None,
        ),
        "complaint_rate": worse["complaint_rate"],
        "complaint_rate_upper_bound": worse["complaint_rate_upper_bound"],
    }
    merged |= _bounced(merged["rcpt_commands"], merged["recipients"])
    return Period(one.address, one.day, merged)


def _sum(one: int | None, other: int | None) -> int | None:
    return (one or 0) + (other or 0) if one is not None or other is not None else None


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _count(text: str | None) -> int | None:
    """None when the row ends before it."""
    if not text:
        return None
    plain = text.replace(",", "")
    if not (plain.isascii() and plain.isdigit() and len(plain) <= 15):
        raise ValueError(f"{text[:40]!r} is no count")
    return int(plain)


def _rate(text: str | None) -> tuple[float | None, bool]:
    """In percent, and whether it is only known to be below that."""
    if not text:
        return None, False
    is_bound = text.startswith("<")
    plain = text.lstrip("<").strip().rstrip("%").strip()
    if not re.fullmatch(r"\d{1,3}(\.\d{1,9})?", plain, re.ASCII) or float(plain) > 100:
        raise ValueError(f"{text[:40]!r} is no rate")
    return float(plain), is_bound


def _moment(text: str | None, zone: tzinfo) -> datetime | None:
    """As `12/31/2019 7:00 PM`, in their time zone."""
    if not text:
        return None
    found = _STAMP.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no time")
    month, day, year, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    half = (found[7] or "").lower()
    if half and not 1 <= hour <= 12:
        raise ValueError(f"{text[:40]!r} is no time")
    hour = hour % 12 + (12 if half == "p" else 0) if half else hour
    if not 1990 <= year <= 2200:
        raise ValueError(f"{text[:40]!r} is no time")
    return datetime(year, month, day, hour, minute, second, tzinfo=zone)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000
