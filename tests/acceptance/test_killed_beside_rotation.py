"""kill -9 again and again while the log is rotated and compressed beside: totals, origins and fields stay the same."""

from __future__ import annotations

import gzip
import random
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from mailvane_demo.world.postfix import PostfixWorld
from tests.acceptance.installation import HTTP, Installation
from tests.acceptance.test_killed import undisturbed
from tests.depth import rounds

ROUNDS = rounds(2, deep=4)
ROTATIONS = 12
START = 1_760_000_000_000
DAY = 86_400_000
Rotate = Callable[[Path, int], None]


def pack(path: Path) -> None:
    """As gzip does: the archive grows beside the file, which goes when it is whole."""
    packed = gzip.compress(path.read_bytes())
    with path.with_name(f"{path.name}.gz").open("wb", buffering=0) as archive:
        for at in range(0, len(packed), 1 + len(packed) // 4):
            archive.write(packed[at : at + 1 + len(packed) // 4])
            time.sleep(0.02)
    path.unlink()


def _shift(log: Path, number: int) -> None:
    for older in range(number, 0, -1):
        for suffix in ("", ".gz"):
            path = log.with_name(f"{log.name}.{older}{suffix}")
            if path.exists():
                path.rename(log.with_name(f"{log.name}.{older + 1}{suffix}"))


def numbered(log: Path, number: int) -> None:
    """The file before the last one is compressed, as logrotate's delaycompress has it."""
    _shift(log, number)
    log.rename(log.with_name(f"{log.name}.1"))
    log.touch()
    if (before := log.with_name(f"{log.name}.2")).exists():
        pack(before)


def dated(log: Path, number: int) -> None:
    old = log.rename(log.with_name(f"{log.name}-202611{10 + number}"))
    log.touch()
    pack(old)


def copied_and_cut(log: Path, number: int) -> None:
    _shift(log, number)
    copy = log.with_name(f"{log.name}.1")
    shutil.copyfile(log, copy)
    log.write_bytes(b"")
    pack(copy)


@pytest.fixture(scope="module")
def text() -> bytes:
    world = PostfixWorld(seed=7, start=START, mails_per_day=300)
    return "".join(f"{line}\n" for line in world.lines(START, START + 3 * DAY)).encode()


@pytest.fixture(scope="module")
def wanted(text: bytes, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the whole log comes to when nothing disturbs."""
    place = tmp_path_factory.mktemp("undisturbed")
    log = place / "mail.log"
    log.write_bytes(text)
    return undisturbed(place / "data", log)


def has_begun(installation: Installation) -> bool:
    """The server with this log."""
    told = HTTP.get(f"{installation.url}/metrics").text
    return re.search(r"^mailvane_postfix_lines_total\{.*\} [1-9]", told, re.MULTILINE) is not None


@pytest.mark.parametrize("rotate", [numbered, dated, copied_and_cut])
def test_a_log_that_is_rotated_and_compressed_is_taken_in_once_however_often_the_server_is_killed(
    tmp_path: Path, text: bytes, wanted: dict[str, Any], rotate: Rotate
) -> None:
    log = tmp_path / "logs" / "mail.log"
    log.parent.mkdir()
    first = text.index(b"\n") + 1
    log.write_bytes(text[:first])
    data = tmp_path / "killed"
    installation = Installation(data)
    (data / "mailvane.toml").write_text(f'[[postfix]]\npath = "{log}"\nworkspace = "acme"\n')
    _, token = installation.tenant("acme")
    with installation.serving():
        installation.wait_for(lambda: has_begun(installation))
    written = Event()

    def write() -> None:
        at = first
        for number in range(ROTATIONS + 1):
            end = (
                len(text)
                if number == ROTATIONS
                else text.index(b"\n", at + (len(text) - at) // (ROTATIONS + 1 - number)) + 1
            )
            with log.open("ab") as file:
                file.write(text[at:end])
            at = end
            time.sleep(0.4)
            if number < ROTATIONS:
                rotate(log, number + 1)
        written.set()

    writer = Thread(target=write)
    writer.start()
    try:
        installation.kill_servers(ROUNDS, random.Random(17), 2.0)
    finally:
        writer.join()
    assert written.is_set()
    received = wanted["all"]["received"]
    with installation.serving():
        installation.wait_for(lambda: installation.get("/mail/stats", token, time="all")["received"] == received)
        installation.wait_for(lambda: installation.everything("acme") == wanted)
