"""What an alert would have said is what it says live."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.reputation.alerts.backtest import backtest, kinds_read
from mailvane.reputation.model import Observation, ObservationKind
from tests.unit.reputation.alerts.one_alert import BOTH, LISTED, NOW, STALE, WATCHED, Watch, alert, listing

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
