"""What a member who is bound to domains is told of the mail log, on every engine: the mail of these alone."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mailvane.core.moments import HOUR_MS
from mailvane.dashboard.bound_services import MailLogOfDomains
from mailvane.dashboard.people.model import Reach
from mailvane.maillog.clickhouse import ClickHouseMailLog
from mailvane.maillog.model import EventBatch, EventType, MailEvent, MailKey, MailKind, ReasonFamily
from mailvane.maillog.outcomes import OutcomeQuestion
from mailvane.maillog.queries import DelayQuestion, LogQuestion, RefusedQuestion, TallyQuestion, TimeTallyQuestion
from mailvane.maillog.query_language import question
from mailvane.maillog.refused_questions import RefusedTallyQuestion, RefusedTimeQuestion
from tests.contract.maillogs import maillog, maillog_dsn, new_workspace
from tests.contract.test_maillog import NOON, event

__all__ = ["maillog", "maillog_dsn"]

MINE, ZONE = "mine.example", ZoneInfo("UTC")
OTHERS = ("other.example", f"below.{MINE}", "notmine.example", f"{MINE}.evil")
FAILED: dict[str, Any] = {"code": 550, "hard": True, "family": ReasonFamily.POLICY}


def sent(number: int, domain: str, type_: EventType = EventType.BOUNCED) -> MailEvent:
    return event(
        type_, number=number, sender=f"s@{domain}", recipient=f"r{number}@to{number}.example", subject=domain, **FAILED
    )


@pytest.fixture(scope="module")
def workspace(maillog: ClickHouseMailLog) -> int:
    """A mail of the domain that bounced, and one that was refused; of others more of both."""
    own = new_workspace()
    events = [sent(1, MINE), sent(2, MINE, EventType.REJECTED)]
    for number, domain in enumerate(OTHERS, 10):
        events += [sent(number, domain), sent(number + 10, domain, EventType.REJECTED)]
    events.append(event(EventType.BOUNCED, number=40, sender="", recipient=f"s@{MINE}", **FAILED))
    maillog.append(EventBatch("bound", own, 0, events))
    return own


def cut(maillog: ClickHouseMailLog, workspace: int, *domains: str) -> MailLogOfDomains:
    return MailLogOfDomains(maillog, Reach(workspace, frozenset(domains)))


def log(workspace: int) -> LogQuestion:
    return LogQuestion(workspace=workspace, relays=(1,), kinds=tuple(MailKind))


def test_every_answer_is_of_the_mail_of_the_domains(maillog: ClickHouseMailLog, workspace: int) -> None:
    bound, asked = cut(maillog, workspace, MINE), log(workspace)
    page = bound.search(asked)
    assert (page.total, [each.number for each in page.deliveries]) == (1, [1])
    assert bound.total_and_first(asked) == (1, NOON)
    assert [(each.value, each.count) for each in bound.tally(TallyQuestion(asked, "sender_domain"))] == [(MINE, 1)]
    states, domains = bound.tallies([TallyQuestion(asked, "status"), TallyQuestion(asked, "recipient_domain")])
    assert [each.count for each in states] == [1]
    assert [each.value for each in domains] == ["to1.example"]
    assert [each.value for each in bound.outcomes(OutcomeQuestion(asked)).domains] == ["to1.example"]
    assert [each.count for each in bound.outcomes(OutcomeQuestion(asked)).families] == [1]
    assert bound.delays(DelayQuestion(asked, "recipient_domain"))[0].value == "to1.example"
    assert [each.count for each in bound.over_time(TimeTallyQuestion(asked, HOUR_MS))] == [1]
    refused = RefusedQuestion(workspace=workspace, relays=(1,))
    assert [each.number for each in bound.refused(refused).refused] == [2]
    assert bound.refused(refused).total == 1
    assert [each.count for each in bound.refused_tally(RefusedTallyQuestion(refused, "family"))] == [1]
    assert [each.count for each in bound.refused_over_time(RefusedTimeQuestion(refused, HOUR_MS))] == [1]
    keys = [MailKey(1, NOON, number) for number in (1, 2, *range(10, 14), *range(20, 24), 40)]
    found = [event for key in keys for event in bound.mail_events(workspace, key)]
    assert sorted(event.number for event in found) == [1, 2]


@pytest.mark.parametrize("query", ["from:other.example", f"-from:{MINE}", "to:mine.example", "from:example"])
def test_no_query_reaches_further(maillog: ClickHouseMailLog, workspace: int, query: str) -> None:
    asked = question(query, workspace, [1], NOON, ZONE)
    found = cut(maillog, workspace, MINE).search(asked)
    assert {each.sender for each in found.deliveries} <= {f"s@{MINE}"}
    assert found.total == len(found.deliveries) == (1 if query == "from:example" else 0)


def test_of_no_domain_there_is_no_mail(maillog: ClickHouseMailLog, workspace: int) -> None:
    bound, asked = cut(maillog, workspace), log(workspace)
    assert bound.search(asked).total == 0
    assert bound.total_and_first(asked) == (0, None)
    assert bound.tally(TallyQuestion(asked, "status")) == []
    assert bound.refused(RefusedQuestion(workspace=workspace, relays=(1,))).total == 0
    assert bound.mail_events(workspace, MailKey(1, NOON, 1)) == []


def test_of_two_domains_there_is_the_mail_of_both(maillog: ClickHouseMailLog, workspace: int) -> None:
    found = cut(maillog, workspace, MINE, "other.example").search(log(workspace))
    assert sorted(each.number for each in found.deliveries) == [1, 10]
