"""Mail is found by every queue id that it had or was given, and refused mail has rows of its own, on every engine."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mailvane.maillog.clickhouse import ClickHouseMailLog, open_maillog, schema
from mailvane.maillog.clickhouse.engine import Engine, parse_address
from mailvane.maillog.model import EventBatch, EventType, MailEvent, MailKey, MailKind, ReasonFamily
from mailvane.maillog.queries import (
    HourlyQuestion,
    LogQuestion,
    QueueIdQuestion,
    RefusedMail,
    RefusedQuestion,
    StatisticsQuestion,
)
from tests.contract.maillogs import embedded, maillog, maillog_dsn, new_workspace, workspace
from tests.contract.test_maillog import DAY, HOUR, NOON, append, delivered, event

__all__ = ["append", "maillog", "maillog_dsn", "workspace"]

Append = Callable[..., None]
SHORT, LONG, AFTER_FILTER, REMOTE = "3C0F52A1B7D4", "4XcDr52kQnz2xGh", "7D1E83A0C2", "4fVxKw2cLqz9sBd"


def one_mail() -> list[MailEvent]:
    """Through a content filter by a program, then to a Postfix elsewhere."""
    facts = {"queue_id": SHORT, "host": "mx1", "sender": "s@example.com"}
    return [
        event(EventType.ACCEPTED, 0, waiting=1, **facts),
        event(EventType.REINJECTED, 5, recipient="ann@example.org", reply=f"250 Ok: queued as {LONG}", **facts),
        delivered(at=9, waiting=-1, current_queue_id=AFTER_FILTER, reply=f"250 2.0.0 Ok: queued as {REMOTE}", **facts),
    ]


@pytest.mark.parametrize("name", [SHORT, LONG, AFTER_FILTER, REMOTE])
def test_a_mail_is_found_by_each_of_its_queue_ids(
    maillog: ClickHouseMailLog, append: Append, workspace: int, name: str
) -> None:
    append(*one_mail(), delivered(number=2, queue_id="AAAAAA11"))
    page = maillog.search(LogQuestion(workspace=workspace, relays=(1,), queue_ids=(name,)))
    assert [(row.number, row.queue_id) for row in page.deliveries] == [(1, SHORT)]
    assert maillog.with_queue_id(QueueIdQuestion(workspace=workspace, relays=(1,), queue_id=name)) == [
        MailKey(1, NOON, 1)
    ]


def test_a_queue_id_of_another_workspace_or_relay_finds_nothing(
    maillog: ClickHouseMailLog, append: Append, workspace: int
) -> None:
    append(*one_mail())
    for whose in ({"workspace": new_workspace(), "relays": (1,)}, {"workspace": workspace, "relays": (2,)}):
        assert maillog.search(LogQuestion(**whose, queue_ids=(SHORT,))).total == 0  # type: ignore[arg-type]
        assert maillog.with_queue_id(QueueIdQuestion(**whose, queue_id=SHORT)) == []  # type: ignore[arg-type]


def test_a_mail_that_waits_untried_is_found_too(maillog: ClickHouseMailLog, append: Append, workspace: int) -> None:
    append(event(EventType.ACCEPTED, 0, waiting=1, queue_id=LONG))
    page = maillog.search(LogQuestion(workspace=workspace, relays=(1,), queue_ids=("nothing", LONG)))
    assert [row.queue_id for row in page.deliveries] == [LONG]


def test_a_queue_id_that_was_given_out_again_means_every_mail_that_had_it(
    maillog: ClickHouseMailLog, append: Append, workspace: int
) -> None:
    for day in range(3):
        append(delivered(accepted_at=NOON + day * 40 * DAY, at=day * 40 * DAY + 1, queue_id=SHORT))
    page = maillog.search(LogQuestion(workspace=workspace, relays=(1,), queue_ids=(SHORT,), until=NOON + 41 * DAY))
    assert [row.accepted_at for row in page.deliveries] == [NOON + 40 * DAY, NOON]
    found = maillog.with_queue_id(QueueIdQuestion(workspace=workspace, relays=(1,), queue_id=SHORT, limit=2))
    assert [key.accepted_at for key in found] == [NOON + 80 * DAY, NOON + 40 * DAY]


@pytest.mark.parametrize(
    ("reply", "name"),
    [
        ("250 2.0.0 Ok: queued as 4fVxKw2cLqz9sBd", "4fVxKw2cLqz9sBd"),
        ("250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 4A1B2C3D4E", "4A1B2C3D4E"),
        ("250 2.0.0 from MTA(smtp:[::1]:10025): 250 2.0.0 Ok: queued as 4A1B2C3D4E.", "4A1B2C3D4E"),
        ("forwarded as 9F8E7D6C5B", "9F8E7D6C5B"),
        ("250 OK id=1rABCD-000123-AB", "1rABCD-000123-AB"),
        ("250 2.0.0 4AR0abcd012345 Message accepted for delivery", "4AR0abcd012345"),
        ("250 2.0.0 OK  1764262800 d9443c01a7336-29baf2b5d8esi9.3 - gsmtp", "d9443c01a7336-29baf2b5d8esi9.3"),
    ],
)
def test_what_the_next_server_called_the_mail_is_known(
    maillog: ClickHouseMailLog, append: Append, workspace: int, reply: str, name: str
) -> None:
    append(delivered(reply=reply))
    assert maillog.search(LogQuestion(workspace=workspace, relays=(1,), queue_ids=(name,))).total == 1


def test_what_a_failure_says_is_no_queue_id(maillog: ClickHouseMailLog, append: Append, workspace: int) -> None:
    append(event(EventType.BOUNCED, recipient="ann@example.org", reply="550 not queued as 4A1B2C3D4E"))
    assert maillog.search(LogQuestion(workspace=workspace, relays=(1,), queue_ids=("4A1B2C3D4E",))).total == 0


def test_events_of_a_version_without_queue_ids_are_found_by_theirs(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = embedded(tmp_path_factory.mktemp("earlier"))
    with open_maillog(dsn) as earlier:
        earlier.append(EventBatch("before", 1, 0, [delivered(queue_id=SHORT)]))
    engine = Engine(parse_address(dsn), 0)
    for command in (
        "DROP TABLE queue_ids_feed",
        "DROP TABLE queue_ids",
        "ALTER TABLE events DROP COLUMN current_queue_id",
        "TRUNCATE TABLE written_by",
        "INSERT INTO written_by SELECT 2, version(), 1, 1",
    ):
        engine.command(command)
    engine.close()
    with open_maillog(dsn) as today:
        today.append(EventBatch("since", 1, 0, [delivered(number=2, queue_id=LONG, current_queue_id=AFTER_FILTER)]))
        for name, number in ((SHORT, 1), (LONG, 2), (AFTER_FILTER, 2)):
            page = today.search(LogQuestion(workspace=1, relays=(1,), queue_ids=(name,)))
            assert [row.number for row in page.deliveries] == [number]
        assert today.verify() == []
    engine = Engine(parse_address(dsn), 0)
    assert max(int(str(row[0])) for row in engine.rows("SELECT schema FROM written_by")) == schema.SCHEMA_VERSION
    engine.close()


# -- what was refused


def refused(at: int = 0, **values: object) -> MailEvent:
    whole = {"accepted_at": NOON + at, "origin": "203.0.113.9", "code": 554, "reply": "554 5.7.1 blocked"}
    return event(EventType.REJECTED, at, **(whole | values))


def ask(maillog: ClickHouseMailLog, workspace: int, **question: object) -> list[RefusedMail]:
    page = maillog.refused(RefusedQuestion(workspace=workspace, relays=(1, 2), **question))  # type: ignore[arg-type]
    if "limit" not in question:
        assert page.total == len(page.refused)
    return page.refused


def test_refusals_are_rows_of_their_own_and_no_deliveries(
    maillog: ClickHouseMailLog, append: Append, workspace: int
) -> None:
    append(
        refused(1, number=1, recipient="ann@example.org", sender="s@example.com", family=ReasonFamily.REPUTATION),
        refused(2, number=2, reply="554 5.7.1 Error: \N{SNOWMAN} Policy", code=554, enhanced_code="5.7.1", hard=True),
        event(EventType.ACCEPTED, 3, number=3, recipient="bob@example.org"),
    )
    found = ask(maillog, workspace)
    assert [row.number for row in found] == [2, 1]
    assert found[0].reply == "554 5.7.1 Error: \N{SNOWMAN} Policy"
    assert found[0].hard
    assert (found[1].at, found[1].family, found[1].recipient) == (NOON + 1, ReasonFamily.REPUTATION, "ann@example.org")
    log = maillog.search(LogQuestion(workspace=workspace, relays=(1, 2), kinds=tuple(MailKind)))
    assert [row.number for row in log.deliveries] == [3]
    counts = maillog.statistics(StatisticsQuestion(workspace=workspace, relays=(1, 2)))
    assert (counts.received, counts.sent, counts.recipients) == (1, 0, {"bob@example.org": 1})
    hours = maillog.hourly(HourlyQuestion(workspace=workspace, relays=(1, 2), since=NOON, until=NOON + HOUR))
    assert sum(hour.rejected for hour in hours) == 2


@pytest.fixture(scope="module")
def turned_away(maillog: ClickHouseMailLog) -> int:
    """A workspace with four refusals; each engine has it once."""
    own = new_workspace()
    told = [
        refused(1, number=1, sender="s@example.com", reply="554 5.7.1 blocked using zen.spamhaus.org"),
        refused(2, number=2, recipient="ann@example.org", family=ReasonFamily.SPAM),
        refused(3, number=3, origin="2001:db8::7"),
        refused(4, number=4, queue_id=SHORT),
    ]
    maillog.append(EventBatch("refused", own, 0, told))
    return own


@pytest.mark.parametrize(
    ("question", "numbers"),
    [
        ({"sender": "s@example.com"}, [1]),
        ({"recipient": "ann@example.org"}, [2]),
        ({"origin": "2001:db8::7"}, [3]),
        ({"family": ReasonFamily.SPAM}, [2]),
        ({"family": ReasonFamily.NONE}, [4, 3, 1]),
        ({"reply_part": "SPAMHAUS"}, [1]),
        ({"queue_ids": (SHORT,)}, [4]),
        ({"since": NOON + 2, "until": NOON + 3}, [3, 2]),
        ({"ascending": True}, [1, 2, 3, 4]),
        ({"sender": "s@example.com", "recipient": "ann@example.org"}, []),
    ],
)
def test_refusals_are_searched(
    maillog: ClickHouseMailLog, turned_away: int, question: dict[str, object], numbers: list[int]
) -> None:
    assert [row.number for row in ask(maillog, turned_away, **question)] == numbers


def test_pages_of_refusals_leave_nothing_out(maillog: ClickHouseMailLog, append: Append, workspace: int) -> None:
    append(*(refused(number, number=number) for number in range(5)))
    pages = [
        maillog.refused(RefusedQuestion(workspace=workspace, relays=(1,), skip=skip, limit=2)) for skip in (0, 2, 4, 6)
    ]
    assert [[row.number for row in page.refused] for page in pages] == [[4, 3], [2, 1], [0], []]
    assert {page.total for page in pages} == {5}


def test_refusals_of_another_workspace_or_relay_are_not_shown(
    maillog: ClickHouseMailLog, append: Append, workspace: int
) -> None:
    append(refused(relay=3))
    assert ask(maillog, workspace) == []
    assert ask(maillog, new_workspace()) == []
