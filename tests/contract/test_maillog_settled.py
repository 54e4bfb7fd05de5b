"""Weeks that are one merged part are read by themselves and remembered: answers must not show it."""

from __future__ import annotations

import pytest

from mailvane.maillog.clickhouse import ClickHouseMailLog
from mailvane.maillog.clickhouse.merged_partitions import Remembered, Week, may_settle, settled_weeks
from mailvane.maillog.clickhouse.questions import Search
from mailvane.maillog.model import EventBatch, EventType, MailEvent
from mailvane.maillog.queries import LogQuestion
from tests.contract.maillogs import maillog, maillog_dsn, workspace

__all__ = ["maillog", "maillog_dsn", "workspace"]

NOON = 1_790_000_000_000
HOUR = 3_600_000
MONDAY = 1_789_948_800_000  # 2026-09-21 00:00


def delivered(number: int = 1, **values: object) -> MailEvent:
    whole: dict[str, object] = {
        "relay": 1, "accepted_at": NOON, "number": number, "type": EventType.DELIVERED, "at": NOON + HOUR,
        "recipient": "ann@example.org", "sender": "bob@example.com",
    }  # fmt: skip
    return MailEvent(**(whole | values))  # type: ignore[arg-type]


def store(maillog: ClickHouseMailLog, workspace: int, token: str, *events: MailEvent) -> None:
    maillog.append(EventBatch(token, workspace, 0, list(events)))


def settle(maillog: ClickHouseMailLog) -> None:
    for engine in maillog._engines:
        engine.command("OPTIMIZE TABLE deliveries FINAL")
    maillog.kept.weeks.look_anew()


def test_only_a_merged_part_alone_in_its_week_is_settled(maillog: ClickHouseMailLog, workspace: int) -> None:
    if maillog._engine.address.cluster is not None:
        assert not may_settle(maillog._engine), "two questions may reach two servers"
        return
    store(maillog, workspace, "one", delivered())
    settle(maillog)
    before = settled_weeks(maillog._engine)
    assert any(week.partition == "20260921" for week in before)
    store(maillog, workspace, "two", delivered(2))
    assert not any(week.partition == "20260921" for week in settled_weeks(maillog._engine))
    settle(maillog)
    after = settled_weeks(maillog._engine)
    assert {week.content for week in after if week.partition == "20260921"}.isdisjoint(week.content for week in before)


def test_what_was_counted_in_a_week_is_forgotten_when_the_week_changes(
    maillog: ClickHouseMailLog, workspace: int
) -> None:
    question = LogQuestion(workspace=workspace, relays=(1,))
    for number in range(4):
        store(maillog, workspace, f"batch {number}", delivered(number))
        for _ in range(2):
            assert maillog.search(question).total == number + 1
        settle(maillog)
        for _ in range(2):
            assert maillog.search(question).total == number + 1


@pytest.mark.parametrize("ascending", [True, False])
@pytest.mark.parametrize("filters", [{}, {"sender": "bob@example.com"}, {"sender": "bob@example.com", "relays": (1,)}])
def test_pages_run_on_where_a_settled_week_meets_one_that_is_not(
    maillog: ClickHouseMailLog, workspace: int, filters: dict[str, object], ascending: bool
) -> None:
    old = [delivered(n, accepted_at=MONDAY - n - 1, at=NOON) for n in range(7)]
    new = [delivered(n, accepted_at=MONDAY + n, at=NOON) for n in range(7)]
    assert old[0].accepted_at >> 26 == new[0].accepted_at >> 26, "both are counted in one stretch of time"
    store(maillog, workspace, "old", *old)
    settle(maillog)
    store(maillog, workspace, "new", *new[:3])
    store(maillog, workspace, "newer", *new[3:])
    found = []
    for skip in range(0, 16, 3):
        whole: dict[str, object] = {"workspace": workspace, "relays": (1, 2), "skip": skip, "limit": 3}
        page = maillog.search(LogQuestion(**(whole | filters), ascending=ascending))  # type: ignore[arg-type]
        assert page.total == 14
        found += [row.accepted_at for row in page.deliveries]
    assert found == sorted((event.accepted_at for event in [*old, *new]), reverse=not ascending)


