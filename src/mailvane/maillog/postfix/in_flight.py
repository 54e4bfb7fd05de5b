"""What the state machine has in flight, as those see it who tell mails without it."""

from __future__ import annotations

import msgspec

from mailvane.maillog.postfix.connections import Connections
from mailvane.maillog.postfix.queue_entries import QueueEntries


class InFlight(msgspec.Struct, frozen=True):
    """What is in flight, as far as mails elsewhere may have to do with it."""

    clock: int
    queue_ids: frozenset[str]
    message_ids: frozenset[str]
    named: dict[str, int]  # open entries that have a Message-ID, by key, with the time of their newest line
    nameless: dict[str, int]  # the others, with their pending recipients
    connections: tuple[tuple[str, str, str, int], ...]  # host and process, peer, TLS version, time
    judged: frozenset[str]  # of these, those whose next mail has its verdict or its login already
    proxied: bool  # a before-queue filter has mail


def in_flight(entries: QueueEntries, connections: Connections) -> InFlight:
    """As it is now."""
    register, processes = entries.register, connections.register.values
    return InFlight(
        clock=entries.marks.clock,
        queue_ids=frozenset(entry.queue_id for entry in register),
        message_ids=frozenset(entry.message_id for entry in register if entry.message_id),
        named={entry.key: entry.seen for entry in register if entry.message_id and not entry.closed},
        nameless={entry.key: entry.pending for entry in register if not entry.message_id and not entry.closed},
        connections=tuple((key, each.peer, each.tls, each.seen) for key, each in processes.items()),
        judged=frozenset(key for key, each in processes.items() if each.pending_verdict or each.login),
        proxied=bool(connections.in_filter),
    )
