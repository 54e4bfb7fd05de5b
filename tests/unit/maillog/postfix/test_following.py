"""A living log, whatever is done to it, tells every line once."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailvane.core.errors import InvalidInput
from tests.unit.maillog.postfix.living import Living, append

LogOf = Callable[[int, int], bytes]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mail.log"


def all_told(ledger: Any, mails: int) -> None:
    assert len(ledger.events) == len(set(ledger.told())) == 3 * mails


def test_lines_are_told_as_they_come_and_never_in_halves(ledger: Any, path: Path, log_of: LogOf) -> None:
    text = log_of(0, 4)
    Living(ledger, path, [append(path, text[:100]), append(path, text[100:1000]), append(path, text[1000:])])
    all_told(ledger, 4)


def test_a_file_renamed_away_is_finished_before_the_new_one(ledger: Any, path: Path, log_of: LogOf) -> None:
    old = path.with_name("mail.log.1")

    def rename() -> None:
        path.rename(old)
        path.touch()

    def let_go() -> None:
        append(old, log_of(5, 6))()
        append(path, log_of(6, 8))()

    # Between the renaming and the letting go, the writer still writes to the old file.
    acts = [append(path, log_of(0, 3)), rename, append(old, log_of(3, 5)), let_go, append(path, log_of(8, 9))]
    Living(ledger, path, acts)
    all_told(ledger, 9)
    assert [event.accepted_at for event in ledger.events] == sorted(event.accepted_at for event in ledger.events)


def test_a_file_copied_and_cut_goes_on_at_its_new_start(ledger: Any, path: Path, log_of: LogOf) -> None:
    old = path.with_name("mail.log.1")

    def copy_and_cut() -> None:
        append(path, log_of(3, 5))()
        old.write_bytes(path.read_bytes())
        path.write_bytes(b"")

    Living(ledger, path, [append(path, log_of(0, 3)), copy_and_cut, append(path, log_of(5, 7))])
    all_told(ledger, 7)


def test_a_file_cut_and_filled_beyond_where_it_was_is_noticed(ledger: Any, path: Path, log_of: LogOf) -> None:
    def rewrite() -> None:
        path.write_bytes(log_of(3, 20))

    Living(ledger, path, [append(path, log_of(0, 3)), rewrite, append(path, log_of(20, 21))])
    all_told(ledger, 21)


def test_a_file_deleted_is_waited_for(ledger: Any, path: Path, log_of: LogOf) -> None:
    Living(ledger, path, [append(path, log_of(0, 3)), path.unlink, append(path, log_of(3, 5))])
    all_told(ledger, 5)


def test_a_restart_goes_on_where_it_was(ledger: Any, path: Path, log_of: LogOf) -> None:
    text = log_of(0, 10)
    for end in (50, 700, 2000, len(text)):
        path.write_bytes(text[:end])
        Living(ledger, path)
    all_told(ledger, 10)


@pytest.mark.parametrize("compressed", [False, True])
def test_what_was_rotated_away_meanwhile_is_finished_first(
    ledger: Any, path: Path, log_of: LogOf, compressed: bool
) -> None:
    path.write_bytes(log_of(0, 3))
    Living(ledger, path)
    append(path, log_of(3, 5))()
    if compressed:
        path.with_name("mail.log.2.gz").write_bytes(gzip.compress(path.read_bytes()))
    else:
        path.rename(path.with_name("mail.log.2"))
    path.with_name("mail.log.1").write_bytes(log_of(5, 8))  # came and went while nobody looked
    path.write_bytes(log_of(8, 9))
    Living(ledger, path)
    all_told(ledger, 9)
    assert [event.accepted_at for event in ledger.events] == sorted(event.accepted_at for event in ledger.events)


def test_older_logs_that_were_never_imported_are_left_alone(ledger: Any, path: Path, log_of: LogOf) -> None:
    path.with_name("mail.log.1").write_bytes(log_of(0, 5))
    path.write_bytes(log_of(5, 6))
    Living(ledger, path)
    Living(ledger, path)
    all_told(ledger, 1)


def test_an_archive_that_is_still_being_written_does_not_stop_the_following(
    ledger: Any, path: Path, log_of: LogOf
) -> None:
    path.write_bytes(log_of(0, 3))
    Living(ledger, path)
    path.with_name("mail.log.2.gz").write_bytes(gzip.compress(log_of(0, 3))[:100])
    append(path, log_of(3, 4))()
    Living(ledger, path)
    all_told(ledger, 4)


def test_what_cannot_be_followed_is_named(ledger: Any, path: Path) -> None:
    path.mkdir()
    with pytest.raises(InvalidInput, match=r"mail\.log"):
        Living(ledger, path)


@pytest.mark.parametrize("seed", range(10))
def test_any_course_of_writing_rotating_and_restarting_loses_nothing(
    ledger: Any, path: Path, log_of: LogOf, seed: int
) -> None:
    choose = random.Random(seed)
    text = log_of(0, 100)
    acts: list[Callable[[], None]] = []
    done = 0
    while done < len(text):
        end = done + choose.randrange(1, 4000)
        if choose.random() < 0.3:
            end = text.find(b"\n", end) + 1 or len(text)
        acts.append(append(path, text[done:end]))
        done = end
        if text[:done].endswith(b"\n") and choose.random() < 0.7:
            acts.append(lambda: _rotate(path))
        if choose.random() < 0.3:
            Living(ledger, path, acts)
            acts = []
    Living(ledger, path, acts)
    all_told(ledger, 100)


def _rotate(path: Path) -> None:
    for number in range(50, 0, -1):
        older = path.with_name(f"mail.log.{number}")
        if older.exists():
            older.rename(path.with_name(f"mail.log.{number + 1}"))
    path.rename(path.with_name("mail.log.1"))
    path.touch()
