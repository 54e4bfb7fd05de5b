"""A mail log that an earlier version wrote: what it lacks is made of its events when it is opened, on every engine.

A module of its own, as a process has one embedded engine open at a time.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from msgspec import structs

from mailvane.maillog.clickhouse import ClickHouseMailLog, open_maillog, schema
from mailvane.maillog.model import EventBatch, EventType, MailEvent, ReasonFamily
from mailvane.maillog.queries import DelayQuestion, LogQuestion, Match, Pattern, ReceivedQuestion, TallyQuestion, Term
from tests.contract.maillogs import maillog_dsn, new_workspace
from tests.contract.test_engagement import ANN, DAY, MIDNIGHT, ask, event, mail

__all__ = ["maillog_dsn"]

NEW_COLUMNS = ("campaign", "sequence", "step", "automatic", "positive")


def as_schema_1(opened: ClickHouseMailLog) -> None:
    """What a mail log of schema 1 had not is gone."""
    for engine in opened._engines:
        for view in ("engagement", "received"):
            engine.command(f"DROP VIEW {view}_feed SYNC")
            engine.command(f"DROP TABLE {view} SYNC")
        drops = ", ".join(f"DROP COLUMN {name}" for name in NEW_COLUMNS)
        engine.command(f"ALTER TABLE events {drops} SETTINGS mutations_sync = 2")
        if engine.address.cluster is not None:
            engine.command(f"ALTER TABLE all_events {drops}")
            for view in ("engagement", "received"):
                engine.command(f"DROP TABLE all_{view} SYNC")
        engine.command("TRUNCATE TABLE written_by SYNC")
        engine.command("INSERT INTO written_by VALUES (1, '26.1', 26, 1)")


def test_a_mail_log_of_schema_1_is_filled_when_it_is_opened(maillog_dsn: str, tmp_path: Path) -> None:
    dsn = f"chdb://{tmp_path / 'maillog'}" if maillog_dsn.startswith("chdb:") else maillog_dsn
    workspace = new_workspace()
    with open_maillog(dsn) as opened:
        opened.append(EventBatch("before", workspace, 0, mail(1, ANN)))
        as_schema_1(opened)
    for _ in range(2):
        with open_maillog(dsn) as opened:
            assert [(row.sender, row.sent, row.delivered) for row in ask(opened, workspace)] == [(ANN, 1, 1)]
    with open_maillog(dsn) as opened:
        opened.append(EventBatch("after", workspace, 0, mail(2, ANN, campaign="spring")))
        assert [(row.campaign, row.sent) for row in ask(opened, workspace, by=("campaign",))] == [
            ("", 1),
            ("spring", 1),
        ]
        question = ReceivedQuestion(workspace=workspace, relays=(1,), addresses=("client@isp.example",))
        assert opened.received(question) == {"client@isp.example": 2}


def test_a_mail_log_of_schema_3_is_brought_up(maillog_dsn: str, tmp_path: Path) -> None:
    """Mails are found by their Message-ID, and a person's tag holds against a program's."""
    dsn = f"chdb://{tmp_path / 'maillog'}" if maillog_dsn.startswith("chdb:") else maillog_dsn
    workspace = new_workspace()
    with open_maillog(dsn) as opened:
        for engine in opened._engines:
            former = schema.feeds()["engagement"].replace(" + if(automatic, 0, 4611686018427387904)", "")
            engine.command(f"ALTER TABLE engagement_feed MODIFY QUERY {former}")
        before = [*mail(1, ANN, message_id="<old@shop.example>"), event(1, EventType.REPLIED)]
        opened.append(EventBatch("before", workspace, 0, [*before, event(1, EventType.TAGGED, positive=True)]))
        for engine in opened._engines:
            engine.command("DROP VIEW message_ids_feed SYNC")
            engine.command("DROP TABLE message_ids SYNC")
            if engine.address.cluster is not None:
                engine.command("DROP TABLE all_message_ids SYNC")
            engine.command("TRUNCATE TABLE written_by SYNC")
            engine.command("INSERT INTO written_by VALUES (3, '26.1', 26, 1)")
    term = Term("msgid", (Pattern("<old@shop.example>", Match.WHOLE),))
    for _ in range(2):
        with open_maillog(dsn) as opened:
            assert opened.search(LogQuestion(workspace=workspace, relays=(1,), terms=(term,))).total == 2
    with open_maillog(dsn) as opened:
        later = structs.replace(event(1, EventType.TAGGED, automatic=True), at=MIDNIGHT + DAY)
        opened.append(EventBatch("after", workspace, 0, [later]))
        assert [(row.replied, row.positive) for row in ask(opened, workspace)] == [(1, 1)]


def tried(number: int, at: int, what: EventType, **more: Any) -> MailEvent:
    """Of a mail's only recipient, `at` milliseconds after it was accepted."""
    told: dict[str, Any] = {"relay": 1, "accepted_at": MIDNIGHT, "number": number, "recipient": "bob@isp.example"}
    return MailEvent(type=what, at=MIDNIGHT + at, **told | more)


