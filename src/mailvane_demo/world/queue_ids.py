"""Queue ids as Postfix makes them, short and long. Identifiers only: nothing is queued here.

A short id is the microsecond of arrival and the inode of the queue file, in hexadecimal; it comes back after a while.
A long id starts with the second of arrival, in a base of 52 digits that spells no words, and does not come back.
"""

from __future__ import annotations

_DIGITS = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
_SEPARATOR = "z"
_PAIRS = tuple(high + low for high in _DIGITS for low in _DIGITS)  # two digits of base 52 at once
_INODE_BASE = 51  # the separator is no digit of an inode


def short_queue_id(micros: int, inode: int) -> str:
    """The id of a mail that arrived at a time, in microseconds since the epoch."""
    return f"{micros % 1_000_000:05X}{inode:X}"


def long_queue_id(micros: int, inode: int) -> str:
    """The id of a mail that arrived at a time, in microseconds since the epoch."""
    second, fraction = divmod(micros, 1_000_000)
    rest, low = divmod(second, 2704)
    high, middle = divmod(rest, 2704)
    upper, lower = divmod(fraction, 2704)
    return f"{_PAIRS[high]}{_PAIRS[middle]}{_PAIRS[low]}{_PAIRS[upper]}{_PAIRS[lower]}{_SEPARATOR}{_inode(inode)}"


def _inode(inode: int) -> str:
    digits = ""
    while True:
        inode, digit = divmod(inode, _INODE_BASE)
        digits = _DIGITS[digit] + digits
        if not inode:
            return digits
