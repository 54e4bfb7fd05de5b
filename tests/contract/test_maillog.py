"""What every mail log must do, whichever engine keeps it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec
import pytest

from mailvane.maillog.clickhouse import ClickHouseMailLog
from mailvane.maillog.model import (
    DeliveryStatus,
    EventBatch,
    EventType,
    MailEvent,
    MailKey,
    MailKind,
    ReasonFamily,
    mail_id,
)
from mailvane.maillog.queries import Delivery, HourlyQuestion, LogPage, LogQuestion, StatisticsQuestion
from tests.contract.maillogs import maillog, maillog_dsn, new_workspace, workspace

__all__ = ["maillog", "maillog_dsn", "workspace"]

NOON = 1_790_000_000_000  # 2026-09-21 13:33:20
HOUR = 3_600_000
DAY = 24 * HOUR

Append = Callable[..., None]
Rows = Callable[..., list[Delivery]]


def event(type_: EventType = EventType.DELIVERED, at: int = 1, **values: object) -> MailEvent:
    """Something that happened to a mail accepted at NOON, so many milliseconds later."""
    whole: dict[str, object] = {"relay": 1, "accepted_at": NOON, "number": 1, "type": type_, "at": NOON + at}
    return MailEvent(**(whole | values))  # type: ignore[arg-type]


def delivered(recipient: str = "ann@example.org", at: int = 1, **values: object) -> MailEvent:
    return event(EventType.DELIVERED, at, recipient=recipient, **values)


@pytest.fixture
def append(maillog: ClickHouseMailLog, workspace: int) -> Callable[..., None]:
    """Store events as one batch of the test's own workspace."""
    batches = iter(range(1_000_000))

    def store(*events: MailEvent, token: str = "", days: int = 0) -> None:
        maillog.append(EventBatch(token or f"batch-{next(batches)}", workspace, days, list(events)))

    return store


@pytest.fixture
def rows(maillog: ClickHouseMailLog, workspace: int) -> Rows:
    return asker(maillog, workspace)


def asker(maillog: ClickHouseMailLog, workspace: int) -> Rows:
    """Ask, and check that the total is the number of rows."""

    def ask(**question: object) -> list[Delivery]:
        whole: dict[str, object] = {"workspace": workspace, "relays": (1, 2), "limit": 10_000}
        page = maillog.search(LogQuestion(**(whole | question)))  # type: ignore[arg-type]
        assert page.total == len(page.deliveries)
        return page.deliveries

    return ask


# Stands first: each part that is stored already is looked through, and the other tests store thousands.
def test_old_mail_goes_when_its_time_is_over(
    append: Append, rows: Rows, maillog: ClickHouseMailLog, workspace: int
) -> None:
    old = 1_262_304_000_000  # 2010
    append(delivered(accepted_at=old, at=old - NOON), delivered(number=2, accepted_at=4 * NOON), days=0)
    assert len(rows()) == 2
    maillog.retain(workspace, 30)
    assert [row.number for row in rows()] == [2]
    assert maillog.mail_events(workspace, MailKey(1, old, 1)) == []
    maillog.retain(workspace, 0)
    assert [row.number for row in rows()] == [2]


# -- storing


def test_an_event_comes_back_as_it_was_stored(maillog: ClickHouseMailLog, append: Append, workspace: int) -> None:
    full = delivered(
        kind=MailKind.PROBE, waiting=-1, original_recipient="a@b.example", recipient_number=3, sender="s@example.com",
        subject='quote " and \' back\\slash, tab\t, line\n, nul\x00, separator\x1f, 雪 \U0001f600', message_id="<x@y>",
        header_from="f@example.com", reply_to="r@example.com", in_reply_to="<p@q>", references="<p@q> <r@s>",
        origin="2001:db8::1", client_name="client.example", login="sasl", protocol="ESMTPSA", interface="submission",
        size=2**40, recipients=7, queue_id="4VpXyZ0abcz1", host="mx1", transport="smtp", mx_host="mx.example.org",
        mx_ip="192.0.2.1", code=550, enhanced_code="5.1.1", reply="550 5.1.1 no\x1fsuch user", delay=1234,
        tls="TLSv1.3", family=ReasonFamily.UNKNOWN_USER, hard=True, source="/var/log/mail.log", line=2**33, raw="7\tx",
    )  # fmt: skip
    append(full)
    assert maillog.mail_events(workspace, full.key) == [full]


