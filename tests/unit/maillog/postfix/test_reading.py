"""Files in, journal entries out: every line once, whatever the files are called and however they are compressed."""

from __future__ import annotations

import bz2
import fcntl
import gzip
import io
import lzma
import os
import resource
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mailvane.core.errors import InvalidInput
from mailvane.maillog.model import EventType
from mailvane.maillog.postfix import files, reading
from mailvane.maillog.postfix.summary import Summary
from tests.unit.maillog.postfix.conftest import NOVEMBER

LogOf = Callable[[int, int], bytes]
COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".1": bytes,
}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK", 4096)
    monkeypatch.setattr(files, "BLOCK", 4096)
    monkeypatch.setattr(files, "PIECE", 1024)


def put(path: Path, text: bytes) -> str:
    path.write_bytes(text)
    return str(path)


def test_a_file_is_read_in_blocks_and_every_event_comes_once(ledger: Any, log_of: LogOf, tmp_path: Path) -> None:
    assert ledger.import_files(put(tmp_path / "mail.log", log_of(0, 50))) == 150
    assert len(ledger.tokens) > 5
    assert len(set(ledger.tokens)) == len(ledger.tokens)
    assert len(set(ledger.told())) == 150


def test_importing_a_file_again_adds_nothing(ledger: Any, log_of: LogOf, tmp_path: Path) -> None:
    name = put(tmp_path / "mail.log", log_of(0, 50))
    ledger.import_files(name)
    assert ledger.import_files(name) == 0


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_a_rotated_and_compressed_file_is_the_same_file(
    ledger: Any, log_of: LogOf, tmp_path: Path, suffix: str
) -> None:
    text = log_of(0, 50)
    ledger.import_files(put(tmp_path / "mail.log", text))
    name = put(tmp_path / f"mail.log{suffix}", COMPRESSORS[suffix](text))
    assert ledger.import_files(name, put(tmp_path / "mail.log", log_of(50, 51))) == 3


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_a_compressed_file_gives_the_same_events(ledger: Any, log_of: LogOf, tmp_path: Path, suffix: str) -> None:
    text = log_of(0, 50)
    ledger.import_files(put(tmp_path / f"old{suffix}", COMPRESSORS[suffix](text)))
    told = ledger.told()
    assert ledger.import_files(put(tmp_path / "plain", text)) == 0
    assert len(set(told)) == 150


def test_a_file_that_grew_adds_its_growth(ledger: Any, log_of: LogOf, tmp_path: Path) -> None:
    text = log_of(0, 50)
    lines = text.splitlines(keepends=True)
    for end in (0, 1, 2, 3, 5, 100, 133, len(lines)):
        ledger.import_files(put(tmp_path / "mail.log", b"".join(lines[:end])))
    assert len(ledger.events) == 150
    assert len(set(ledger.told())) == 150


def test_a_line_without_an_end_is_left_for_the_next_time(ledger: Any, log_of: LogOf, tmp_path: Path) -> None:
    text = log_of(0, 2)
    cut = text.rindex(b"status=sent") + 8
    assert ledger.import_files(put(tmp_path / "mail.log", text[:cut])) == 5
    assert ledger.import_files(put(tmp_path / "mail.log", text)) == 1


@pytest.mark.parametrize("onward", [b"\n", b"\r\n"])
def test_a_last_line_that_says_all_it_can_needs_no_end(
    ledger: Any, log_of: LogOf, tmp_path: Path, onward: bytes
) -> None:
    text, more = log_of(0, 2), log_of(2, 4)
    lines = text.splitlines(keepends=True)
    end = next(place for place in reversed(range(len(lines))) if b"status=sent" in lines[place]) + 1
    cut = b"".join(lines[:end]).rstrip(b"\n")
    assert ledger.import_files(put(tmp_path / "mail.log", cut)) == 6
    assert ledger.import_files(put(tmp_path / "mail.log", cut)) == 0
    grown = cut + onward + b"".join(lines[end:]) + more
    assert ledger.import_files(put(tmp_path / "mail.log", grown)) == 6
    assert len(set(ledger.told())) == len(ledger.events) == 12
    assert ledger.import_files(put(tmp_path / "mail.log.1.gz", gzip.compress(grown))) == 0


