"""A DNS question and its answer as bytes. Pure, and made for hundreds of thousands of them; opens no socket.

What happens most, a name that is not there or a few addresses, is read by hand; all else is dnspython's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from socket import inet_ntoa

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rdtypes.ANY.MX
import dns.rdtypes.ANY.NS
import dns.rdtypes.ANY.PTR
import dns.rdtypes.ANY.TXT
import dns.rdtypes.IN.A

from mailvane.core.names import canonical_name

# With the class IN.
A, NS, PTR = b"\0\x01\0\x01", b"\0\x02\0\x01", b"\0\x0c\0\x01"
MX, TXT = b"\0\x0f\0\x01", b"\0\x10\0\x01"
_ASKING = b"\x01\0\0\x01\0\0\0\0\0\x01"  # recursion desired; one question, one record besides
_EDNS = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"  # room for 1232 bytes, what passes every network in one piece
_START = 12  # of the question
_OWN_NAME = b"\xc0\x0c"  # "the name that stands at 12"
_RECORD_HEAD = 12  # bytes of a record of that name, before what it holds
_NO_SUCH_NAME = 3
# Flags and counts of an answer that is NXDOMAIN and nothing else, with or without recursion, AD and CD.
_NOT_THERE = frozenset(
    bytes([0x80 | first, _NO_SUCH_NAME | second, 0, 1, 0, 0])
    for first in (0, 1, 4, 5)
    for second in (0, 0x10, 0x20, 0x30, 0x80, 0x90, 0xA0, 0xB0)
)
_LONGEST_LABEL = 63
_LONGEST_NAME = 255


class Trouble(str):
    """Why an answer tells nothing."""

    __slots__ = ()


TRUNCATED = Trouble("truncated")
MALFORMED = Trouble("malformed answer")
CONTRADICTORY = Trouble("records of a name that is said not to be there")

Records = Callable[[bytes, int], Sequence[str]]
"""Reads an answer whose question ends at a place. Raises ValueError or a DNSException."""


def labels(name: str) -> bytes:
    """A name without the root, to have others follow it. Raises ValueError."""
    if not name:
        return b""
    if name.isascii() and "\\" not in name:
        parts = [part.encode() for part in name.lower().removesuffix(".").split(".")]
    else:
        parts = list(_parsed(name).canonicalize().labels[:-1])
    if not all(0 < len(part) <= _LONGEST_LABEL for part in parts):
        raise ValueError(f"{name[:80]!r} has a label that is empty or longer than {_LONGEST_LABEL}")
    return b"".join(len(part).to_bytes(1, "big") + part for part in parts)


@lru_cache(64)
def endings(names: tuple[str, ...], kind: bytes) -> tuple[bytes, ...]:
    """What questions end in that are asked below these names. Raises ValueError."""
    return tuple(labels(name) + b"\0" + kind for name in names)


def questions(begins: bytes, ends: Sequence[bytes]) -> list[bytes]:
    """Each as it stands in a message, and in every answer to it. Raises ValueError."""
    if len(begins) + max(map(len, ends), default=0) > _LONGEST_NAME + len(A):
        raise ValueError("the name is too long")
    return [begins + end for end in ends]


def message(number: bytes, asked: bytes) -> bytes:
    return number + _ASKING + asked + _EDNS


def read(data: bytes, asked: bytes, records: Records) -> Sequence[str] | Trouble | None:
    """The records; none of them where the name is not there; nothing at all when this answers no such question."""
    if not data.startswith(asked, _START) and data[_START : _START + len(asked)].lower() != asked:
        return None
    if data[2:8] in _NOT_THERE:
        return ()
    if data[2] & 0xF8 != 0x80 or data[4:6] != b"\0\x01":  # it is a question itself, or has several
        return None
    if data[2] & 0x02:
        return TRUNCATED
    code = data[3] & 0x0F
    if code not in (0, _NO_SUCH_NAME):
        return Trouble(dns.rcode.to_text(dns.rcode.Rcode(code)))
    try:
        if data[6:8] == b"\0\0":
            # An answer without records: the name has none of this kind, or whoever answers does not know.
            response = dns.message.from_wire(data)
            if response.rcode() != code:  # it has more bits further back
                return Trouble(dns.rcode.to_text(response.rcode()))
            kinds = {rrset.rdtype for rrset in response.authority}
            elsewhere = (
                dns.rdatatype.NS in kinds and dns.rdatatype.SOA not in kinds and not response.flags & dns.flags.AA
            )
            return Trouble("it names other servers instead of asking them") if elsewhere else ()
        found = records(data, _START + len(asked))
    except (ValueError, OSError, LookupError, dns.exception.DNSException):
        return MALFORMED
    return CONTRADICTORY if found and code == _NO_SUCH_NAME else found


def addresses_in(data: bytes, end: int) -> list[str]:
    plain = _plain_records(data, end, A)
    if plain is None:
        return [one.address for one in _records(data) if isinstance(one, dns.rdtypes.IN.A.A)]
    return [inet_ntoa(record) for record in plain]


def texts_in(data: bytes, end: int) -> list[str]:
    """Each in one piece."""
    plain = _plain_records(data, end, TXT)
    if plain is None:
        found = [one for one in _records(data) if isinstance(one, dns.rdtypes.ANY.TXT.TXT)]
        return [b"".join(one.strings).decode("utf-8", "replace") for one in found]
    return [b"".join(_strings(record)).decode("utf-8", "replace") for record in plain]


def names_in(data: bytes, _end: int) -> list[str]:
    found = [one for one in _records(data) if isinstance(one, dns.rdtypes.ANY.PTR.PTR)]
    return [one.target.to_text(omit_final_dot=True).lower() for one in found]


def servers_in(data: bytes, _end: int) -> list[str]:
    found = [one for one in _records(data) if isinstance(one, dns.rdtypes.ANY.NS.NS)]
    return sorted(one.target.to_text(omit_final_dot=True).lower() for one in found)


def exchangers_in(data: bytes, _end: int) -> list[str]:
    """A null MX (RFC 7505) says that there are none."""
    found = [one for one in _records(data) if isinstance(one, dns.rdtypes.ANY.MX.MX)]
    names = [one.exchange.to_text(omit_final_dot=True).lower() for one in found]
    return [name for name in names if name not in ("", ".", "@")]


def preferred_exchangers_in(data: bytes, _end: int) -> list[str]:
    """Each as `PREFERENCE NAME`, the one that is tried first in front; the name of a null MX is empty."""
    found = [one for one in _records(data) if isinstance(one, dns.rdtypes.ANY.MX.MX)]
    told = sorted((one.preference, one.exchange.to_text(omit_final_dot=True).lower()) for one in found)
    return [f"{preference} {name.removesuffix('.')}" for preference, name in told]


def as_message(asked: bytes) -> dns.message.Message:
    """For those who ask by other means."""
    return dns.message.from_wire(message(b"\0\0", asked))


def _plain_records(data: bytes, end: int, kind: bytes) -> list[bytes] | None:
    """What the records hold if all are of this kind and of the very name that was asked for, as most are."""
    begins, at, found = _OWN_NAME + kind, end, []
    for _ in range(int.from_bytes(data[6:8], "big")):
        held = at + _RECORD_HEAD
        at = held + int.from_bytes(data[held - 2 : held], "big")
        if not data.startswith(begins, held - _RECORD_HEAD) or len(data) < at:
            return None
        found.append(data[held:at])
    return found


def _strings(record: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(record):
        until = at + 1 + record[at]
        if until > len(record):
            raise ValueError("a string is longer than its record")
        yield record[at + 1 : until]
        at = until


def _records(data: bytes) -> list[object]:
    """Of the name that was asked for, or of the one that it is another name of."""
    response = dns.message.from_wire(data)
    if not isinstance(response, dns.message.QueryMessage):
        raise dns.message.NotQueryResponse
    return list(response.resolve_chaining().answer or ())


def _parsed(name: str) -> dns.name.Name:
    """With escapes, or in Unicode, which dnspython would read by IDNA 2003. Raises ValueError."""
    try:
        return dns.name.from_text(name if name.isascii() else canonical_name(name) or "..")
    except dns.exception.DNSException as error:
        raise ValueError(str(error)) from None
