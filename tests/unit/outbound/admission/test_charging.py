"""To which month feedback is charged; what is shown and suspended by it is judged in `services/test_governance.py`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.outbound.admission.charging import OLDEST_MS, charged, month_text, restored
from mailvane.outbound.admission.counters import counted, month_reset, today
from mailvane.outbound.model import Feedback, Usage

NOVEMBER = 1_793_491_200_000  # 1 November 2026
DECEMBER = NOVEMBER + 30 * DAY_MS


def bounce(usage: Usage, mail_at: int | None, now: int) -> Usage | None:
    charge = charged(usage, Feedback(bounces=1, message_id="m", mail_at=mail_at), now)
    return None if charge is None else charge.usage


def test_the_month_of_the_mail_is_charged_and_named() -> None:
    usage = counted(today(Usage(), NOVEMBER), 10)
    usage = counted(today(usage, DECEMBER), 3)
    charge = charged(usage, Feedback(bounces=1, message_id="m", mail_at=DECEMBER - 1), DECEMBER + 5)
    assert charge is not None
    assert (charge.usage.bounces, charge.usage.unbilled_bounces) == (0, 1)
    assert (charge.before.figures.bounces, charge.after.figures.bounces, charge.after.figures.sent) == (0, 1, 10)
    assert month_text(charge.after) == "2026-11"
    now = charged(usage, Feedback(complaints=1, message_id="m", mail_at=DECEMBER), DECEMBER + 5)
    assert now is not None
    assert (now.usage.complaints, now.usage.unbilled_complaints, month_text(now.after)) == (1, 0, "2026-12")


def test_what_was_frozen_has_the_month_that_it_began_in() -> None:
    usage = month_reset(counted(today(Usage(), NOVEMBER + DAY_MS), 10), DECEMBER + HOUR_MS)
    charge = charged(usage, Feedback(bounces=1, message_id="m", mail_at=NOVEMBER + DAY_MS), DECEMBER + 2 * HOUR_MS)
    assert charge is not None
    assert (month_text(charge.after), charge.after.figures.sent, charge.usage.unbilled_bounces) == ("2026-11", 10, 0)
    assert bounce(usage, DECEMBER + HOUR_MS, DECEMBER + 2 * HOUR_MS) == bounce(usage, None, DECEMBER + 2 * HOUR_MS)


def test_the_oldest_mail_that_counts() -> None:
    usage = counted(today(Usage(), NOVEMBER), 10)
    later = NOVEMBER + OLDEST_MS
    assert bounce(usage, NOVEMBER, later) is not None
    assert bounce(usage, NOVEMBER, later + 1) is None


def test_the_mail_of_the_very_moment_in_which_a_domain_is_restored_is_settled_until_more_is_sent() -> None:
    usage = restored(counted(today(Usage(), NOVEMBER), 10), NOVEMBER)
    before = bounce(usage, NOVEMBER, NOVEMBER)
    assert before is not None
    assert (before.bounces, before.figures.bounces) == (1, 0)
    after = bounce(counted(usage, 1), NOVEMBER, NOVEMBER)
    assert after is not None
    assert after.figures.bounces == 1


@given(
    st.lists(
        st.tuples(st.sampled_from(["send", "bounce", "restore", "freeze"]), st.integers(0, 20), st.integers(0, 70)),
        max_size=40,
    )
)
def test_what_counts_is_billed_once_and_no_figure_is_less_than_nothing(steps: list[tuple[str, int, int]]) -> None:
    usage, now, billed, bounced = Usage(), NOVEMBER, 0, 0
    for step, pause, ago in steps:
        now += pause * DAY_MS // 4
        usage = today(usage, now)
        if step == "send":
            usage = counted(usage, 1)
        elif step == "restore":
            usage = restored(usage, now)
            assert usage.figures.bounces == usage.figures.sent == 0
        elif step == "freeze":
            billed += usage.unbilled_bounces + usage.bounces
            usage = month_reset(usage, now)
        else:
            charge = charged(usage, Feedback(bounces=1, message_id="m", mail_at=now - ago * DAY_MS), now)
            if charge is not None:
                bounced += not charge.after.frozen
                usage = charge.usage
                assert charge.after.bounces == charge.before.bounces + 1
        assert min(usage.figures.sent, usage.figures.bounces, usage.unbilled_bounces) >= 0
    assert billed + usage.unbilled_bounces + usage.bounces == bounced
