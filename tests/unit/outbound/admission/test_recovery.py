"""When a domain on probation is below its line again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.outbound.admission.counters import today
from mailvane.outbound.admission.recovery import mails_to_below, recovery
from mailvane.outbound.admission.rules import crossing
from mailvane.outbound.model import Baseline, Domain, Guillotine, MonthTally, Usage

DOMAIN = Domain(id=1, workspace=1, name="shop.example", created_at=0)


def at(day: int, month: int = 11) -> int:
    return int(datetime(2026, month, day, 12, tzinfo=UTC).timestamp()) * 1000


def told(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%d %b %H:%M")


CASES: tuple[tuple[object, ...], ...] = (
    # day of November, sent and bounced this month, sent today, a day, more of the rule, of the domain: mails, day, anew
    (2, 52, 10, 0, 20, {}, {}, (282, "16 Nov 00:00", False)),  # 10 of 334 is 2.99 %; 20 of them pass today
    (2, 52, 10, 52, 20, {}, {}, (282, "17 Nov 00:00", False)),  # nothing more passes today
    (2, 50, 2, 0, 20, {}, {}, (17, "02 Nov 00:00", False)),  # 2 of 67 is 2.99 %: today's twenty are enough
    (2, 50, 2, 10, 20, {}, {}, (17, "03 Nov 00:00", False)),
    (27, 52, 10, 0, 20, {}, {}, (282, "01 Dec 00:00", True)),  # a new month comes first
    (30, 50, 2, 0, 17, {}, {}, (17, "30 Nov 00:00", False)),  # not on the last day's last mail
    (30, 50, 2, 0, 16, {}, {}, (17, "01 Dec 00:00", True)),
    (2, 52, 10, 0, 20, {"confident": True}, {}, (131, "08 Nov 00:00", False)),  # the lower bound, not the rate
    (2, 52, 1, 0, 20, {}, {}, (0, "02 Nov 00:00", False)),  # is below it
    (2, 52, 10, 0, 20, {"minimum_volume": 60}, {}, (0, "02 Nov 00:00", False)),  # the rule waits for mail
    (2, 52, 0, 0, 20, {"complaint_percent": 0.1}, {}, (0, "02 Nov 00:00", False)),
    (2, 52, 10, 0, 20, {}, {"daily_limit": 10}, (282, "30 Nov 00:00", False)),  # no more than its own limit a day
    (2, 52, 10, 0, 20, {}, {"monthly_limit": 300}, (282, "01 Dec 00:00", True)),  # nor a month
)


@pytest.mark.parametrize(("day", "sent", "bounces", "sent_today", "daily", "rule", "limits", "expected"), CASES)
def test_it_is_told_by_the_rule_that_decides(
    day: int, sent: int, bounces: int, sent_today: int, daily: int, rule: dict[str, float], limits: dict[str, int],
    expected: tuple[int, str, bool],
) -> None:  # fmt: skip
    now = at(day)
    domain = Domain(id=1, workspace=1, name="shop.example", created_at=0, **limits)  # type: ignore[arg-type]
    usage = today(Usage(), now)
    usage = Usage(
        day=usage.day, hour=usage.hour, month=usage.month, sent_today=sent_today, sent_month=sent, bounces=bounces
    )
    found = recovery(domain, usage, Guillotine(**rule), daily, now)  # type: ignore[arg-type]
    assert found is not None
    assert (found.mails, told(found.day), found.begins_anew) == expected


def test_where_none_passes_there_is_no_such_day() -> None:
    assert recovery(DOMAIN, Usage(), Guillotine(), 0, at(2)) is None


def test_what_counts_no_more_is_not_waited_for() -> None:
    restored = MonthTally(sent=152, bounces=20, baseline=Baseline(1, 100, 10, 0))
    assert (
        mails_to_below(restored, Guillotine()) == mails_to_below(MonthTally(sent=52, bounces=10), Guillotine()) == 282
    )


@given(
    st.integers(1, 5000), st.integers(0, 500), st.integers(0, 50), st.sampled_from([0.1, 1.0, 3.0, 100.0]),
    st.booleans(), st.integers(0, 200),
)  # fmt: skip
def test_one_mail_less_is_not_enough(
    sent: int, bounces: int, complaints: int, line: float, confident: bool, least: int
) -> None:
    rule = Guillotine(bounce_percent=line, complaint_percent=line, confident=confident, minimum_volume=least)
    counted = MonthTally(sent=sent, bounces=min(sent, bounces), complaints=min(sent, complaints))
    more = mails_to_below(counted, rule)

    def with_mails(count: int) -> MonthTally:
        return MonthTally(sent=sent + count, bounces=counted.bounces, complaints=counted.complaints)

    assert crossing(with_mails(more), rule) is None
    assert more == 0 or crossing(with_mails(more - 1), rule) is not None
