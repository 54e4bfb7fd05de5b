"""Questions of the second interface, and its answers in the words of the first."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.reputation.sources.postmaster.metrics import (
    MOST_LOOPS,
    Page,
    Stat,
    loop_metrics,
    loops,
    metrics,
    question,
    records,
)

DAY = 1_795_046_400_000  # 2026-11-19
DATE = {"year": 2026, "month": 11, "day": 19}


def stats(*told: tuple[str, Any]) -> list[Stat]:
    rows = [{"metric": metric, "date": DATE, "value": value} for metric, value in told]
    return list(msgspec.convert({"domainStats": rows}, Page).domain_stats)


def test_every_metric_has_the_filter_that_it_must_have() -> None:
    asked = {each["name"]: (each["baseMetric"]["standardMetric"], each.get("filter")) for each in metrics()}
    assert asked["spam"] == ("SPAM_RATE", None)
    assert asked["dmarc"] == ("AUTH_SUCCESS_RATE", 'auth_type = "dmarc"')
    assert asked["tls_inbound"] == ("TLS_ENCRYPTION_RATE", 'traffic_direction = "inbound"')
    assert asked["temp_fail_other"] == ("DELIVERY_ERROR_RATE", 'error_type = "temp_fail" AND error_reason = "other"')
    assert len(asked) == 6 + 10 + 1


def test_days_are_asked_for_one_by_one() -> None:
    body = question([date(2026, 11, 18), date(2026, 11, 19)], metrics())
    assert body["timeQuery"]["dateList"]["dates"][1] == DATE


def test_a_day_becomes_one_record_in_the_words_of_the_first_interface() -> None:
    told = stats(
        ("spam", {"doubleValue": 0.003}),
        ("spf", {"floatValue": 1}),
        ("tls_outbound", {"intValue": "1"}),
        ("reject_spammy_content", {"doubleValue": 0.02}),
        ("temp_fail_anomalous_traffic_pattern", {"doubleValue": 0.1}),
        ("feedback_loops", {"stringList": {"values": ["campaign-7"]}}),
        ("loop_0", {"doubleValue": 0.5}),
    )
    assert loops(told) == ["campaign-7"]
    assert records("shop.example", told, ["campaign-7"]) == {
        DAY: {
            "name": "domains/shop.example/trafficStats/20261119",
            "userReportedSpamRatio": 0.003,
            "spfSuccessRatio": 1.0,
            "outboundEncryptionRatio": 1.0,
            "deliveryErrors": [
                {"errorClass": "PERMANENT_ERROR", "errorType": "CONTENT_SPAMMY", "errorRatio": 0.02},
                {"errorClass": "TEMPORARY_ERROR", "errorType": "RATE_LIMIT_EXCEEDED", "errorRatio": 0.1},
            ],
            "spammyFeedbackLoops": [{"id": "campaign-7", "spamRatio": 0.5}],
        }
    }


def test_no_reputation_is_made_up() -> None:
    (record,) = records("x.example", stats(("spam", {"doubleValue": 0.9}))).values()
    assert "domainReputation" not in record
    assert "ipReputations" not in record


@pytest.mark.parametrize(
    ("metric", "value"),
    [("spam", {"doubleValue": "NaN"}), ("spam", {}), ("spam", {"intValue": "x"}), ("new", {"doubleValue": 1})],
)
def test_what_is_not_understood_makes_no_record(metric: str, value: Any) -> None:
    assert records("x.example", stats((metric, value))) == {}


def test_a_loop_whose_name_would_end_the_filter_is_not_asked_for() -> None:
    told = stats(("feedback_loops", {"stringList": {"values": ['a" OR "b', "fine", "x\\", *map(str, range(200))]}}))
    found = loops(told)
    assert found[:2] == ["fine", "0"]
    assert len(found) == MOST_LOOPS
    assert loop_metrics(["fine"])[0]["filter"] == 'feedback_loop_id = "fine"'


@given(
    st.lists(
        st.tuples(st.sampled_from(["spam", "spf", "reject_other", "loop_0", "?"]), st.floats() | st.text(max_size=5))
    )
)
def test_whatever_numbers_come_records_hold_finite_ones(told: list[tuple[str, Any]]) -> None:
    found = records("x.example", stats(*((metric, {"doubleValue": value}) for metric, value in told)), ["a"])
    assert msgspec.json.decode(msgspec.json.encode(found)) is not None
    assert "null" not in msgspec.json.encode(list(found.values())).decode()
