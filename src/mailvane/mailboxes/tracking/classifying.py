"""Has replies judged by a classifier, and tells the journal: tags of a program, against which a person's always hold.

A reply waits in the ledger with its text until it is judged, or until it was asked about in vain for about a day. Then
it stays untagged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

from mailvane.core.errors import CollectionFailed, NotFound
from mailvane.core.leasing import Leasing
from mailvane.core.moments import HOUR_MS
from mailvane.core.periodic import every
from mailvane.core.tenants.service import Tenancy
from mailvane.mailboxes.store.tracking import TrackingStore
from mailvane.mailboxes.tracking.classifier import Classifier, UnclearAnswer
from mailvane.mailboxes.tracking.model import Reaction, Waiting
from mailvane.mailboxes.tracking.originals import Found, originals
from mailvane.mailboxes.tracking.settling import Record
from mailvane.maillog.interface import OpenMailLog
from mailvane.maillog.model import EventBatch, EventType, JournalEntry, MailEvent, MailKey

log = logging.getLogger(__name__)

SOURCE = "classifier"
LEASE = "classifier of replies"
_EVERY_SECONDS = 2.0
_AT_ONCE = 20
_FIRST_RETRY_MS, _LONGEST_RETRY_MS = 5_000, 3 * HOUR_MS
_MOST_TRIES = 18  # ours: about a day


class Books(NamedTuple):
    """What it reads and writes."""

    store: TrackingStore
    maillog: Callable[[], OpenMailLog]
    tenancy: Tenancy
    record: Record


class Classifying:
    """Several nodes may run it: one at a time asks."""

    def __init__(self, books: Books, classifier: Callable[[], Classifier], clock: Callable[[], int]) -> None:
        """`classifier` is made once, within the loop."""
        self._books = books
        self._make = classifier
        self._clock = clock

    async def run(self, leasing: Leasing) -> None:
        """Until it is cancelled."""
        classifier = self._make()

        async def alone() -> bool:
            async with leasing.held(LEASE) as held:
                return held is not None and await self.round(classifier)

        await every(_EVERY_SECONDS, "judging replies", alone)

    async def round(self, classifier: Classifier) -> bool:
        """Judge what is due; whether there may be more. While nobody answers, all are put off.

        Raises StoreUnavailable.
        """
        due = await asyncio.to_thread(self._books.store.due, self._clock(), _AT_ONCE, True)
        found = await asyncio.to_thread(self._originals, due)
        for place, one in enumerate(due):
            if one.reaction.mail not in found:
                await asyncio.to_thread(self._put_off, [one])
                continue
            try:
                positive = await classifier.is_positive(one.reaction.subject, one.reaction.text)
            except UnclearAnswer as error:
                log.warning("a reply stays untagged for now: %s", error.message)
                await asyncio.to_thread(self._put_off, [one])
                continue
            except CollectionFailed as error:
                log.warning("replies stay untagged for now: %s", error.message)
                await asyncio.to_thread(self._put_off, due[place:])
                return False
            await asyncio.to_thread(self._tell, one.reaction, found[one.reaction.mail], positive)
        return len(due) == _AT_ONCE

    def _originals(self, due: Sequence[Waiting]) -> Found:
        found: Found = {}
        for workspace in sorted({one.reaction.workspace for one in due}):
            relays = tuple(relay.id for relay in self._books.tenancy.relays(workspace))
            own = [one for one in due if one.reaction.workspace == workspace]
            found |= originals(self._books.maillog(), workspace, relays, own) if relays else {}
        return found

    def _put_off(self, waiting: Sequence[Waiting]) -> None:
        now = self._clock()
        self._books.store.settle([one.reaction.digest for one in waiting if one.tries >= _MOST_TRIES])
        self._books.store.put_off(
            [(one.reaction, now + _pause(one.tries)) for one in waiting if one.tries < _MOST_TRIES]
        )

    def _tell(self, reply: Reaction, answered: tuple[MailKey, str], positive: bool) -> None:
        key, recipient = answered
        try:
            retention = self._books.tenancy.workspace_of(reply.workspace).retention_days
        except NotFound:
            self._books.store.settle([reply.digest])
            return
        now, name = self._clock(), f"{SOURCE}:{reply.digest.hex()}"
        event = MailEvent(
            relay=key.relay, accepted_at=key.accepted_at, number=key.number, type=EventType.TAGGED, at=now,
            recipient=recipient, positive=positive, automatic=True, source=SOURCE,
            raw=f"0\ttagged {'positive' if positive else 'negative'} by the classifier",
        )  # fmt: skip
        batch = EventBatch(name, reply.workspace, retention, [event])
        self._books.record(JournalEntry(batch=batch, event_ids=(name,)), now)
        self._books.store.settle([reply.digest])


def _pause(tries: int) -> int:
    return int(min(_LONGEST_RETRY_MS, _FIRST_RETRY_MS * 2 ** min(tries, 30)))
