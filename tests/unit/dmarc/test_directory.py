"""Files are taken once they are stable, and moved only after they are durable."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import pytest

from mailvane.core.errors import CollectionFailed, StoreUnavailable
from mailvane.dmarc import directory
from mailvane.dmarc.directory import STABLE_MS, DropDirectory
from mailvane.dmarc.intake import Taken
from mailvane.reputation.model import ObservationKind

NOW = 1_790_000_000_000
GOOD = Taken(name="x", kind=ObservationKind.DMARC)
BAD = Taken(name="x", reason="it is empty")


class Receiver:
    """Remembers what it was given."""

    def __init__(self, *answer: Taken) -> None:
        self.answer = list(answer)
        self.given: list[tuple[str, bytes]] = []

    def __call__(self, file: BinaryIO, name: str) -> Sequence[Taken]:
        self.given.append((name, file.read()))
        return self.answer


def put(path: Path, content: bytes = b"x", written_at: int = NOW - 2 * STABLE_MS) -> None:
    path.write_bytes(content)
    os.utime(path, ns=(written_at * 1_000_000, written_at * 1_000_000))


def names(path: Path) -> list[str]:
    return sorted(str(each.relative_to(path)) for each in path.rglob("*") if each.is_file() or each.is_symlink())


def test_a_file_that_was_taken_goes_to_done(tmp_path: Path) -> None:
    put(tmp_path / "b.xml", b"two")
    put(tmp_path / "a.xml", b"one")
    receiver = Receiver(GOOD)
    assert DropDirectory(tmp_path).read(receiver, NOW) == 2
    assert receiver.given == [("a.xml", b"one"), ("b.xml", b"two")]
    assert names(tmp_path) == ["done/a.xml", "done/b.xml"]


def test_a_file_that_was_refused_has_the_reason_beside_it(tmp_path: Path) -> None:
    put(tmp_path / "a.xml")
    DropDirectory(tmp_path).read(Receiver(BAD), NOW)
    assert names(tmp_path) == ["refused/a.xml", "refused/a.xml.reason"]
    assert (tmp_path / "refused/a.xml.reason").read_text() == "x: it is empty\n"


def test_what_was_passed_over_of_a_good_file_is_said_too(tmp_path: Path) -> None:
    put(tmp_path / "a.zip")
    DropDirectory(tmp_path).read(Receiver(GOOD, BAD), NOW)
    assert names(tmp_path) == ["done/a.zip", "done/a.zip.reason"]


def test_a_file_that_is_being_written_is_left_alone_until_it_rests(tmp_path: Path) -> None:
    place, receiver = DropDirectory(tmp_path), Receiver(GOOD)
    put(tmp_path / "a.xml", b"half", NOW - 1)
    assert place.read(receiver, NOW) == 0
    put(tmp_path / "a.xml", b"whole", NOW)
    assert place.read(receiver, NOW + 1) == 0
    assert place.read(receiver, NOW + 2) == 1
    assert receiver.given == [("a.xml", b"whole")]


def test_a_clock_that_is_wrong_keeps_no_file_waiting_for_ever(tmp_path: Path) -> None:
    place = DropDirectory(tmp_path)
    put(tmp_path / "a.xml", b"x", NOW + 10**9)
    assert [place.read(Receiver(GOOD), NOW), place.read(Receiver(GOOD), NOW)] == [0, 1]


def test_a_name_that_is_taken_gets_a_number(tmp_path: Path) -> None:
    for _ in range(3):
        put(tmp_path / "a.xml")
        DropDirectory(tmp_path).read(Receiver(BAD), NOW)
    assert [name for name in names(tmp_path) if not name.endswith("reason")] == [
        "refused/a.xml", "refused/a.xml.1", "refused/a.xml.2",
    ]  # fmt: skip


def test_hidden_files_links_and_directories_are_not_touched(tmp_path: Path) -> None:
    put(tmp_path / ".a.xml.part")
    (tmp_path / "b.xml").symlink_to("/etc/hostname")
    (tmp_path / "c").mkdir()
    put(tmp_path / "c" / "d.xml")
    os.mkfifo(tmp_path / "e")
    receiver = Receiver(GOOD)
    assert DropDirectory(tmp_path).read(receiver, NOW) == 0
    assert receiver.given == []
    assert names(tmp_path) == [".a.xml.part", "b.xml", "c/d.xml"]


def test_a_file_that_is_not_durable_stays_where_it_is(tmp_path: Path) -> None:
    def away(_file: BinaryIO, _name: str) -> Sequence[Taken]:
        raise StoreUnavailable

    put(tmp_path / "a.xml")
    with pytest.raises(StoreUnavailable):
        DropDirectory(tmp_path).read(away, NOW)
    assert names(tmp_path) == ["a.xml"]


def test_a_directory_that_is_not_there_is_a_failed_collection(tmp_path: Path) -> None:
    with pytest.raises(CollectionFailed, match="the report directory cannot be used"):
        DropDirectory(tmp_path / "none").read(Receiver(GOOD), NOW)


def test_a_file_that_we_fail_at_keeps_no_other_from_being_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path / "a.json")
    put(tmp_path / "b.xml")

    def failing(_file: BinaryIO, name: str) -> Sequence[Taken]:
        if name == "a.json":
            raise RecursionError("too deep")
        return [GOOD]

    refused: list[str] = []
    place = DropDirectory(tmp_path)
    assert place.read(failing, NOW, refused.extend) == 2
    assert names(tmp_path) == ["done/b.xml", "refused/a.json", "refused/a.json.reason"]
    told = "a.json: it could not be taken in: RecursionError: too deep"
    assert (tmp_path / "refused/a.json.reason").read_text() == f"{told}\n"
    assert refused == [told]
    assert caplog.text.count("Traceback") == 1
    assert place.read(failing, NOW, refused.extend) == 0
    assert caplog.text.count("Traceback") == 1


def test_each_report_that_is_refused_is_told_also_of_a_file_that_has_others(tmp_path: Path) -> None:
    put(tmp_path / "a.zip")
    refused: list[str] = []
    DropDirectory(tmp_path).read(Receiver(BAD, GOOD, BAD), NOW, refused.extend)
    assert refused == ["x: it is empty", "x: it is empty"]


def test_what_cannot_be_taken_in_for_now_comes_after_what_was_not_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "MOST_TROUBLES", 2)
    for name in "abcd":
        put(tmp_path / name)

    def sometimes(_file: BinaryIO, name: str) -> Sequence[Taken]:
        if name in "ab":
            raise StoreUnavailable
        return [GOOD]

    place = DropDirectory(tmp_path)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            place.read(sometimes, NOW)
    assert names(tmp_path) == ["a", "b", "done/c", "done/d"]
    assert place.read(Receiver(GOOD), NOW) == 2


if os.geteuid() != 0:  # root opens every file

    def test_a_file_that_may_not_be_read_keeps_no_other_from_being_read(tmp_path: Path) -> None:
        put(tmp_path / "a")
        put(tmp_path / "b")
        (tmp_path / "a").chmod(0)
        with pytest.raises(CollectionFailed, match="a of the report directory cannot be opened"):
            DropDirectory(tmp_path).read(Receiver(GOOD), NOW)
        assert names(tmp_path) == ["a", "done/b"]
