"""The question for the mails that have one of many Message-IDs, and its answer. Values only."""

from __future__ import annotations

import msgspec


class NamedQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which mails proper, accepted from `since` to `until`, have one of these Message-IDs?"""

    workspace: int
    relays: tuple[int, ...]
    message_ids: tuple[str, ...]
    addresses: tuple[str, ...]  # recipients to be named where a mail went to them, in lower case
    since: int
    until: int


class NamedMail(msgspec.Struct, frozen=True, gc=False):
    """One mail, with those of its recipients that the question named."""

    relay: int
    accepted_at: int
    number: int
    message_id: str
    author: str  # the address of From, or the envelope sender where that is not known
    first_recipient: str  # of all, in the order of their addresses; empty where none is known yet
    recipients: tuple[str, ...]
