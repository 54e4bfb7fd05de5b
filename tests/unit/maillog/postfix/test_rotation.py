"""Every file between the one that was read and the one that is written is read, in order, whatever rotates it."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailvane.maillog.postfix.rotation import rotated_files
from tests.unit.maillog.postfix.living import Living, append

LogOf = Callable[[int, int], bytes]
Rotate = Callable[[Path], None]
PACK: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mail.log"


def all_told_in_order(ledger: Any, mails: int) -> None:
    assert len(ledger.events) == len(set(ledger.told())) == 3 * mails
    assert [event.at for event in ledger.events] == sorted(event.at for event in ledger.events)


def pack(path: Path, suffix: str = ".gz") -> None:
    path.with_name(path.name + suffix).write_bytes(PACK[suffix](path.read_bytes()))
    path.unlink()


def _shift(path: Path) -> None:
    for number in range(60, 0, -1):
        for suffix in ("", *PACK):
            older = path.with_name(f"{path.name}.{number}{suffix}")
            if older.exists():
                older.rename(path.with_name(f"{path.name}.{number + 1}{suffix}"))


def numbered(path: Path) -> None:
    _shift(path)
    path.rename(path.with_name(f"{path.name}.1"))


def numbered_and_created(path: Path) -> None:
    numbered(path)
    path.touch()


def packed(path: Path) -> None:
    numbered(path)
    pack(path.with_name(f"{path.name}.1"))


def packed_later(path: Path) -> None:
    """logrotate's delaycompress."""
    before = path.with_name(f"{path.name}.1")
    if before.exists():
        pack(before, ".xz")
    numbered(path)


def copied_and_cut(path: Path) -> None:
    _shift(path)
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    path.write_bytes(b"")


def dated(form: str, suffix: str = "") -> Rotate:
    def rotate(path: Path) -> None:
        day = next(day for day in range(10, 99) if not list(path.parent.glob(f"{form % day}*")))
        old = path.rename(path.with_name(form % day))
        if suffix:
            pack(old, suffix)

    return rotate


WAYS: dict[str, Rotate] = {
    "numbered": numbered,
    "numbered, with a new file": numbered_and_created,
    "packed": packed,
    "packed later": packed_later,
    "copied and cut": copied_and_cut,
    "dated": dated("mail.log-202611%02d"),
    "dated, packed": dated("mail.log-202611%02d", ".bz2"),
    "dated before the extension": dated("mail-202611%02d.log", ".gz"),
    "dated as postfix logrotate does": dated("mail.log.20261127-1200%02d", ".gz"),
    "dated with dashes": dated("mail.log-2026-11-%02d"),
    "by the second": dated("mail.log-17957871%02d"),
}


def rotations(path: Path, log_of: LogOf, rotate: Rotate, first: int, times: int) -> Callable[[], None]:
    """As many rotations as that at once, two mails in each file."""

    def act() -> None:
        for number in range(first, first + 2 * times, 2):
            rotate(path)
            append(path, log_of(number, number + 2))()

    return act


@pytest.mark.parametrize("times", [1, 2, 5])
@pytest.mark.parametrize("way", WAYS)
def test_a_follower_that_stalls_over_rotations_skips_no_file(
    ledger: Any, path: Path, log_of: LogOf, way: str, times: int
) -> None:
    # It has read the first three mails; the fourth comes before the log is rotated for the first time.
    acts = [
        append(path, log_of(0, 3)),
        lambda: (append(path, log_of(3, 4))(), rotations(path, log_of, WAYS[way], 4, times)())[0],
        append(path, log_of(4 + 2 * times, 5 + 2 * times)),
    ]
    Living(ledger, path, acts)
    all_told_in_order(ledger, 5 + 2 * times)
    Living(ledger, path)
    all_told_in_order(ledger, 5 + 2 * times)


@pytest.mark.parametrize("times", [1, 2, 5])
@pytest.mark.parametrize("way", WAYS)
def test_a_follower_that_was_not_there_over_rotations_skips_no_file(
    ledger: Any, path: Path, log_of: LogOf, way: str, times: int
) -> None:
    path.write_bytes(log_of(0, 3))
    Living(ledger, path)
    append(path, log_of(3, 4))()
    rotations(path, log_of, WAYS[way], 4, times)()
    Living(ledger, path, [append(path, log_of(4 + 2 * times, 5 + 2 * times))])
    all_told_in_order(ledger, 5 + 2 * times)


@pytest.mark.parametrize("way", ["numbered", "numbered, with a new file", "dated", "by the second"])
def test_a_follower_that_starts_before_the_writer_has_let_go_reads_on_in_the_old_file(
    ledger: Any, path: Path, log_of: LogOf, way: str
) -> None:
    path.write_bytes(log_of(0, 3))
    Living(ledger, path)
    append(path, log_of(3, 4))()
    WAYS[way](path)
    old = max(path.parent.iterdir(), key=lambda file: file.stat().st_size)
    half = len(log_of(4, 5)) // 2
    acts = [
        append(old, log_of(4, 5)[:half]),  # the buffer of a log daemon ends anywhere
        append(old, log_of(4, 5)[half:]),
        append(path, log_of(5, 6)),
    ]
    Living(ledger, path, acts)
    all_told_in_order(ledger, 6)


