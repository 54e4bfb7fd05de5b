"""Domains and logins on hold: a mail server takes their mail in and keeps it until it is let go. Blocking.

Postfix keeps it in its `hold` queue (access(5), HOLD). Whoever asks over HTTP is refused, as nobody keeps mail there.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from mailvane.core.errors import InvalidInput, NotFound
from mailvane.outbound.model import EVERY, LimitKind
from mailvane.outbound.send_limits import read_name

_LONGEST_NOTE = 500


class HoldKind(StrEnum):
    """Whose mail is held."""

    DOMAIN = "domain"  # that the mail counts for, governed or not
    LOGIN = "login"  # SASL login, address or not


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """One of them."""

    kind: HoldKind
    name: str
    held_at: int
    actor: str
    note: str = ""


class HoldStore(Protocol):
    """In the ledger."""

    def all(self) -> Sequence[Hold]:
        """By kind and name."""

    def put(self, hold: Hold) -> None: ...

    def remove(self, kind: HoldKind, name: str) -> bool:
        """Whether there was one."""


class Holds:
    """Any number of threads may use one."""

    def __init__(self, store: HoldStore) -> None:
        self._store = store

    def all(self) -> Sequence[Hold]:
        """By kind and name."""
        return self._store.all()

    def hold(self, kind: HoldKind, name: str, actor: str, now: int, note: str = "") -> Hold:
        """From the next mail on. Raises InvalidInput."""
        if len(note) > _LONGEST_NOTE or not note.isprintable():
            raise InvalidInput(f"a note has up to {_LONGEST_NOTE} characters that can be shown")
        found = Hold(kind=kind, name=held_name(kind, name), held_at=now, actor=actor, note=note)
        self._store.put(found)
        return found

    def release(self, kind: HoldKind, name: str) -> str:
        """New mail passes again; its name as it was held. What a mail server keeps stays there.

        Raises NotFound, InvalidInput.
        """
        read = held_name(kind, name)
        if not self._store.remove(kind, read):
            raise NotFound(f"the {kind} {name[:80]} is not on hold")
        return read


def held_name(kind: HoldKind, name: str) -> str:
    """The name that mail is compared with. Raises InvalidInput."""
    found = read_name(LimitKind(kind.value), name)
    if found == EVERY:
        raise InvalidInput(f"name one {kind}: to stop all mail, stop the mail server")
    return found