def test_a_batch_that_comes_again_changes_nothing(append: Append, rows: Rows, maillog: ClickHouseMailLog) -> None:
    months = [delivered(accepted_at=NOON + month * 31 * DAY, at=month * 31 * DAY + 5) for month in range(5)]
    for _ in range(3):
        append(*months, event(EventType.DEFERRED, recipient="ann@example.org"), token="the same")
    found = rows()
    assert len(found) == 5
    assert sum(row.attempts for row in found) == 6


def test_batches_of_one_token_in_two_workspaces_are_two_batches(maillog: ClickHouseMailLog, workspace: int) -> None:
    other = new_workspace()
    for each in (workspace, other):
        maillog.append(EventBatch("token", each, 0, [delivered()]))
        assert maillog.search(LogQuestion(workspace=each, relays=(1,))).total == 1


def test_the_same_rows_under_another_token_are_stored(append: Append, rows: Rows) -> None:
    append(delivered(), token="one")
    append(delivered(), token="two")
    assert [row.attempts for row in rows()] == [2]


def test_a_large_batch_is_stored_once(append: Append, rows: Rows) -> None:
    many = [delivered(number=number, raw="x" * 500) for number in range(30_000)]
    for _ in range(2):
        append(*many, token="large")
    found = rows(skip=0, limit=30_000)
    assert len(found) == 30_000
    assert {row.attempts for row in found} == {1}


def test_an_empty_batch_changes_nothing(append: Append, rows: Rows) -> None:
    append()
    assert rows() == []


def test_impossible_text_is_stored_with_a_replacement(append: Append, rows: Rows) -> None:
    append(delivered(subject="broken \udcff byte"))
    assert [row.subject for row in rows()] == ["broken \ufffd byte"]


@pytest.mark.parametrize("accepted_at", [-14_000_000_000, 0, 1, NOON, 5_000_000_000_000, 2**44 - 1])
def test_dates_that_make_no_sense_are_kept(append: Append, rows: Rows, accepted_at: int) -> None:
    append(delivered(accepted_at=accepted_at), days=0)
    append(event(EventType.DEFERRED, accepted_at=accepted_at, recipient="bob@example.org", at=accepted_at - NOON))
    assert {(row.recipient, row.accepted_at) for row in rows()} == {
        ("ann@example.org", accepted_at),
        ("bob@example.org", accepted_at),
    }
    assert [row.at for row in rows(recipient="bob@example.org")] == [accepted_at]


# -- the newest state


def test_the_newest_event_gives_the_state_whatever_came_first(append: Append, rows: Rows) -> None:
    append(delivered(at=500, code=250, reply="ok", mx_host="mx2.example.org"))
    append(
        event(EventType.DEFERRED, 400, recipient="ann@example.org", code=451, reply="later", mx_host="mx1.example.org")
    )
    (row,) = rows()
    assert (row.status, row.at, row.code, row.reply) == (DeliveryStatus.DELIVERED, NOON + 500, 250, "ok")
    assert (row.mx_host, row.attempts) == ("mx2.example.org", 2)


def test_of_events_at_one_time_the_more_final_counts(append: Append, rows: Rows) -> None:
    append(
        event(EventType.EXPIRED, 5, recipient="ann@example.org"),
        event(EventType.DEFERRED, 5, recipient="ann@example.org"),
    )
    assert [row.status for row in rows()] == [DeliveryStatus.EXPIRED]


def test_events_that_only_their_content_tells_apart_are_never_mixed(append: Append, rows: Rows) -> None:
    attempts = [("mx1.example.org", "busy"), ("mx2.example.org", "away"), ("mx3.example.org", "full")]
    for mx_host, reply in attempts:
        append(event(EventType.DEFERRED, 5, recipient="ann@example.org", mx_host=mx_host, reply=reply))
    assert [(row.mx_host, row.reply) in attempts for row in rows()] == [True]


