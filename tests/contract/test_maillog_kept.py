"""What is kept of answers ends with the write that changes it, and with no other."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from mailvane.maillog.clickhouse import ClickHouseMailLog
from mailvane.maillog.clickhouse.hours import by_hour
from mailvane.maillog.clickhouse.merged_partitions import Remembered, SettledWeeks, settled_weeks, touched_by
from mailvane.maillog.model import EventBatch, EventType, MailEvent
from mailvane.maillog.queries import HourlyCounts, HourlyQuestion, LogQuestion, StatisticsQuestion
from tests.contract.maillogs import maillog, maillog_dsn, workspace

__all__ = ["maillog", "maillog_dsn", "workspace"]

MONDAY = 1_789_948_800_000  # 2026-09-21 00:00
DAY = 86_400_000
WEEK = 7 * DAY


def event(number: int, kind: EventType = EventType.DELIVERED, **more: object) -> MailEvent:
    whole: dict[str, object] = {
        "relay": 1, "accepted_at": MONDAY + number, "number": number, "type": kind, "at": MONDAY + number + 5,
        "recipient": f"r{number}@example.org", "sender": "bob@example.com",
    }  # fmt: skip
    return MailEvent(**(whole | more))  # type: ignore[arg-type]


def batch(workspace: int, token: str, *events: MailEvent) -> EventBatch:
    return EventBatch(token, workspace, 0, list(events))


def settle(maillog: ClickHouseMailLog) -> None:
    for engine in maillog._engines:
        for table in ("deliveries", "mails"):
            engine.command(f"OPTIMIZE TABLE {table} FINAL")
    maillog.kept.weeks.look_anew()
    maillog.kept.weeks_of_mails.look_anew()


def settles(maillog: ClickHouseMailLog) -> bool:
    """In a cluster no week is settled: two questions may reach two servers."""
    assert maillog.kept.settles == (maillog._engine.address.cluster is None)
    return maillog.kept.settles


@pytest.mark.parametrize(
    "accepted_at", [-5, 0, 946_684_799_999, MONDAY - 1, MONDAY, MONDAY + WEEK - 1, 4_102_444_800_000, 9_999_999_999_999]
)
def test_a_batch_touches_the_partitions_that_the_engine_puts_it_in(
    maillog: ClickHouseMailLog, workspace: int, accepted_at: int
) -> None:
    if not settles(maillog):
        return
    stored = batch(workspace, f"at {accepted_at}", event(1, accepted_at=accepted_at, at=max(0, accepted_at)))
    maillog.append(stored)
    found = maillog._engine.rows(
        "SELECT DISTINCT _partition_id FROM deliveries WHERE workspace = {workspace:UInt32}", {"workspace": workspace}
    )
    assert touched_by(stored) == {str(partition) for (partition,) in found}


def test_reactions_leave_settled_weeks_as_they_are(workspace: int) -> None:
    opened = batch(workspace, "opened", event(1, EventType.OPENED), event(2, EventType.REJECTED))
    assert touched_by(opened) == frozenset()
    assert touched_by(opened, doubtful=True) == {"20260921"}, "what is missing of the mails is added, too"


def test_a_week_is_settled_until_it_is_written_to(maillog: ClickHouseMailLog, workspace: int) -> None:
    if not settles(maillog):
        return
    weeks = maillog.kept.weeks
    old, new = event(1, accepted_at=MONDAY - WEEK), event(2)
    maillog.append(batch(workspace, "both", old, new))
    settle(maillog)
    before = [week for week in weeks.now() if week.partition in ("20260914", "20260921")]
    assert len(before) == 2
    maillog.append(batch(workspace, "reaction", event(1, EventType.OPENED)))
    assert weeks.still(before)
    maillog.append(batch(workspace, "more", event(3)))
    assert not weeks.still(before)
    assert [week.partition for week in weeks.now() if week in before] == ["20260914"]
    settle(maillog)
    assert not weeks.still(before), "it was another part that was read"


def test_a_week_that_is_written_to_while_it_is_looked_for_is_not_settled(
    maillog: ClickHouseMailLog, workspace: int
) -> None:
    if not settles(maillog):
        return
    maillog.append(batch(workspace, "one", event(1)))
    settle(maillog)
    weeks = SettledWeeks(maillog._engine, settles=True)
    found = {week.partition for week in settled_weeks(maillog._engine)}
    with weeks.writing({"20260921"}):
        told = {week.partition for week in weeks.now()}
    assert told == (found - {"20260921"} if maillog._engine.embedded else found)
    with weeks.writing(None):
        weeks.look_anew()
        assert not weeks.now() or not maillog._engine.embedded


@pytest.mark.parametrize("settled", [True, False])
def test_a_total_is_right_after_every_write(maillog: ClickHouseMailLog, workspace: int, settled: bool) -> None:
    whole = LogQuestion(workspace=workspace, relays=(1,), limit=3)
    cycle = StatisticsQuestion(
        workspace=workspace, relays=(1,), since=MONDAY - DAY, until=MONDAY + DAY, top=0, deliveries=False
    )
    for number in range(4):
        for place in (0, -WEEK + DAY, -2 * DAY):  # of these, the last two are of one week
            one = event(number, EventType.ACCEPTED, accepted_at=MONDAY + place + number)
            maillog.append(batch(workspace, f"{place} {number}", one))
        for _ in range(2):
            page = maillog.search(whole)
            assert (page.total, len(page.deliveries)) == (3 * number + 3, 3)
            assert maillog.statistics(cycle).received == number + 1
        if settled:
            settle(maillog)


def test_a_cycle_is_counted_of_what_is_known_of_settled_weeks(maillog: ClickHouseMailLog, workspace: int) -> None:
    if not settles(maillog):
        return
    cycle = StatisticsQuestion(workspace=workspace, relays=(1,), since=MONDAY - 3, top=0, deliveries=False)
    events = [event(number, EventType.ACCEPTED, accepted_at=MONDAY - 6 + number) for number in range(12)]
    maillog.append(batch(workspace, "all", *events))
    settle(maillog)
    weeks = [week for week in maillog.kept.weeks_of_mails.now() if week.partition in ("20260914", "20260921")]
    assert maillog.statistics(cycle).received == 9
    known = maillog.kept.in_weeks.known(cycle, weeks)
    assert {week.partition: counts for week, counts in known.items()} == {"20260914": ((0, 3),), "20260921": ((0, 6),)}
    assert isinstance(maillog.kept.in_weeks, Remembered)
    assert maillog.statistics(cycle).received == 9


def test_equal_questions_that_are_under_way_together_are_asked_once(maillog: ClickHouseMailLog, workspace: int) -> None:
    maillog.append(batch(workspace, "all", *(event(number) for number in range(30))))
    questions = [LogQuestion(workspace=workspace, relays=(1,), skip=skip, limit=10) for skip in (0, 10, 20, 0, 10, 20)]
    with ThreadPoolExecutor(6) as threads:
        pages = list(threads.map(maillog.search, questions))
    assert [page.total for page in pages] == [30] * 6
    assert [[row.number for row in page.deliveries] for page in pages[:3]] == [
        list(range(29 - skip, 19 - skip, -1)) for skip in (0, 10, 20)
    ]


@pytest.mark.parametrize("ascending", [True, False])
@pytest.mark.parametrize("by_message", [True, False])
def test_pages_of_a_filter_run_on_whatever_their_length(
    maillog: ClickHouseMailLog, workspace: int, ascending: bool, by_message: bool
) -> None:
    """Short pages are found by the moments of their rows, long ones by counts: both give the same rows."""
    events = [
        event(number % 7, recipient=f"r{number}@example.org", recipient_number=number // 7) for number in range(40)
    ]
    maillog.append(batch(workspace, "all", *events))

    def rows(skip: int, limit: int) -> list[tuple[int, str]]:
        question = LogQuestion(
            workspace=workspace, relays=(1,), sender="bob@example.com", skip=skip, limit=limit, ascending=ascending,
            by_message=by_message,
        )  # fmt: skip
        page = maillog.search(question)
        assert page.total == (7 if by_message else 40)
        return [(row.number, row.recipient) for row in page.deliveries]

    assert rows(0, 0) == [], "who asks for no row asks for the total"
    whole = rows(0, 2000)
    assert [row for skip in range(0, 42, 3) for row in rows(skip, 3)] == whole


def test_hours_of_settled_weeks_are_those_that_all_mails_tell(maillog: ClickHouseMailLog, workspace: int) -> None:
    luck, windows = random.Random(3), [(-2 * WEEK, WEEK), (-5, DAY), (-WEEK - 90_000, 3 * DAY + 7)]
    asked = [
        HourlyQuestion(workspace=workspace, relays=(1,), since=MONDAY + since, until=MONDAY + until)
        for since, until in windows
    ]

    def assert_as_counted_anew() -> None:
        for question in (*asked, *asked):
            plain = maillog._lines(by_hour(question)).splitlines()
            assert maillog.hourly(question) == [msgspec.json.decode(line, type=HourlyCounts) for line in plain]

    for place in range(5):
        numbers = range(20 * place, 20 * place + 20)
        times = {number: MONDAY + luck.randrange(-2 * WEEK, WEEK) for number in numbers}
        mails = [event(number, EventType.ACCEPTED, accepted_at=times[number], at=times[number]) for number in numbers]
        maillog.append(batch(workspace, f"batch {place}", *mails, mails[0]))
        if place % 2 == 0:
            settle(maillog)
        assert_as_counted_anew()
    assert sum(hour.accepted for hour in maillog.hourly(asked[0])) == 100
    maillog.rebuild()
    settle(maillog)
    assert_as_counted_anew()
    maillog.drop(workspace)
    assert [maillog.hourly(question) for question in asked] == [[], [], []]
