"""What a service manager is told, over a socket of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from mailvane.server.service_manager import ServiceManager


@pytest.fixture
def listening() -> Iterator[tuple[str, socket.socket]]:
    with TemporaryDirectory() as place, closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as heard:
        address = str(Path(place) / "notify")
        heard.bind(address)
        heard.settimeout(20)
        yield address, heard


def test_it_is_told_that_the_server_is_ready(listening: tuple[str, socket.socket]) -> None:
    address, heard = listening
    ServiceManager({"NOTIFY_SOCKET": address}, 1).ready("answering")
    assert heard.recv(1000) == b"READY=1\nSTATUS=answering"


def test_a_name_in_the_abstract_namespace() -> None:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as heard:
        heard.bind("")  # the system chooses one there
        name = heard.getsockname()
        ServiceManager({"NOTIFY_SOCKET": "@" + name[1:].decode()}, 1).stopping()
        heard.settimeout(20)
        assert heard.recv(1000) == b"STOPPING=1"


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, 0),
        ({"WATCHDOG_USEC": "60000000"}, 60),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "7"}, 60),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "8"}, 0),
        ({"WATCHDOG_USEC": "soon"}, 0),
    ],
    ids=str,
)
def test_the_watchdog_is_meant_for_this_process(environment: dict[str, str], seconds: float) -> None:
    assert ServiceManager(environment, 7).watchdog_seconds == seconds


def test_it_is_told_again_and_again_that_the_loop_runs(listening: tuple[str, socket.socket]) -> None:
    address, heard = listening
    manager = ServiceManager({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "2000"}, 1)

    async def watched() -> list[bytes]:
        watching = asyncio.create_task(manager.watch())
        found = [await asyncio.to_thread(heard.recv, 1000) for _ in range(3)]
        watching.cancel()
        return found

    assert asyncio.run(watched()) == [b"WATCHDOG=1"] * 3


def test_without_anybody_to_tell_nothing_happens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ServiceManager({}, 1).ready("x")
    asyncio.run(ServiceManager({"WATCHDOG_USEC": "1"}, 1).watch())
    assert not caplog.records
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "nobody")}, 1).ready("x")
    assert "READY=1" in caplog.text


def test_a_manager_that_reads_nothing_holds_nobody_up(listening: tuple[str, socket.socket]) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": listening[0]}, 1)
    for _ in range(5_000):
        manager.tell("WATCHDOG=1")