@pytest.mark.parametrize("settled", [True, False])
def test_rows_with_strange_names_are_found_by_them(maillog: ClickHouseMailLog, workspace: int, settled: bool) -> None:
    strange = [
        "'",
        '"',
        "\\",
        "\\'",
        "a\tb",
        "a\nb",
        "nul\x00",
        "\x1f",
        "é 雪 \U0001f600",
        "{x}",
        "%s",
        "[1,2]",
        "\\N",
        " ",
    ]
    store(maillog, workspace, "all", *(delivered(recipient=name) for name in strange))
    if settled:
        settle(maillog)
    for question in (
        LogQuestion(workspace=workspace, relays=(1,)),
        LogQuestion(workspace=workspace, relays=(1,), limit=5, sender="bob@example.com"),
        LogQuestion(workspace=workspace, relays=(1,), limit=3),
    ):
        page = maillog.search(question)
        assert page.total == len(strange)
        assert [row.recipient for row in page.deliveries] == sorted(strange, reverse=True)[: question.limit]


@pytest.mark.parametrize("limit", [100, 1000, 1001])
def test_a_mail_to_many_is_read_by_the_page(maillog: ClickHouseMailLog, workspace: int, limit: int) -> None:
    many = [delivered(recipient=f"person{n:04}@example.org", recipient_number=n) for n in range(1500)]
    store(maillog, workspace, "list", *many)
    for sender in (None, "bob@example.com"):
        question = LogQuestion(workspace=workspace, relays=(1,), limit=limit, skip=7, ascending=True, sender=sender)
        page = maillog.search(question)
        assert page.total == 1500
        assert [row.recipient_number for row in page.deliveries] == list(range(7, min(1500, 7 + limit)))


@pytest.mark.parametrize("name", ["opened_at", "clicked_at"])
def test_of_what_a_recipient_did_often_the_last_is_told(maillog: ClickHouseMailLog, workspace: int, name: str) -> None:
    store(maillog, workspace, "one", delivered())
    type_ = EventType(name.removesuffix("_at"))
    for n in (3, 9, 4):
        store(maillog, workspace, f"reaction {n}", delivered(type=type_, at=NOON + n))
    for limit in (10, 5000):
        page = maillog.search(LogQuestion(workspace=workspace, relays=(1,), limit=limit))
        assert [getattr(row, name) for row in page.deliveries] == [NOON + 9]


class Disturbed(ClickHouseMailLog):
    """A mail log in which every week is written to and merged anew while a question is under way."""

    workspace = 0
    disturbances = 0

    def _narrow(self, search: Search) -> None:
        if self.disturbances < 3:
            self.disturbances += 1
            store(self, self.workspace, f"late {self.disturbances}", delivered(100 + self.disturbances))
            settle(self)
        super()._narrow(search)


def test_a_week_that_changes_while_it_is_read_is_read_again(maillog: ClickHouseMailLog, workspace: int) -> None:
    disturbed = Disturbed(maillog._engines)
    disturbed.kept = maillog.kept
    disturbed.workspace = workspace
    store(maillog, workspace, "early", *(delivered(n) for n in range(5)))
    settle(maillog)
    page = disturbed.search(LogQuestion(workspace=workspace, relays=(1,), sender="bob@example.com"))
    numbers = {row.number for row in page.deliveries}
    assert numbers >= set(range(5)), "nothing is lost with the part that was read"
    assert len(numbers) == len(page.deliveries), "nothing is told twice"


def test_a_count_is_known_for_the_content_that_was_counted_only() -> None:
    remembered = Remembered()
    one, other = Week("20260921_1_2_1", "20260921", "aa"), Week("20260928_3_4_1", "20260928", "bb")
    assert remembered.known("all", [one, other]) == {}
    learnt = remembered.learn("all", [one, other], [(one.partition, 7, 3), (one.partition, 8, 4)])
    assert learnt == {one: ((7, 3), (8, 4)), other: ()}
    assert remembered.known("all", [one, other]) == learnt
    assert remembered.known("some", [one, other]) == {}
    assert remembered.known("all", [one._replace(content="cc")]) == {}
