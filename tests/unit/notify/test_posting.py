"""What the answer of a receiver means."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from mailvane.notify.notifier import Delivered, NotDelivered, Refused
from mailvane.notify.posting import LONGEST_ANSWER, judged

NOW = 1_790_000_000_000


async def said(text: bytes) -> AsyncIterator[bytes]:
    yield text


def answer(status: int, content: bytes | AsyncIterator[bytes] = b"", retry_after: str = "") -> Delivered:
    told = said(content) if isinstance(content, bytes) else content
    headers = {"Retry-After": retry_after} if retry_after else {}
    return asyncio.run(judged(httpx.Response(status, content=told, headers=headers), NOW))


def test_any_success_is_one() -> None:
    assert answer(200, b"ok").detail == "200 ok"
    assert answer(204).detail == "204"


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 422])
def test_what_a_proxy_may_have_said_is_not_final(status: int) -> None:
    with pytest.raises(NotDelivered, match=str(status)):
        answer(status)


def test_who_is_gone_is_not_asked_again() -> None:
    with pytest.raises(Refused, match="410"):
        answer(410)


def test_a_date_may_say_when() -> None:
    with pytest.raises(NotDelivered) as late:
        answer(503, retry_after="Mon, 21 Sep 2026 14:15:20 GMT")
    assert late.value.retry_after_ms == 120_000


def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"a\x00\n" * 100

    with pytest.raises(NotDelivered) as failed:
        answer(500, endless())
    assert len(str(failed.value)) <= LONGEST_ANSWER + 4
    assert str(failed.value).isprintable()
