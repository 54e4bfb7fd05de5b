"""Values of outbound governance: rates, words, and what a mail counts."""

from __future__ import annotations

import msgspec
import pytest

from mailvane.outbound.model import Counting, Domain, Reason, SendRequest, Usage, Verdict, percent


def test_rates_have_two_decimals_and_nothing_sent_is_zero() -> None:
    usage = Usage(sent_month=300, bounces=4, complaints=1)
    assert (usage.figures.bounce_rate, usage.figures.complaint_rate) == (1.33, 0.33)
    assert Usage(bounces=4).figures.bounce_rate == 0.0
    assert percent(2, 3) == 66.67


@pytest.mark.parametrize(
    ("reason", "soft", "word"),
    [
        (None, False, None),
        (Reason.DAILY, False, "daily_limit_exceeded"),
        (Reason.DAILY, True, "daily_limit_exceeded_soft"),
    ],
)
def test_a_softened_reason_says_so(reason: Reason | None, soft: bool, word: str | None) -> None:
    assert Verdict(domain="a.example", allowed=True, reason=reason, soft=soft).word == word


def test_a_mail_counts_once_or_by_its_recipients() -> None:
    messages = Domain(id=1, workspace=1, name="a.example", created_at=0)
    recipients = Domain(id=1, workspace=1, name="a.example", created_at=0, counting=Counting.RECIPIENTS)
    assert SendRequest(domain="a.example", units=7).counted_in(messages) == 1
    assert SendRequest(domain="a.example", units=7).counted_in(recipients) == 7
    assert SendRequest(domain="a.example", units=0).counted_in(recipients) == 1


def test_a_verdict_that_an_earlier_version_kept_can_be_read() -> None:
    kept = {
        "domain": "shop.example", "allowed": True, "reason": None, "soft": False, "sent_today": 3, "sent_month": 4,
        "known": True, "pending": False, "window": None, "key_reused": False, "suppressed_by": "", "held": False,
    }  # fmt: skip
    read = msgspec.msgpack.decode(msgspec.msgpack.encode(kept), type=Verdict)
    assert read == Verdict(domain="shop.example", allowed=True, sent_today=3, sent_month=4)
