"""What became of mails, by sender, day and campaign: the same on every engine, before and after a rebuild."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from mailvane.maillog.clickhouse import ClickHouseMailLog
from mailvane.maillog.model import EventBatch, EventType, MailEvent, MailKind
from mailvane.maillog.queries import EngagementCounts, EngagementQuestion, ReceivedQuestion
from tests.contract.maillogs import maillog, maillog_dsn, new_workspace, workspace

__all__ = ["maillog", "maillog_dsn", "workspace"]

DAY = 86_400_000
MIDNIGHT = 1_789_948_800_000  # of a Monday
ANN, BOB = "ann@shop.example", "bob@sub.shop.example"


def event(number: int, what: EventType, at: int = MIDNIGHT, **more: Any) -> MailEvent:
    told = {"recipient": "client@isp.example"} | more
    return MailEvent(relay=1, accepted_at=at, number=number, type=what, at=at + number, **told)


def mail(number: int, author: str, at: int = MIDNIGHT, **more: Any) -> list[MailEvent]:
    """For two recipients, who both got it."""
    facts = {"sender": f"bounces+{number}@shop.example", "header_from": author} | more
    people = ("client@isp.example", "Client2@ISP.example")
    accepted = [event(number, EventType.ACCEPTED, at, recipient=person, **facts) for person in people]
    return accepted + [event(number, EventType.DELIVERED, at, recipient=person) for person in people]


def story() -> list[list[MailEvent]]:
    """In two batches: what recipients did comes later, and some of it twice."""
    sent = [
        *mail(1, "Ann@Shop.example", campaign="spring", step=0),
        *mail(2, ANN, MIDNIGHT - 1, campaign="spring", step=1),
        *mail(3, ANN, campaign="spring", sequence="followup"),
        *mail(4, BOB),
        *mail(5, "", sender=ANN),
        event(6, EventType.ACCEPTED, sender="", kind=MailKind.NOTIFICATION),
        event(6, EventType.BOUNCED, kind=MailKind.NOTIFICATION),
        event(7, EventType.OPENED),  # of a mail whose acceptance nobody saw
    ]
    done = [
        event(1, EventType.OPENED),
        event(1, EventType.OPENED, recipient="Client2@ISP.example"),
        event(1, EventType.CLICKED),
        event(1, EventType.REPLIED),
        event(1, EventType.TAGGED, positive=True),
        event(2, EventType.OPENED, MIDNIGHT - 1, automatic=True),
        event(2, EventType.CLICKED, MIDNIGHT - 1, automatic=True),
        event(2, EventType.REPLIED, MIDNIGHT - 1, automatic=True),
        event(2, EventType.BOUNCED, MIDNIGHT - 1),
        event(2, EventType.EXPIRED, MIDNIGHT - 1, recipient="Client2@ISP.example"),
        event(3, EventType.REPLIED),
        event(3, EventType.TAGGED, positive=True),
        event(4, EventType.UNSUBSCRIBED),
        event(4, EventType.COMPLAINED),
    ]
    taken_back = MailEvent(
        relay=1,
        accepted_at=MIDNIGHT,
        number=3,
        type=EventType.TAGGED,
        at=MIDNIGHT + DAY,
        recipient="client@isp.example",
    )
    return [sent, [*done, *done, taken_back], [event(1, EventType.OPENED)]]


@pytest.fixture(scope="module")
def told(maillog: ClickHouseMailLog) -> int:
    workspace = new_workspace()
    for number, events in enumerate(story()):
        maillog.append(EventBatch(f"story {number}", workspace, 0, events))
    return workspace


def ask(maillog: ClickHouseMailLog, workspace: int, **more: Any) -> list[EngagementCounts]:
    return maillog.engagement(EngagementQuestion(workspace=workspace, relays=(1,), **more))


ANNS = EngagementCounts(
    sender=ANN, sent=4, delivered=4, bounced=1, opened=1, opened_raw=2, clicked=1, clicked_raw=2, replied=2,
    auto_replied=1, tagged=2, positive=1, first_at=MIDNIGHT - 1, last_at=MIDNIGHT,
)  # fmt: skip
BOBS = EngagementCounts(
    sender=BOB, sent=1, delivered=1, unsubscribed=1, complained=1, first_at=MIDNIGHT, last_at=MIDNIGHT
)


def test_each_mail_counts_once_of_a_kind_and_again_after_a_rebuild(maillog: ClickHouseMailLog, told: int) -> None:
    assert ask(maillog, told) == [ANNS, BOBS]
    maillog.rebuild()
    assert ask(maillog, told) == [ANNS, BOBS]
    assert not [line for line in maillog.verify() if "engagement" in line or "received" in line]


def test_a_mail_counts_on_the_day_of_its_acceptance_and_days_add_up(maillog: ClickHouseMailLog, told: int) -> None:
    days = sorted(ask(maillog, told, by=("day",)), key=lambda row: row.day)
    assert [(row.day, row.sent, row.bounced, row.replied) for row in days] == [
        (MIDNIGHT - DAY, 1, 1, 0),
        (MIDNIGHT, 4, 0, 2),
    ]
    (whole,) = ask(maillog, told, by=())
    assert (whole.sent, whole.opened, whole.opened_raw) == (5, 1, 2)
    edges = {"since": MIDNIGHT, "until": MIDNIGHT}
    assert sum(row.sent for row in ask(maillog, told, **edges)) == 4
    assert sum(row.sent for row in ask(maillog, told, until=MIDNIGHT - 1)) == 1
    assert ask(maillog, told, since=MIDNIGHT + 1) == []


@pytest.mark.parametrize(
    ("filters", "senders"),
    [
        ({"domains": ("shop.example",)}, [ANN]),
        ({"domains": ("*.shop.example",)}, [BOB]),
        ({"domains": ("shop.example", "*.shop.example")}, [ANN, BOB]),
        ({"domains": ()}, []),
        ({"domains": (), "besides": (BOB,)}, [BOB]),
        ({"senders": (BOB,)}, [BOB]),
        ({"senders": ()}, []),
        ({"campaign": "spring"}, [ANN]),
        ({"campaign": ""}, [ANN, BOB]),
        ({"campaign": "spring", "sequence": "followup"}, [ANN]),
        ({"most": 1}, [ANN]),
    ],
    ids=str,
)
def test_filters(maillog: ClickHouseMailLog, told: int, filters: dict[str, Any], senders: list[str]) -> None:
    assert [row.sender for row in ask(maillog, told, **filters)] == senders


def test_an_answer_of_some_counts_tells_those_and_no_times(maillog: ClickHouseMailLog, told: int) -> None:
    assert ask(maillog, told, counts=()) == [EngagementCounts(sender=ANN, sent=4), EngagementCounts(sender=BOB, sent=1)]
    (whole,) = ask(maillog, told, by=(), counts=("positive", "opened_raw"))
    assert whole == EngagementCounts(sent=5, positive=1, opened_raw=2)


def test_a_brief_answer_tells_of_most_only_whether_it_happened(maillog: ClickHouseMailLog, told: int) -> None:
    ones = {"delivered": 1, "opened": 1, "opened_raw": 1, "clicked": 1, "clicked_raw": 1, "replied": 1, "tagged": 1}
    assert ask(maillog, told, brief=True) == [
        structs.replace(ANNS, **ones, positive=0, last_at=0), structs.replace(BOBS, last_at=0),
    ]  # fmt: skip


def test_campaigns_by_sequence_and_step(maillog: ClickHouseMailLog, told: int) -> None:
    rows = ask(maillog, told, by=("sequence", "step"), campaign="spring")
    assert {(row.sequence, row.step): row.sent for row in rows} == {("", 0): 1, ("", 1): 1, ("followup", 0): 1}


def test_who_got_how_many(maillog: ClickHouseMailLog, told: int) -> None:
    addresses = ("client@isp.example", "client2@isp.example", "nobody@isp.example")
    question = ReceivedQuestion(workspace=told, relays=(1,), addresses=addresses)
    assert maillog.received(question) == {"client@isp.example": 5, "client2@isp.example": 5}
    assert maillog.received(ReceivedQuestion(workspace=told, relays=(2,), addresses=addresses)) == {}


def test_another_workspace_has_nothing_of_it(maillog: ClickHouseMailLog, told: int) -> None:
    assert ask(maillog, new_workspace()) == []


def test_a_program_never_tags_against_a_person(maillog: ClickHouseMailLog, workspace: int) -> None:
    def tagged(number: int, later: int, positive: bool, automatic: bool) -> MailEvent:
        return structs.replace(
            event(number, EventType.TAGGED, positive=positive, automatic=automatic), at=MIDNIGHT + later
        )

    events = [each for number in range(1, 6) for each in (*mail(number, ANN), event(number, EventType.REPLIED))]
    events += [tagged(1, 5, True, automatic=False), tagged(1, 9, False, automatic=True)]  # the person's holds
    events += [tagged(2, 9, True, automatic=True), tagged(2, 5, False, automatic=False)]
    events += [tagged(3, 5, False, automatic=True), tagged(3, 9, True, automatic=True)]  # among programs the newest
    events += [tagged(4, 5, True, automatic=False), tagged(4, 9, False, automatic=False)]  # and among persons
    maillog.append(EventBatch("tags", workspace, 0, events))
    for _ in range(2):
        (row,) = ask(maillog, workspace)
        assert (row.replied, row.tagged, row.positive) == (5, 4, 2)
        maillog.rebuild()
