"""Counts by value, of weeks that are settled and of those that are not."""

from __future__ import annotations

import pytest

from mailvane.maillog.clickhouse import ClickHouseMailLog, tallies
from mailvane.maillog.clickhouse.questions import whole_days
from mailvane.maillog.queries import LogQuestion, Tally, TallyQuestion
from tests.contract.maillogs import maillog, maillog_dsn, workspace
from tests.contract.test_maillog_settled import HOUR, NOON, delivered, settle, store

__all__ = ["maillog", "maillog_dsn", "workspace"]

DAY = 24 * HOUR
WEEK = 7 * DAY


def counts(maillog: ClickHouseMailLog, workspace: int, top: int = 10) -> list[Tally]:
    return maillog.tally(TallyQuestion(LogQuestion(workspace=workspace, relays=(1,)), "recipient_domain", top))


def test_weeks_are_counted_once_and_anew_when_they_change(maillog: ClickHouseMailLog, workspace: int) -> None:
    store(maillog, workspace, "old", *(delivered(n, accepted_at=NOON - WEEK, at=NOON) for n in range(3)))
    settle(maillog)
    for _ in range(2):
        assert counts(maillog, workspace) == [Tally("example.org", 3)]
    if maillog.kept.settles:
        assert any(found == {"example.org": 3} for found in maillog._tallies._known.values())
    store(maillog, workspace, "new", delivered(9, recipient="bo@shop.example"))
    assert counts(maillog, workspace) == [Tally("example.org", 3), Tally("shop.example", 1)]
    more = [delivered(n, accepted_at=NOON - WEEK, at=NOON, recipient="bo@shop.example") for n in range(20, 22)]
    store(maillog, workspace, "late", *more)
    for _ in range(2):
        assert counts(maillog, workspace) == [Tally("example.org", 3), Tally("shop.example", 3)]
        assert counts(maillog, workspace, top=1) == [Tally("example.org", 3)]
        settle(maillog)


def test_many_values_are_ranked_by_the_engine(
    maillog: ClickHouseMailLog, workspace: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tallies, "_MOST_ROWS", 2)
    store(maillog, workspace, "many", *(delivered(n, recipient=f"ann@{n % 4}.example") for n in range(9)))
    settle(maillog)
    for _ in range(2):
        assert counts(maillog, workspace, top=2) == [Tally("0.example", 3), Tally("1.example", 2)]


def test_windows_that_move_on_ask_of_the_same_days_whether_mail_waits() -> None:
    asked = [LogQuestion(workspace=1, relays=(1,), since=NOON + n, until=NOON + HOUR + n) for n in range(2)]
    first, second = (whole_days(each) for each in asked)
    assert first == second
    assert (first.since, first.until) == (NOON - NOON % DAY, NOON - NOON % DAY + DAY - 1)
