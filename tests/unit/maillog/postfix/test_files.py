"""Log files as streams, and what they are known by."""

from __future__ import annotations

import _thread
import bz2
import gzip
import hashlib
import lzma
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Timer

import pytest

from mailvane.core.errors import InvalidInput
from mailvane.maillog.postfix.files import PIECE, STDIN, LogStream, fingerprint, open_log
from tests.waiting import PATIENCE

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = b"".join(b"line %d\n" % number for number in range(20_000))
FORMS: list[Callable[[bytes], bytes]] = [bytes, gzip.compress, bz2.compress, lzma.compress]


def rest(stream: LogStream) -> bytes:
    return b"".join(iter(stream.read, b""))


@pytest.fixture(params=FORMS, ids=["plain", "gzip", "bzip2", "xz"])
def name(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    path = tmp_path / "log"
    path.write_bytes(request.param(TEXT))
    return str(path)


def test_the_form_is_told_by_the_content(name: str) -> None:
    with open_log(name) as stream:
        assert rest(stream) == TEXT
        assert stream.consumed == stream.size == Path(name).stat().st_size


def test_looking_at_the_first_line_takes_nothing(name: str) -> None:
    with open_log(name) as stream:
        assert stream.first_line() == b"line 0"
        assert rest(stream) == TEXT


@pytest.mark.parametrize("offset", [0, 7, 5000, 100_000, len(TEXT)])
def test_going_forward_shows_what_was_passed_last(name: str, offset: int) -> None:
    with open_log(name) as stream:
        stream.first_line()
        tail = stream.skip(offset)
        assert tail is not None
        assert TEXT[:offset].endswith(tail)
        assert rest(stream) == TEXT[offset:]


def test_one_cannot_go_beyond_the_end(name: str) -> None:
    with open_log(name) as stream:
        assert stream.skip(len(TEXT) + 1) is None


def test_one_can_go_back_to_the_start(name: str) -> None:
    with open_log(name) as stream:
        stream.skip(1000)
        stream.rewind()
        assert rest(stream) == TEXT


def test_a_first_line_without_an_end_counts_only_in_a_finished_file(tmp_path: Path) -> None:
    for suffix, expected in (("", None), (".1", b"half"), ("-20261010", b"half")):
        path = tmp_path / f"mail.log{suffix}"
        path.write_bytes(b"half")
        with open_log(str(path)) as stream:
            assert stream.first_line() == expected


def test_trailing_rubbish_is_named_after_all_else_was_read(tmp_path: Path) -> None:
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(b"good\n") + b"rubbish")
    with open_log(str(path)) as stream:
        assert stream.read() == b"good\n"
        with pytest.raises(InvalidInput, match=r"log\.gz: the archive is damaged"):
            stream.read()


def test_files_that_begin_alike_can_be_told_apart() -> None:
    names = {fingerprint(b"line", attempt) for attempt in range(3)} | {fingerprint(b"other")}
    assert len(names) == 4


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstd.compress])
def test_an_archive_that_unpacks_to_much_comes_in_pieces_of_bounded_size(
    pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    text = b"".join(
        b"Nov 27 10:00:00 mx1 postfix/qmgr[1]: %06X: removed\n" % number for number in range(40_000)
    )  # 2 MB
    path = tmp_path / "mail.log.packed"
    path.write_bytes(pack(text) + pack(text))
    seen = hashlib.sha256()
    with open_log(str(path)) as stream:
        while piece := stream.read():
            assert len(piece) <= PIECE
            seen.update(piece)
    assert seen.digest() == hashlib.sha256(text + text).digest()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstd.compress])
@pytest.mark.parametrize("text", [b"a" * (1 << 20), b"\n" * (1 << 20)], ids=["one line", "empty lines"])
def test_an_archive_that_unpacks_out_of_proportion_ends_with_a_clear_error(
    pack: Callable[[bytes], bytes], text: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "mail.log.packed"
    path.write_bytes(pack(text) * 200)
    read: list[int] = []
    told = r"packed: an? \w+ file that unpacks to more than 200 times its size"
    with open_log(str(path)) as stream, pytest.raises(InvalidInput, match=told):
        read.extend(len(piece) for piece in iter(stream.read, b""))
    assert 60 << 20 < sum(read) <= 64 << 20


@pytest.fixture
def interruptible() -> Iterator[None]:
    """As it usually is; a shell starts what it runs in the background to ignore Ctrl-C."""
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, usual)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_that_came_just_before_a_wait_for_a_pipe_is_heard() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb") as writer:
        Timer(0.05, _thread.interrupt_main).start()  # the signal is noted, and no system call ends by it
        end = Timer(PATIENCE, writer.close)
        end.daemon = True
        end.start()
        with pytest.raises(KeyboardInterrupt):
            LogStream(STDIN, pipe, 0).read()
        end.cancel()
        assert not writer.closed
