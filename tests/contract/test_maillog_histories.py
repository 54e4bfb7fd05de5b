"""Every answer of a mail log, and every row after a rebuild, over random histories; judged by a plain model."""

from __future__ import annotations

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailvane.maillog.clickhouse import ClickHouseMailLog
from mailvane.maillog.model import DeliveryStatus, EventBatch, EventType, MailEvent, MailKind, ReasonFamily
from mailvane.maillog.queries import HourlyQuestion, LogQuestion, StatisticsQuestion
from tests.contract import remembered
from tests.contract.maillogs import maillog, maillog_dsn, new_workspace
from tests.depth import rounds

__all__ = ["maillog", "maillog_dsn"]

NOON = 1_790_000_000_000
HOUR = 3_600_000
DAY = 24 * HOUR
TIMES = (-14_000_000_000, NOON - 40 * DAY, NOON, NOON + 1, NOON + HOUR, NOON + 400 * DAY)
words = st.sampled_from(("", "a", "b", "é"))


@st.composite
def histories(draw: st.DrawFn) -> list[list[MailEvent]]:
    """Batches of events of a few mails in any order: no two events of a delivery at one time."""
    count = draw(st.integers(1, 25))
    moments = draw(st.permutations(range(count)))
    events = [
        MailEvent(
            relay=draw(st.sampled_from((1, 2))),
            accepted_at=draw(st.sampled_from(TIMES)),
            number=draw(st.integers(0, 1)),
            type=draw(st.sampled_from(EventType)),
            at=NOON + moments[n] * 977_777,
            kind=draw(st.sampled_from((MailKind.MAIL, MailKind.MAIL, MailKind.NOTIFICATION))),
            waiting=draw(st.sampled_from((-1, 0, 1, 1))),
            recipient=draw(st.sampled_from(("", "p@x", "q@x"))),
            original_recipient=draw(words),
            recipient_number=draw(st.integers(0, 2)),
            sender=draw(words),
            subject=draw(words),
            message_id=draw(words),
            origin=draw(words),
            mx_host=draw(words),
            code=draw(st.sampled_from((0, 250))),
            reply=draw(words),
            family=draw(st.sampled_from((ReasonFamily.NONE, ReasonFamily.POLICY))),
            hard=draw(st.booleans()),
            delay=draw(st.integers(0, 3)),
        )
        for n in range(count)
    ]
    cuts = sorted(draw(st.sets(st.integers(0, count), max_size=3)))
    return [events[start:end] for start, end in zip([0, *cuts], [*cuts, count], strict=True)]


questions = st.fixed_dictionaries(
    {"by_message": st.booleans(), "ascending": st.booleans(), "skip": st.integers(0, 3), "limit": st.integers(1, 9)},
    optional={
        "relays": st.sampled_from(((1,), (2,), (2, 1))),
        "sender": words,
        "origin": words,
        "subject": words,
        "mx_host": words,
        "recipient": st.sampled_from(("", "a", "p@x")),
        "message_id_part": words,
        "delivered": st.booleans(),
        "status": st.sampled_from(DeliveryStatus),
        "family": st.sampled_from((ReasonFamily.NONE, ReasonFamily.POLICY)),
        "since": st.sampled_from(TIMES),
        "until": st.sampled_from(TIMES),
        "kinds": st.sampled_from(((MailKind.MAIL,), tuple(MailKind), (MailKind.NOTIFICATION,))),
    },
)
thorough = settings(max_examples=rounds(4, deep=100), suppress_health_check=list(HealthCheck))


def tell(maillog: ClickHouseMailLog, batches: list[list[MailEvent]], seed: int) -> int:
    """Store the batches, some of them more than once, in a workspace of their own."""
    workspace = new_workspace()
    order = [*range(len(batches)), *random.Random(seed).choices(range(len(batches)), k=2)]
    random.Random(seed).shuffle(order)
    for n in order:
        maillog.append(EventBatch(f"batch-{n}", workspace, 0, batches[n]))
    return workspace


@thorough
@given(batches=histories(), asked=st.lists(questions, min_size=4, max_size=4), seed=st.integers(0, 99))
def test_every_answer_is_what_the_events_say(
    maillog: ClickHouseMailLog, batches: list[list[MailEvent]], asked: list[dict[str, object]], seed: int
) -> None:
    workspace = tell(maillog, batches, seed)
    events = [one for batch in batches for one in batch]
    for each in asked:
        question = LogQuestion(**({"workspace": workspace, "relays": (1, 2)} | each))  # type: ignore[arg-type]
        assert maillog.search(question) == remembered.search(events, question)
        window = StatisticsQuestion(
            workspace=workspace, relays=question.relays, since=question.since, until=question.until, top=question.limit
        )
        counted = maillog.statistics(window)
        assert counted == remembered.statistics(events, window)
    hours = HourlyQuestion(workspace=workspace, relays=(1, 2), since=min(TIMES), until=max(TIMES) + DAY)
    assert maillog.hourly(hours) == remembered.hourly(events, hours)


@settings(thorough, max_examples=rounds(3, deep=50))
@given(
    batches=histories(),
    settling=st.lists(st.booleans(), min_size=4, max_size=4),
    asked=st.lists(questions, min_size=4, max_size=4),
)
def test_an_answer_is_the_same_whether_weeks_are_settled_or_not(
    maillog: ClickHouseMailLog, batches: list[list[MailEvent]], settling: list[bool], asked: list[dict[str, object]]
) -> None:
    workspace = new_workspace()
    events: list[MailEvent] = []
    for n, batch in enumerate(batches):
        maillog.append(EventBatch(f"batch-{n}", workspace, 0, batch))
        events += batch
        if settling[n]:
            for engine in maillog._engines:
                engine.command("OPTIMIZE TABLE deliveries FINAL")
        everything: list[dict[str, object]] = [{}, {"by_message": True}]
        for each in [*everything, *asked]:
            question = LogQuestion(**({"workspace": workspace, "relays": (1, 2)} | each))  # type: ignore[arg-type]
            assert maillog.search(question) == remembered.search(events, question)


def contents(maillog: ClickHouseMailLog, workspace: int) -> list[list[tuple[object, ...]]]:
    """Every row of every view, joined as a reader sees it."""
    return [
        engine.rows(f"SELECT * FROM {table} FINAL WHERE workspace = {workspace} ORDER BY ALL")
        for engine in maillog._engines
        for table in ("deliveries", "reactions", "mails", "waiting", "hourly")
    ]


@settings(thorough, max_examples=rounds(2, deep=20))
@given(batches=histories(), seed=st.integers(0, 99))
def test_a_rebuild_gives_identical_rows(maillog: ClickHouseMailLog, batches: list[list[MailEvent]], seed: int) -> None:
    workspace = tell(maillog, batches, seed)
    before = contents(maillog, workspace)
    question = LogQuestion(workspace=workspace, relays=(1, 2))
    page = maillog.search(question)
    maillog.rebuild()
    assert contents(maillog, workspace) == before
    assert maillog.search(question) == page
    for n, batch in enumerate(batches):
        maillog.append(EventBatch(f"batch-{n}", workspace, 0, batch))
    assert contents(maillog, workspace) == before