def test_a_copy_that_is_being_made_does_not_cut_a_line_in_two(ledger: Any, path: Path, log_of: LogOf) -> None:
    path.write_bytes(log_of(0, 3))
    Living(ledger, path)
    append(path, log_of(3, 5))()
    copy = path.with_name("mail.log.1")
    copy.write_bytes(path.read_bytes()[:-700])
    finished = lambda: copied_and_cut(path)  # noqa: E731
    copied = [copy.unlink, finished, append(path, log_of(5, 6))]
    Living(ledger, path, copied)
    all_told_in_order(ledger, 6)


def test_a_file_that_is_being_compressed_is_read_where_it_is_whole(ledger: Any, path: Path, log_of: LogOf) -> None:
    """The archive is there already, but not complete; the file goes when it is."""
    path.write_bytes(log_of(0, 3))
    archive, old = path.with_name("mail.log.2.gz"), path.with_name("mail.log.2")
    whole = gzip.compress(log_of(0, 5))

    def begin() -> None:
        append(path, log_of(3, 5))()
        path.rename(old)
        path.with_name("mail.log.1").write_bytes(log_of(5, 7))
        path.write_bytes(log_of(7, 8))
        archive.write_bytes(whole[:-20])

    def end() -> None:
        archive.write_bytes(whole)
        old.unlink()

    Living(ledger, path, [lambda: None, begin, end, append(path, log_of(8, 9))])
    all_told_in_order(ledger, 9)


def test_an_archive_that_grows_is_waited_for(ledger: Any, path: Path, log_of: LogOf) -> None:
    path.write_bytes(log_of(0, 3))
    Living(ledger, path)
    whole = gzip.compress(log_of(0, 5))
    archive = path.with_name("mail.log.1.gz")
    archive.write_bytes(whole[: len(whole) // 2])
    path.write_bytes(log_of(5, 6))

    def write(end: int) -> Callable[[], None]:
        def act() -> None:
            archive.write_bytes(whole[:end])

        return act

    Living(ledger, path, [write(-20), write(len(whole))])
    all_told_in_order(ledger, 6)


def test_an_archive_that_stays_damaged_is_passed_over(
    ledger: Any, path: Path, log_of: LogOf, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_bytes(log_of(0, 3))
    Living(ledger, path)
    path.with_name("mail.log.1.gz").write_bytes(gzip.compress(log_of(0, 5))[:-20])
    path.write_bytes(log_of(5, 6))
    Living(ledger, path, [lambda: None] * 12)
    assert {event.recipient for event in ledger.events} == {"", "r@example.net"}
    assert len(ledger.told()) == len(set(ledger.told())) >= 3 * 4
    assert "mail.log.1.gz" in caplog.text


def test_what_was_read_is_gone_and_what_came_after_it_is_not_skipped(ledger: Any, path: Path, log_of: LogOf) -> None:
    """logrotate's `rotate 1`."""

    def act() -> None:
        for number in (3, 5, 7):
            numbered(path)
            path.with_name("mail.log.2").unlink(missing_ok=True)
            append(path, log_of(number, number + 2))()

    Living(ledger, path, [append(path, log_of(0, 3)), act])
    assert len(ledger.events) == len(set(ledger.told())) == 3 * (3 + 2 + 2)


@pytest.mark.parametrize("seed", range(12))
def test_any_course_of_rotations_stalls_and_restarts_loses_nothing(
    ledger: Any, path: Path, log_of: LogOf, seed: int
) -> None:
    choose = random.Random(seed)
    rotate = list(WAYS.values())[seed % len(WAYS)]
    text = log_of(0, 120)
    done = text.find(b"\n") + 1
    path.write_bytes(text[:done])
    Living(ledger, path)
    while done < len(text):

        def act() -> None:
            nonlocal done
            for _ in range(choose.randrange(1, 5)):
                end = text.find(b"\n", done + choose.randrange(400, 3000)) + 1 or len(text)
                append(path, text[done:end])()
                done = end
                if done < len(text) and choose.random() < 0.7:
                    rotate(path)

        Living(ledger, path, [act] * choose.randrange(1, 4))
    all_told_in_order(ledger, 120)


def test_names_tell_the_order(tmp_path: Path) -> None:
    names = [
        "mail.log.10.gz", "mail.log.9.bz2", "mail.log.2.gz", "mail.log.1", "mail.log",
    ]  # fmt: skip
    for name in [*reversed(names), "mail.log.1.gz", "mail.log.swp", "mail.log.1.tmp", "mail.logs.1", "mail.err.1"]:
        (tmp_path / name).write_text("x")
    (tmp_path / "mail.log.3").touch()
    assert [file.path.name for file in rotated_files(tmp_path / "mail.log")] == names
