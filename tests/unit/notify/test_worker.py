"""The outbox is emptied: again and again where that may help, once where it did, by a ledger that is real."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailvane.core.errors import NotAllowed, Transient
from mailvane.notify import email
from mailvane.notify import worker as worker_module
from mailvane.notify.model import Channel, Notification, NotificationState
from mailvane.notify.notifier import Delivered, NotDelivered, Refused
from mailvane.notify.worker import AT_ONCE, GIVE_UP_MS, HOLD_MS, PATIENCE_MS, Worker
from mailvane.server.ledger import Ledger, open_ledger
from tests.ledgers import fresh_ledger

NOW = 1_790_000_000_000
HOUR = 3_600_000


class Hook:
    """A notifier that does what it is told, then delivers."""

    channel = Channel.WEBHOOK

    def __init__(self, *outcomes: Exception) -> None:
        self.outcomes = list(outcomes)
        self.delivered: list[str] = []
        self.tried = 0

    async def deliver(self, notification: Notification, now: int) -> Delivered:
        self.tried += 1
        if self.outcomes:
            raise self.outcomes.pop(0)
        self.delivered.append(notification.id)
        return Delivered("204")


class Post:
    def __init__(self, ledger: Ledger, hook: Hook) -> None:
        self.ledger = ledger
        self.hook = hook
        self.now = NOW
        self.workspace = ledger.tenants.add_workspace("one", NOW).id

    def post(self, ident: str = "msg_1", target: str = "https://h.example/") -> None:
        self.ledger.outbox.post([message(self.workspace, ident, target)])

    def rounds(self, count: int, hours: float = 0) -> None:
        async def several() -> None:
            worker = Worker(self.ledger.outbox, [self.hook], lambda: self.now)
            for _ in range(count):
                await worker.round()
                await worker.settled()
                self.now += int(hours * HOUR)

        asyncio.run(several())

    def state(self, ident: str = "msg_1") -> tuple[NotificationState, int]:
        (found,) = [one for one in self.ledger.outbox.notifications(self.workspace) if one.id == ident]
        return found.state, found.attempts


def message(workspace: int, ident: str, target: str) -> Notification:
    return Notification(
        id=ident, workspace=workspace, channel=Channel.WEBHOOK, target=target, body={}, created_at=NOW, next_at=NOW
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = fresh_ledger(tmp_path / "ledger.sqlite")
    yield ledger
    ledger.close()


def test_a_receiver_that_fails_twice_gets_it_once(ledger: Ledger) -> None:
    post = Post(ledger, Hook(NotDelivered("503"), NotDelivered("no answer")))
    post.post()
    post.rounds(10, hours=0.1)
    assert post.hook.delivered == ["msg_1"]
    assert post.state() == (NotificationState.DELIVERED, 3)
    assert [one.outcome for one in ledger.outbox.attempts(post.workspace, "msg_1")] == [
        "transient",
        "transient",
        "delivered",
    ]
    assert [target.failing_since for target in ledger.outbox.targets(post.workspace)] == [0]


def test_pauses_grow_and_a_receiver_that_names_one_is_obeyed(ledger: Ledger) -> None:
    post = Post(ledger, Hook(*[NotDelivered("503")] * 20, NotDelivered("429", 20 * HOUR)))
    post.post()
    post.rounds(24 * 60, hours=1 / 60)
    assert 6 <= post.hook.tried <= 9, "within a day"


@pytest.mark.parametrize("error", [Refused("404"), NotAllowed("10.0.0.1 is not a public address")])
def test_what_will_not_be_taken_is_not_tried_again(ledger: Ledger, error: Exception) -> None:
    post = Post(ledger, Hook(error))
    post.post()
    post.rounds(5, hours=24)
    assert (post.hook.tried, post.state()) == (1, (NotificationState.FAILED, 1))
    assert ledger.outbox.attempts(post.workspace, "msg_1")[0].detail == str(error)


def test_what_nobody_foresaw_is_tried_again(ledger: Ledger) -> None:
    post = Post(ledger, Hook(RuntimeError("bug"), Transient("away")))
    post.post()
    post.rounds(5, hours=1)
    assert post.hook.delivered == ["msg_1"]


def test_a_target_that_failed_for_days_is_left_alone_until_somebody_asks(ledger: Ledger) -> None:
    post = Post(ledger, Hook(*[NotDelivered("no answer")] * 1000))
    post.post()
    post.rounds(GIVE_UP_MS // HOUR + 20, hours=1)
    assert post.state()[0] is NotificationState.DISABLED
    tried = post.hook.tried
    post.post("msg_2")
    post.rounds(3, hours=24)
    assert (post.hook.tried, post.state("msg_2")[0]) == (tried, NotificationState.DISABLED)
    post.hook.outcomes.clear()
    ledger.outbox.resend(post.workspace, "msg_2", post.now)
    post.rounds(1)
    assert post.hook.delivered == ["msg_2"]


def test_a_slow_target_makes_no_other_wait(ledger: Ledger) -> None:
    arrived: list[str] = []

    class Slow(Hook):
        async def deliver(self, notification: Notification, now: int) -> Delivered:
            if "slow" in notification.target:
                await release.wait()
            arrived.append(notification.id)
            return Delivered()

    post = Post(ledger, Slow())
    for number in range(5):
        post.post(f"slow{number}", "https://slow.example/")
    post.post("quick", "https://quick.example/")
    release = asyncio.Event()

    async def scene() -> None:
        worker = Worker(ledger.outbox, [post.hook], lambda: NOW)
        await worker.round()
        async with asyncio.timeout(10):
            while arrived != ["quick"]:
                await asyncio.sleep(0.01)
        release.set()
        await worker.settled()

    asyncio.run(scene())
    assert sorted(arrived) == ["quick", *(f"slow{number}" for number in range(5))]


def test_a_channel_that_is_not_configured_says_so(ledger: Ledger) -> None:
    post = Post(ledger, Hook())

    async def once() -> None:
        worker = Worker(ledger.outbox, [], lambda: NOW)
        await worker.round()
        await worker.settled()

    post.post()
    asyncio.run(once())
    assert post.state()[0] is NotificationState.FAILED
    assert ledger.outbox.attempts(post.workspace, "msg_1")[0].detail == "webhook is not configured"


def take_and_die(url: str) -> None:
    open_ledger(url).outbox.take(NOW, 10, HOLD_MS)
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_worker_had_taken_is_delivered_still(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    ledger = open_ledger(url)
    post = Post(ledger, Hook())
    post.post()
    process = multiprocessing.get_context("spawn").Process(target=take_and_die, args=(url,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    post.rounds(1)
    assert post.hook.delivered == []
    post.now += HOLD_MS
    post.rounds(1)
    assert post.hook.delivered == ["msg_1"]
    ledger.close()


def test_the_longest_try_ends_before_its_message_is_taken_again() -> None:
    """Mails wait for a place at the server: all that are told at once may be mails, and each may take its time."""
    turns = -(-AT_ONCE // email.AT_ONCE)
    assert PATIENCE_MS + turns * email.TIMEOUT_SECONDS * 1000 < HOLD_MS


def test_a_worker_that_is_stopped_leaves_what_it_could_not_tell_to_the_next(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(Hook):
        async def deliver(self, notification: Notification, now: int) -> Delivered:
            begun.set()
            await asyncio.sleep(3600)
            raise AssertionError

    monkeypatch.setattr(worker_module, "PARTING_SECONDS", 0.05)
    post = Post(ledger, Slow())
    post.post()

    async def scene() -> None:
        running = asyncio.create_task(Worker(ledger.outbox, [post.hook], lambda: post.now).run())
        await begun.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    begun = asyncio.Event()
    asyncio.run(scene())
    post.hook = Hook()
    post.rounds(1)
    assert post.hook.delivered == ["msg_1"], "without waiting until the hold is over"
