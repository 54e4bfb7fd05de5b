"""What the newest line of a log says of the time, beside when it was written."""

from __future__ import annotations

import os
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from mailvane.core.errors import InvalidInput
from mailvane.maillog.postfix.newest_line import newest_line

BERLIN = ZoneInfo("Europe/Berlin")
UTC = ZoneInfo("UTC")
NOW = 1_793_880_000_000  # 2026-11-05 12:00 UTC
HOUR = 3_600_000
LINE = "Nov  5 12:59:58 mx1 postfix/qmgr[12]: 4A0000A001: removed\n"  # as Berlin shows it


def log(path: Path, text: str) -> Path:
    path.write_text(text)
    os.utime(path, (NOW / 1000, NOW / 1000))
    return path


@pytest.mark.parametrize(
    ("zone", "early"), [(BERLIN, 2000), (UTC, 2000 - HOUR), (ZoneInfo("Asia/Tokyo"), 2000 + 8 * HOUR)]
)
def test_a_stamp_in_another_zone_is_hours_away_from_the_moment_of_writing(
    zone: ZoneInfo, early: int, tmp_path: Path
) -> None:
    older = "Nov  4 10:00:00 mx1 postfix/qmgr[12]: 4A0000A000: removed\n"
    found = newest_line(log(tmp_path / "mail.log", older * 5000 + LINE + "Nov  5 13:"), zone, NOW)
    assert found.early == early
    assert not found.empty


def test_a_log_without_a_stamp_says_nothing(tmp_path: Path) -> None:
    assert newest_line(log(tmp_path / "mail.log", "no log at all\n" * 10), UTC, NOW).stamped is None
    assert newest_line(log(tmp_path / "empty.log", ""), UTC, NOW).empty


def test_a_log_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"mail\.log"):
        newest_line(tmp_path / "mail.log", UTC, NOW)