def test_a_file_of_one_line_without_an_end_is_read(ledger: Any, tmp_path: Path) -> None:
    line = (
        b"Oct 10 10:00:00 mx1 postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[192.0.2.1]: 554 5.7.1 <a@b>: Relay access"
        b" denied; from=<s@x.example> to=<a@b> proto=ESMTP helo=<x>"
    )
    assert ledger.import_files(put(tmp_path / "mail.log", line)) == 1
    assert ledger.import_files(put(tmp_path / "mail.log", line + b"\n" + line.replace(b":00 mx1", b":01 mx1"))) == 1


def test_wherever_a_file_ends_today_nothing_is_told_twice_or_never(log_of: LogOf, ledger: Any, tmp_path: Path) -> None:
    text = log_of(0, 2)
    whole = ledger
    whole.import_files(put(tmp_path / "whole.log", text))
    for cut in range(0, len(text), 7):
        cut_short = type(ledger)()
        with suppress(InvalidInput):  # there is nothing to read yet
            cut_short.import_files(put(tmp_path / "mail.log", text[:cut]))
        cut_short.import_files(put(tmp_path / "mail.log", text))
        assert [(event.type, event.mail_id, event.reply) for event in cut_short.events] == [
            (event.type, event.mail_id, event.reply) for event in whole.events
        ]


def test_the_last_line_of_a_finished_file_needs_no_end(ledger: Any, log_of: LogOf, tmp_path: Path) -> None:
    text = log_of(0, 2)
    cut = text.rindex(b"\nOct")
    assert ledger.import_files(put(tmp_path / "mail.log.1", text[:cut])) == 6


def test_a_file_that_begins_like_another_is_another(ledger: Any, log_of: LogOf, tmp_path: Path) -> None:
    first_line, rest = log_of(0, 50).split(b"\n", 1)
    ledger.import_files(put(tmp_path / "a.log", first_line + b"\n" + rest))
    other = put(tmp_path / "b.log", first_line + b"\n" + log_of(100, 200))
    assert ledger.import_files(other) == 300
    assert ledger.import_files(other) == 0
    assert ledger.import_files(put(tmp_path / "b.log.gz", gzip.compress(Path(other).read_bytes()))) == 0


def test_files_are_read_oldest_first_whatever_their_order(ledger: Any, log_of: LogOf, tmp_path: Path) -> None:
    text = log_of(0, 60)
    lines = text.splitlines(keepends=True)
    newest = put(tmp_path / "mail.log", b"".join(lines[201:]))
    middle = put(tmp_path / "mail.log.1", b"".join(lines[101:201]))
    oldest = put(tmp_path / "mail.log.2.gz", gzip.compress(b"".join(lines[:101])))
    assert ledger.import_files(newest, oldest, middle) == 180
    assert len(set(ledger.told())) == 180


def test_years_are_told_by_when_the_file_was_last_written(ledger: Any, log_of: LogOf, tmp_path: Path) -> None:
    name = put(tmp_path / "mail.log", log_of(0, 1))
    os.utime(name, (1_700_000_000, 1_700_000_000))  # 2023-11-14
    ledger.import_files(name)
    assert ledger.events[0].at == 1_696_896_001_000  # 2023-10-10T00:00:01Z


