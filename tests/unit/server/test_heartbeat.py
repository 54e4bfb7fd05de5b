"""A heartbeat is sent while all is well, and not when something is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from mailvane.core.errors import CollectionFailed, StoreUnavailable
from mailvane.core.http_client import HttpClient
from mailvane.server.heartbeat import Heartbeat
from mailvane.server.settings import load, shown
from tests.unit.notify.receiver import Receiver


def ill() -> None:
    raise StoreUnavailable("a log is not read")


def beat(url: str, look: Callable[[], None]) -> None:
    async def once() -> None:
        async with HttpClient("the heartbeat", pauses=()) as client:
            await Heartbeat(url, 60, look).beat(client)

    asyncio.run(once())


def test_it_is_sent_while_all_is_well_and_only_then() -> None:
    with Receiver().running() as receiver:
        beat(receiver.url, lambda: None)
        with pytest.raises(StoreUnavailable, match="a log is not read"):
            beat(receiver.url, ill)
        assert len(receiver.received) == 1


def test_a_refusal_is_told() -> None:
    with Receiver(404).running() as receiver, pytest.raises(CollectionFailed, match="404"):
        beat(receiver.url, lambda: None)


def test_its_address_is_shown_to_nobody(tmp_path: Path) -> None:
    (tmp_path / "mailvane.toml").write_text('[reputation]\nheartbeat_url = "https://hc.example/secret-id"\n')
    told = shown(load({"data": str(tmp_path)}, {}))["reputation.heartbeat_url"]
    assert "secret" not in told
    assert "hc.example" in told
