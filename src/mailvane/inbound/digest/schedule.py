"""The digests of each day: sent when their hour has come, to each address once; what failed is sent later.

A run that was missed, because nothing ran at the hour, is made up as soon as something does; of several missed days the
newest is made, as what is told is what is held then. Any number of processes may run one, and `mailvane quarantine
digest --scheduled` beside them: the ledger knows who was told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from mailvane.core.daily import Day, last_due
from mailvane.core.errors import Transient
from mailvane.core.leasing import Leasing
from mailvane.core.moments import HOUR_MS
from mailvane.inbound.digest.sending import Digest, Digests

log = logging.getLogger(__name__)

LEASE = "quarantine digest"
TRYING_MS = 20 * HOUR_MS  # then the next day's is near
_PAUSES = (60.0, 300.0, 900.0, 3600.0)  # seconds between tries


class NotSent(Transient):
    """A digest has not reached everybody yet."""


class DigestSchedule:
    """Belongs to one event loop."""

    def __init__(
        self,
        digests: Digests,
        workspaces: Callable[[], Sequence[int]],
        leasing: Leasing,
        clock: Callable[[], int],
        pauses: Sequence[float] = _PAUSES,
    ) -> None:
        self._digests = digests
        self._workspaces = workspaces
        self._leasing = leasing
        self._clock = clock
        self._pauses = pauses

    async def post(self, day: Day, now: int) -> None:
        """Until the day's digests have reached everybody, or it is too late for them."""
        tries = 0
        while True:
            try:
                await self.round(day, await asyncio.to_thread(self._workspaces))
            except Transient as error:
                log.warning("%s", error)
                if self._clock() - now >= TRYING_MS:
                    log.warning("the quarantine digest of %s is given up", due_on(day))
                    return
            else:
                return
            await asyncio.sleep(self._pauses[min(tries, len(self._pauses) - 1)])
            tries += 1

    async def due(self, workspace: int, hour: int, zone: str) -> list[Digest]:
        """The digests of one workspace that are due now, sent unless they were. Raises NotSent."""
        return await self.round(last_due(self._clock(), hour, ZoneInfo(zone)), [workspace])

    async def round(self, day: Day, workspaces: Sequence[int]) -> list[Digest]:
        """Send to those who were not told. Raises NotSent: not everybody was reached, or another process is at it."""
        async with self._leasing.held(LEASE) as held:
            if held is None:
                raise NotSent("another process is at the quarantine digest")
            sent = [
                one
                for workspace in workspaces
                for one in await self._digests.send(workspace, due_on(day), self._clock(), once=True)
            ]
        failed = [one for one in sent if one.problem]
        if failed:
            raise NotSent(f"the quarantine digest has not reached {len(failed)} addresses: {failed[0].problem}")
        return sent


def due_on(day: Day) -> str:
    """The day on which what `last_due` names is due: that behind the one that it tells of."""
    return (date.fromisoformat(day.name) + timedelta(days=1)).isoformat()
