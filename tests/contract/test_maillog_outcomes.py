"""What is counted in one pass is what plain questions count, of settled weeks and of others, and after every write."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from msgspec import structs

from mailvane.maillog.clickhouse import ClickHouseMailLog
from mailvane.maillog.model import EventType, MailEvent, MailKey, ReasonFamily
from mailvane.maillog.outcomes import OutcomeQuestion, asked_apart
from mailvane.maillog.queries import LogQuestion, Match, Pattern, TallyBy, TallyQuestion, Term
from tests.contract.maillogs import maillog, maillog_dsn, workspace
from tests.contract.test_maillog_settled import HOUR, NOON, settle, store

__all__ = ["maillog", "maillog_dsn", "workspace"]

WEEK = 7 * 24 * HOUR
KINDS: tuple[TallyBy, ...] = ("status", "family", "sender_domain", "recipient_domain", "mx", "relay")
ENDS = (EventType.DELIVERED, EventType.DEFERRED, EventType.BOUNCED, EventType.EXPIRED, EventType.DISCARDED)
DOMAINS = ("a.example", "b.example", "c.example", "")
WINDOWS: tuple[dict[str, Any], ...] = (
    {},
    {"since": NOON - WEEK - 3 * HOUR},
    {"since": NOON - 3 * WEEK},  # whole weeks are in it, which are remembered
    {"since": NOON - 3 * WEEK, "until": NOON + WEEK, "terms": (Term("to", (Pattern("a.example", Match.DOMAIN),)),)},
    {"since": NOON - WEEK, "until": NOON},
    {"since": NOON, "terms": (Term("from", (Pattern("y.example", Match.DOMAIN),), excludes=True),)},
)


def tried(luck: random.Random, number: int) -> list[MailEvent]:
    """One of a few mails of two weeks, accepted and perhaps tried; some wait untried."""
    at = NOON - luck.choice([0, WEEK]) + number % 5 * HOUR
    sender = luck.choice(["s@x.example", "s@y.example"])
    told: dict[str, Any] = {"relay": 1 + number % 2, "accepted_at": at, "number": number, "sender": sender}
    accepted = MailEvent(type=EventType.ACCEPTED, at=at, waiting=1, **told)
    if luck.random() < 0.1:
        return [accepted]
    domain, ended = luck.choice(DOMAINS), luck.choice(ENDS)
    family = luck.choice(list(ReasonFamily)) if ended is not EventType.DELIVERED else ReasonFamily.NONE
    end = MailEvent(
        type=ended, at=at + number, waiting=-1, recipient=f"ann@{domain}" if domain else "ann", family=family,
        delay=luck.randrange(9) * 1000, reply="told\x1fso", mx_host=f"mx.{domain}", transport="smtp", **told,
    )  # fmt: skip
    return [accepted, end]


def assert_as_asked_apart(
    maillog: ClickHouseMailLog, workspace: int, windows: Sequence[dict[str, Any]] = WINDOWS
) -> None:
    for place, window in enumerate(windows):
        log, top = LogQuestion(workspace=workspace, relays=(1, 2), **window), (2, 10)[place % 2]
        question = OutcomeQuestion(log, top)
        assert maillog.outcomes(question) == asked_apart(question, maillog.tally, maillog.delays), window
        questions = [TallyQuestion(log, by, top) for by in KINDS[place % 2 :: 2]]
        assert maillog.tallies(questions) == [maillog.tally(each) for each in questions], window
        first = maillog.search(structs.replace(log, limit=1, ascending=True))
        at = first.deliveries[0].accepted_at if first.deliveries else None
        assert maillog.total_and_first(log) == (first.total, at), window


def test_one_pass_counts_as_several_do(maillog: ClickHouseMailLog, workspace: int) -> None:
    luck = random.Random(1)
    assert_as_asked_apart(maillog, workspace, WINDOWS[::5])  # there is nothing
    for batch in range(2):
        mails = [tried(luck, luck.randrange(60)) for _ in range(60)]
        store(maillog, workspace, f"batch {batch}", *(event for mail in mails for event in mail))
        if batch == 0:
            settle(maillog)
    assert_as_asked_apart(maillog, workspace)
    settle(maillog)
    assert_as_asked_apart(maillog, workspace)


def test_questions_of_several_logs_are_answered_each_by_its_own(maillog: ClickHouseMailLog, workspace: int) -> None:
    store(maillog, workspace, "one", *(event for n in range(9) for event in tried(random.Random(n), n)))
    logs = [LogQuestion(workspace=workspace, relays=(relay,), since=0) for relay in (1, 2)]
    questions = [TallyQuestion(log, "status", 10) for log in logs]
    assert maillog.tallies(questions) == [maillog.tally(each) for each in questions]
    assert maillog.tallies([]) == []


def test_the_events_of_several_mails_come_one_mail_after_the_other(maillog: ClickHouseMailLog, workspace: int) -> None:
    luck = random.Random(3)
    lives = [[event for event in tried(luck, number) if event.recipient] for number in range(8)]
    store(maillog, workspace, "one", *(event for life in lives for event in life))
    keys = [life[0].key for life in lives if life][::-1]
    keys.insert(1, MailKey(keys[0].relay, keys[0].accepted_at, 99))
    apart = [event for key in keys for event in maillog.mail_events(workspace, key)]
    assert apart
    assert maillog.mail_events(workspace, *keys) == apart
    assert maillog.mail_events(workspace) == []


def test_domains_of_local_mail_are_counted_whenever_it_came(maillog: ClickHouseMailLog, workspace: int) -> None:
    """By transport: what may pass is looked up first in weeks that are not settled."""
    local = Term("transport", (Pattern("local", Match.WHOLE), Pattern("lmtp", Match.WHOLE)))
    log = LogQuestion(workspace=workspace, relays=(1,), terms=(local,), delivered=True)
    question = TallyQuestion(log, "recipient_domain", 10)

    def counted() -> dict[str, int]:
        return {each.value: each.count for each in maillog.tally(question)}

    def given(number: int, domain: str, transport: str, what: EventType = EventType.DELIVERED) -> MailEvent:
        return MailEvent(
            relay=1, accepted_at=NOON + number // 10 * WEEK, number=number, type=what, at=NOON + 10 * WEEK + number,
            recipient=f"ann@{domain}", transport=transport,
        )  # fmt: skip

    store(maillog, workspace, "away", given(1, "far.example", "smtp"), given(11, "far.example", "smtp"))
    assert counted() == {}
    store(maillog, workspace, "here", given(2, "near.example", "local"), given(3, "near.example", "lmtp"))
    assert counted() == {"near.example": 2}
    settle(maillog)
    store(maillog, workspace, "more", given(12, "near.example", "local"), given(13, "far.example", "smtp"))
    assert counted() == {"near.example": 3}
    again = given(12, "near.example", "smtp", EventType.DEFERRED)
    store(maillog, workspace, "again", MailEvent(**{**_fields(again), "at": again.at + HOUR}))
    assert counted() == {"near.example": 2}, "the newest try counts"


def _fields(event: MailEvent) -> dict[str, Any]:
    return {name: getattr(event, name) for name in MailEvent.__struct_fields__}
