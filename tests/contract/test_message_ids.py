"""Mail is found by its Message-ID, by an index of its own, on every engine."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mailvane.maillog.clickhouse import ClickHouseMailLog
from mailvane.maillog.model import EventType
from mailvane.maillog.queries import LogQuestion, Match, Pattern, Term
from tests.contract.maillogs import maillog, maillog_dsn, new_workspace, workspace
from tests.contract.test_maillog import DAY, NOON, append, delivered, event

__all__ = ["append", "maillog", "maillog_dsn", "workspace"]

Append = Callable[..., None]


def found(maillog: ClickHouseMailLog, workspace: int, *names: str, **more: object) -> list[tuple[int, str]]:
    """By number and Message-ID, the oldest first."""
    term = Term("msgid", tuple(Pattern(name, Match.WHOLE) for name in names))
    question = LogQuestion(workspace=workspace, relays=(1,), terms=(term,), ascending=True, **more)  # type: ignore[arg-type]
    page = maillog.search(question)
    assert page.total == len(page.deliveries)
    return [(row.number, row.message_id) for row in page.deliveries]


def test_mails_of_a_message_id(maillog: ClickHouseMailLog, append: Append, workspace: int) -> None:
    append(
        *(delivered(number=number, message_id=f"<{number}@a.example>") for number in range(1, 30)),
        delivered(number=40, message_id="<A@a.example>", recipient="b@example.org"),
        delivered(number=40, message_id="<A@a.example>", recipient="c@example.org"),
        delivered(number=41, message_id="<a@a.example>"),
        delivered(number=42),
    )
    append(delivered(number=50, accepted_at=NOON + 90 * DAY, at=90 * DAY + 1, message_id="<3@a.example>"))
    append(event(EventType.ACCEPTED, 0, number=51, waiting=1, message_id="<waits@a.example>"))
    assert found(maillog, workspace, "<3@a.example>", "<7@a.example>", "<none@a.example>") == [
        (3, "<3@a.example>"), (7, "<7@a.example>"), (50, "<3@a.example>"),
    ]  # fmt: skip
    assert found(maillog, workspace, "<3@a.example>", until=NOON + DAY) == [(3, "<3@a.example>")]
    assert found(maillog, workspace, "<A@a.example>") == [(40, "<A@a.example>")] * 2
    assert found(maillog, workspace, "<waits@a.example>") == [(51, "<waits@a.example>")]
    assert found(maillog, new_workspace(), "<3@a.example>") == []
    maillog.rebuild()
    assert [number for number, _ in found(maillog, workspace, "<3@a.example>")] == [3, 50]
    assert not [line for line in maillog.verify() if "message_ids" in line]


@pytest.mark.parametrize("excludes", [True, False])
def test_other_ways_to_ask_are_answered_as_ever(
    maillog: ClickHouseMailLog, append: Append, workspace: int, excludes: bool
) -> None:
    append(*(delivered(number=number, message_id=f"<{number}@a.example>") for number in range(1, 5)))
    whole, part = Pattern("<3@a.example>", Match.WHOLE), Pattern("4@A", Match.PART)
    for patterns, numbers in (((whole,), {3}), ((part,), {4}), ((whole, part), {3, 4})):
        term = Term("msgid", patterns, excludes=excludes)
        page = maillog.search(LogQuestion(workspace=workspace, relays=(1,), terms=(term,)))
        assert {row.number for row in page.deliveries} == ({1, 2, 3, 4} - numbers if excludes else numbers)
