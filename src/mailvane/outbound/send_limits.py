"""Limits of the operator for single mailboxes, logins and domains: an hour, a day and a month, side by side. Blocking.

They hold beside what a governed domain or a workspace's mailbox allows, and for domains that nobody governs, too.
"""

from __future__ import annotations

from typing import Any

import msgspec

from mailvane.core.errors import InvalidInput, NotFound
from mailvane.core.mailbox import read_mailbox
from mailvane.core.names import canonical_name
from mailvane.outbound.model import EVERY, LimitKind, LimitWindow, SenderLimit
from mailvane.outbound.store.limits import LimitStore

MOST = 2**31 - 1
_LONGEST_NAME = 512  # characters


class Standing(msgspec.Struct, frozen=True):
    """One window of a limit."""

    window: LimitWindow
    most: int
    sent: int  # what has passed in it until now


class LimitStanding(msgspec.Struct, frozen=True):
    """How far a mailbox, login or domain is from its limit."""

    kind: LimitKind
    name: str
    by_default: bool  # it has no limit of its own: that of all holds
    windows: tuple[Standing, ...]


class SendLimits:
    """Any number of threads may use one."""

    def __init__(self, store: LimitStore) -> None:
        self._store = store

    def all(self) -> list[SenderLimit]:
        """By kind and name; `*` names the limit of all that have none of their own."""
        return self._store.all()

    def set(self, kind: LimitKind, name: str, windows: dict[str, Any]) -> SenderLimit:
        """Give it these windows in place of those it has. Raises InvalidInput."""
        limit = checked_limit(kind, name, windows)
        self._store.put(limit)
        return limit

    def remove(self, kind: LimitKind, name: str) -> None:
        """Raises NotFound, InvalidInput."""
        if not self._store.remove(kind, read_name(kind, name)):
            raise NotFound(f"there is no limit of the {kind} {name[:80]}")

    def standing(self, kind: LimitKind, name: str, now: int) -> LimitStanding:
        """What holds for this name, and how much of it is used. Raises NotFound where nothing does, InvalidInput."""
        named = read_name(kind, name)
        found = self._store.of(kind, named)
        if found is None:
            raise NotFound(f"there is no limit of the {kind} {name[:80]}")
        by_default = found.name != named
        sent = self._store.sent(msgspec.structs.replace(found, name=named), now)
        windows = tuple(Standing(window, most, sent[window]) for window, most in found.windows)
        return LimitStanding(kind, named, by_default, windows)


def checked_limit(kind: LimitKind, name: str, windows: dict[str, Any]) -> SenderLimit:
    """Raises InvalidInput."""
    limit = SenderLimit(kind=kind, name=read_name(kind, name), **windows)
    if not limit.windows:
        raise InvalidInput("name the limit of an hour, a day or a month at least")
    if any(not 0 <= most <= MOST for _, most in limit.windows):
        raise InvalidInput(f"a limit is a number from 0 to {MOST}")
    return limit


def read_name(kind: LimitKind, text: str) -> str:
    """As requests name it. Raises InvalidInput."""
    name = text.strip()
    if name == EVERY:
        return name
    if kind is LimitKind.MAILBOX:
        return read_mailbox(name).address.lower()
    if kind is LimitKind.LOGIN:
        if not name or len(name) > _LONGEST_NAME or not name.isprintable():
            raise InvalidInput(f"a login has 1 to {_LONGEST_NAME} characters that can be shown")
        return name.lower()
    try:
        found = canonical_name(name)
    except ValueError:
        found = ""
    if not found:
        raise InvalidInput(f"{name[:80]!r} is no domain: expected one such as example.com, or {EVERY} for all")
    return found