def assert_counted_as_told(opened: ClickHouseMailLog, workspace: int) -> None:
    """Reasons and delays are counted as the rows tell them, which are read of other columns."""
    log = LogQuestion(workspace=workspace, relays=(1,))
    rows = opened.search(log).deliveries
    counted = opened.tally(TallyQuestion(log, "family", 10))
    assert {each.value: each.count for each in counted} == Counter(row.family.value for row in rows)
    for family in ReasonFamily:
        found = opened.search(structs.replace(log, family=family)).deliveries
        assert found == [row for row in rows if row.family is family]
    slow = {each.value: each.nearly_all for each in opened.delays(DelayQuestion(log, "status", 10))}
    assert slow == {
        status.value: max(row.delay for row in rows if row.status is status) for status in {row.status for row in rows}
    }


def test_a_mail_log_of_schema_4_counts_reasons_and_delays(maillog_dsn: str, tmp_path: Path) -> None:
    """Of rows that were stored before, joined with some that came later, and whether they were merged or not."""
    dsn = f"chdb://{tmp_path / 'maillog'}" if maillog_dsn.startswith("chdb:") else maillog_dsn
    workspace = new_workspace()
    late = {"family": ReasonFamily.RATE_LIMIT, "delay": 5_000}
    gone = {"family": ReasonFamily.UNKNOWN_USER, "hard": True, "delay": 7_000}
    with open_maillog(dsn) as opened:
        first = [tried(1, 7_000, EventType.BOUNCED, **gone), tried(4, 900, EventType.DELIVERED, delay=900)]
        first += [tried(number, 5_000, EventType.DEFERRED, **late) for number in (2, 3, 5)]
        opened.append(EventBatch("before", workspace, 0, first))
        assert_counted_as_told(opened, workspace)
        for engine in opened._engines:
            engine.command("ALTER TABLE deliveries DROP COLUMN why, DROP COLUMN took SETTINGS mutations_sync = 2")
            if engine.address.cluster is not None:
                engine.command("ALTER TABLE all_deliveries DROP COLUMN why, DROP COLUMN took")
            engine.command("TRUNCATE TABLE written_by SYNC")
            engine.command("INSERT INTO written_by VALUES (4, '26.1', 26, 1)")
    with open_maillog(dsn) as opened:
        assert_counted_as_told(opened, workspace)
        second = [
            tried(2, 90_000, EventType.DELIVERED, delay=90_000),
            tried(5, 80_000, EventType.EXPIRED, delay=80_000),
        ]
        opened.append(EventBatch("after", workspace, 0, [*second, tried(3, 6_000, EventType.BOUNCED, **gone)]))
        assert_counted_as_told(opened, workspace)
        for engine in opened._engines:
            engine.command("OPTIMIZE TABLE deliveries FINAL")
        assert_counted_as_told(opened, workspace)
