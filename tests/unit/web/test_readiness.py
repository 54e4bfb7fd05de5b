"""A check is prompt: a look that is slow is believed to go as the last one did, for a while."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

import pytest

from mailvane.core.errors import StoreFull, StoreUnavailable
from mailvane.web.readiness import Check, Patience

PROMPT = Patience(prompt=0.05, believed=1000, longest=0.05)


def test_what_is_in_order_passes_and_what_is_not_is_told_without_its_secrets() -> None:
    def away() -> None:
        raise ValueError("password of the store")

    def full() -> None:
        raise StoreFull("3 MiB are left")

    async def run() -> None:
        await Check(lambda: 1, "no").passed()
        with pytest.raises(StoreUnavailable, match=r"^the store does not answer$"):
            await Check(away, "the store does not answer").passed()
        with pytest.raises(StoreFull, match="3 MiB"):
            await Check(full, "no").passed()

    asyncio.run(run())


def test_a_look_that_hangs_is_asked_once_and_believed_to_go_as_the_last_one() -> None:
    looks, release = [], threading.Event()

    def look() -> None:
        looks.append(1)
        if len(looks) > 1:
            release.wait(30)

    async def run() -> None:
        check = Check(look, "no", PROMPT)
        for _ in range(4):
            await check.passed()
        assert len(looks) == 2
        release.set()

    asyncio.run(run())


def test_a_look_that_hangs_when_nothing_is_known_fails() -> None:
    release = threading.Event()

    async def run() -> None:
        with pytest.raises(StoreUnavailable, match="no"):
            await Check(release.wait, "no", PROMPT).passed()
        release.set()

    asyncio.run(run())


def test_while_looks_are_slow_the_last_one_is_the_answer_until_a_later_one_fails() -> None:
    release, failing = threading.Event(), threading.Event()

    def look() -> None:
        if failing.is_set():
            raise OSError
        release.wait(30)

    async def run() -> None:
        check = Check(look, "no", Patience(prompt=0.01, fresh=1000, longest=30))
        assert not check.holds()  # nothing is known
        asked = asyncio.create_task(check.passed())
        await asyncio.sleep(0.05)
        release.set()
        await asked
        assert check.holds()
        failing.set()
        with pytest.raises(StoreUnavailable, match="no"):
            await check.passed()
        assert not check.holds()

    asyncio.run(run())


def test_what_is_half_as_old_as_it_may_be_is_looked_at_again_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, release = [], threading.Event()

    def look() -> None:
        looks.append(1)
        release.wait(0.05 if len(looks) == 1 else 30)

    async def run() -> None:
        check, loop = Check(look, "no", Patience(prompt=0.01, fresh=60, longest=30)), asyncio.get_running_loop()
        await check.passed()
        assert check.holds()
        monkeypatch.setattr(loop, "time", lambda moment=loop.time: moment() + 40)
        assert check.holds()
        await asyncio.sleep(0)
        release.set()
        await check.passed()
        assert len(looks) == 2

    asyncio.run(run())


def test_a_look_that_failed_is_not_outlived_by_one_that_passed_before_it() -> None:
    looks, release = [], threading.Event()

    def look() -> None:
        looks.append(1)
        if len(looks) == 2:
            raise OSError
        if len(looks) > 2:
            release.wait(30)

    async def run() -> None:
        check = Check(look, "no", PROMPT)
        await check.passed()
        with suppress(StoreUnavailable):
            while len(looks) < 10:  # until the second look, which fails, has ended
                await check.passed()
        with pytest.raises(StoreUnavailable, match="no"):  # the third hangs
            await check.passed()
        release.set()

    asyncio.run(run())