def test_what_one_event_knew_of_the_mail_is_not_lost_by_the_next(append: Append, rows: Rows) -> None:
    append(event(EventType.ACCEPTED, 0, recipient="ann@example.org", sender="s@example.com", subject="Hello", size=12))
    append(delivered(queue_id="ABC"))
    (row,) = rows()
    assert (row.sender, row.subject, row.size, row.queue_id) == ("s@example.com", "Hello", 12, "ABC")


def test_a_mail_accepted_for_a_recipient_is_queued(append: Append, rows: Rows) -> None:
    append(event(EventType.ACCEPTED, 0, recipient="ann@example.org"))
    assert [(row.recipient, row.status, row.at, row.attempts) for row in rows()] == [
        ("ann@example.org", DeliveryStatus.QUEUED, 0, 0)
    ]


def test_a_mail_without_known_recipient_waits_until_its_first_attempt(append: Append, rows: Rows) -> None:
    append(event(EventType.ACCEPTED, 0, waiting=1, sender="s@example.com", subject="Hello"))
    assert [(row.recipient, row.status, row.at, row.sender, row.subject) for row in rows()] == [
        ("", DeliveryStatus.QUEUED, 0, "s@example.com", "Hello")
    ]
    append(event(EventType.DEFERRED, 10, waiting=-1, recipient="ann@example.org"))
    assert [(row.recipient, row.status) for row in rows()] == [("ann@example.org", DeliveryStatus.DEFERRED)]


def test_a_mail_that_waits_behind_a_filter_is_shown_to_those_it_is_for(append: Append, rows: Rows) -> None:
    ann, bob, group = ({"recipient": f"{name}@example.org"} for name in ("ann", "bob", "group"))
    append(
        event(EventType.ACCEPTED, 0, waiting=1, sender="s@example.com", subject="Hello"),
        event(EventType.REINJECTED, 5, recipient_number=1, **ann),
        event(EventType.REINJECTED, 6, recipient_number=1, **ann),
        event(EventType.REINJECTED, 6, recipient_number=2, **group),
        event(EventType.REINJECTED, 7, recipient_number=3, original_recipient=group["recipient"], **bob),
    )
    shown = {(row.recipient, row.original_recipient, row.recipient_number, row.status) for row in rows()}
    assert shown == {
        ("ann@example.org", "", 1, DeliveryStatus.QUEUED),
        ("bob@example.org", "group@example.org", 3, DeliveryStatus.QUEUED),
    }
    assert {(row.sender, row.subject) for row in rows()} == {("s@example.com", "Hello")}
    assert [row.recipient for row in rows(recipient="group@example.org")] == ["bob@example.org"]
    append(event(EventType.DEFERRED, 10, waiting=-1, recipient_number=1, **ann))
    assert [(row.recipient, row.status) for row in rows()] == [("ann@example.org", DeliveryStatus.DEFERRED)]


def test_a_waiting_mail_that_was_held_says_so(append: Append, rows: Rows) -> None:
    append(event(EventType.ACCEPTED, 0, waiting=1), event(EventType.HELD, 7))
    assert [(row.status, row.at) for row in rows()] == [(DeliveryStatus.HELD, NOON + 7)]


def test_a_mail_accepted_and_tried_in_one_batch_does_not_wait(append: Append, rows: Rows) -> None:
    append(event(EventType.ACCEPTED, 0, waiting=1), delivered(waiting=-1))
    assert [row.recipient for row in rows()] == ["ann@example.org"]


@pytest.mark.parametrize("type_", [EventType.REJECTED, EventType.REINJECTED])
def test_what_was_never_this_relays_to_deliver_gives_no_row(append: Append, rows: Rows, type_: EventType) -> None:
    append(event(type_, recipient="ann@example.org"))
    assert rows() == []


@pytest.mark.parametrize("name", ["complained", "opened", "clicked", "replied", "unsubscribed"])
def test_what_a_recipient_does_is_kept_beside_the_state(append: Append, rows: Rows, name: str) -> None:
    append(event(EventType(name), 99, recipient="ann@example.org"))
    assert rows() == []
    append(delivered())
    (row,) = rows()
    assert (getattr(row, f"{name}_at"), row.status, row.at) == (NOON + 99, DeliveryStatus.DELIVERED, NOON + 1)


