"""Filters, terms of the query language and counts by value, on every engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from mailvane.core.errors import InvalidInput
from mailvane.maillog.clickhouse import ClickHouseMailLog
from mailvane.maillog.model import DeliveryStatus, EventBatch, EventType, MailEvent, MailKind, ReasonFamily, mail_id
from mailvane.maillog.queries import (
    DelayQuestion,
    Delays,
    Match,
    Pattern,
    RefusedMail,
    RefusedPage,
    RefusedQuestion,
    ReplyPage,
    ReplyQuestion,
    Tally,
    TallyQuestion,
    Term,
    TimeTally,
    TimeTallyQuestion,
)
from mailvane.maillog.query_language import question
from mailvane.maillog.refused_questions import RefusedTallyQuestion, RefusedTime, RefusedTimeQuestion
from tests.contract.maillogs import maillog, maillog_dsn, new_workspace
from tests.contract.test_maillog import DAY, HOUR, NOON, Rows, asker, delivered, event

__all__ = ["maillog", "maillog_dsn"]


FOUND = delivered(
    "ann@example.org", number=1, sender="s@example.com", subject="It's 100%_\\ done",
    message_id="<AbC.1%_@Example.COM>", header_from="h@example.com",
    reply_to="r@example.com", origin="192.0.2.7", mx_host="mx.example.org",
    original_recipient="alias@example.org", family=ReasonFamily.NONE, queue_id="4VpXyZ0abcz1",
)  # fmt: skip
OTHER = event(
    EventType.BOUNCED, recipient="bob@example.net", number=2, accepted_at=NOON + DAY, sender="S@example.com",
    subject="It's 100", message_id="<zzz@example.net>", origin="192.0.2.8", mx_host="mx.example.net",
    family=ReasonFamily.POLICY, header_from="x@example.com", reply_to="y@example.com", queue_id="4vpxyz0abcz1",
)  # fmt: skip


PLAIN = msgspec.structs.replace(FOUND, message_id="<AbC.1@Example.COM>")  # without what LIKE takes for a pattern


@pytest.fixture(scope="module", params=[FOUND], ids=["found"])
def filtered(maillog: ClickHouseMailLog, request: pytest.FixtureRequest) -> Rows:
    """Asks where one mail and another are; each engine has them once."""
    own = new_workspace()
    maillog.append(EventBatch("filtered", own, 0, [request.param, OTHER]))
    return asker(maillog, own)


@pytest.mark.parametrize(
    "question",
    [
        {"origin": "192.0.2.7"},
        {"mx_host": "mx.example.org"},
        {"sender": "s@example.com"},
        {"recipient": "ann@example.org"},
        {"recipient": "alias@example.org"},
        {"subject": "It's 100%_\\ done"},
        {"mail_id": mail_id(NOON, 1)},
        {"message_id_part": "abc.1"},
        {"message_id_part": "1%_@"},
        {"message_id_part": "<ABC.1%_@EXAMPLE.com>"},
        {"queue_ids": ("nothing", "4VpXyZ0abcz1")},
        {"reply_to": "r@example.com"},
        {"header_from": "h@example.com"},
        {"delivered": True},
        {"status": DeliveryStatus.DELIVERED},
        {"family": ReasonFamily.NONE},
        {"until": NOON},
        {"since": NOON, "until": NOON + DAY - 1},
        {"relays": (1,), "sender": "s@example.com", "delivered": True, "by_message": True},
    ],
)
def test_a_filter_finds_what_it_names_and_nothing_else(filtered: Rows, question: dict[str, object]) -> None:
    assert [row.number for row in filtered(**question)] == [1]


@pytest.mark.parametrize(
    "question",
    [
        {"delivered": False},
        {"status": DeliveryStatus.BOUNCED},
        {"family": ReasonFamily.POLICY},
        {"since": NOON + 1},
        {"since": NOON + DAY, "until": NOON + DAY},
        {"sender": "S@example.com"},
    ],
)
def test_the_other_side_of_a_filter(filtered: Rows, question: dict[str, object]) -> None:
    assert [row.number for row in filtered(**question)] == [2]


@pytest.mark.parametrize(
    "question",
    [
        {"mail_id": "nonsense"},
        {"mail_id": "0" * 18},
        {"message_id_part": "%"},
        {"message_id_part": "abc_1"},
        {"sender": "' OR 1 = 1 --"},
        {"queue_ids": ("4VPXYZ0ABCZ1", "')")},
        {"queue_ids": ()},
        {"subject": "It's 100%"},
        {"relays": (2,)},
        {"kinds": (MailKind.PROBE,)},
        {"since": NOON + DAY + 1},
    ],
)
@pytest.mark.parametrize("filtered", [PLAIN], ids=["plain"], indirect=True)
def test_what_nothing_matches_finds_nothing(filtered: Rows, question: dict[str, object]) -> None:
    assert filtered(**question) == []


# -- terms


def _mails() -> Iterator[MailEvent]:
    def mail(number: int, type_: EventType, recipient: str, sender: str, **values: object) -> MailEvent:
        at = NOON + number * HOUR
        common: dict[str, object] = {"relay": 1, "accepted_at": at, "number": number, "type": type_, "at": at + 500}
        return MailEvent(**(common | {"recipient": recipient, "sender": sender} | values))  # type: ignore[arg-type]

    yield mail(
        1, EventType.DELIVERED, "ann@one.example", "shop@a.example", subject="Order 5, paid", mx_host="mx1.one.example",
        message_id="<Five@a.example>", host="mx1", queue_id="4jbJDG4ZYfz8Kcc", reply="250 ok", login="Shop",
        origin="192.0.2.1",
    )  # fmt: skip
    yield mail(
        2, EventType.BOUNCED, "bob@two.example", "shop@a.example", subject="Örder 6", family=ReasonFamily.UNKNOWN_USER,
        hard=True, reply="550 5.1.1 no such user", mx_host="in.two.example", host="mx1",
    )  # fmt: skip
    yield mail(
        3, EventType.DEFERRED, "eve@sub.two.example", "news@b.a.example", subject="News", host="mx2",
        family=ReasonFamily.RATE_LIMIT, reply="421 4.7.0 slow down", mx_host="two.example",
    )  # fmt: skip
    yield MailEvent(relay=1, accepted_at=NOON + 4 * HOUR, number=4, type=EventType.ACCEPTED, at=NOON + 4 * HOUR,
                    waiting=1, sender="late@a.example", subject="Waits")  # fmt: skip


@pytest.fixture(scope="module")
def asking(maillog: ClickHouseMailLog) -> int:
    own = new_workspace()
    maillog.append(EventBatch("terms", own, 0, list(_mails())))
    return own


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [4, 3, 2, 1]),
        ("from:shop@a.example", [2, 1]),
        ("from:a.example", [4, 2, 1]),
        ("-from:a.example", [3]),
        ("to:two.example", [2]),
        ("to:two", [3, 2]),
        ("is:failing", [3, 2]),
        ("is:queued", [4]),
        ("-is:failing,queued", [1]),
        ("why:unknown_user,rate_limit", [3, 2]),
        ("-why:unknown_user", [4, 3, 1]),
        ("answer:SLOW", [3]),
        ("mx:two.example", [3, 2]),
        ("mx:mx1.one.example", [1]),
        ("host:mx1", [2, 1]),
        ("login:shop", [1]),
        ("origin:192.0.2.1", [1]),
        ("queue:4jbJDG4ZYfz8Kcc", [1]),
        ("msgid:five@", [1]),
        ('subject:"order 5, p"', [1]),
        ("subject:örder", [2]),
        ("order news", []),
        ("order,news", [3, 1]),
        ("five", [1]),
        (f"id:{mail_id(NOON + 2 * HOUR, 2)}", [2]),
        (f"id:{'0' * 18}", []),
        ("from:'; drop", []),
    ],
)
def test_a_query_finds(maillog: ClickHouseMailLog, asking: int, query: str, numbers: list[int]) -> None:
    page = maillog.search(question(query, asking, (1,), NOON, ZoneInfo("UTC")))
    assert [row.number for row in page.deliveries] == numbers
    assert page.total == len(numbers)


def test_values_are_counted(maillog: ClickHouseMailLog, asking: int) -> None:
    everything = question("", asking, (1,), NOON, ZoneInfo("UTC"))

    def tally(by: str, top: int = 10, query: str = "") -> list[Tally]:
        log = question(query, asking, (1,), NOON, ZoneInfo("UTC")) if query else everything
        return maillog.tally(TallyQuestion(log, by, top))  # type: ignore[arg-type]

    assert tally("status") == [Tally(each, 1) for each in ("queued", "deferred", "bounced", "delivered")]
    assert tally("sender_domain", 1) == [Tally("a.example", 3)]
    assert tally("recipient_domain", query="is:failing") == [Tally("sub.two.example", 1), Tally("two.example", 1)]
    assert tally("family") == [Tally("", 2), Tally("rate_limit", 1), Tally("unknown_user", 1)]
    assert tally("host", query="from:a.example is:delivered") == [Tally("mx1", 1)]
    assert tally("login") == [Tally("", 3), Tally("Shop", 1)]
    assert tally("relay") == [Tally("1", 4)]
    assert tally("provider") == [Tally("two.example", 2), Tally("", 1), Tally("one.example", 1)]
    assert tally("sender", query="is:delivered")[0].value.endswith("@a.example")


def test_states_are_counted_over_time(maillog: ClickHouseMailLog, asking: int) -> None:
    log = question("-is:queued", asking, (1,), NOON, ZoneInfo("UTC"))
    step = HOUR
    assert maillog.over_time(TimeTallyQuestion(log, step)) == [
        TimeTally(at // step * step, status, 1)
        for at, status in (
            (NOON + HOUR, DeliveryStatus.DELIVERED), (NOON + 2 * HOUR, DeliveryStatus.BOUNCED),
            (NOON + 3 * HOUR, DeliveryStatus.DEFERRED),
        )
    ]  # fmt: skip


def test_days_are_counted_of_named_senders_alone(maillog: ClickHouseMailLog, asking: int) -> None:
    log = question("", asking, (1,), NOON, ZoneInfo("UTC"))
    found = maillog.over_time(TimeTallyQuestion(log, DAY, ("a.example", "none.example")))
    assert {each.domain for each in found} == {"a.example"}
    assert sum(each.count for each in found) == maillog.tally(TallyQuestion(log, "sender_domain", 1))[0].count == 3


def test_a_state_that_does_not_exist_is_refused(maillog: ClickHouseMailLog, asking: int) -> None:
    log = question("", asking, (1,), NOON, ZoneInfo("UTC"))
    lost = (Term("is", (Pattern("lost", Match.WHOLE),)),)
    with pytest.raises(InvalidInput):
        maillog.tally(TallyQuestion(type(log)(workspace=asking, relays=(1,), terms=lost), "status"))


def test_delays_are_told_by_value_exactly(maillog: ClickHouseMailLog) -> None:
    own = new_workspace()
    times = [(f"{number}@one.example", number * 1000) for number in range(1, 101)] + [("a@two.example", 0)]
    maillog.append(
        EventBatch(
            "delays", own, 0, [delivered(to, number=place, delay=delay) for place, (to, delay) in enumerate(times, 1)]
        )
    )
    log = question("is:delivered", own, [1], NOON + DAY, ZoneInfo("UTC"))
    first, second = maillog.delays(DelayQuestion(log, "recipient_domain"))
    assert (first.value, first.count, second) == ("one.example", 100, Delays("two.example", 1, 0, 0, 0))
    assert (first.half, first.most, first.nearly_all) == (51_000, 91_000, 100_000)
    assert maillog.delays(DelayQuestion(log, "recipient_domain", 1)) == [first]
    assert maillog.delays(DelayQuestion(log, "family"))[0].count == 101


@pytest.fixture(scope="module")
def turned_away(maillog: ClickHouseMailLog) -> Callable[..., RefusedPage]:
    """Asks of ten refusals, by a query; two of them in the same moment."""
    own = new_workspace()
    told = [
        event(
            EventType.REJECTED, number=n, accepted_at=NOON + n // 2, at=NOON + n // 2, line=n,
            recipient=f"r{n}@to.example", sender=f"s{n}@{'shop' if n % 2 else 'other'}.example", subject=f"Offer {n}",
            origin="192.0.2.7", code=554, reply=f"554 5.7.1 blocked using bl{n}.example",
            family=ReasonFamily.REPUTATION if n else ReasonFamily.POLICY,
            login=f"login{n}", queue_id=f"Q{n}", message_id=f"<{n}@shop.example>",
        )
        for n in range(10)
    ]  # fmt: skip
    maillog.append(EventBatch("refused", own, 0, told))

    def asked(query: str, **more: Any) -> RefusedPage:
        log = question(query, own, [1], NOON, ZoneInfo("UTC"))
        return maillog.refused(RefusedQuestion(workspace=own, relays=(1,), terms=log.terms, **more))

    return asked


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", range(10)),
        ("from:shop.example", (1, 3, 5, 7, 9)),
        ("-from:shop.example", (0, 2, 4, 6, 8)),
        ("to:r3@to.example,r4@to.example", (3, 4)),
        ("subject:OFFER", range(10)),
        ("answer:bl7", (7,)),
        ("why:policy", (0,)),
        ("-why:reputation", (0,)),
        ("login:login5", (5,)),
        ("queue:Q6", (6,)),
        ("origin:192.0.2.7 from:s2@other.example", (2,)),
        ("msgid:8@shop", (8,)),
        (f"id:{mail_id(NOON + 1, 2)}", (2,)),
        ('"Offer 9"', (9,)),
        ("nothing", ()),
    ],
)
def test_a_query_finds_what_was_refused(
    turned_away: Callable[..., RefusedPage], query: str, numbers: Sequence[int]
) -> None:
    page = turned_away(query)
    assert (page.total, sorted(row.number for row in page.refused)) == (len(numbers), list(numbers))


@pytest.mark.parametrize("query", ["is:bounced", "mx:mx.example"])
def test_what_was_refused_has_no_state_and_went_nowhere(turned_away: Callable[..., RefusedPage], query: str) -> None:
    with pytest.raises(InvalidInput):
        turned_away(query)


@pytest.mark.parametrize("ascending", [False, True])
def test_pages_of_refusals_follow_each_other(turned_away: Callable[..., RefusedPage], ascending: bool) -> None:
    found: list[RefusedMail] = []
    while page := turned_away("", limit=3, ascending=ascending, after=found[-1].place if found else None).refused:
        assert len(page) == min(3, 10 - len(found))
        found += page
    assert [row.number for row in found] == sorted(range(10), reverse=not ascending)


@pytest.fixture(scope="module")
def counted(maillog: ClickHouseMailLog) -> Callable[[str], RefusedQuestion]:
    """A question of eight refusals over two hours, by a query; beside them is a delivery and what others refused."""
    own, other = new_workspace(), new_workspace()

    def told(number: int, at: int, sender: str, origin: str, family: ReasonFamily, code: int) -> MailEvent:
        return event(
            EventType.REJECTED, number=number, accepted_at=at, at=at + 1, line=number, sender=sender, origin=origin,
            recipient=f"r{number}@{'one' if number < 6 else 'two'}.example", family=family, code=code, login="Shop",
            hard=number == 6,
        )  # fmt: skip

    spam, slow = ReasonFamily.REPUTATION, ReasonFamily.RATE_LIMIT
    rows = [
        *(told(n, NOON + n, "x@bad.example", "192.0.2.7", spam, 550 + n) for n in range(4)),
        told(4, NOON + 4, "y@bad.example", "2001:db8::1", slow, 450),
        told(5, NOON + HOUR, "", "192.0.2.8", slow, 421),
        told(6, NOON + HOUR + 1, "root", "192.0.2.8", ReasonFamily.NONE, 0),
        told(7, NOON + HOUR + 2, "z@worse.example", "192.0.2.8", spam, 554),
    ]
    maillog.append(
        EventBatch("counted", own, 0, [*rows, delivered("ann@one.example", number=9, sender="x@bad.example")])
    )
    maillog.append(EventBatch("of others", other, 0, rows))

    def asked(query: str) -> RefusedQuestion:
        log = question(query, own, [1], NOON, ZoneInfo("UTC"))
        return RefusedQuestion(workspace=own, relays=(1,), terms=log.terms, since=log.since, until=log.until, limit=1)

    return asked


@pytest.mark.parametrize(
    ("by", "query", "counts"),
    [
        ("family", "", [("reputation", 5), ("rate_limit", 2), ("", 1)]),
        ("sender_domain", "", [("bad.example", 5), ("", 1), ("root", 1), ("worse.example", 1)]),
        ("sender_domain", "why:reputation", [("bad.example", 4), ("worse.example", 1)]),
        ("recipient_domain", "", [("one.example", 6), ("two.example", 2)]),
        ("recipient_domain", "-from:bad.example", [("two.example", 2), ("one.example", 1)]),
        ("origin", "", [("192.0.2.7", 4), ("192.0.2.8", 3), ("2001:db8::1", 1)]),
        ("origin", "origin:2001:db8::1", [("2001:db8::1", 1)]),
        ("sender", "from:worse.example", [("z@worse.example", 1)]),
        ("login", "", [("Shop", 8)]),
        ("relay", "to:two.example", [("1", 2)]),
        ("host", "nothing", []),
    ],
)
def test_values_of_what_was_refused_are_counted(
    maillog: ClickHouseMailLog, counted: Callable[[str], RefusedQuestion], by: Any, query: str, counts: list[object]
) -> None:
    found = maillog.refused_tally(RefusedTallyQuestion(counted(query), by))
    assert [(each.value, each.count) for each in found] == counts
    first = maillog.refused_tally(RefusedTallyQuestion(counted(query), by, 1))
    assert first == found[:1]


def test_what_was_refused_is_counted_over_time(
    maillog: ClickHouseMailLog, counted: Callable[[str], RefusedQuestion]
) -> None:
    def asked(query: str, step: int) -> list[RefusedTime]:
        return maillog.refused_over_time(RefusedTimeQuestion(counted(query), step))

    first, second = NOON // HOUR * HOUR, (NOON + HOUR) // HOUR * HOUR
    by_hour = [
        RefusedTime(first, False, 1), RefusedTime(first, True, 4),
        RefusedTime(second, False, 1), RefusedTime(second, True, 2),
    ]  # fmt: skip
    assert asked("", HOUR) == by_hour
    assert asked("why:rate_limit", HOUR) == [by_hour[0], by_hour[2]]
    assert asked("to:two.example", DAY) == [RefusedTime(NOON // DAY * DAY, True, 2)]
    assert asked("nothing", HOUR) == []


def test_replies_by_people_are_found_by_what_was_said_of_them(maillog: ClickHouseMailLog) -> None:
    """The newest word holds, and that of a person goes before one of a program."""
    own = new_workspace()

    def of(number: int, kind: EventType, at: int, **more: Any) -> MailEvent:
        return event(kind, number=number, recipient=f"r{number}@to.example", at=at, **more)

    told = [
        *(of(number, EventType.REPLIED, number) for number in range(5)),
        of(5, EventType.REPLIED, 5, automatic=True),
        of(1, EventType.TAGGED, 100, positive=True),
        of(2, EventType.TAGGED, 100, positive=True),
        of(2, EventType.TAGGED, 101, positive=False),
        of(3, EventType.TAGGED, 100, positive=False),
        of(3, EventType.TAGGED, 102, positive=True, automatic=True),
        of(4, EventType.TAGGED, 100, positive=True, automatic=True),
        of(6, EventType.TAGGED, 100, positive=True),
    ]
    maillog.append(EventBatch("replies", own, 0, told))
    asked = ReplyQuestion(workspace=own, relays=(1,))
    page = maillog.replies(asked)
    assert page.total == 5
    assert [(row.number, row.tag, row.by_program) for row in page.replies] == [
        (4, "positive", True), (3, "other", False), (2, "other", False), (1, "positive", False), (0, "none", False),
    ]  # fmt: skip
    assert page.replies[0].replied_at == NOON + 4
    for tag, numbers in (("none", [0]), ("positive", [4, 1]), ("other", [3, 2])):
        found = maillog.replies(msgspec.structs.replace(asked, tag=tag))
        assert (found.total, [row.number for row in found.replies]) == (len(numbers), numbers)
    part = maillog.replies(msgspec.structs.replace(asked, skip=1, limit=2))
    assert (part.total, [row.number for row in part.replies]) == (5, [3, 2])
    assert maillog.replies(msgspec.structs.replace(asked, relays=(2,))) == ReplyPage(0, [])
    assert maillog.replies(msgspec.structs.replace(asked, since=NOON + 1)) == ReplyPage(0, [])