def test_a_damaged_archive_gives_what_it_has_and_a_clear_error(ledger: Any, log_of: LogOf, tmp_path: Path) -> None:
    whole = gzip.compress(log_of(0, 300))
    damaged = put(tmp_path / "broken.gz", whole[: len(whole) // 2])
    intact = put(tmp_path / "intact.log", log_of(400, 410))
    with pytest.raises(InvalidInput, match=r"broken\.gz.*damaged or cut short"):
        ledger.import_files(damaged, intact)
    assert 100 < len(ledger.events) < 930
    assert ledger.import_files(put(tmp_path / "whole.gz", whole)) + 30 < 930
    assert len(ledger.events) == len(set(ledger.told())) == 930


def test_concatenated_archives_are_one_log(ledger: Any, log_of: LogOf, tmp_path: Path) -> None:
    text = gzip.compress(log_of(0, 20)) + gzip.compress(log_of(20, 40)) + b"\x00" * 512
    assert ledger.import_files(put(tmp_path / "two.gz", text)) == 120


def test_standard_input_is_a_file_too(
    ledger: Any, log_of: LogOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = log_of(0, 50)
    source = put(tmp_path / "in", text)
    for expected in (150, 0):
        with Path(source).open("rb") as pipe, io.TextIOWrapper(pipe) as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            assert ledger.import_files("-") == expected
    assert ledger.import_files(source) == 0


def test_a_pipe_is_asked_whatever_its_number() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1500), hard))
    reader, writer = os.pipe()
    far = fcntl.fcntl(reader, fcntl.F_DUPFD, 1400)
    try:
        assert not files.is_readable(far)
        os.write(writer, b"x")
        assert files.is_readable(far)
        os.read(far, 1)
        os.close(writer)
        assert files.is_readable(far), "its end"
    finally:
        os.close(reader)
        os.close(far)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("name", ["missing.log", "."])
def test_what_cannot_be_read_is_named(ledger: Any, tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match=name.replace(".", r"\.")):
        ledger.import_files(str(tmp_path / name) if name != "." else ".")


def test_an_empty_file_has_nothing_to_say(ledger: Any, tmp_path: Path) -> None:
    assert ledger.import_files(put(tmp_path / "empty", b"")) == 0
    assert ledger.import_files(put(tmp_path / "empty.gz", gzip.compress(b""))) == 0
    assert ledger.cursors == {}


def test_broken_bytes_nulls_long_lines_and_carriage_returns_do_no_harm(
    ledger: Any, log_of: LogOf, tmp_path: Path
) -> None:
    mail = log_of(0, 1)
    rubbish = b"\x00\xff\xfe\n" + b"Oct 10 00:00:00 mx1 postfix/smtpd[1]: " + b"\xc3" * 2_000_000 + b"\n\n"
    name = put(tmp_path / "mail.log", rubbish + mail.replace(b"\n", b"\r\n") + rubbish + log_of(1, 2))
    assert ledger.import_files(name) == 6
    assert [event.line for event in ledger.events[:2]] == [6, 7]
    assert "\r" not in ledger.events[0].raw
    with Path(name).open("ab") as file:
        file.write(log_of(2, 3))
    assert ledger.import_files(name) == 3


def test_a_process_killed_between_any_two_commits_goes_on_where_it_was(
    ledger: Any, log_of: LogOf, tmp_path: Path
) -> None:
    name = put(tmp_path / "mail.log", log_of(0, 50))
    while True:
        steps = ledger.reading().read_all([name], reading_time())
        step = next(steps, None)
        if step is None:
            break
        ledger.commit(step)
        next(steps, None)  # read, but killed before the commit
    assert len(ledger.events) == len(set(ledger.told())) == 150


def test_the_progress_reaches_the_size_of_all_files(ledger: Any, log_of: LogOf, tmp_path: Path) -> None:
    names = [put(tmp_path / "a.gz", gzip.compress(log_of(0, 100))), put(tmp_path / "b", log_of(100, 200))]
    steps = list(ledger.reading().read_all(names, reading_time()))
    assert steps[-1].consumed == steps[-1].size == sum(Path(name).stat().st_size for name in names)
    assert [step.consumed for step in steps] == sorted(step.consumed for step in steps)
    assert sum(step.lines for step in steps) == 1200