# -- searching


def test_a_filter_sees_the_newest_state_only(append: Append, rows: Rows) -> None:
    append(
        event(EventType.DEFERRED, 1, recipient="ann@example.org", mx_host="old.example", family=ReasonFamily.NETWORK)
    )
    append(delivered(at=2, mx_host="new.example"))
    assert rows(mx_host="old.example") == []
    assert rows(family=ReasonFamily.NETWORK) == []
    assert rows(status=DeliveryStatus.DEFERRED) == []
    assert len(rows(mx_host="new.example", family=ReasonFamily.NONE, delivered=True)) == 1


def test_of_attempts_that_came_in_one_batch_the_newest_is_found(append: Append, rows: Rows) -> None:
    append(
        event(EventType.DEFERRED, 1, recipient="ann@example.org", mx_host="old.example", origin="192.0.2.1"),
        delivered(at=2, mx_host="new.example"),
    )
    assert rows(mx_host="old.example") == []
    assert len(rows(mx_host="new.example")) == len(rows(origin="192.0.2.1")) == 1


def test_kinds_are_kept_apart(append: Append, rows: Rows) -> None:
    append(*(delivered(number=number, kind=kind) for number, kind in enumerate(MailKind)))
    assert [row.kind for row in rows()] == [MailKind.MAIL]
    assert len(rows(kinds=(MailKind.NOTIFICATION, MailKind.PROBE))) == 2
    assert len(rows(kinds=tuple(MailKind))) == 3


def test_no_workspace_sees_another(maillog: ClickHouseMailLog, append: Append, workspace: int) -> None:
    append(event(EventType.ACCEPTED, 0, waiting=1, sender="s@example.com", origin="192.0.2.1"), delivered())
    other = new_workspace()
    assert maillog.search(LogQuestion(workspace=other, relays=(1,))).total == 0
    assert maillog.search(LogQuestion(workspace=other, relays=(1,), mail_id=mail_id(NOON, 1))).total == 0
    assert maillog.statistics(StatisticsQuestion(workspace=other, relays=(1,))).received == 0
    assert maillog.hourly(HourlyQuestion(workspace=other, relays=(1,), since=0, until=2 * NOON)) == []
    assert maillog.mail_events(other, MailKey(1, NOON, 1)) == []


