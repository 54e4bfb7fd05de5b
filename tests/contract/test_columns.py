"""Batches in columns are stored as others are: once, in every view, in the embedded engine and on a server."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from mailvane.core.errors import MailvaneError
from mailvane.maillog.clickhouse import ClickHouseMailLog, ScratchSession
from mailvane.maillog.clickhouse.rows import EVENT_COLUMNS, EVENT_TYPES
from mailvane.maillog.model import ColumnBatch, EventType, HeldBatch, MailEvent, MailKey, ReasonFamily
from mailvane.maillog.queries import LogQuestion, StatisticsQuestion
from mailvane.maillog.store.journal import pack, unpack
from tests.contract.maillogs import maillog, maillog_dsn, workspace

__all__ = ["maillog", "maillog_dsn", "workspace"]
NOW = 1_790_000_000_000


def events(count: int) -> list[MailEvent]:
    """An acceptance and a bounce of each mail."""
    told = []
    for number in range(count):
        mail = MailEvent(
            relay=1, accepted_at=NOW + number, number=number, type=EventType.ACCEPTED, at=NOW + number, waiting=1,
            sender="a@shop.example", subject="täglich", message_id=f"<{number}@shop.example>", size=1 << 40,
        )  # fmt: skip
        bounce = msgspec.structs.replace(
            mail, type=EventType.BOUNCED, waiting=-1, recipient="b@isp.example", recipient_number=1, code=550,
            enhanced_code="5.1.1", family=ReasonFamily.UNKNOWN_USER, hard=True, reply="no\n'such' user", delay=-1,
        )  # fmt: skip
        told += [mail, bounce]
    return told


class Table:
    """Events in a temporary table of a session."""

    def __init__(self, session: ScratchSession, told: list[MailEvent]) -> None:
        self._session = session
        types = ", ".join(f"`{name}` {kind}" for name, kind in EVENT_TYPES.items())
        session.run(f"CREATE TEMPORARY TABLE told ({types}) ENGINE = Memory")
        session.fill_events("told", told)

    def columns(self) -> bytes:
        return self._session.ask("SELECT * FROM told", "Native")

    def insert(self, table: str, constants: Mapping[str, int], settings: Mapping[str, str]) -> None:
        self._session.insert("told", table, constants, EVENT_COLUMNS, settings)

    def release(self) -> None:
        self._session.close()


def in_columns(log: ClickHouseMailLog, workspace: int, told: list[MailEvent]) -> ColumnBatch:
    table = Table(log.scratch(), told)
    columns = table.columns()
    table.release()
    moments = [event.accepted_at for event in told]
    return ColumnBatch(
        token="file:0-9", workspace=workspace, retention_days=0, events=[], rows=len(told), columns=columns,
        first=min(moments), last=max(moments),
    )  # fmt: skip


def held(log: ClickHouseMailLog, workspace: int, told: list[MailEvent]) -> HeldBatch:
    batch = in_columns(log, workspace, told)
    return HeldBatch(**(msgspec.structs.asdict(batch) | {"columns": b"", "held": Table(log.scratch(), told)}))


@pytest.mark.parametrize("doubtful", [False, True], ids=["at first", "perhaps again"])
def test_columns_are_stored_from_where_they_are(maillog: ClickHouseMailLog, workspace: int, doubtful: bool) -> None:
    session = maillog.scratch()
    stores = session.stores
    session.close()
    workspace += 4 + 2 * doubtful
    told = events(20)
    batch = held(maillog, workspace, told)
    with pytest.raises(MailvaneError):
        batch.held.insert("no_such_table", {}, {})
    if not stores:  # lines are cut beside the server, by an engine that has no mail log
        with pytest.raises(MailvaneError):
            batch.held.insert("events", {}, {})
        batch.held.release()
        return
    for _ in range(2):
        maillog.append(batch, doubtful)
    batch.held.release()
    assert_stored(maillog, workspace, told)


@pytest.mark.parametrize("doubtful", [False, True], ids=["at first", "perhaps again"])
def test_columns_are_stored_once_and_in_every_view(maillog: ClickHouseMailLog, workspace: int, doubtful: bool) -> None:
    workspace += 2 * doubtful
    told = events(20)
    batch = unpack(pack(in_columns(maillog, workspace, told)))
    for _ in range(2):
        maillog.append(batch, doubtful)
    assert_stored(maillog, workspace, told)


def assert_stored(maillog: ClickHouseMailLog, workspace: int, told: list[MailEvent]) -> None:
    found = [event for mail in range(20) for event in maillog.mail_events(workspace, MailKey(1, NOW + mail, mail))]
    assert sorted(map(repr, found)) == sorted(map(repr, told))
    page = maillog.search(LogQuestion(workspace=workspace, relays=(1,)))
    assert (page.total, {row.attempts for row in page.deliveries}) == (20, {1})
    window = StatisticsQuestion(workspace=workspace, relays=(1,), since=NOW, until=NOW + 100)
    assert maillog.statistics(window).received == 20
