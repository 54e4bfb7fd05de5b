"""The decision: each check by its table of cases, their order, soft and hard, and what is counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from mailvane.outbound.admission.checks import CHECKS
from mailvane.outbound.admission.decision import judge_by
from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.model import (
    Counting,
    Domain,
    Enforcement,
    OutboundStatus,
    Reason,
    SendRequest,
    Usage,
    Verification,
    WarmupProfile,
)
from tests.tables import read_table

CASES = Path(__file__).parents[3] / "rules" / "admission"
NOW = 1_790_000_000_000
RULES = GovernanceRules()
PASSAGE = SendRequest(domain="a.example")


def domain(**fields: Any) -> Domain:
    said = {"id": 1, "workspace": 1, "name": "a.example", "created_at": 0} | fields
    return msgspec.convert(said, Domain)


def cases() -> list[Any]:
    found = []
    for file in sorted(CASES.glob("*.yaml")):
        for case in read_table(file):
            ((title, told),) = case.items()
            found.append(pytest.param(file.stem, told, id=f"{file.stem}: {title}"))
    return found


@pytest.mark.parametrize(("name", "case"), cases())
def test_a_check_refuses_what_its_cases_say(name: str, case: dict[str, Any]) -> None:
    check = next(each for each in CHECKS if each.name == name)
    rules = msgspec.convert(case.get("rules", {}), GovernanceRules)
    usage = msgspec.convert(case.get("usage", {}), Usage)
    assert check.refuses(domain(**case["domain"]), usage, case.get("units", 1), rules) is case["refused"]


def test_every_check_has_a_case_file_that_refuses_and_one_that_does_not() -> None:
    for check in CHECKS:
        told = read_table(CASES / f"{check.name}.yaml")
        assert {body["refused"] for case in told for body in case.values()} == {True, False}, check.name
    assert {file.stem for file in CASES.glob("*.yaml")} == {check.name for check in CHECKS}


def test_the_checks_are_asked_in_the_documented_order() -> None:
    assert [check.reason for check in CHECKS] == [
        Reason.SUSPENDED,
        Reason.SUSPENDED,
        Reason.UNVERIFIED,
        Reason.MONTHLY,
        Reason.DAILY,
        Reason.HOURLY,
        Reason.WARMUP,
        Reason.SPIKE,
    ]
    assert [check.name for check in CHECKS if not check.softens] == ["closed", "unverified"]


def crowded(**fields: Any) -> tuple[Domain, Usage]:
    """Over every limit there is."""
    limits = {"daily_limit": 100, "monthly_limit": 100, "hourly_fraction": 0.5, "spike_max_multiplier": 1}
    hour = NOW // 3_600_000
    usage = Usage(
        day=hour // 24,
        hour=hour,
        month=12 * 2026 + 8,
        sent_today=5_000,
        sent_this_hour=5_000,
        sent_month=5_000,
        first_day=hour // 24 - 3,
        last_days=(100,) * 7,
    )
    return domain(**limits, warmup_profile="fast", **fields), usage


RELIEF: list[tuple[Reason, dict[str, Any]]] = [
    (Reason.SUSPENDED, {"status": OutboundStatus.ACTIVE}),
    (Reason.UNVERIFIED, {"verification": Verification.VERIFIED}),
    (Reason.MONTHLY, {"monthly_limit": 0}),
    (Reason.DAILY, {"daily_limit": 4_000_000, "hourly_fraction": 0.0001}),
    (Reason.HOURLY, {"hourly_fraction": 0.0}),
    (Reason.WARMUP, {"warmup_profile": WarmupProfile.OFF}),
    (Reason.SPIKE, {"spike_max_multiplier": 0.0}),
]


def test_of_all_reasons_the_first_one_is_given() -> None:
    judge = judge_by(RULES)
    one, usage = crowded(status="suspended", verification="pending")
    for reason, relief in RELIEF:
        verdict, after = judge(one, usage, PASSAGE, NOW)
        assert (verdict.allowed, verdict.reason, verdict.word) == (False, reason, reason.value)
        assert after == usage, "what is refused is not counted"
        one = msgspec.structs.replace(one, **relief)
    verdict, after = judge(one, usage, PASSAGE, NOW)
    assert (verdict.allowed, verdict.reason, verdict.word) == (True, None, None)
    assert (after.sent_today, after.sent_this_hour, after.sent_month) == (5_001, 5_001, 5_001)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"status": "suspended"}, "outbound_suspended_soft"),
        ({"monthly_limit": 1}, "monthly_limit_exceeded_soft"),
        ({"daily_limit": 1}, "daily_limit_exceeded_soft"),
        ({"daily_limit": 100, "hourly_fraction": 0.1}, "hourly_limit_exceeded_soft"),
        ({"warmup_profile": "conservative"}, "warmup_limit_exceeded_soft"),
        ({"spike_max_multiplier": 1}, "spike_detected_soft"),
    ],
)
def test_soft_lets_pass_marks_and_counts(fields: dict[str, Any], word: str) -> None:
    _, crowd = crowded()
    usage = msgspec.structs.replace(crowd, sent_today=50, sent_this_hour=50, sent_month=50, last_days=(10,) * 7)
    verdict, after = judge_by(RULES)(domain(**fields, enforcement="soft"), usage, PASSAGE, NOW)
    assert (verdict.allowed, verdict.soft, verdict.word) == (True, True, word)
    assert (verdict.sent_today, verdict.sent_month) == (after.sent_today, after.sent_month) == (51, 51)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"closed": True}, Reason.SUSPENDED), ({"verification": "pending"}, Reason.UNVERIFIED)],
)
def test_soft_does_not_soften_a_closed_or_unverified_domain(fields: dict[str, Any], reason: Reason) -> None:
    one = domain(**fields, enforcement=Enforcement.SOFT)
    verdict, after = judge_by(RULES)(one, Usage(), PASSAGE, NOW)
    assert (verdict.allowed, verdict.soft, verdict.reason) == (False, False, reason)
    assert after.sent_month == 0


def test_a_softened_reason_does_not_hide_one_that_never_softens() -> None:
    one = domain(status="suspended", verification="pending", enforcement="soft")
    verdict, _ = judge_by(RULES)(one, Usage(), PASSAGE, NOW)
    assert (verdict.allowed, verdict.reason) == (False, Reason.UNVERIFIED)


def test_recipients_are_counted_where_the_domain_says_so() -> None:
    judge = judge_by(RULES)
    five = SendRequest(domain="a.example", units=5)
    assert judge(domain(), Usage(), five, NOW)[1].sent_today == 1
    by_recipient = domain(counting=Counting.RECIPIENTS, daily_limit=7)
    verdict, usage = judge(by_recipient, Usage(), five, NOW)
    assert (verdict.sent_today, verdict.allowed) == (5, True)
    verdict, usage = judge(by_recipient, usage, five, NOW)
    assert (verdict.sent_today, verdict.allowed) == (5, False), "all recipients or none"
    assert judge(by_recipient, usage, SendRequest(domain="a.example", units=2), NOW)[0].sent_today == 7
    assert judge(by_recipient, usage, SendRequest(domain="a.example", units=-3), NOW)[0].sent_today == 6


def test_the_seventh_passes_a_limit_of_seven_and_the_eighth_does_not() -> None:
    judge, usage = judge_by(RULES), Usage()
    allowed = []
    for _ in range(9):
        verdict, usage = judge(domain(daily_limit=7), usage, PASSAGE, NOW)
        allowed.append(verdict.allowed)
    assert allowed == [True] * 7 + [False] * 2
    assert usage.sent_today == 7
