"""Pages that are asked for while mail comes in: each holds as many rows as its total says, and only rows that pass."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mailvane.maillog.clickhouse import ClickHouseMailLog
from mailvane.maillog.clickhouse.engine import Statement
from mailvane.maillog.model import DeliveryStatus, EventBatch, EventType, MailEvent
from mailvane.maillog.queries import Delivery, LogQuestion, Place
from tests.contract.maillogs import maillog, maillog_dsn, workspace

__all__ = ["maillog", "maillog_dsn", "workspace"]

NOON = 1_790_000_000_000
SECOND = 1000
BEFORE = 40  # mails that are there before anything is asked
QUESTIONS: dict[str, dict[str, object]] = {
    "the newest": {},
    "the oldest": {"ascending": True},
    "a page further on": {"skip": 13},
    "the last page": {"ascending": True, "skip": 36},
    "behind a row": {"after": Place(NOON + 30 * SECOND, 0, 1, 1, "r1@example.org")},
    "behind a row, on": {"after": Place(NOON + 9 * SECOND, 0, 1, 0, "r0@example.org"), "ascending": True},
    "behind a row of what was deferred": {
        "after": Place(NOON + 90 * SECOND, 0, 1, 1, "r1@example.org"), "status": DeliveryStatus.DEFERRED,
    },
    "one row a mail": {"by_message": True},
    "a sender": {"sender": "bob@example.com"},
    "one row a mail of a sender": {"sender": "bob@example.com", "by_message": True},
    "what waits": {"status": DeliveryStatus.QUEUED},
    "what was deferred": {"status": DeliveryStatus.DEFERRED},
    "what is not delivered": {"delivered": False, "skip": 3},
    "a long page": {"limit": 1200},
    "a long page of what was deferred": {"limit": 1200, "status": DeliveryStatus.DEFERRED},
}  # fmt: skip


def of_mail(number: int, kind: EventType, **more: object) -> MailEvent:
    whole: dict[str, object] = {
        "relay": 1, "accepted_at": NOON + number * SECOND, "number": 0, "type": kind, "at": NOON + number * SECOND,
        "sender": "bob@example.com",
    }  # fmt: skip
    return MailEvent(**(whole | more))  # type: ignore[arg-type]


def life(first: int, count: int) -> Iterator[MailEvent]:
    """Mails that come; older ones that are deferred for both their recipients, still older ones that are delivered."""
    for number in range(first, first + count):
        yield of_mail(number, EventType.ACCEPTED, waiting=1)
        for recipient in range(2):
            whom = {"recipient": f"r{recipient}@example.org", "recipient_number": recipient}
            if number >= 4:
                first_one = -1 if recipient == 0 else 0
                yield of_mail(number - 4, EventType.DEFERRED, at=NOON + number * SECOND, waiting=first_one, **whom)
            if number >= 12:
                yield of_mail(number - 12, EventType.DELIVERED, at=NOON + number * SECOND, **whom)


class Busy(ClickHouseMailLog):
    """One in which mail comes in before each of its statements; it shares the engines of another."""

    def __init__(self, other: ClickHouseMailLog, workspace: int) -> None:
        super().__init__(other._engines)
        self.kept = other.kept
        self._workspace = workspace
        self._mails = BEFORE

    def _meanwhile(self) -> None:
        self.append(EventBatch(f"mail {self._mails}", self._workspace, 0, list(life(self._mails, 2))))
        self._mails += 2

    def _lines(self, statement: Statement, form: str = "JSONEachRow") -> bytes:
        if hasattr(self, "_mails"):
            self._meanwhile()
        return super()._lines(statement, form)

    def _rows(self, statement: Statement) -> list[tuple[object, ...]]:
        if hasattr(self, "_mails"):
            self._meanwhile()
        return super()._rows(statement)


def passes(delivery: Delivery, question: LogQuestion) -> bool:
    delivered = delivery.status is DeliveryStatus.DELIVERED
    return question.status in (None, delivery.status) and question.delivered in (None, delivered)


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_page_holds_what_its_total_says_while_mail_comes_in(
    maillog: ClickHouseMailLog, workspace: int, name: str
) -> None:
    maillog.append(EventBatch("before", workspace, 0, list(life(0, BEFORE))))
    question = LogQuestion(**({"workspace": workspace, "relays": (1,), "limit": 6} | QUESTIONS[name]))  # type: ignore[arg-type]
    busy = Busy(maillog, workspace)
    for _ in range(2):
        page = busy.search(question)
        assert len(page.deliveries) == min(question.limit, max(0, page.total - question.skip))
        assert page.deliveries, "there is always something to tell"
        assert all(passes(delivery, question) for delivery in page.deliveries)
        told = [(row.accepted_at, row.number, row.recipient_number, row.recipient) for row in page.deliveries]
        assert len(told) == len(set(told))
        if question.by_message:
            assert len({row.mail_id for row in page.deliveries}) == len(told)
        else:
            assert told == sorted(told, reverse=not question.ascending)
