"""When an alert speaks, what it says, and when it is silent."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.core.moments import HOUR_MS
from mailvane.reputation.alerts.engine import MOST_RECORDS, entry_of, evaluate
from mailvane.reputation.alerts.model import AlertState, Match
from mailvane.reputation.alerts.rules import blocklists
from mailvane.reputation.alerts.view import View
from mailvane.reputation.model import Observation
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


def test_the_same_is_not_said_twice_within_a_day_and_again_after_it() -> None:
    watch = Watch(alert(LISTED))
    one = listing(1, NOW)
    assert watch.items(0, one) == [["192.0.2.1"]]
    assert [watch.items(hours, one) for hours in (1, 12, 23.9)] == [[], [], []]
    assert watch.items(24, one) == [["192.0.2.1"]]


def test_news_brings_everything_that_matches() -> None:
    watch = Watch(alert(LISTED))
    one, two = listing(1, NOW), listing(2, NOW + HOUR_MS)
    watch.look(0, one)
    assert watch.items(2, one, two) == [["192.0.2.1", "192.0.2.2"]]
    assert watch.items(24.5, one, two) == [], "both were said two hours after the first"


def test_what_ended_and_came_back_within_the_day_is_not_news() -> None:
    watch = Watch(alert(LISTED))
    watch.look(0, listing(1, NOW))
    assert watch.items(1, listing(1, NOW + HOUR_MS, listed=False)) == []
    assert watch.items(2, listing(1, NOW + 2 * HOUR_MS)) == []


def test_nothing_known_is_silence() -> None:
    found = Watch(alert(LISTED)).look(0)
    assert (found.fired, found.failing) == ((), {})


def test_the_evidence_is_frozen_with_the_rule_as_it_was_evaluated() -> None:
    (fired,) = Watch(alert(LISTED)).look(1, listing(1, NOW)).fired
    assert fired.type == "IP_IN_RBL"
    assert fired.snapshot["rule"] == LISTED
    assert fired.snapshot["date_timestamp"] == NOW
    assert fired.snapshot["data"][0]["rbl_result"] == [{"lookup_host": "bl.example"}]
    assert fired.matchings == {"items": [{"ip": "192.0.2.1", "rbl": "bl.example"}], "count": 1}
    entry = entry_of(alert(LISTED), (fired,), NOW, "e" * 24)
    assert (entry.alert_id, entry.at, entry.rules) == ("a" * 24, NOW, (fired,))


def test_a_snapshot_is_bounded() -> None:
    names = [f"10.0.{n // 256}.{n % 256}" for n in range(MOST_RECORDS + 1)]
    said = [msgspec.structs.replace(listing(1, NOW), asset=name) for name in names]
    view = View(said, WATCHED, NOW, STALE)
    (fired,) = evaluate(alert({**LISTED, "ips": names}), view, AlertState(alert_id="a")).fired
    assert (len(fired.snapshot["data"]), fired.snapshot["truncated"]) == (MOST_RECORDS, True)
    assert fired.matchings["count"] == MOST_RECORDS + 1


def test_rules_joined_by_and_must_match_within_one_day() -> None:
    watch = Watch(BOTH)
    assert watch.items(0, listing(1, NOW)) == []
    assert watch.items(20, spam(NOW + 19 * HOUR_MS)) == [["192.0.2.1"], ["a.example"]]
    assert watch.items(21, spam(NOW + 19 * HOUR_MS)) == []


def test_rules_that_matched_a_day_apart_do_not_come_together() -> None:
    watch = Watch(BOTH)
    watch.look(0, listing(1, NOW))
    assert watch.items(24, spam(NOW + 23 * HOUR_MS)) == []


def test_a_rule_that_was_replaced_is_no_part_of_what_comes_later() -> None:
    watch = Watch(BOTH)
    watch.look(0, listing(1, NOW))
    elsewhere = {**LISTED, "key": "l", "rbls": ["other.example"]}
    watch.of = alert(elsewhere, {**SPAMMY, "key": "s"}, formula="l AND s")
    assert watch.items(1, listing(1, NOW), spam(NOW)) == []


def test_a_rule_of_another_type_has_said_nothing_yet() -> None:
    watch = Watch(alert({**SPAMMY, "key": "k"}))
    assert watch.items(0, spam(NOW)) == [["a.example"]]
    low = {"type": "GP_SPF_SUCCESS_RATIO", "key": "k", "gp_spf_success_ratio": {"value": 0.9, "operator": "lt"}}
    watch.of = alert(low)
    day = spam(NOW)
    assert watch.items(1, msgspec.structs.replace(day, data={"spfSuccessRatio": 0.5})) == [["a.example"]]


def test_a_rule_that_is_drawn_narrower_does_not_repeat_itself() -> None:
    watch = Watch(alert(SPAMMY))
    watch.look(0, spam(NOW))
    watch.of = alert({**SPAMMY, "gp_user_reported_spam_ratio": {"value": 0.15, "operator": "gt"}})
    assert watch.items(1, spam(NOW)) == []


def test_with_or_each_rule_is_enough_and_both_are_told() -> None:
    either = Watch(alert({**LISTED, "key": "l"}, {**SPAMMY, "key": "s"}, formula="l OR s"))
    assert either.items(0, spam(NOW)) == [["a.example"]]
    assert either.items(1, spam(NOW), listing(1, NOW)) == [["192.0.2.1"], ["a.example"]]


def test_a_rule_that_fails_is_shown_and_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Iterator[Match]:
        raise RuntimeError("no luck")

    monkeypatch.setattr(blocklists.IpInRbl, "matches", broken)
    watch = Watch(alert({**LISTED, "key": "l"}, {**SPAMMY, "key": "s"}, formula="l OR s"))
    found = watch.look(0, spam(NOW), listing(1, NOW))
    assert found.failing == {"l": "no luck"}
    assert [rule.type for rule in found.fired] == ["GP_USER_REPORTED_SPAM_RATIO"]
    monkeypatch.undo()
    assert watch.look(1, listing(1, NOW)).failing == {}


def test_a_match_that_no_encoder_knows_is_its_rules_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    def strange(*_: object) -> Iterator[Match]:
        yield Match(item={"ip": object()}, record={}, identity=("x",), at=NOW)

    monkeypatch.setattr(blocklists.IpInRbl, "matches", strange)
    watch = Watch(alert({**LISTED, "key": "l"}, {**SPAMMY, "key": "s"}, formula="l OR s"))
    heard: list[tuple[str, type]] = []
    view = View([spam(NOW)], WATCHED, NOW, STALE)
    found = evaluate(watch.of, view, watch.state, lambda key, error: heard.append((key, type(error))))
    assert list(found.failing) == ["l"]
    assert heard == [("l", TypeError)]
    assert [rule.type for rule in found.fired] == ["GP_USER_REPORTED_SPAM_RATIO"]


def test_a_rule_of_a_type_that_is_gone_fails_and_nothing_else() -> None:
    found = Watch(alert({"type": "GONE"})).look(0, listing(1, NOW))
    assert found.fired == ()
    assert "no such rule type" in found.failing["0"]


STEPS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 4), st.booleans()), max_size=12)


@given(STEPS)
def test_looking_again_at_once_says_nothing_more(steps: list[tuple[int, int, bool]]) -> None:
    known: dict[int, Observation] = {}
    watch, hours = Watch(alert(LISTED)), 0
    for later, last, listed in steps:
        hours += later
        known[last] = listing(last, NOW + hours * HOUR_MS, listed)
        watch.look(hours, *known.values())
        assert watch.look(hours, *known.values()).fired == ()
