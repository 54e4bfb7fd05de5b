"""Threads for work that blocks: the loop keeps turning, pools do not wait for each other, nothing waits for ever."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import pytest

from mailvane.core.errors import NotFound, StoreUnavailable
from mailvane.web.thread_pools import ThreadPools
from tests.waiting import PATIENCE


def test_work_is_done_on_another_thread_and_its_result_comes_back() -> None:
    def name() -> str:
        return threading.current_thread().name

    async def cross() -> list[str]:
        threads = ThreadPools()
        try:
            return [
                await threads.ask(1, 0, name),
                await threads.for_workspace(1, False, name),
                await threads.for_workspace(1, True, name),
                await threads.quick(name),
                await threads.outside(name),
                await threads.upkeep(name),
            ]
        finally:
            threads.close()

    pools = ["maillog", "ledger", "lengthy", "quick", "outside", "upkeep"]
    assert [name.partition("_")[0] for name in asyncio.run(cross())] == pools


def test_an_exception_comes_back_as_it_is() -> None:
    def fail(name: str, *, times: int) -> None:
        raise NotFound(f"{name} {times}")

    async def cross() -> None:
        threads = ThreadPools()
        try:
            await threads.quick(fail, "nothing", times=2)
        finally:
            threads.close()

    with pytest.raises(NotFound, match="nothing 2"):
        asyncio.run(cross())


def test_quick_work_passes_a_question_that_takes_long() -> None:
    answered = threading.Event()

    async def cross() -> bool:
        threads = ThreadPools(maillog_threads=1)
        try:
            long = asyncio.create_task(threads.ask(1, 0, answered.wait, 30))
            await threads.quick(answered.set)  # would wait for ever behind the question on one pool
            return await long
        finally:
            threads.close()

    assert asyncio.run(cross())


def test_quick_work_passes_any_number_of_large_files() -> None:
    answered = threading.Event()

    async def cross() -> list[bool]:
        threads = ThreadPools()
        try:
            long = [asyncio.create_task(threads.for_workspace(number, True, answered.wait, 30)) for number in range(10)]
            await threads.quick(answered.set)
            return await asyncio.gather(*long)
        finally:
            threads.close()

    assert asyncio.run(cross()) == [True] * 10


def test_a_question_that_takes_too_long_is_given_up() -> None:
    release = threading.Event()

    async def cross() -> None:
        threads = ThreadPools(patience=0.01)
        try:
            await threads.ask(1, 0, release.wait, 30)
        finally:
            release.set()
            threads.close()

    with pytest.raises(StoreUnavailable, match=r"within 0\.01 s"):
        asyncio.run(cross())


def test_equal_questions_that_are_under_way_are_asked_once() -> None:
    release, asked = threading.Event(), []

    def question(number: int) -> int:
        asked.append(number)
        release.wait(PATIENCE)
        return number

    async def cross() -> list[int]:
        threads = ThreadPools()
        try:
            numbers = [number for number in range(3) for _ in range(100)]
            answers = [asyncio.create_task(threads.ask(1, number, question, number)) for number in numbers]
            others = asyncio.create_task(threads.ask(2, 0, question, 0))
            await asyncio.sleep(0.05)
            release.set()
            found = await asyncio.gather(*answers)
            assert found == numbers
            await others
            return sorted(asked)
        finally:
            threads.close()

    assert asyncio.run(cross()) == [0, 0, 1, 2]


def test_a_question_of_nobody_in_particular_is_answered() -> None:
    async def cross() -> int:
        threads = ThreadPools(patience=10)
        try:
            return await threads.ask(None, 0, lambda: 7)
        finally:
            threads.close()

    assert asyncio.run(cross()) == 7


def test_a_failure_is_told_to_everybody_who_asked() -> None:
    def fail() -> None:
        raise NotFound("nothing")

    async def cross() -> list[object]:
        threads = ThreadPools()
        try:
            return await asyncio.gather(*(threads.ask(1, 0, fail) for _ in range(3)), return_exceptions=True)
        finally:
            threads.close()

    assert [str(error) for error in asyncio.run(cross())] == ["nothing"] * 3


def test_a_tenant_with_many_questions_keeps_no_other_waiting() -> None:
    asked: list[tuple[int, int]] = []
    release = {1: threading.Event(), 2: threading.Event()}

    def question(tenant: int, number: int) -> None:
        asked.append((tenant, number))
        release[tenant].wait(PATIENCE)

    async def cross() -> None:
        threads = ThreadPools(maillog_threads=2)
        try:
            first = [asyncio.create_task(threads.ask(1, number, question, 1, number)) for number in range(50)]
            await asyncio.sleep(0.05)
            assert asked == [(1, 0)], "one place is left for others"
            second = [asyncio.create_task(threads.ask(2, number, question, 2, number)) for number in range(2)]
            await asyncio.sleep(0.05)
            assert asked == [(1, 0), (2, 0)]
            release[2].set()
            await asyncio.gather(*second)  # none of the other's questions has an answer yet
            release[1].set()
            await asyncio.gather(*first)
        finally:
            threads.close()

    asyncio.run(cross())
    assert asked[:3] == [(1, 0), (2, 0), (2, 1)]
    assert asked[3:] == [(1, number) for number in range(1, 50)]


def test_a_question_that_nobody_waits_for_any_more_is_not_asked() -> None:
    asked: list[str] = []
    release = threading.Event()

    def question(name: str) -> None:
        asked.append(name)
        release.wait(PATIENCE)

    async def cross() -> None:
        threads = ThreadPools(maillog_threads=1)
        try:
            first = asyncio.create_task(threads.ask(1, "first", question, "first"))
            await asyncio.sleep(0.05)
            given_up = asyncio.create_task(threads.ask(1, "given up", question, "given up"))
            await asyncio.sleep(0)
            last = asyncio.create_task(threads.ask(1, "last", question, "last"))
            await asyncio.sleep(0)
            given_up.cancel()
            await asyncio.wait({given_up})
            release.set()
            await asyncio.gather(first, last)
            await threads.ask(1, "given up", question, "again")
        finally:
            threads.close()

    asyncio.run(cross())
    assert asked == ["first", "last", "again"]


def test_a_question_in_the_queue_is_given_up_after_the_same_time() -> None:
    release = threading.Event()

    async def cross() -> list[object]:
        threads = ThreadPools(maillog_threads=1, patience=0.05)
        try:
            asking = (threads.ask(1, number, release.wait, 30) for number in range(3))
            return await asyncio.gather(*asking, return_exceptions=True)
        finally:
            release.set()
            threads.close()

    assert [type(error) for error in asyncio.run(cross())] == [StoreUnavailable] * 3


def test_a_closed_pool_lets_what_was_begun_end() -> None:
    ended: list[int] = []

    async def cross() -> None:
        threads = ThreadPools()
        begun = asyncio.create_task(threads.quick(ended.append, 1))
        await asyncio.sleep(0)
        threads.close()
        await begun

    asyncio.run(cross())
    assert ended == [1]


@pytest.mark.parametrize("is_lengthy", [False, True])
def test_one_workspace_leaves_threads_to_the_others(is_lengthy: bool) -> None:
    async def run() -> str:
        threads, going_on = ThreadPools(), threading.Event()
        crowd = [asyncio.create_task(threads.for_workspace(1, is_lengthy, going_on.wait, 30.0)) for _ in range(6)]
        await asyncio.sleep(0.05)
        told = await asyncio.wait_for(threads.for_workspace(2, is_lengthy, lambda: "told"), 30.0)
        assert await asyncio.wait_for(threads.quick(lambda: "a key"), 30.0) == "a key"
        assert not going_on.is_set()
        going_on.set()
        await asyncio.gather(*crowd)
        threads.close()
        return told

    assert asyncio.run(run()) == "told"


def test_so_much_that_takes_long_may_wait_and_no_more() -> None:
    async def run() -> int:
        threads, going_on = ThreadPools(), threading.Event()
        crowd = [asyncio.create_task(threads.for_workspace(1, True, going_on.wait, 30.0)) for _ in range(30)]
        await asyncio.sleep(0.05)
        refused = sum(task.done() and isinstance(task.exception(), StoreUnavailable) for task in crowd)
        going_on.set()
        await asyncio.gather(*crowd, return_exceptions=True)
        threads.close()
        return refused

    assert asyncio.run(run()) == 30 - 1 - 8


def test_a_thread_of_one_who_left_counts_as_the_workspaces_until_it_is_done() -> None:
    async def run() -> tuple[list[str], list[str]]:
        threads, going_on, begun = ThreadPools(), threading.Event(), list[str]()
        leaver = asyncio.create_task(threads.for_workspace(1, True, going_on.wait, 30.0))
        await asyncio.sleep(0.05)
        leaver.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await leaver
        next_one = asyncio.create_task(threads.for_workspace(1, True, begun.append, "next"))
        await asyncio.sleep(0.05)
        before = list(begun)
        going_on.set()
        await next_one
        threads.close()
        return before, begun

    assert asyncio.run(run()) == ([], ["next"])


def test_what_was_answered_a_moment_ago_is_given_again_while_every_place_is_taken() -> None:
    async def run() -> list[bytes]:
        threads, going_on, asked = ThreadPools(maillog_threads=1), threading.Event(), list[int]()

        def count() -> bytes:
            asked.append(1)
            return b"answer %d" % len(asked)

        told = [await threads.ask(1, "same", count), await threads.ask(1, "same", count)]
        first = asyncio.create_task(threads.ask(1, "same", count))
        slow = [asyncio.create_task(threads.ask(2, number, going_on.wait, 30.0)) for number in range(2)]
        told.append(await first)  # the place is taken by the next one now, so it is kept
        told.append(await asyncio.wait_for(threads.ask(1, "same", count), 30.0))
        assert not going_on.is_set()
        going_on.set()
        await asyncio.gather(*slow)
        told.append(await threads.ask(1, "same", count))
        threads.close()
        return told

    assert asyncio.run(run()) == [b"answer 1", b"answer 2", b"answer 3", b"answer 3", b"answer 4"]


def test_an_answer_that_ages_is_asked_anew_while_it_is_still_given() -> None:
    """Whoever asks while it is being asked anew does not wait either; nobody has to when its time is over."""
    seconds = [0.0]
    given: list[bytes] = []

    async def run() -> list[int]:
        threads, going_on, asked = ThreadPools(2, clock=lambda: seconds[0]), threading.Event(), list[int]()
        anew = threading.Event()

        def count() -> bytes:
            asked.append(len(asked) + 1)
            if len(asked) > 1:
                anew.wait(30.0)
            return b"answer %d" % len(asked)

        async def given_at(moment: float) -> bytes:
            seconds[0] = moment
            return await asyncio.wait_for(threads.ask(1, "same", count), 30.0)

        slow = asyncio.create_task(threads.ask(2, 0, going_on.wait, 30.0))
        await asyncio.sleep(0)
        first = asyncio.create_task(threads.ask(1, "same", count))
        behind = asyncio.create_task(threads.ask(1, "behind", anew.wait, 30.0))  # takes the place of the first
        given.append(await first)
        given.append(await given_at(1.0))
        assert asked == [1], "it is young"
        given.append(await given_at(2.0))
        given.append(await given_at(2.9))
        anew.set()
        await behind
        while len(asked) < 2:
            await asyncio.sleep(0.001)
        going_on.set()
        await slow
        threads.close()
        return asked

    assert asyncio.run(run()) == [1, 2]
    assert given == [b"answer 1"] * 4
