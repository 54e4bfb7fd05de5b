"""Sums of settled weeks by sender and day: answers are those that all mails give, whatever happened in between."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from msgspec import structs

from mailvane.maillog.clickhouse import ClickHouseMailLog
from mailvane.maillog.clickhouse.engagement import engagement_of
from mailvane.maillog.clickhouse.engagement_days import EngagementDays
from mailvane.maillog.clickhouse.merged_partitions import SettledWeeks
from mailvane.maillog.ever import Ever
from mailvane.maillog.model import EngagementCount, EventBatch, EventType, MailEvent, MailKind
from mailvane.maillog.queries import EngagementCounts, EngagementQuestion
from mailvane.maillog.ranking import RankingQuestion, ranked_apart
from tests.contract.maillogs import maillog, maillog_dsn, new_workspace

__all__ = ["maillog", "maillog_dsn"]

DAY = 86_400_000
MONDAY = 1_789_948_800_000
SENDERS = ("ann@shop.example", "bob@sub.shop.example", "cy@other.example", "")
LATER = (*(kind for kind in EventType if kind not in {EventType.ACCEPTED, EventType.REJECTED}),)
QUESTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"brief": True},
    {"by": ()},
    {"by": (), "brief": True},
    {"by": ("day",)},
    {"by": ("sender", "day")},
    {"counts": ()},
    {"counts": ("positive", "bounced"), "since": MONDAY + 5_000},
    {"by": ("day",), "counts": ("opened",)},
    {"senders": ("ann@shop.example",), "by": ("day",)},
    {"domains": ("*.shop.example",), "besides": ("cy@other.example",)},
    {"since": MONDAY, "until": MONDAY + 7 * DAY - 1},
    {"since": MONDAY + 5_000, "until": MONDAY + 8 * DAY + 77_000_000},
    {"since": MONDAY + 8 * DAY + 5, "until": MONDAY + 8 * DAY + 80_000_000},
    {"since": MONDAY + 9 * DAY, "brief": True},
    {"until": MONDAY + 2 * DAY},
    {"campaign": "spring"},
    {"by": ("campaign",)},
    {"by": ("sequence", "step")},
    {"most": 1},
    {"by": ("sender", "day"), "since": MONDAY + 2 * DAY, "senders": ("ann@shop.example", "cy@other.example")},
    {"by": (), "since": MONDAY + 7 * DAY, "until": MONDAY + 13 * DAY},
    {"relays": (2,)},
    {"recent": MONDAY + 16 * DAY},
    {"recent": MONDAY + 10 * DAY, "since": MONDAY, "until": MONDAY + 7 * DAY - 1},
    {"recent": MONDAY + 10 * DAY + 40_000_000, "since": MONDAY + 5_000, "until": MONDAY + 8 * DAY + 77_000_000},
    {"recent": MONDAY + 40 * DAY, "since": MONDAY + 8 * DAY + 5, "until": MONDAY + 8 * DAY + 80_000_000},
    {"recent": 0, "domains": ("*.shop.example",), "besides": ("cy@other.example",), "since": MONDAY + 40 * DAY},
    {"recent": MONDAY + 9 * DAY, "campaign": "spring", "until": MONDAY + 12 * DAY},
)

RANKINGS: tuple[tuple[EngagementCount | None, dict[str, Any]], ...] = (
    (None, {}),
    ("opened", {"since": MONDAY + 9 * DAY, "until": MONDAY + 16 * DAY}),
    ("positive", {"until": MONDAY + 12 * DAY - 1}),
    (None, {"since": MONDAY + 7}),
    ("bounced", {"domains": ("*.shop.example",), "since": MONDAY}),
    ("delivered", {"most": 1}),
)


@pytest.fixture
def eager(maillog: ClickHouseMailLog) -> Iterator[ClickHouseMailLog]:
    """Sums even weeks of one mail."""
    before, kept = maillog.engagement_days, maillog.kept
    weeks = kept.weeks_of_engagement
    kept.weeks_of_engagement = SettledWeeks(maillog._engine, kept.settles, "engagement", least=1)
    maillog.engagement_days = EngagementDays(maillog._engine, kept.settles, kept.weeks_of_engagement)
    yield maillog
    maillog.engagement_days, kept.weeks_of_engagement = before, weeks


def happened(luck: random.Random, number: int) -> MailEvent:
    """To one of a few mails of three weeks; sometimes of a mail that was never accepted, or before it was."""
    mail = luck.randrange(60)
    at = MONDAY + mail * 29_000_000 + mail % 3
    what = EventType.ACCEPTED if luck.random() < 0.4 else luck.choice(LATER)
    facts: dict[str, Any] = {}
    if what is EventType.ACCEPTED:
        author = SENDERS[(mail + (luck.random() < 0.1)) % len(SENDERS)]  # a correction now and then
        kind = MailKind.NOTIFICATION if mail % 13 == 0 else MailKind.MAIL
        facts = {"header_from": author if luck.random() < 0.8 else "", "sender": author, "kind": kind}
        facts |= {"campaign": luck.choice(["", "spring"]), "step": mail % 2}
    return MailEvent(
        relay=1 + mail % 2, accepted_at=at, number=mail, type=what, at=at + number, recipient="client@isp.example",
        automatic=luck.random() < 0.3, positive=luck.random() < 0.5, **facts,
    )  # fmt: skip


def settle(maillog: ClickHouseMailLog) -> None:
    for engine in maillog._engines:
        engine.command("OPTIMIZE TABLE engagement FINAL")
    maillog.kept.weeks_of_engagement.look_anew()


def assert_as_recomputed(
    maillog: ClickHouseMailLog, workspace: int, questions: Sequence[dict[str, Any]] = QUESTIONS[:3]
) -> None:
    for more in questions:
        asked: dict[str, Any] = {"workspace": workspace, "relays": (1, 2)} | more
        question = EngagementQuestion(**asked)
        assert maillog.engagement(question) == _recomputed(maillog, question), more
    for kind, more in RANKINGS[: len(questions)]:
        log: dict[str, Any] = {"workspace": workspace, "relays": (1, 2)} | more
        ranking = RankingQuestion(EngagementQuestion(**log), kind)
        found, expected = maillog.ranking(ranking), ranked_apart(ranking, lambda each: _recomputed(maillog, each))
        assert list(found.sent.items()) == list(expected.sent.items()), more
        counted = [found.counted.get(sender, 0) for sender in found.sent]
        assert counted == [expected.counted.get(sender, 0) for sender in found.sent], more
        assert found.ever == expected.ever, more


def _recomputed(maillog: ClickHouseMailLog, question: EngagementQuestion) -> list[EngagementCounts]:
    """Of all mails; what is told together by several questions: a window and all time, what is recent."""
    if question.recent is None:
        return [EngagementCounts(**row) for row in _rows(maillog, question)]
    asked = structs.replace(question, recent=None)
    always = structs.replace(asked, since=None, until=None)
    inside = {row.sender: row for row in _recomputed(maillog, asked)}
    recent = {row.sender: row.sent for row in _recomputed(maillog, structs.replace(always, since=question.recent))}
    found = []
    for row in _recomputed(maillog, always):
        ever = Ever(
            sent=row.sent, bounced=row.bounced, recent=recent.get(row.sender, 0), first_at=row.first_at,
            opened=row.opened_raw + row.clicked_raw > 0, replied=row.replied + row.auto_replied > 0,
            unsubscribed=row.unsubscribed > 0, complained=row.complained > 0, tagged=row.tagged > 0,
        )  # fmt: skip
        counts = inside.get(row.sender, EngagementCounts(sender=row.sender))
        found.append(structs.replace(counts, first_at=0, last_at=0, ever=ever))
    return found


def _rows(maillog: ClickHouseMailLog, question: EngagementQuestion) -> list[dict[str, Any]]:
    return [json.loads(line) for line in maillog._lines(engagement_of(question)).splitlines()]


@pytest.mark.parametrize("seed", [1])
def test_remembered_is_as_recomputed_over_random_orders(eager: ClickHouseMailLog, seed: int) -> None:
    luck, workspace, other = random.Random(seed), new_workspace(), new_workspace()
    for batch in range(3):
        events = [happened(luck, number) for number in range(luck.choice([1, 20, 120]))]
        eager.append(EventBatch(f"{seed} {batch}", luck.choice([workspace, workspace, other]), 0, events))
        if luck.random() < 0.7:
            settle(eager)
        assert_as_recomputed(eager, workspace, luck.sample(QUESTIONS, 6))
    eager.rebuild()
    settle(eager)
    assert_as_recomputed(eager, workspace, QUESTIONS)
    eager.drop(workspace)
    assert eager.engagement(EngagementQuestion(workspace=workspace, relays=(1, 2))) == []
    assert_as_recomputed(eager, other)


def test_settled_weeks_are_summed_once_and_those_that_are_gone_are_forgotten(eager: ClickHouseMailLog) -> None:
    if eager._engine.address.cluster is not None:
        return  # of two servers every mail is read
    luck, workspace = random.Random(7), new_workspace()
    eager.append(EventBatch("all", workspace, 0, [happened(luck, number) for number in range(300)]))
    settle(eager)
    eager.engagement_days.forget()
    for _ in range(2):
        assert_as_recomputed(eager, workspace)
        first = summed(eager)
        assert len(first) in {4, 5}, "three weeks, and those of a block once more"
    eager.append(EventBatch("late", workspace, 0, [happened(luck, 1)]))
    settle(eager)
    assert_as_recomputed(eager, workspace)
    assert len(summed(eager)) == len(first)
    assert summed(eager) != first, "the week of the late one was summed anew, and its former sums dropped"
    eager.engagement_days.forget()
    assert summed(eager) == set()
    assert_as_recomputed(eager, workspace)
    assert len(summed(eager)) == len(first), "forgotten sums are made anew"


def test_a_week_that_is_not_settled_is_told_beside_those_that_are(eager: ClickHouseMailLog) -> None:
    luck, workspace = random.Random(8), new_workspace()
    eager.append(EventBatch("all", workspace, 0, [happened(luck, number) for number in range(300)]))
    settle(eager)
    at = MONDAY + 22 * DAY
    new = MailEvent(
        relay=1, accepted_at=at, number=1, type=EventType.ACCEPTED, at=at, recipient="client@isp.example",
        sender="new@shop.example", header_from="new@shop.example", kind=MailKind.MAIL,
    )  # fmt: skip
    eager.append(EventBatch("new", workspace, 0, [new]))
    assert_as_recomputed(eager, workspace, QUESTIONS)


def summed(maillog: ClickHouseMailLog) -> set[str]:
    return {str(content) for (content,) in maillog._engine.rows("SELECT DISTINCT content FROM engagement_days")}