def test_the_summary_counts_and_shows_what_was_not_understood(ledger: Any, log_of: LogOf, tmp_path: Path) -> None:
    strange = (
        b"no stamp at all\n"
        b"Oct 10 00:00:00 mx1 dovecot: hello\n"
        b"Oct 10 00:00:00 mx1 postfix/smtp[1]: 123456789A: something never heard of\n"
    )
    process = ledger.reading()
    steps = list(process.read_all([put(tmp_path / "mail.log", log_of(0, 2) + strange)], reading_time()))
    ledger.take(steps)
    summary = Summary()
    for step in steps:
        summary.add(step.summary)
    assert summary.lines == 15
    assert (summary.events[EventType.ACCEPTED], summary.events[EventType.DELIVERED]) == (2, 2)
    assert summary.not_understood == {"line": 1, "smtp": 1}
    assert summary.samples["smtp"][0].endswith("something never heard of")


def test_two_copies_of_one_log_in_one_import_count_once(ledger: Any, log_of: LogOf, tmp_path: Path) -> None:
    name = put(tmp_path / "mail.log", log_of(0, 20))
    shutil.copy(name, tmp_path / "copy.log")
    assert ledger.import_files(name, str(tmp_path / "copy.log")) == 60


def reading_time() -> int:
    return 1_793_491_200_000  # 2026-11-01


def mail_on(stamp: str, queue_id: str) -> bytes:
    client = f"{stamp} mx1 postfix/smtpd[10]: {queue_id}: client=a.example.com[198.51.100.9]\n"
    active = f"{stamp} mx1 postfix/qmgr[12]: {queue_id}: from=<a@example.com>, size=9, nrcpt=1 (queue active)\n"
    return f"{client}{active}{stamp} mx1 postfix/qmgr[12]: {queue_id}: removed\n".encode()


def accepted_on(ledger: Any) -> list[str]:
    accepted = [event.accepted_at for event in ledger.events if event.type is EventType.ACCEPTED]
    return [datetime.fromtimestamp(time / 1000, UTC).strftime("%Y-%m-%d %H:%M") for time in accepted]


def test_lines_tell_the_years_of_those_before_and_after_them(ledger: Any, tmp_path: Path) -> None:
    stamps = ["Nov 28 10:00:00", "Dec 31 23:59:59", "Jan  1 00:00:01", "Feb 29 12:00:00", "2024-06-10T09:00:00+00:00"]
    text = b"".join(mail_on(stamp, f"4A0000A00{number}") for number, stamp in enumerate([*stamps, "Jun 11 10:00:00"]))
    ledger.import_files(put(tmp_path / "copied.log", text))
    expected = ["2023-11-28 10:00", "2023-12-31 23:59", "2024-01-01 00:00", "2024-02-29 12:00", "2024-06-10 09:00"]
    assert accepted_on(ledger) == [*expected, "2024-06-11 10:00"]


def test_what_comes_later_is_of_the_year_that_lines_before_it_told(ledger: Any, tmp_path: Path) -> None:
    text = mail_on("2022-12-30T09:00:00+00:00", "4A0000A001") + mail_on("Dec 31 10:00:00", "4A0000A002")
    ledger.import_files(put(tmp_path / "copied.log", text))
    ledger.import_files(put(tmp_path / "copied.log", text + mail_on("Jan  1 10:00:00", "4A0000A003")))
    assert accepted_on(ledger) == ["2022-12-30 09:00", "2022-12-31 10:00", "2023-01-01 10:00"]


