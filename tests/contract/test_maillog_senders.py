"""Who has written to domains, and what they wrote: the same on every engine, in each order and on each page."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

import pytest

from mailvane.maillog.clickhouse import ClickHouseMailLog
from mailvane.maillog.model import EventBatch, EventType, MailEvent, MailKind
from mailvane.maillog.queries import (
    LogQuestion,
    Match,
    Pattern,
    RefusedQuestion,
    SenderCount,
    SenderQuestion,
    TallyQuestion,
    Term,
)
from tests.contract.maillogs import maillog, maillog_dsn, new_workspace

__all__ = ["maillog", "maillog_dsn"]

START = 1_789_948_800_000
OURS = ("in.example", "alias.example")


def life(number: int, sender: str, *recipients: str, how: str = "local", **more: Any) -> list[MailEvent]:
    """A mail that was delivered to each recipient."""
    key: dict[str, Any] = {"relay": 1, "accepted_at": START + number, "number": number}
    accepted = MailEvent(**key, type=EventType.ACCEPTED, at=START + number, sender=sender, **more)
    return [accepted] + [
        MailEvent(
            **key, type=EventType.DELIVERED, at=START + number + 5, recipient=one, recipient_number=place,
            transport=how, sender=sender, **more,
        )
        for place, one in enumerate(recipients, 1)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def told(maillog: ClickHouseMailLog) -> int:
    workspace = new_workspace()
    events = [
        *life(1, "news@shop.example", "ann@in.example", "bob@In.example"),
        *life(2, "News@shop.example", "ann@in.example"),
        *life(3, "bounce+7@list.example", "ann@in.example", header_from="Desk@bank.example"),
        *life(4, "ann@in.example", "friend@elsewhere.example", how="smtp"),
        *life(5, "carl@far.example", "carl@home.example", original_recipient="info@alias.example", how="virtual"),
        *life(6, "", "ann@in.example", kind=MailKind.NOTIFICATION),
        *life(7, "", "ann@in.example"),
        MailEvent(
            relay=1, accepted_at=START + 8, number=8, type=EventType.REJECTED, at=START + 8,
            sender="x@spam.example", recipient="nobody@in.example", code=550,
        ),
        MailEvent(
            relay=1, accepted_at=START + 9, number=9, type=EventType.REJECTED, at=START + 9,
            sender="x@spam.example", recipient="nobody@elsewhere.example", code=554,
        ),
    ]  # fmt: skip
    maillog.append(EventBatch("first", workspace, 0, events[:7]))
    maillog.append(EventBatch("second", workspace, 0, events[7:]))
    return workspace


def senders(maillog: ClickHouseMailLog, workspace: int, **more: Any) -> tuple[int, list[str]]:
    page = maillog.senders(SenderQuestion(workspace=workspace, relays=(1,), **({"domains": OURS} | more)))
    return page.total, [one.address for one in page.senders]


def test_each_mail_counts_once_for_its_author(maillog: ClickHouseMailLog, told: int) -> None:
    page = maillog.senders(SenderQuestion(workspace=told, relays=(1,), domains=OURS))
    assert page.total == 3
    assert page.senders == [
        SenderCount("news@shop.example", 2, START + 1, START + 2),
        SenderCount("carl@far.example", 1, START + 5, START + 5),
        SenderCount("desk@bank.example", 1, START + 3, START + 3),
    ]


def test_pages_orders_and_filters(maillog: ClickHouseMailLog, told: int) -> None:
    everybody = ["carl@far.example", "desk@bank.example", "news@shop.example"]
    assert senders(maillog, told, order="address", ascending=True) == (3, everybody)
    assert senders(maillog, told, order="last_at") == (3, [everybody[0], everybody[1], everybody[2]])
    assert senders(maillog, told, skip=1, limit=1) == (3, ["carl@far.example"])
    assert senders(maillog, told, skip=9) == (3, [])
    assert senders(maillog, told, limit=0) == (3, [])
    assert senders(maillog, told, text="BANK") == (1, ["desk@bank.example"])
    assert senders(maillog, told, only=("desk@bank.example", "no@one.example")) == (1, ["desk@bank.example"])
    assert senders(maillog, told, only=()) == (0, [])
    assert senders(maillog, told, without=("desk@bank.example",), order="address")[0] == 2
    space = UUID(int=7)
    known = (str(space), str(uuid5(space, "desk@bank.example")))
    assert senders(maillog, told, uuid=known) == (1, ["desk@bank.example"])
    assert senders(maillog, told, uuid=(str(space), str(uuid5(space, "desk@bank.exampl")))) == (0, [])
    assert senders(maillog, told, domains=()) == (0, [])
    assert senders(maillog, told, domains=("nowhere.example",)) == (0, [])


def test_whoever_has_not_written_is_listed_when_named(maillog: ClickHouseMailLog, told: int) -> None:
    named = ("zoe@late.example", "news@shop.example")
    page = maillog.senders(SenderQuestion(workspace=told, relays=(1,), domains=OURS, beside=named))
    assert (page.total, page.senders[0].mails) == (4, 2)
    assert page.senders[-1] == SenderCount("zoe@late.example", 0, 0, 0)
    assert senders(maillog, told, beside=named, only=named[:1], ascending=True) == (1, ["zoe@late.example"])


def test_another_workspace_sees_nothing(maillog: ClickHouseMailLog, told: int) -> None:
    assert senders(maillog, told + 1) == (0, [])


def test_deliveries_to_domains_by_author_and_transport(maillog: ClickHouseMailLog, told: int) -> None:
    def found(**more: Any) -> list[int]:
        question = LogQuestion(workspace=told, relays=(1,), ascending=True, **more)
        return [one.number for one in maillog.search(question).deliveries]

    whole = Match.WHOLE
    assert found(domains=OURS) == [1, 1, 2, 3, 5, 7]
    assert found(domains=()) == []
    assert found(domains=OURS, terms=(Term("author", (Pattern("desk@bank.example", whole),)),)) == [3]
    assert found(terms=(Term("transport", (Pattern("smtp", whole),)),)) == [4]
    near = Term("transport", (Pattern("local", whole), Pattern("virtual", whole)))
    log = LogQuestion(workspace=told, relays=(1,), terms=(near,), delivered=True)
    tallied = maillog.tally(TallyQuestion(log, "recipient_domain", 100))
    assert {one.value.lower() for one in tallied} == {"in.example", "home.example"}


def test_refusals_of_domains(maillog: ClickHouseMailLog, told: int) -> None:
    page = maillog.refused(RefusedQuestion(workspace=told, relays=(1,), domains=OURS))
    assert (page.total, [one.recipient for one in page.refused]) == (1, ["nobody@in.example"])
