"""A small name server on this machine: UDP, one question a datagram. What it answers is for others to say.

It reads and writes packets (RFC 1035) by itself, as it is asked thousands of questions within a second or two.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address
from threading import Thread

import msgspec

_HEADER = struct.Struct("!6H")
_RECORD = struct.Struct("!HHHIH")
_KINDS = {"A": 1, "NS": 2, "PTR": 12, "MX": 15, "TXT": 16}
_NAMES = {number: kind for kind, number in _KINDS.items()}
_IN = 1
_OF_QUESTION = 0xC00C  # where the name of the question stands
_ANSWER, _AUTHORITATIVE, _RECURSION_WANTED, _RECURSION = 0x8000, 0x0400, 0x0100, 0x0080
_LIVES_SECONDS = 5
_ROOM = 1 << 20
_LONGEST_TEXT = 255
_PREFERENCE = struct.pack("!H", 10)

NOERROR, FORMERR, NXDOMAIN = 0, 1, 3


class Told(msgspec.Struct, frozen=True):
    """What is answered: records of the kind that was asked for, as text."""

    records: Sequence[str] = ()
    rcode: int = NOERROR


NOT_THERE = Told(rcode=NXDOMAIN)

Answers = Callable[[str, str, int], Told | None]
"""By name in lower case, kind and time; None: nothing is answered at all."""


class NameServer:
    """Answers on a free port for the length of a block."""

    def __init__(self, answers: Answers, clock: Callable[[], int]) -> None:
        self._answers = answers
        self._clock = clock
        self._open = False
        self.port = 0

    @contextmanager
    def running(self) -> Iterator[NameServer]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
            server.bind(("127.0.0.1", 0))
            self.port = server.getsockname()[1]
            self._open = True
            thread = Thread(target=self._serve, args=(server,), name="name server", daemon=True)
            thread.start()
            try:
                yield self
            finally:
                self._open = False
                # A thread that waits for a datagram wakes up by one.
                server.sendto(b"", ("127.0.0.1", self.port))
                thread.join()

    def _serve(self, server: socket.socket) -> None:
        while self._open:
            packet, client = server.recvfrom(4096)
            if answer := self.answer(packet):
                server.sendto(answer, client)

    def answer(self, packet: bytes) -> bytes | None:
        """None: to this, nothing is said."""
        if len(packet) < _HEADER.size:
            return None
        number, flags, questions, *_ = _HEADER.unpack_from(packet)
        if flags & _ANSWER:
            return None
        said = _ANSWER | _AUTHORITATIVE | _RECURSION | flags & _RECURSION_WANTED
        try:
            name, kind, end = _question(packet)
        except (ValueError, IndexError, struct.error):
            return _HEADER.pack(number, said | FORMERR, 0, 0, 0, 0)
        if questions != 1:
            return _HEADER.pack(number, said | FORMERR, 0, 0, 0, 0)
        told = self._answers(name, _NAMES.get(kind, ""), self._clock())
        if told is None:
            return None
        head = _HEADER.pack(number, said | told.rcode, 1, len(told.records), 0, 0)
        return head + packet[_HEADER.size : end] + b"".join(_record(kind, text) for text in told.records)


def _question(packet: bytes) -> tuple[str, int, int]:
    """Name, kind, and where it ends. Raises ValueError, IndexError, struct.error."""
    labels, place = [], _HEADER.size
    while size := packet[place]:
        if size > 63 or place + size >= len(packet):
            raise ValueError("no label of a question")
        labels.append(packet[place + 1 : place + 1 + size].decode("ascii"))
        place += size + 1
    kind, _ = struct.unpack_from("!2H", packet, place + 1)
    return ".".join(labels).lower(), kind, place + 5


def _record(kind: int, text: str) -> bytes:
    data = _DATA[_NAMES[kind]](text)
    return _RECORD.pack(_OF_QUESTION, kind, _IN, _LIVES_SECONDS, len(data)) + data


def _name(text: str) -> bytes:
    return b"".join(bytes((len(label),)) + label.encode("ascii") for label in text.split(".")) + b"\0"


def _text(text: str) -> bytes:
    raw = text.encode()
    pieces = [raw[at : at + _LONGEST_TEXT] for at in range(0, len(raw), _LONGEST_TEXT)] or [b""]
    return b"".join(bytes((len(piece),)) + piece for piece in pieces)


_DATA: dict[str, Callable[[str], bytes]] = {
    "A": lambda text: IPv4Address(text).packed,
    "NS": _name,
    "PTR": _name,
    "MX": lambda text: _PREFERENCE + _name(text),
    "TXT": _text,
}