@pytest.mark.parametrize("compress", COMPRESSORS.values())
def test_files_of_one_log_tell_each_other_s_years_in_any_order(
    ledger: Any, tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    newest = put(tmp_path / "mail.log", mail_on("2024-01-02T09:00:00+00:00", "4A0000A003"))
    older = put(tmp_path / "mail.log.1", mail_on("Jan  1 10:00:00", "4A0000A002"))
    oldest = put(tmp_path / "mail.log.2.gz", compress(mail_on("Dec 30 10:00:00", "4A0000A001")))
    ledger.import_files(older, newest, oldest)
    assert accepted_on(ledger) == ["2023-12-30 10:00", "2024-01-01 10:00", "2024-01-02 09:00"]


def test_the_year_can_be_given(ledger: Any, tmp_path: Path) -> None:
    reading = ledger.reading()
    reading.year = 2019
    newest = put(tmp_path / "mail.log", mail_on("Jan  1 10:00:00", "4A0000A002"))
    oldest = put(tmp_path / "mail.log.1", mail_on("Dec 30 10:00:00", "4A0000A001"))
    ledger.take(reading.read_all((newest, oldest), NOVEMBER))
    assert accepted_on(ledger) == ["2019-12-30 10:00", "2020-01-01 10:00"]


def test_a_year_that_is_to_come_is_refused(ledger: Any, tmp_path: Path) -> None:
    reading = ledger.reading()
    reading.year = 2030
    name = put(tmp_path / "mail.log", mail_on("Jan  1 10:00:00", "4A0000A002"))
    with pytest.raises(InvalidInput, match="2030"):
        list(reading.read_all((name,), NOVEMBER))


def test_standard_input_tells_its_years_by_what_comes_first(
    ledger: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = mail_on("Nov 28 10:00:00", "4A0000A001") + mail_on("2024-06-10T09:00:00+00:00", "4A0000A002")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    ledger.import_files("-")
    assert accepted_on(ledger) == ["2023-11-28 10:00", "2024-06-10 09:00"]


@pytest.mark.parametrize("kill_after", range(1, 7))
def test_an_hour_that_comes_twice_is_told_also_by_a_reader_that_was_killed(
    ledger: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill_after: int
) -> None:
    ledger.origin = reading.Origin(workspace=1, relay=7, zone="Europe/Berlin")
    stamps = ["Oct 25 02:50:00", "Oct 25 02:55:00", "Oct 25 02:10:00", "Oct 25 02:30:00", "Oct 25 03:10:00"]
    text = b"".join(mail_on(stamp, f"4A0000A00{number}") for number, stamp in enumerate(stamps))
    monkeypatch.setattr(reading, "BLOCK", 1)
    monkeypatch.setattr(files, "PIECE", 200)
    name = put(tmp_path / "mail.log", text)
    os.utime(name, (NOVEMBER / 1000, NOVEMBER / 1000))
    for number, step in enumerate(ledger.reading().read_all((name,), NOVEMBER), 1):
        ledger.commit(step)
        if number == kill_after:
            break
    ledger.import_files(name)
    expected = ["2026-10-25 00:50", "2026-10-25 00:55", "2026-10-25 01:10", "2026-10-25 01:30", "2026-10-25 02:10"]
    assert accepted_on(ledger) == expected


def test_broken_stamps_are_lines_not_understood(ledger: Any, tmp_path: Path) -> None:
    stamps = ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z", "2090-06-01T00:00:00Z"]
    text = b"".join(mail_on(stamp, f"4A0000A00{number}") for number, stamp in enumerate(stamps))
    journal = '{"MESSAGE":"4A0000A009: removed","SYSLOG_IDENTIFIER":"postfix/qmgr","__REALTIME_TIMESTAMP":"%s"}\n'
    text += (journal % "253402300799000000").encode() + (journal % "0").encode()
    text += b"Oct 10 09:00:00 mx1 kernel: a line of a log\n"  # a file without any is none
    steps = list(ledger.reading().read_all((put(tmp_path / "mail.log", text),), NOVEMBER))
    assert sum(step.summary.not_understood.total() for step in steps) == 14
    assert not any(step.entry.batch.events for step in steps)
