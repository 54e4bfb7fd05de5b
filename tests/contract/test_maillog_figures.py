"""Shares and waiting mail at moments, against the same told in plain words over random events; on every engine."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from math import sqrt

import msgspec
import pytest

from mailvane.core.errors import InvalidInput
from mailvane.core.moments import DAY_MS, HOUR_MS, MINUTE_MS
from mailvane.maillog.clickhouse import ClickHouseMailLog
from mailvane.maillog.figure_questions import Figure, FigureQuestion
from mailvane.maillog.model import EventBatch, EventType, MailEvent, MailKind
from tests.contract.maillogs import maillog, maillog_dsn, new_workspace

__all__ = ["maillog", "maillog_dsn"]

NOON = 1_760_097_600_000
STEP = 5 * MINUTE_MS
_ENDS = (EventType.DELIVERED, EventType.BOUNCED, EventType.EXPIRED)
_SHARES = {
    "bounces": ((EventType.BOUNCED, EventType.EXPIRED), _ENDS),
    "deferrals": ((EventType.DEFERRED,), (*_ENDS, EventType.DEFERRED)),
    "complaints": ((EventType.COMPLAINED,), (EventType.DELIVERED,)),
}
Told = tuple[int, list[MailEvent]]


def life(chance: random.Random, number: int) -> Iterator[MailEvent]:
    """What became of one mail. Half of the mails name their sender only when they are accepted."""
    accepted_at = NOON - chance.randrange(3 * HOUR_MS)
    sender, says = f"s@{chance.choice('ab')}.example", chance.random() < 0.5
    kind = MailKind.MAIL if chance.random() < 0.9 else MailKind.NOTIFICATION
    recipient, at = f"r{number}@{chance.choice(['One', 'two', 'two'])}.example", accepted_at

    def one(type_: EventType, recipient: str) -> MailEvent:
        said = sender if says or type_ is EventType.ACCEPTED else ""
        return MailEvent(
            relay=1 + number % 2, accepted_at=accepted_at, number=number, type=type_, at=at, kind=kind,
            sender=said, recipient=recipient,
        )  # fmt: skip

    yield one(EventType.ACCEPTED, "")
    for _ in range(chance.randrange(4)):
        at += chance.randrange(1, HOUR_MS)
        yield one(EventType.DEFERRED, recipient)
    if chance.random() < 0.7:
        at += chance.randrange(HOUR_MS)
        end = chance.choice(_ENDS)
        yield one(end, recipient)
        if end is EventType.DELIVERED and chance.random() < 0.5:
            at += chance.randrange(HOUR_MS)
            yield one(EventType.COMPLAINED, recipient)


@pytest.fixture(scope="module")
def told(maillog: ClickHouseMailLog) -> Told:
    chance, workspace = random.Random(7), new_workspace()
    events = [event for number in range(250) for event in life(chance, number)]
    chance.shuffle(events)
    for place in range(0, len(events), 200):
        maillog.append(EventBatch(f"figures {place}", workspace, 0, events[place : place + 200]))
    return workspace, events


def asked(workspace: int, what: str, by: str, **more: object) -> FigureQuestion:
    grid = {"first": NOON - 2 * HOUR_MS, "last": NOON + HOUR_MS, "step": STEP}
    return FigureQuestion(workspace=workspace, relays=(1, 2), what=what, by=by, **grid, **more)  # type: ignore[arg-type]


def domain_of(events: Sequence[MailEvent], by: str) -> Callable[[MailEvent], str]:
    senders = {(one.accepted_at, one.number): one.sender for one in events if one.sender}
    if by == "sender_domain":
        return lambda one: senders[one.accepted_at, one.number].partition("@")[2].lower()
    return lambda one: one.recipient.partition("@")[2].lower() if by else ""


def lower(count: int, whole: int) -> float:
    z = 1.959963984540054
    share = count / whole
    middle = share + z * z / 2 / whole
    return (middle - z * sqrt((share * (1 - share) + z * z / 4 / whole) / whole)) / (1 + z * z / whole)


@pytest.mark.parametrize("by", ["", "sender_domain", "recipient_domain"])
@pytest.mark.parametrize("what", list(_SHARES))
def test_shares_are_of_what_had_happened_by_then(maillog: ClickHouseMailLog, told: Told, what: str, by: str) -> None:
    workspace, events = told
    question = asked(workspace, what, by, window=HOUR_MS, least=4, above=0.02)
    counted, whole = _SHARES[what]
    name = domain_of(events, by)
    expected = []
    for moment in range(question.first, question.last + 1, STEP):
        within = [
            one for one in events
            if moment - HOUR_MS < one.at <= moment and one.recipient and one.kind is MailKind.MAIL
        ]  # fmt: skip
        for value in sorted({name(one) for one in within}):
            ones, of = (
                len({one.number for one in within if one.type in types and name(one) == value})
                for types in (counted, whole)
            )
            ones = min(ones, of)
            if ones and of >= question.least and lower(ones, of) > question.above:
                expected.append(Figure(moment, value, ones, of))
    assert expected
    assert maillog.figures(question) == expected


@pytest.mark.parametrize("by", ["", "recipient_domain"])
def test_what_waits_is_what_was_deferred_and_had_no_end_by_then(
    maillog: ClickHouseMailLog, told: Told, by: str
) -> None:
    workspace, events = told
    question = asked(workspace, "waiting", by, least=3, age=HOUR_MS)
    lives: dict[int, list[MailEvent]] = {}
    for one in events:
        if one.recipient and one.kind is MailKind.MAIL:
            lives.setdefault(one.number, []).append(one)
    expected = []
    for moment in range(question.first, question.last + 1, STEP):
        waiting: dict[str, list[int]] = {}
        for found in lives.values():
            past = [one for one in found if one.at <= moment]
            if any(one.type is EventType.DEFERRED for one in past) and not any(one.type in _ENDS for one in past):
                waiting.setdefault(domain_of(events, by)(past[0]), []).append(past[0].accepted_at)
        for value, accepted in sorted(waiting.items()):
            if len(accepted) >= question.least and min(accepted) + question.age <= moment:
                expected.append(Figure(moment, value, len(accepted), 0, min(accepted)))
    assert expected
    assert maillog.figures(question) == expected


def test_one_moment_is_told_as_among_many(maillog: ClickHouseMailLog, told: Told) -> None:
    for what, more in (("bounces", {"window": 2 * HOUR_MS}), ("waiting", {})):
        many = asked(told[0], what, "recipient_domain", **more)
        alone = msgspec.structs.replace(many, first=NOON, last=NOON)
        assert maillog.figures(alone) == [one for one in maillog.figures(many) if one.at == NOON] != []


def test_domains_that_are_named(maillog: ClickHouseMailLog, told: Told) -> None:
    named = asked(told[0], "deferrals", "recipient_domain", window=HOUR_MS, domains=("one.example",))
    any_ = asked(told[0], "deferrals", "recipient_domain", window=HOUR_MS)
    assert maillog.figures(named) == [one for one in maillog.figures(any_) if one.value == "one.example"]
    together = asked(told[0], "deferrals", "", window=HOUR_MS, domains=("one.example",))
    assert [(one.at, one.count) for one in maillog.figures(together)] == [
        (one.at, one.count) for one in maillog.figures(named)
    ]


def test_a_grid_that_is_too_fine_or_too_long_is_refused(maillog: ClickHouseMailLog) -> None:
    for more in ({"step": 1000}, {"last": NOON + 400 * DAY_MS}, {"window": DAY_MS}, {"last": 0}):
        wrong = msgspec.structs.replace(asked(1, "bounces", "", window=HOUR_MS), **{"first": NOON} | more)
        with pytest.raises(InvalidInput):
            maillog.figures(wrong)
