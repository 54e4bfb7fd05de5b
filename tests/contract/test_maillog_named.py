"""Many mails are found at once by their Message-IDs, with their recipients that are asked for, on every engine."""

from __future__ import annotations

from collections.abc import Callable

from mailvane.maillog.clickhouse import ClickHouseMailLog, message_ids
from mailvane.maillog.model import EventType, MailKind
from mailvane.maillog.named_mails import NamedMail, NamedQuestion
from tests.contract.maillogs import maillog, maillog_dsn, workspace
from tests.contract.test_maillog import DAY, NOON, append, delivered, event

__all__ = ["append", "maillog", "maillog_dsn", "workspace"]

Append = Callable[..., None]


def asked(workspace: int, *ids: str, **more: object) -> NamedQuestion:
    given = {"addresses": ("ann@example.org",), "since": NOON - DAY, "until": NOON + DAY, "relays": (1,)} | more
    return NamedQuestion(workspace=workspace, message_ids=ids, **given)  # type: ignore[arg-type]


def test_each_mail_is_found_once_with_its_author_and_the_recipients_asked_for(
    maillog: ClickHouseMailLog, append: Append, workspace: int
) -> None:
    facts = {"message_id": "<1@x>", "sender": "bounce@example.com"}
    append(
        event(EventType.ACCEPTED, 0, waiting=1, **facts),
        delivered(recipient="zoe@example.org", at=3, **facts),
        delivered(recipient="Ann@example.org", at=4, header_from="Writer@example.com", **facts),
        delivered(recipient="bob@example.org", at=5, waiting=-1, **facts),
    )
    append(
        event(EventType.DEFERRED, 9, number=2, recipient="eve@example.org", message_id="<2@x>", sender="s@x.example")
    )
    append(delivered(number=3, message_id="<3@x>"))
    found = maillog.named(asked(workspace, "<1@x>", "<2@x>", "<none@x>"))
    assert found == [
        NamedMail(1, NOON, 1, "<1@x>", "Writer@example.com", "Ann@example.org", ("Ann@example.org",)),
        NamedMail(1, NOON, 2, "<2@x>", "s@x.example", "eve@example.org", ()),
    ]


def test_a_mail_that_waits_untried_is_found_without_recipients(
    maillog: ClickHouseMailLog, append: Append, workspace: int
) -> None:
    append(event(EventType.ACCEPTED, 0, waiting=1, message_id="<1@x>", sender="s@x.example"))
    assert maillog.named(asked(workspace, "<1@x>")) == [NamedMail(1, NOON, 1, "<1@x>", "s@x.example", "", ())]


def test_other_relays_times_kinds_and_workspaces_are_left_out(
    maillog: ClickHouseMailLog, append: Append, workspace: int
) -> None:
    append(delivered(message_id="<1@x>"), delivered(number=2, message_id="<2@x>", kind=MailKind.NOTIFICATION))
    assert [mail.number for mail in maillog.named(asked(workspace, "<1@x>", "<2@x>"))] == [1]
    for more in ({"relays": (2,)}, {"since": NOON + 1}, {"until": NOON - 1}):
        assert maillog.named(asked(workspace, "<1@x>", **more)) == []
    assert maillog.named(asked(workspace + 1000, "<1@x>")) == []


def test_more_ids_than_one_statement_takes(maillog: ClickHouseMailLog, append: Append, workspace: int) -> None:
    long = [f"<{number:05}.{'x' * 900}@x>" for number in range(100)]
    append(*(delivered(number=number, message_id=name) for number, name in enumerate(long, 1)))
    assert sum(map(len, long)) > 2 * message_ids._MOST_TEXT
    crowd = tuple(f"{number:05}.{'x' * 900}@example.org" for number in range(100))
    found = maillog.named(asked(workspace, *long, addresses=(*crowd, "ann@example.org")))
    assert [(mail.number, mail.recipients) for mail in found] == [(n, ("ann@example.org",)) for n in range(1, 101)]
