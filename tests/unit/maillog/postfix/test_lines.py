"""Every wrapping of a log line comes apart into the same parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.maillog.postfix.lines import LONGEST_LINE, Lines, read_tag
from mailvane.maillog.postfix.stamps import Stamps
from tests.tables import read_table

NOVEMBER = 1_793_491_200_000  # 2026-11-01
MOMENT = 1_791_626_400_000  # 2026-10-10T10:00:00Z
CASES: list[dict[str, Any]] = read_table(Path(__file__).parent / "lines.yaml")


def lines() -> Lines:
    return Lines(Stamps(NOVEMBER))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_wrapping_is_understood(case: dict[str, Any]) -> None:
    reader = lines()
    for _ in range(2):  # the second time from the caches
        found = reader.read(case["line"])
        assert found is not None
        time, tag, process, text = found
        assert time == MOMENT + case.get("time", 0)
        assert (tag.host, tag.instance) == (case.get("host", "mx1"), case.get("instance", "postfix"))
        assert (tag.service, tag.daemon) == (case.get("service", "smtpd"), "smtpd")
        assert (process, text) == ("123", "connect from a[192.0.2.1]")


def test_one_space_may_stand_before_a_day_of_one_digit() -> None:
    found = lines().read("Oct 9 10:00:00 mx1 postfix/smtpd[123]: connect from a[192.0.2.1]")
    assert found is not None
    assert found[0] == MOMENT - 86_400_000


@pytest.mark.parametrize(
    "line",
    [
        "Oct 10 10:00:00 mx1 dovecot: imap-login: Login: user=<a>, rip=192.0.2.1",
        "Oct 10 10:00:00 mx1 kernel: [12345.678] eth0: link up",
        "Oct 10 10:00:00 mx1 opendkim[77]: 1A2B3C4D5E: DKIM-Signature field added",
        "Oct 10 10:00:00 mx1 amavis[77]: (00077-01) Passed CLEAN",
    ],
)
def test_lines_of_other_programs_are_told_apart(line: str) -> None:
    found = lines().read(line)
    assert found is not None
    assert found[1].daemon == ""


@pytest.mark.parametrize(
    "line",
    ["", "hello", "Oct 10 10:00:00", "{}", "{", "[1]", '{"MESSAGE":[1,999]}', '{"log":1,"time":2}', "<22>", "\x00\x00"],
)
def test_what_is_no_log_line_is_not_understood(line: str) -> None:
    assert lines().read(line) is None


def test_a_very_long_line_is_cut() -> None:
    reader = lines()
    found = reader.read("Oct 10 10:00:00 mx1 postfix/smtpd[1]: " + "x" * (10 << 20))
    assert found is not None
    assert len(found[3]) <= LONGEST_LINE


@given(st.text())
def test_no_line_is_too_strange(text: str) -> None:
    reader = lines()
    reader.read(text)
    reader.read("Oct 10 10:00:00 " + text)
    reader.read("2026-10-10T10:00:00Z " + text)
    reader.read("<22>1 " + text)
    reader.read("{" + text)


FIELDS = st.sampled_from(["MESSAGE", "SYSLOG_IDENTIFIER", "_HOSTNAME", "__REALTIME_TIMESTAMP", "log", "time", "_PID"])
VALUES = st.one_of(st.none(), st.text(), st.integers(), st.lists(st.integers()), st.just("1791626400250000"))


@given(st.dictionaries(FIELDS, VALUES))
def test_no_journal_record_is_too_strange(record: dict[str, Any]) -> None:
    lines().read(msgspec.json.encode(record).decode())


@pytest.mark.parametrize("name", ["cyrus/master", "cyrus/lmtp", "dovecot/lmtp", "master", "lmtp", "cyrus/pipe"])
def test_a_daemon_of_another_program_is_not_postfix(name: str) -> None:
    assert read_tag("mx1", name).daemon == ""
