"""Notices replies among the mail events on their way to the mail log, before they are stored there."""

from __future__ import annotations

from mailvane.mailboxes.store.tracking import TrackingStore
from mailvane.mailboxes.tracking.replies import replies_in
from mailvane.maillog.interface import EventStore
from mailvane.maillog.model import EventBatch

_AT_ONCE = 2_000


class NoticingReplies:
    """A batch that is stored again, after a failure, has its replies noted again: each is known by its digest."""

    def __init__(self, inner: EventStore, store: TrackingStore) -> None:
        self._inner = inner
        self._store = store

    def append(self, batch: EventBatch, doubtful: bool = False) -> None:
        """Raises StoreUnavailable, and what the store behind raises."""
        replies = replies_in(batch)
        for start in range(0, len(replies), _AT_ONCE):
            self._store.add([(reply, reply.at) for reply in replies[start : start + _AT_ONCE]])
        self._inner.append(batch, doubtful)
