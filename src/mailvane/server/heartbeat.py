"""A monitor elsewhere is told again and again that all is well, and notices when it is not told any more.

Nothing is told while the server is not ready: a mail log or a ledger that does not answer, a log that is not read, a
full disk, events that wait for long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from mailvane.core.errors import CollectionFailed, StoreDamaged, StoreUnavailable
from mailvane.core.http_client import HttpClient
from mailvane.core.moments import MINUTE_MS
from mailvane.core.periodic import every
from mailvane.maillog.followed_logs import FollowedLogs
from mailvane.server.stores import Stores

_LATE_MS = 5 * MINUTE_MS  # ours: as `mailvane doctor` judges the journal
_MOST_BYTES = 64 * 1024  # of an answer that nobody reads


class Heartbeat:
    """For one address."""

    def __init__(self, url: str, seconds: int, look: Callable[[], None]) -> None:
        """`look` raises what is not well; it may block."""
        self._url = url
        self._seconds = seconds
        self._look = look

    async def run(self) -> None:
        """Until it is cancelled."""
        async with HttpClient("the heartbeat", most_bytes=_MOST_BYTES, pauses=()) as client:
            await every(self._seconds, "the heartbeat was not sent", partial(self.beat, client))

    async def beat(self, client: HttpClient) -> None:
        """Once. Raises what is not well, or CollectionFailed."""
        await asyncio.to_thread(self._look)
        answer = await client.ask(self._url)
        if answer.status >= 400:
            raise CollectionFailed(f"the heartbeat was answered with {answer.status}")


def all_is_well(
    stores: Stores, followed: FollowedLogs, find_room: Callable[[], None], clock: Callable[[], int]
) -> None:
    """Raises StoreFull, StoreUnavailable, StoreDamaged."""
    find_room()
    waiting = stores.recorder.waiting(clock())
    if waiting.oldest_ms > _LATE_MS:
        raise StoreUnavailable(f"events have waited for the mail log for {waiting.oldest_ms // MINUTE_MS} minutes")
    if stores.integrity.damage:
        raise StoreDamaged(stores.integrity.damage)
    stores.maillog.health(measured=False)
    followed.states()
