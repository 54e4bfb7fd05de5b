"""The desk: who asks at once is decided together, and everybody gets an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from threading import Event

import pytest

from mailvane.core.errors import InvalidInput, StoreUnavailable
from mailvane.outbound.decisions import DecisionQueue
from mailvane.outbound.model import SendRequest, Verdict
from tests.waiting import PATIENCE

NOW = 1_790_000_000_000


class Ledger:
    """Allows everything, when it is let; `failure` is what the next transaction ends with."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.let = Event()
        self.let.set()
        self.began = Event()
        self.failure: Exception | None = None
        self.asked_at: list[int] = []

    def decide(self, passages: Sequence[SendRequest], now: int) -> list[Verdict]:
        self.groups.append([passage.domain for passage in passages])
        self.asked_at.append(now)
        self.began.set()
        assert self.let.wait(PATIENCE)
        if self.failure is not None:
            raise self.failure
        return [Verdict(domain=passage.domain, allowed=True) for passage in passages]


def ask(decision_queue: DecisionQueue, name: str) -> asyncio.Task[Verdict]:
    return asyncio.create_task(decision_queue.decide(SendRequest(domain=name)))


async def opened(ledger: Ledger, at_once: int = 512) -> DecisionQueue:
    decision_queue = DecisionQueue(ledger, lambda: NOW, at_once)
    await decision_queue.start()
    return decision_queue


async def busy(ledger: Ledger, decision_queue: DecisionQueue) -> asyncio.Task[Verdict]:
    """A first question whose transaction does not end before it is let."""
    ledger.let.clear()
    first = ask(decision_queue, "first")
    await asyncio.sleep(0)
    await asyncio.to_thread(ledger.began.wait, 10)
    return first


def test_the_first_one_waits_for_nobody_and_the_others_go_together() -> None:
    ledger = Ledger()

    async def run() -> list[str]:
        decision_queue = await opened(ledger)
        first = await busy(ledger, decision_queue)
        others = [ask(decision_queue, str(number)) for number in range(5)]
        await asyncio.sleep(0)
        ledger.let.set()
        answers = [await each for each in [first, *others]]
        await decision_queue.stop()
        return [verdict.domain for verdict in answers]

    assert asyncio.run(run()) == ["first", "0", "1", "2", "3", "4"]
    assert ledger.groups == [["first"], ["0", "1", "2", "3", "4"]]
    assert ledger.asked_at == [NOW, NOW]


def test_a_group_has_a_largest_size() -> None:
    ledger = Ledger()

    async def run() -> None:
        decision_queue = await opened(ledger, at_once=2)
        first = await busy(ledger, decision_queue)
        others = [ask(decision_queue, str(number)) for number in range(5)]
        await asyncio.sleep(0)
        ledger.let.set()
        await asyncio.gather(first, *others)
        await decision_queue.stop()

    asyncio.run(run())
    assert ledger.groups == [["first"], ["0", "1"], ["2", "3"], ["4"]]


@pytest.mark.parametrize("failure", [StoreUnavailable("away"), RuntimeError("broken"), InvalidInput("of another")])
def test_a_failure_is_told_to_all_who_waited_and_the_next_are_decided(failure: Exception) -> None:
    ledger = Ledger()

    async def run() -> list[object]:
        decision_queue = await opened(ledger)
        ledger.failure = failure
        waiting = [ask(decision_queue, str(number)) for number in range(3)]
        told = await asyncio.gather(*waiting, return_exceptions=True)
        ledger.failure = None
        assert (await ask(decision_queue, "after")).allowed
        await decision_queue.stop()
        return list(told)

    told = asyncio.run(run())
    assert [type(each) for each in told] == [StoreUnavailable] * 3
    assert isinstance(failure, StoreUnavailable) or "broken" not in str(told[0])


def test_who_stops_waiting_takes_no_answer_from_others() -> None:
    ledger = Ledger()

    async def run() -> bool:
        decision_queue = await opened(ledger)
        first = await busy(ledger, decision_queue)
        gone, stays = ask(decision_queue, "gone"), ask(decision_queue, "stays")
        await asyncio.sleep(0)
        gone.cancel()
        ledger.let.set()
        answers = await asyncio.gather(first, gone, stays, return_exceptions=True)
        await decision_queue.stop()
        assert isinstance(answers[1], asyncio.CancelledError)
        return isinstance(answers[2], Verdict)

    assert asyncio.run(run())


def test_stopping_answers_those_who_wait_and_nobody_after() -> None:
    ledger = Ledger()

    async def run() -> None:
        decision_queue = DecisionQueue(ledger, lambda: NOW)
        with pytest.raises(StoreUnavailable):
            await decision_queue.decide(SendRequest(domain="early"))
        await decision_queue.start()
        first = await busy(ledger, decision_queue)
        waiting = ask(decision_queue, "waiting")
        await asyncio.sleep(0)
        stopping = asyncio.create_task(decision_queue.stop())
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailable):
            await decision_queue.decide(SendRequest(domain="late"))
        ledger.let.set()
        await stopping
        assert (await first).allowed
        assert (await waiting).allowed
        await decision_queue.stop()

    asyncio.run(run())
    assert ledger.groups == [["first"], ["waiting"]]
