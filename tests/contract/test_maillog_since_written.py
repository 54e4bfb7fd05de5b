"""What was not there when it was asked for is there when it was written since."""

from __future__ import annotations

from mailvane.maillog.clickhouse import ClickHouseMailLog
from mailvane.maillog.model import DeliveryStatus, EventBatch, EventType, MailEvent
from mailvane.maillog.queries import LogPage, LogQuestion, StatisticsQuestion
from tests.contract.maillogs import maillog, maillog_dsn, workspace

__all__ = ["maillog", "maillog_dsn", "workspace"]

NOON = 1_790_000_000_000


def event(number: int, kind: EventType, **more: object) -> MailEvent:
    whole: dict[str, object] = {
        "relay": 1, "accepted_at": NOON + number, "number": 0, "type": kind, "at": NOON + number + 5,
        "sender": f"sender{number % 3}@example.com" if number else "", "origin": f"192.0.2.{number % 2}",
    }  # fmt: skip
    return MailEvent(**(whole | more))  # type: ignore[arg-type]


def test_a_mail_that_waits_and_a_reaction_are_found_where_there_were_none(
    maillog: ClickHouseMailLog, workspace: int
) -> None:
    def append(token: str, *events: MailEvent) -> None:
        maillog.append(EventBatch(token, workspace, 0, list(events)))

    def page() -> LogPage:
        return maillog.search(LogQuestion(workspace=workspace, relays=(1,), limit=10))

    append("delivered", event(1, EventType.DELIVERED, recipient="ann@example.net"))
    assert [each.opened_at for each in page().deliveries] == [0]
    append("opened", event(1, EventType.OPENED, at=NOON + 99, recipient="ann@example.net"))
    assert [each.opened_at for each in page().deliveries] == [NOON + 99]
    append("waits", event(2, EventType.ACCEPTED, waiting=1))
    assert [each.status for each in page().deliveries] == [DeliveryStatus.QUEUED, DeliveryStatus.DELIVERED]
    append("tried", event(2, EventType.DEFERRED, recipient="bob@example.net", waiting=-1))
    assert [each.status for each in page().deliveries] == [DeliveryStatus.DEFERRED, DeliveryStatus.DELIVERED]
    assert page().total == 2


def test_names_are_ranked_without_the_nameless_who_count_all_the_same(
    maillog: ClickHouseMailLog, workspace: int
) -> None:
    events = [event(number, EventType.ACCEPTED) for number in range(7)]
    events += [event(number, EventType.DELIVERED, recipient=f"r{number % 4}@example.net") for number in range(5)]
    events += [event(5, EventType.BOUNCED, recipient="r0@example.net")]
    maillog.append(EventBatch("all", workspace, 0, events))
    found = maillog.statistics(StatisticsQuestion(workspace=workspace, relays=(1,), top=2))
    assert (found.received, found.sent) == (7, 5)
    assert list(found.senders.items()) == [("sender0@example.com", 2), ("sender1@example.com", 2)]
    assert list(found.recipients.items()) == [("r0@example.net", 3), ("r1@example.net", 1)]
    assert list(found.origins.items()) == [("192.0.2.0", 4), ("192.0.2.1", 3)]
    none = maillog.statistics(StatisticsQuestion(workspace=workspace, relays=(9,)))
    assert (none.received, none.sent, none.senders, none.recipients, none.origins) == (0, 0, {}, {}, {})
    counts = maillog.statistics(StatisticsQuestion(workspace=workspace, relays=(1,), top=0, deliveries=False))
    assert (counts.received, counts.sent) == (7, 0)
