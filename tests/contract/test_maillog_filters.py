"""What filters compare with is text: no letter of it means anything to the engine."""

from __future__ import annotations

from typing import Any

import pytest

from mailvane.maillog.clickhouse import ClickHouseMailLog
from mailvane.maillog.model import EventBatch, EventType, MailEvent
from mailvane.maillog.queries import LogQuestion, Match, Pattern, Term
from tests.contract.maillogs import maillog, maillog_dsn, new_workspace

__all__ = ["maillog", "maillog_dsn"]

V6 = "2001:db8::7"
NOON = 1_790_000_000_000
# Each beside one that it would find, too, if `%`, `_`, `\` or a quote were more than letters.
MAILS: list[dict[str, Any]] = [
    {"recipient": "amy_lee@dest.example", "subject": "50% now", "message_id": "<7%_q@a.example>", "origin": V6},
    {"recipient": "amyxlee@dest.example", "subject": "50 of us now", "message_id": "<7zzq@a.example>"},
    {"recipient": "d'arcy@dest.example", "subject": "it's \\ \"so\" ä📮", "message_id": "<c\\d@a.example>"},
    {"recipient": "jörg@dest.example", "subject": "'; DROP TABLE mails; --", "message_id": "<C_D@a.example>"},
    {"recipient": "cd@dest.example", "subject": "{subject:String}", "message_id": "<c|d@a.example>"},
]  # fmt: skip


@pytest.fixture(scope="module")
def workspace(maillog: ClickHouseMailLog) -> int:
    """One with these mails."""
    own = new_workspace()
    events = [
        MailEvent(relay=1, accepted_at=NOON + place, number=0, type=EventType.DELIVERED, at=NOON + place + 5, **mail)
        for place, mail in enumerate(MAILS)
    ]
    maillog.append(EventBatch("all", own, 0, events))
    return own


def part(field: Any, text: str) -> dict[str, Any]:
    return {"terms": (Term(field, (Pattern(text, Match.PART),)),)}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"recipient": "amy_lee@dest.example"}, [0]),
        ({"subject": "50% now"}, [0]),
        ({"subject": "50%"}, []),
        ({"origin": V6}, [0]),
        ({"message_id_part": "7%_q"}, [0]),
        ({"message_id_part": "%"}, [0]),
        ({"message_id_part": "_"}, [0, 3]),
        ({"message_id_part": "c\\d"}, [2]),
        ({"message_id_part": "c_d"}, [3]),
        ({"subject": 'it\'s \\ "so" ä📮'}, [2]),
        ({"recipient": "d'arcy@dest.example"}, [2]),
        ({"recipient": "jörg@dest.example"}, [3]),
        ({"subject": "'; DROP TABLE mails; --"}, [3]),
        ({"subject": "{subject:String}"}, [4]),
        (part("to", "amy_"), [0]),
        (part("to", "y%l"), []),
        (part("subject", "%"), [0]),
        (part("subject", "\\"), [2]),
        (part("text", "📮"), [2]),
    ],
)
def test_a_letter_that_a_pattern_would_read_is_a_letter(
    maillog: ClickHouseMailLog, workspace: int, asked: dict[str, Any], found: list[int]
) -> None:
    page = maillog.search(LogQuestion(workspace=workspace, relays=(1,), limit=10, ascending=True, **asked))
    assert [row.accepted_at - NOON for row in page.deliveries] == found
    assert page.total == len(found)
