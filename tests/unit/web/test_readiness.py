"""A check is prompt: a look that is slow is believed to go as the last one did, for a while."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

import pytest

from mailvane.core.errors import StoreFull, StoreUnavailable
from mailvane.web.readiness import Check, Patience, all_pass
from tests.waiting import PATIENCE

PROMPT = Patience(prompt=0.05, believed=1000, longest=0.05)


def test_what_is_in_order_passes_and_what_is_not_is_told_without_its_secrets() -> None:
    def away() -> None:
        raise ValueError("password of the store")

    def full() -> None:
        raise StoreFull("3 MiB are left")

    async def run() -> None:
        await all_pass([Check(lambda: 1, "no")])
        with pytest.raises(StoreUnavailable, match=r"^the store does not answer$"):
            await all_pass([Check(away, "the store does not answer")])
        with pytest.raises(StoreFull, match="3 MiB"):
            await all_pass([Check(full, "no")])

    asyncio.run(run())


def test_a_look_that_hangs_is_asked_once_and_believed_to_go_as_the_last_one() -> None:
    looks, release = [], threading.Event()

    def look() -> None:
        looks.append(1)
        if len(looks) > 1:
            release.wait(PATIENCE)

    async def run() -> None:
        check = Check(look, "no", PROMPT)
        for _ in range(4):
            await all_pass([check])
        assert len(looks) == 2
        release.set()

    asyncio.run(run())


def test_a_look_that_hangs_when_nothing_is_known_fails() -> None:
    release = threading.Event()

    async def run() -> None:
        with pytest.raises(StoreUnavailable, match="no"):
            await all_pass([Check(release.wait, "no", PROMPT)])
        release.set()

    asyncio.run(run())


def test_while_looks_are_slow_the_last_one_is_the_answer_until_a_later_one_fails() -> None:
    release, failing = threading.Event(), threading.Event()

    def look() -> None:
        if failing.is_set():
            raise OSError
        release.wait(PATIENCE)

    async def run() -> None:
        check = Check(look, "no", Patience(prompt=0.01, fresh=1000, longest=30))
        assert not check.holds()  # nothing is known
        asked = asyncio.create_task(all_pass([check]))
        await asyncio.sleep(0.05)
        release.set()
        await asked
        assert check.holds()
        failing.set()
        await all_pass([check])
        with pytest.raises(StoreUnavailable, match="no"):
            await check.look_anew()
        assert not check.holds()

    asyncio.run(run())


def test_what_is_half_as_old_as_it_may_be_is_looked_at_again_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, release = [], threading.Event()

    def look() -> None:
        looks.append(1)
        release.wait(0.05 if len(looks) == 1 else 30)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        check = Check(look, "no", Patience(prompt=0.01, fresh=60, busy=60, longest=30))
        await all_pass([check])
        assert check.holds()
        monkeypatch.setattr(loop, "time", lambda moment=loop.time: moment() + 40)
        assert check.holds()
        await asyncio.sleep(0)
        release.set()
        await check.look_anew()
        assert len(looks) == 2

    asyncio.run(run())


def test_for_a_while_after_a_look_that_took_long_the_last_result_is_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [0.0]

    def look() -> None:
        seconds[0] += 0.5 if len(looks) == 0 else 0.0
        looks.append(1)

    looks = list[int]()

    async def run() -> None:
        check, loop = Check(look, "no"), asyncio.get_running_loop()
        monkeypatch.setattr(loop, "time", lambda: seconds[0])
        await check.look_anew()
        assert check.holds()
        seconds[0] += 0.6
        assert check.holds()
        await check.look_anew()
        assert check.holds(), "one quick look is no sign that the machine has time"
        seconds[0] += 5
        await check.look_anew()
        assert not check.holds()

    asyncio.run(run())


def test_a_look_that_failed_is_not_outlived_by_one_that_passed_before_it() -> None:
    looks, release = [], threading.Event()

    def look() -> None:
        looks.append(1)
        if len(looks) == 2:
            raise OSError
        if len(looks) > 2:
            release.wait(PATIENCE)

    async def run() -> None:
        check = Check(look, "no", PROMPT)
        await all_pass([check])
        with suppress(StoreUnavailable):
            while len(looks) < 10:  # until the second look, which fails, has ended
                await all_pass([check])
        with pytest.raises(StoreUnavailable, match="no"):  # the third hangs
            await all_pass([check])
        release.set()

    asyncio.run(run())


def test_several_are_waited_for_together_and_any_that_fails_is_told() -> None:
    release = threading.Event()

    def away() -> None:
        raise OSError

    async def run() -> None:
        checks = [Check(lambda: None, "a"), Check(release.wait, "b", PROMPT), Check(away, "c")]
        with pytest.raises(StoreUnavailable, match="b"):  # nothing is known of it
            await all_pass(checks)
        release.set()
        with pytest.raises(StoreUnavailable, match="c"):
            await all_pass(checks)
        await all_pass(checks[:2])

    asyncio.run(run())
