"""Threads that serve tenants in turn: fair among tenants, in order within one, and no thread is lost."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextlib import suppress

import pytest

from mailvane.core.errors import StoreUnavailable
from mailvane.web.fair_pool import FairPool
from tests.waiting import PATIENCE


class Work:
    """Pieces of work by name, the first letter of which is the tenant; each lasts until it is told to end."""

    def __init__(self, threads: int, most_waiting: int = 1_000) -> None:
        self.pool = FairPool("test", threads, most_waiting)
        self.begun: list[str] = []
        self.results: dict[str, Future[str]] = {}
        self._begin: dict[str, threading.Event] = {}
        self._end: dict[str, threading.Event] = {}

    def submit(self, *names: str) -> None:
        for name in names:
            self._begin[name], self._end[name] = threading.Event(), threading.Event()
            self.results[name] = self.pool.submit(name[0], lambda name=name: self._do(name))  # type: ignore[misc]

    def _do(self, name: str) -> str:
        self.begun.append(name)
        self._begin[name].set()
        assert self._end[name].wait(PATIENCE)
        return name

    def run(self, *names: str) -> None:
        """Let each end, in this order, once it has begun."""
        for name in names:
            assert self._begin[name].wait(PATIENCE), f"{name} has not begun"
            self._end[name].set()
            assert self.results[name].result(PATIENCE) == name

    def wait_for(self, *names: str) -> None:
        assert all(self._begin[name].wait(PATIENCE) for name in names)


def test_tenants_take_turns_and_each_keeps_its_order() -> None:
    work = Work(2)
    work.submit("a1", "a2", "a3", "a4", "b1", "b2", "c1")
    work.wait_for("a1", "b1")  # a tenant leaves one thread to the others
    work.run("a1", "b1", "a2", "b2", "c1", "a3", "a4")
    assert set(work.begun[:2]) == {"a1", "b1"}
    assert work.begun[2:] == ["a2", "b2", "c1", "a3", "a4"]
    work.pool.close()


def test_a_thread_goes_on_before_anybody_is_told_of_the_result() -> None:
    """What waits begins although nobody takes the result of what is done: no turn of an event loop lies between."""
    work = Work(1)
    begun_when_told: list[list[str]] = []
    work.submit("a1", "a2")
    work.results["a1"].add_done_callback(lambda _: begun_when_told.append([str(work.results["a2"].running())]))
    work.run("a1", "a2")
    assert begun_when_told == [["True"]]
    work.pool.close()


def test_what_was_cancelled_is_not_begun_and_takes_no_place_with_it() -> None:
    work = Work(1, most_waiting=2)
    work.submit("a1")
    work.wait_for("a1")
    work.submit("a2", "a3", "b1")
    assert work.results["a2"].cancel()
    work.submit("a4")  # there is room in the queue again
    assert not work.results["a1"].cancel()
    work.run("a1", "a3", "b1", "a4")
    assert work.begun == ["a1", "a3", "b1", "a4"]
    work.pool.close()


def test_work_that_fails_gives_its_thread_back() -> None:
    pool = FairPool("test", 1)

    def fail() -> None:
        raise LookupError("no")

    failed = pool.submit(1, fail)
    with pytest.raises(LookupError):
        failed.result(PATIENCE)
    assert not pool.is_full(1)
    assert pool.submit(1, lambda: 7).result(PATIENCE) == 7
    pool.close()


def test_a_result_is_known_only_when_the_place_is_free() -> None:
    pool = FairPool("test", 1)
    for _ in range(200):
        pool.submit(1, lambda: None).result(PATIENCE)
        assert not pool.is_full(1)
    pool.close()


def test_it_is_full_for_a_tenant_that_has_its_share_and_not_for_others() -> None:
    work = Work(2)
    work.submit("a1")
    assert work.pool.is_full("a")
    assert not work.pool.is_full("b")
    work.submit("b1")
    assert work.pool.is_full("c")
    work.run("a1", "b1")
    work.pool.close()


def test_too_many_of_one_tenant_are_refused_and_others_are_not() -> None:
    work = Work(1, most_waiting=2)
    work.submit("a1")
    work.wait_for("a1")
    work.submit("a2", "a3")
    with pytest.raises(StoreUnavailable, match="2 questions of this workspace wait already"):
        work.submit("a4")
    work.submit("b1")
    work.run("a1", "a2", "b1", "a3")
    work.pool.close()


def test_the_master_who_has_no_workspace_has_turns_too() -> None:
    pool = FairPool("test", 2)
    assert [pool.submit(tenant, lambda: 7).result(PATIENCE) for tenant in (None, 1, None)] == [7, 7, 7]
    pool.close()


def test_a_closed_pool_lets_what_was_begun_end_and_begins_nothing() -> None:
    work = Work(1)
    work.submit("a1", "a2")
    work.wait_for("a1")
    closing = threading.Thread(target=work.pool.close)
    closing.start()
    with suppress(StoreUnavailable):
        while not work.results["a2"].cancelled():
            pass
    with pytest.raises(StoreUnavailable):
        work.submit("b1")
    work.run("a1")
    closing.join(PATIENCE)
    assert not closing.is_alive()
    assert work.begun == ["a1"]


def test_any_number_of_threads_may_ask() -> None:
    pool, done = FairPool("test", 3), list[int]()
    lock = threading.Lock()

    def note(number: int) -> None:
        with lock:
            done.append(number)

    def ask(tenant: int) -> None:
        for result in [pool.submit(tenant, lambda number=number: note(number)) for number in range(200)]:  # type: ignore[misc]
            result.result(PATIENCE)

    asking = [threading.Thread(target=ask, args=(tenant,)) for tenant in range(5)]
    for each in asking:
        each.start()
    for each in asking:
        each.join(PATIENCE)
    pool.close()
    assert sorted(done) == sorted([*range(200)] * 5)


def test_the_longest_wait_counts_until_a_while_has_passed_without_a_longer_one() -> None:
    seconds, free = [0.0], threading.Event()
    pool = FairPool("test", threads=1, clock=lambda: seconds[0])
    held = pool.submit("a", lambda: free.wait(PATIENCE))
    late = pool.submit("a", lambda: None)
    seconds[0] = 2.0
    free.set()
    assert held.result(PATIENCE)
    late.result(PATIENCE)
    assert pool.waited == 2.0
    for seconds[0], longest in ((3.0, 2.0), (7.0, 2.0), (7.5, 0.0)):
        pool.submit("a", lambda: None).result(PATIENCE)
        assert pool.waited == longest, seconds
    pool.close()


def test_what_nobody_waits_for_comes_last_until_somebody_does() -> None:
    pool, begun, free = FairPool("test", threads=1), list[str](), threading.Event()
    held = pool.submit("a", lambda: free.wait(PATIENCE))
    ahead = {name: pool.submit("a", lambda name=name: begun.append(name), ahead=True) for name in ("1", "2", "3")}  # type: ignore[misc]
    asked = pool.submit("a", lambda: begun.append("asked"))
    pool.hurry("a", ahead["2"])
    ahead["1"].cancel()
    free.set()
    for each in (held, asked, ahead["2"], ahead["3"]):
        each.result(PATIENCE)
    pool.hurry("a", ahead["3"])  # which is done
    pool.close()
    assert begun == ["asked", "2", "3"]
