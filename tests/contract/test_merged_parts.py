"""Parts that were merged into others go, however steady the traffic, and nothing that is stored goes with them."""

from __future__ import annotations

import pytest

from mailvane.maillog.clickhouse import ClickHouseMailLog
from mailvane.maillog.clickhouse.upkeep import REMOVING_EVERY
from mailvane.maillog.model import EventBatch, EventType, MailEvent
from mailvane.maillog.queries import LogQuestion
from tests.contract.maillogs import maillog, maillog_dsn, workspace
from tests.waiting import wait_for

__all__ = ["maillog", "maillog_dsn", "workspace"]

NOON = 1_790_000_000_000


@pytest.mark.parametrize("maillog_dsn", ["chdb"], indirect=True)  # a server removes them itself
def test_merged_parts_are_removed_under_steady_traffic(maillog: ClickHouseMailLog, workspace: int) -> None:
    for number in range(REMOVING_EVERY - maillog._merged.batches % REMOVING_EVERY):
        event = MailEvent(
            relay=1,
            accepted_at=NOON + number,
            number=number,
            type=EventType.DELIVERED,
            at=NOON,
            recipient="a@b.example",
        )
        maillog.append(EventBatch(f"steady {number}", workspace, 0, [event]))
    parts = "SELECT count() FROM system.parts WHERE NOT active"
    wait_for(lambda: int(str(maillog._engine.rows(parts)[0][0])) < 30)
    assert maillog.search(LogQuestion(workspace=workspace, relays=(1,))).total == number + 1
