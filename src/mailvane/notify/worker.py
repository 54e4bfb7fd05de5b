"""Empties the outbox: tries, tries again later and later, and gives up on a target that failed for days.

A message that was taken and not settled, because the process was killed, is taken again when its time is over: what a
receiver gets may come twice, with the same id, and is never lost.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import msgspec

from mailvane.core.errors import Permanent, Transient
from mailvane.core.moments import DAY_MS
from mailvane.core.periodic import every
from mailvane.notify.model import Attempt, Channel, Notification, NotificationState, Released, Target
from mailvane.notify.notifier import NotDelivered, Notifier
from mailvane.notify.store.outbox import OutboxStore

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
PARTING_SECONDS = 2.0  # for what is under way when the server stops
HOLD_MS = 120_000  # longer than any try may take that begins within the patience
PATIENCE_MS = 30_000  # a message whose turn comes later is left to be taken again
GIVE_UP_MS = 5 * DAY_MS  # a target that failed for so long is not tried any more
_TOGETHER = 100
AT_ONCE = 32
# Seconds after the first try, the second, …; then always the last.
_PAUSES = (5, 15, 60, 300, 1800, 7200, 18_000, 36_000)


class Worker:
    """Belongs to one event loop; any number of nodes may run one."""

    def __init__(
        self,
        outbox: OutboxStore,
        notifiers: Sequence[Notifier],
        clock: Callable[[], int],
        quiet_until: Callable[[Notification, int], int] = lambda _notification, _now: 0,
        released: Callable[[Notification, int], Released] = lambda notification, _now: Released(notification),
    ) -> None:
        """`quiet_until` says when the quiet hours of a notification's channel end; 0: it is not within them.

        `released` says what is sent, when they are over, of what waited; or why nothing is.
        """
        self._quiet_until = quiet_until
        self._released = released
        self._outbox = outbox
        self._notifiers: Mapping[Channel, Notifier] = {each.channel: each for each in notifiers}
        self._clock = clock
        self._room = asyncio.Semaphore(AT_ONCE)
        self._turns: dict[tuple[int, Channel, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._under_way: set[asyncio.Task[None]] = set()
        self._in_hand: set[str] = set()  # ids of those that were taken and not settled

    async def run(self) -> None:
        """Until it is cancelled; a delivery that is then in progress gets a moment, and is left to the next worker."""
        try:
            await every(LOOK_SECONDS, "delivering what is in the outbox", self._took_some)
        finally:
            if self._under_way:
                await asyncio.wait(self._under_way, timeout=PARTING_SECONDS)
            for task in list(self._under_way):
                task.cancel()
            if self._in_hand:
                await asyncio.to_thread(self._outbox.let_go, self._clock(), HOLD_MS, frozenset(self._in_hand))

    async def _took_some(self) -> bool:
        return await self.round() > 0

    async def round(self) -> int:
        """Take what is due and begin to deliver it; how many. Waits while too much is under way."""
        while len(self._under_way) >= _TOGETHER:
            await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
        now = self._clock()
        due = await asyncio.to_thread(self._outbox.take, now, _TOGETHER, HOLD_MS)
        self._in_hand |= {notification.id for notification in due}
        for notification in due:
            task = asyncio.create_task(self._tell(notification, now))
            self._under_way.add(task)
            task.add_done_callback(partial(self._ended, notification.id))
        return len(due)

    def _ended(self, notification_id: str, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            self._in_hand.discard(notification_id)

    async def settled(self) -> None:
        """When everything that was begun has ended."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def _tell(self, notification: Notification, taken_at: int) -> None:
        """A slow target makes its own messages wait, and no others."""
        async with self._turns[notification.workspace, notification.channel, notification.target]:
            target = await asyncio.to_thread(self._target_of, notification)
            async with self._room:
                began = self._clock()
                if began - taken_at > PATIENCE_MS:
                    return  # it waited so long that it is about to be taken again
                due = await asyncio.to_thread(self._due, notification, began)
                if due is None:
                    return
                notification = due
                outcome, detail, pause = await self._try(notification, target, began)
            took = self._clock() - began
            attempt = Attempt(at=began, took_ms=took, outcome=outcome, detail=detail)
            await asyncio.to_thread(self._settle, notification, target, attempt, pause)

    def _due(self, notification: Notification, now: int) -> Notification | None:
        """As it is to be sent now; None when it waits for the end of quiet hours, or they took it away."""
        if until := self._quiet_until(notification, now):
            self._outbox.postpone(notification, now, until)
            return None
        if not notification.held_since:
            return notification
        released = self._released(notification, now)
        if released.notification is None:
            gone = msgspec.structs.replace(notification, state=NotificationState.WITHDRAWN)
            attempt = Attempt(at=now, took_ms=0, outcome="withdrawn", detail=released.why)
            self._outbox.settle_notification(gone, attempt)
        return released.notification

    def _target_of(self, notification: Notification) -> Target:
        place = (notification.channel, notification.target)
        known = self._outbox.targets(notification.workspace)
        return next(
            (one for one in known if (one.channel, one.target) == place),
            Target(workspace=notification.workspace, channel=notification.channel, target=notification.target),
        )

    async def _try(self, notification: Notification, target: Target, now: int) -> tuple[str, str, int]:
        notifier = self._notifiers.get(notification.channel)
        if target.disabled_at:
            return "permanent", "not tried: the target failed for days; send it again by hand to try", 0
        if notifier is None:
            return "permanent", f"{notification.channel} is not configured", 0
        try:
            return "delivered", (await notifier.deliver(notification, now)).detail, 0
        except NotDelivered as error:
            return "transient", error.message, error.retry_after_ms
        except Transient as error:
            return "transient", error.message, 0
        except Permanent as error:
            return "permanent", error.message, 0
        except Exception as error:
            log.exception("telling by %s failed", notification.channel)
            return "transient", type(error).__name__, 0

    def _settle(self, notification: Notification, target: Target, attempt: Attempt, pause: int) -> None:
        now = attempt.at + attempt.took_ms
        tried = notification.attempts + 1
        if attempt.outcome == "delivered":
            state, target = NotificationState.DELIVERED, msgspec.structs.replace(target, failing_since=0, disabled_at=0)
        else:
            target = msgspec.structs.replace(target, failing_since=target.failing_since or now)
            state = NotificationState.PENDING if attempt.outcome == "transient" else NotificationState.FAILED
            if now - target.failing_since >= GIVE_UP_MS:
                state = NotificationState.DISABLED
                target = msgspec.structs.replace(target, disabled_at=target.disabled_at or now)
        after = msgspec.structs.replace(
            notification,
            state=state,
            attempts=tried,
            next_at=now + max(pause, _pause(tried)),
            delivered_at=now if state is NotificationState.DELIVERED else 0,
        )
        self._outbox.settle_notification(after, attempt)
        self._outbox.save_target(target)


def _pause(tried: int) -> int:
    """Milliseconds until the next try; spread, so that a receiver that comes back is not met by all at once."""
    return int(_PAUSES[min(tried, len(_PAUSES)) - 1] * 1000 * random.uniform(1.0, 1.2))  # noqa: S311
