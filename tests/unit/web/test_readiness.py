"""A check is prompt: a look that is slow is believed to go as the last one did, for a while."""

from __future__ import annotations

import asyncio
import threading

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