def test_pages_follow_each_other_without_gap_or_overlap(
    maillog: ClickHouseMailLog, append: Append, workspace: int
) -> None:
    append(*(delivered(f"r{n % 3}@example.org", number=n // 3, accepted_at=NOON + n // 6, recipient_number=n % 3 + 1)
             for n in range(60)))  # fmt: skip
    for ascending in (False, True):
        pages = [
            maillog.search(LogQuestion(workspace=workspace, relays=(1,), skip=skip, limit=7, ascending=ascending))
            for skip in range(0, 70, 7)
        ]
        assert {page.total for page in pages} == {60}
        keys = [(r.accepted_at, r.number, r.recipient_number) for page in pages for r in page.deliveries]
        assert keys == sorted(set(keys), reverse=not ascending)
        assert len(keys) == 60


@pytest.mark.parametrize("by_message", [False, True], ids=["rows", "mails"])
@pytest.mark.parametrize("ascending", [False, True], ids=["back", "on"])
def test_pages_behind_a_row_are_whole_and_follow_each_other(
    maillog: ClickHouseMailLog, append: Append, workspace: int, ascending: bool, by_message: bool
) -> None:
    """Also while newer mail comes in, and where the row itself has left the answer."""
    append(*(delivered(f"r{n % 3}@example.org", number=n // 3, accepted_at=NOON + n // 6, recipient_number=n % 3 + 1)
             for n in range(60)))  # fmt: skip
    append(event(EventType.ACCEPTED, number=99, accepted_at=NOON + 4, waiting=1))
    asked = LogQuestion(
        workspace=workspace, relays=(1,), limit=7, ascending=ascending, by_message=by_message, until=NOON + DAY - 1
    )
    whole = maillog.search(msgspec.structs.replace(asked, limit=100)).deliveries
    assert len(whole) == (21 if by_message else 61)
    found: list[Delivery] = []
    left = len(whole)
    while left:
        page = maillog.search(asked)
        assert (page.total, len(page.deliveries)) == (left, min(7, left))
        found += page.deliveries
        left -= len(page.deliveries)
        asked = msgspec.structs.replace(asked, after=found[-1].place)
        append(delivered("late@example.org", number=left, accepted_at=NOON + DAY, recipient_number=1))
    assert maillog.search(asked) == LogPage(0, [])
    assert [row.place for row in found] == [row.place for row in whole]
    gone = msgspec.structs.replace(whole[6].place, recipient_number=whole[6].recipient_number, recipient="r~@x.example")
    if not by_message:
        rest = maillog.search(msgspec.structs.replace(asked, after=gone, limit=100)).deliveries
        assert [row.place for row in rest] == [row.place for row in whole[6 if not ascending else 7 :]]


def test_grouped_by_message_each_mail_is_its_first_recipient_that_passes(append: Append, rows: Rows) -> None:
    append(
        event(EventType.BOUNCED, recipient="z@example.org", recipient_number=1),
        delivered("b@example.org", recipient_number=3),
        delivered("c@example.org", recipient_number=2),
        delivered("d@example.org", number=2, recipient_number=1),
    )
    assert [row.recipient for row in rows(by_message=True)] == ["d@example.org", "z@example.org"]
    assert [row.recipient for row in rows(by_message=True, delivered=True)] == ["d@example.org", "c@example.org"]


# -- counting


def test_statistics_count_mails_and_deliveries_in_the_window(
    maillog: ClickHouseMailLog, append: Append, workspace: int
) -> None:
    append(
        event(EventType.ACCEPTED, 0, sender="a@x.example", origin="192.0.2.1", waiting=1),
        delivered("p@example.org", waiting=-1), delivered("q@example.org"),
        event(EventType.ACCEPTED, 0, sender="a@x.example", origin="192.0.2.2", accepted_at=NOON + 1, waiting=1),
        event(EventType.DEFERRED, recipient="p@example.org", accepted_at=NOON + 1, waiting=-1),
        event(EventType.ACCEPTED, 0, sender="b@x.example", origin="192.0.2.2", accepted_at=NOON + 2),
        event(EventType.ACCEPTED, 0, sender="", kind=MailKind.NOTIFICATION, accepted_at=NOON + 1, number=5),
        delivered("a@x.example", kind=MailKind.NOTIFICATION, accepted_at=NOON + 1, number=5),
    )  # fmt: skip
    whole = maillog.statistics(StatisticsQuestion(workspace=workspace, relays=(1,)))
    assert (whole.received, whole.sent) == (3, 2)
    assert list(whole.senders.items()) == [("a@x.example", 2), ("b@x.example", 1)]
    assert list(whole.recipients.items()) == [("p@example.org", 2), ("q@example.org", 1)]
    assert list(whole.origins.items()) == [("192.0.2.2", 2), ("192.0.2.1", 1)]
    part = maillog.statistics(
        StatisticsQuestion(workspace=workspace, relays=(1,), since=NOON + 1, until=NOON + 1, top=1)
    )
    assert (part.received, part.sent) == (1, 0)
    assert (part.senders, part.recipients, part.origins) == ({"a@x.example": 1}, {"p@example.org": 1}, {"192.0.2.2": 1})


def test_acceptances_told_for_each_recipient_are_one_mail(
    maillog: ClickHouseMailLog, append: Append, workspace: int
) -> None:
    append(*(event(EventType.ACCEPTED, 0, recipient=f"{name}@example.org", sender="s@x.example") for name in "abc"))
    counts = maillog.statistics(StatisticsQuestion(workspace=workspace, relays=(1,)))
    assert (counts.received, counts.senders) == (1, {"s@x.example": 1})
    (hour,) = maillog.hourly(HourlyQuestion(workspace=workspace, relays=(1,), since=NOON, until=NOON))
    assert hour.accepted == 1


def test_hours_count_what_happened_in_them(maillog: ClickHouseMailLog, append: Append, workspace: int) -> None:
    append(
        event(EventType.ACCEPTED, 0), delivered(at=HOUR), event(EventType.DEFERRED, 1, recipient="a@b.example"),
        event(EventType.EXPIRED, 2 * HOUR, recipient="a@b.example"),
        event(EventType.BOUNCED, 2 * HOUR, recipient="c@d.example"),
        event(EventType.REJECTED, 3 * HOUR),
    )  # fmt: skip
    start = NOON - NOON % HOUR
    question = HourlyQuestion(workspace=workspace, relays=(1,), since=NOON, until=NOON + 3 * HOUR)
    assert [tuple(getattr(h, n) for n in h.__struct_fields__) for h in maillog.hourly(question)] == [
        (start, 1, 0, 1, 0, 0),
        (start + HOUR, 0, 1, 0, 0, 0),
        (start + 2 * HOUR, 0, 0, 0, 2, 0),
        (start + 3 * HOUR, 0, 0, 0, 0, 1),
    ]


def test_hours_of_one_sender_domain_count_acceptances(
    maillog: ClickHouseMailLog, append: Append, workspace: int
) -> None:
    append(
        event(EventType.ACCEPTED, 0, number=1, sender="a@x.example"),
        event(EventType.ACCEPTED, 1, number=2, sender="b@x.example"),
        event(EventType.ACCEPTED, 2, number=3, sender="a@sub.x.example"),
        event(EventType.BOUNCED, 3, number=1, sender="a@x.example", recipient="c@d.example"),
    )
    question = HourlyQuestion(
        workspace=workspace, relays=(1,), since=NOON, until=NOON + HOUR, sender_domain="x.example"
    )
    assert [(hour.accepted, hour.bounced) for hour in maillog.hourly(question)] == [(2, 0)]


# -- upkeep and use


def test_questions_are_answered_while_events_arrive(
    maillog: ClickHouseMailLog, workspace: int, maillog_dsn: str
) -> None:
    failures: list[BaseException] = []
    seen: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        try:
            while not stop.is_set():
                seen.append(maillog.search(LogQuestion(workspace=workspace, relays=(1,))).total)
        except BaseException as error:  # noqa: BLE001 - reported by the test itself
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for n in range(6):
        maillog.append(EventBatch(f"batch-{n}", workspace, 0, [delivered(number=10 * n + k) for k in range(10)]))
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    if "cluster=" not in maillog_dsn:  # there each server shows its share of a batch as soon as it has it
        assert set(seen) <= set(range(0, 61, 10)), "a batch is seen whole or not at all"
    assert maillog.search(LogQuestion(workspace=workspace, relays=(1,))).total == 60


def test_health_counts_what_is_stored(append: Append, maillog: ClickHouseMailLog) -> None:
    before = maillog.health()
    append(delivered(), event(EventType.DEFERRED, 0, recipient="ann@example.org"), event(EventType.REJECTED))
    after = maillog.health()
    assert (after.events - before.events, after.deliveries - before.deliveries) == (3, 1)
    assert "ClickHouse" in after.engine
    assert after.bytes_on_disk > 0


LONG = "Your order of the twenty-seventh of November: " + "one more thing, " * 12
LETTERS = "Überraschung für Müßiggänger: " + "größere Äpfel, süße Öle, " * 5


@pytest.mark.parametrize(
    ("kept", "asked", "found"),
    [
        (LONG[:191], LONG, True),
        (LONG[:191], LONG[:191], True),
        (LONG[:191], LONG[:190] + "?" + LONG[191:], False),
        (LONG[:45], LONG, False),  # another Subject, too short to have been cut
        ("Your order", "Your order is here", False),
        (LONG, LONG[:191], False),
        (LETTERS[:61] + "\ufffd", LETTERS, True),
        (LETTERS[:40], LETTERS, True),
        (LETTERS[:11], LETTERS, False),
        ("ü" * 3, "ü" * 4, False),
        ("", LONG, False),
    ],
)
def test_a_subject_that_a_log_has_cut_is_found_by_the_whole(
    append: Append, rows: Rows, kept: str, asked: str, found: bool
) -> None:
    append(delivered(subject=kept))
    assert bool(rows(subject=asked)) is found
