"""The writer appends a world's lines to a file, and goes on as time goes by."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

from mailvane_demo.world.log_writer import LogWriter
from mailvane_demo.world.postfix import PostfixWorld
from tests.waiting import PATIENCE

HOUR = 3_600_000
MONDAY = 1_760_313_600_000


def expected(until: int) -> list[str]:
    return list(PostfixWorld(1, MONDAY).lines(MONDAY, until))


def read(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_history_and_what_follows_join_without_a_seam(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    writer = LogWriter(PostfixWorld(1, MONDAY), path)
    count = writer.write(MONDAY, MONDAY + 6 * HOUR)
    assert count == len(read(path))
    ticks = iter(range(MONDAY + 7 * HOUR, MONDAY + 9 * HOUR, HOUR))

    def clock() -> int:
        now = next(ticks, None)
        if now is None:
            writer.stop()
            return MONDAY
        return now

    thread = Thread(target=writer.follow, args=(MONDAY + 7 * HOUR, clock))
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert read(path) == expected(MONDAY + 8 * HOUR)


def test_without_history_the_log_begins_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    writer = LogWriter(PostfixWorld(1, MONDAY), path)

    def clock() -> int:
        if path.exists():
            writer.stop()
        return MONDAY + 9 * HOUR

    writer.follow(MONDAY + 8 * HOUR, clock)
    assert read(path) == list(PostfixWorld(1, MONDAY).lines(MONDAY + 8 * HOUR, MONDAY + 9 * HOUR))


def test_a_stopped_writer_writes_no_more(tmp_path: Path) -> None:
    writer = LogWriter(PostfixWorld(1, MONDAY), tmp_path / "mail.log")
    writer.stop()
    assert writer.write(MONDAY, MONDAY + HOUR) == 0


def test_a_log_that_has_grown_is_renamed_and_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    writer = LogWriter(PostfixWorld(1, MONDAY), path, rotate_at=50_000)
    for hour in range(4):
        writer.write(MONDAY + hour * HOUR, MONDAY + (hour + 1) * HOUR)
    older = sorted(tmp_path.glob("mail.log.*"), reverse=True)
    assert len(older) >= 2
    assert older[-1].name == "mail.log.1"
    together = [line for part in (*older, path) for line in read(part)]
    assert together == expected(MONDAY + 4 * HOUR)
