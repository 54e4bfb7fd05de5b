"""A line is dressed as classic syslog, as RFC 3339, or as a journal record."""

from __future__ import annotations

import json

import pytest

from mailvane_demo.world.stamps import LogFormat, dressed, dressed_second

AT = 1_759_276_805_042  # 2025-10-01 00:00:05.042 UTC
REST = "mx1 postfix/submission/smtpd[77]: connect from unknown[192.0.2.1]"


@pytest.mark.parametrize(
    ("log_format", "line"),
    [
        (LogFormat.SYSLOG, f"Oct  1 00:00:05 {REST}"),
        (LogFormat.RFC3339, f"2025-10-01T00:00:05.042000+00:00 {REST}"),
    ],
)
def test_a_stamp_stands_before_the_line(log_format: LogFormat, line: str) -> None:
    assert list(dressed([(AT, REST)], log_format)) == [line]


def test_stamps_follow_the_lines() -> None:
    lines = list(dressed([(AT, REST), (AT + 900, REST), (AT + 1000, REST)], LogFormat.SYSLOG))
    assert [line[:15] for line in lines] == ["Oct  1 00:00:05", "Oct  1 00:00:05", "Oct  1 00:00:06"]


def test_a_journal_record_holds_the_parts() -> None:
    (line,) = dressed([(AT, REST)], LogFormat.JOURNAL)
    record = json.loads(line)
    assert record["__REALTIME_TIMESTAMP"] == "1759276805042000"
    assert record["_HOSTNAME"] == "mx1"
    assert record["SYSLOG_IDENTIFIER"] == "postfix/submission/smtpd"
    assert record["SYSLOG_PID"] == record["_PID"] == "77"
    assert record["MESSAGE"] == "connect from unknown[192.0.2.1]"
    assert record["PRIORITY"] == "6"


def test_a_warning_has_the_priority_of_one_in_the_journal() -> None:
    (line,) = dressed([(AT, "mx1 postfix/smtpd[7]: warning: unknown[192.0.2.1]: no")], LogFormat.JOURNAL)
    assert json.loads(line)["PRIORITY"] == "4"


def test_a_process_without_a_number_is_no_trouble_in_the_journal() -> None:
    (line,) = dressed([(AT, "mx2 dovecot: imap-login: Login")], LogFormat.JOURNAL)
    record = json.loads(line)
    assert (record["SYSLOG_IDENTIFIER"], record["MESSAGE"]) == ("dovecot", "imap-login: Login")
    assert "SYSLOG_PID" not in record


def test_a_moment_is_told_as_syslog_tells_it() -> None:
    assert dressed_second(AT) == "Oct  1 00:00:05"
