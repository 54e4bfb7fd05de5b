"""All numbers of one answer are of one moment, whatever is written while they are counted."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import count
from threading import Lock, Thread
from typing import Any

import pytest

from mailvane.core.tenants.model import Relay
from mailvane.maillog.clickhouse import ClickHouseMailLog
from mailvane.maillog.history import Charge, History
from mailvane.maillog.model import EventBatch, EventType, MailEvent
from mailvane.maillog.queries import Statistics, StatisticsQuestion
from tests.contract.maillogs import maillog, maillog_dsn, workspace

__all__ = ["maillog", "maillog_dsn", "workspace"]

NOON = 1_790_000_000_000
_numbers = count()
Append = Callable[[], None]


def append_mail(maillog: ClickHouseMailLog, workspace: int, relay: int = 1) -> None:
    """One that is accepted and delivered to one recipient."""
    number = next(_numbers)
    told: dict[str, Any] = {"relay": relay, "accepted_at": NOON + number, "number": 0, "sender": "s@shop.example"}
    events = [
        MailEvent(**told, type=EventType.ACCEPTED, at=NOON + number, origin="192.0.2.1"),
        MailEvent(**told, type=EventType.DELIVERED, at=NOON + number + 5, recipient="ann@example.net"),
    ]
    maillog.append(EventBatch(f"mail {number}", workspace, 0, events))


def interrupted(
    maillog: ClickHouseMailLog, monkeypatch: pytest.MonkeyPatch, write: Append, *, at_every: bool
) -> list[Thread]:
    """Something is written after the first statement, or after every one, by threads that may have to wait."""
    rows = maillog._rows
    writers: list[Thread] = []
    one_by_one = Lock()  # statements are asked side by side

    def asked(statement: Any) -> Any:
        answer = rows(statement)
        with one_by_one:
            if at_every or not writers:
                writers.append(Thread(target=write))
                writers[-1].start()
                # Whoever writes is through at once, or waits until the answer is complete.
                writers[-1].join(0.3)
        return answer

    monkeypatch.setattr(maillog, "_rows", asked)
    return writers


def is_one_moment(found: Statistics) -> bool:
    numbers = {found.received, found.sent, *(sum(each.values()) for each in (found.senders, found.recipients))}
    return len({*numbers, sum(found.origins.values())}) == 1


@pytest.mark.parametrize("at_every", [False, True])
def test_mails_that_come_between_the_statements_are_in_all_numbers_or_in_none(
    maillog: ClickHouseMailLog, workspace: int, monkeypatch: pytest.MonkeyPatch, at_every: bool
) -> None:
    for _ in range(3):
        append_mail(maillog, workspace)
    writers = interrupted(maillog, monkeypatch, lambda: append_mail(maillog, workspace), at_every=at_every)
    window = StatisticsQuestion(workspace=workspace, relays=(1,))
    counts = StatisticsQuestion(workspace=workspace, relays=(1,), top=0)
    whole, bare = maillog.statistics_of([window, counts])
    assert is_one_moment(whole), whole
    assert whole.received >= 3
    assert (bare.received, bare.sent) == (whole.received, whole.sent)
    for writer in writers:
        writer.join()
    monkeypatch.undo()
    assert maillog.statistics(window).received == 3 + len(writers)


class OneRelay:
    """Whose mail it is, as the ledger of workspaces would tell."""

    def relays(self, workspace: int) -> list[Relay]:
        return [Relay(id=1, workspace=workspace, comment="", active=True, created_at=NOON)]


def test_what_is_charged_is_what_is_counted(
    maillog: ClickHouseMailLog, workspace: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_mail(maillog, workspace)
    writers = interrupted(maillog, monkeypatch, lambda: append_mail(maillog, workspace), at_every=True)
    history = History(maillog, OneRelay())  # type: ignore[arg-type]
    charges, found = history.overview(workspace, "billing", NOON + 1_000_000)
    for writer in writers:
        writer.join()
    assert charges == [Charge("USD", found.received, Decimal("1.01"))]
    assert is_one_moment(found)
