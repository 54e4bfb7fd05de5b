"""What an alert would have said is what it says live."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.core.errors import InvalidInput
from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.maillog.figure_questions import Figure
from mailvane.reputation.alerts.backtest import backtest, kinds_read
from mailvane.reputation.alerts.mail_questions import Answers, MailQuestion
from mailvane.reputation.alerts.view import Watched
from mailvane.reputation.model import Asset, AssetKind, Observation, ObservationKind
from tests.unit.reputation.alerts.one_alert import (
    BOTH,
    LISTED,
    NOW,
    SPAMMY,
    STALE,
    WATCHED,
    Watch,
    alert,
    listing,
    spam,
)

STEPS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 4), st.booleans()), max_size=12)


@given(STEPS)
def test_a_backtest_says_what_was_said_live(steps: list[tuple[int, int, bool]]) -> None:
    said: list[Observation] = []
    hours = 0
    for later, last, listed in steps:
        hours += later + 1
        said.append(listing(last, NOW + hours * HOUR_MS, listed))
    until = NOW + (hours + 1) * HOUR_MS
    found = backtest(alert(LISTED), said, WATCHED, (NOW, until), STALE)
    known: dict[str, Observation] = {}
    watch, live = Watch(alert(LISTED)), []
    moments = sorted({one.seen_at for one in said} | set(range(NOW, until, DAY_MS)))
    for moment in moments:
        known |= {one.asset: one for one in said if one.seen_at == moment}
        at_hour = (moment - NOW) / HOUR_MS
        confirmed = [msgspec.structs.replace(one, confirmed_at=moment) for one in known.values()]
        if watch.look(at_hour, *confirmed).fired:
            live.append(moment)
    assert [firing.at for firing in found.firings] == live
    assert found.evaluations == len(moments)


def test_a_backtest_tells_how_often_a_week() -> None:
    said = [listing(1, NOW)]
    found = backtest(alert(LISTED), said, WATCHED, (NOW, NOW + 14 * DAY_MS), STALE)
    assert (len(found.firings), found.per_week) == (14, 7.0)
    assert kinds_read(BOTH) == {ObservationKind.IP_LISTING, ObservationKind.TRAFFIC}


def test_a_backtest_that_nobody_waits_for_any_more_ends_at_the_next_evaluation() -> None:
    looked = []

    def check() -> None:
        looked.append(1)
        if len(looked) == 3:
            raise TimeoutError("nobody waits")

    with pytest.raises(TimeoutError):
        backtest(alert(LISTED), [listing(1, NOW)], WATCHED, (NOW, NOW + 14 * DAY_MS), STALE, check)
    assert len(looked) == 3


def test_a_month_that_came_in_at_once_is_replayed_by_its_days() -> None:
    arrived = NOW + 30 * DAY_MS
    days = [
        msgspec.structs.replace(spam(NOW + day * DAY_MS, 0.2 if day % 10 == 5 else 0.0), seen_at=arrived)
        for day in range(30)
    ]
    found = backtest(alert(SPAMMY), days, WATCHED, (NOW, arrived + DAY_MS), STALE)
    assert [(firing.at - NOW) // DAY_MS for firing in found.firings] == [5, 15, 25]


def test_a_report_of_weeks_fires_in_a_backtest_by_what_a_day_of_it_holds() -> None:
    watched = Watched((Asset(id="d", workspace=1, kind=AssetKind.DMARC, name="a.example", created_at=0),))
    said = Observation(
        kind=ObservationKind.DMARC, asset="a.example", key="r", at=NOW + 21 * DAY_MS, seen_at=NOW + 25 * DAY_MS,
        data={"messages": 2100, "dmarc_fail": 2100, "period_from": NOW + 1000, "period_to": NOW + 21 * DAY_MS},
    )  # fmt: skip
    for value, days in ((1000, []), (99, [21])):
        counted = {"value": value, "operator": "gt", "time_range": "ONE_DAY"}
        of = alert({"type": "DMARC_DMARC_FAIL", "dmarc_dmarc_fail": counted})
        found = backtest(of, [said], watched, (NOW, NOW + 30 * DAY_MS), STALE)
        assert [(firing.at - NOW) // DAY_MS for firing in found.firings] == days
        for firing in found.firings:
            ((record,),) = (rule.snapshot["data"] for rule in firing.rules)
            assert (record["failed"], record["spread_reports"], record["failed_before"]) == (100, 1, 2000)


def test_so_many_mails_that_each_has_its_moment_are_looked_at_by_the_hour() -> None:
    watched = Watched((Asset(id="t", workspace=1, kind=AssetKind.TRAP, name="192.0.2.1", created_at=0),))
    hits = [
        Observation(
            kind=ObservationKind.TRAP_HIT, asset="192.0.2.1", key=str(n), at=NOW + n * 1000, seen_at=NOW + n * 1000,
            data={"ip": "192.0.2.1"},
        )
        for n in range(2_500)
    ]  # fmt: skip
    of = alert({"type": "TRAPS_IP", "traps_ips": ["ALL_TRAPS_IPS"]})
    found = backtest(of, hits, watched, (NOW, NOW + 5 * DAY_MS), STALE)
    assert found.evaluations <= 8
    assert [(firing.at - NOW) // DAY_MS for firing in found.firings] == [0, 1]  # they are within a day for two


WAITING = {"type": "MV_WAITING_MAIL", "by": "DESTINATION", "domains": ["ALL_DOMAINS"], "mails": 2}


@pytest.mark.parametrize(("most", "statements"), [(100_000, 3), (1_000, 51)])
def test_the_mail_log_is_asked_of_weeks_at_once_and_of_less_where_that_is_too_much(most: int, statements: int) -> None:
    asked: list[int] = []
    answered: list[tuple[int, int]] = []

    def ask(question: MailQuestion, first: int, last: int) -> Answers:
        moments = (last - first) // question.step + 1
        asked.append(moments)
        if moments > most:
            raise InvalidInput("more figures than that")
        answered.append((first, last))
        inside = [at for at in range(first, last + 1, question.step) if at % DAY_MS == 0]
        return {at: (Figure(at, "inbox.example", 3, 0, at - HOUR_MS),) for at in inside}

    watched = Watched(ask=ask)
    found = backtest(alert(WAITING), [], watched, (NOW - 90 * DAY_MS, NOW), STALE)
    assert len(asked) == statements
    gaps = {later[0] - sooner[1] for sooner, later in pairwise(answered)}
    assert gaps == {5 * 60_000}, "every moment is asked about once"
    assert len(found.firings) in {89, 90}


def test_what_is_too_much_in_whatever_parts_is_refused() -> None:
    def ask(_question: MailQuestion, _first: int, _last: int) -> Answers:
        raise InvalidInput("more figures than that")

    with pytest.raises(InvalidInput, match="more figures"):
        backtest(alert(WAITING), [], Watched(ask=ask), (NOW - 90 * DAY_MS, NOW), STALE)
