"""Governance: domains, verification, feedback and the guillotine, resets, and what is written down of each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mailvane.admission.replay import Limits
from mailvane.admission.rules import GovernanceRules
from mailvane.domain.outbound import (
    DAY_MS,
    DEFAULT_WORKSPACE,
    HOUR_MS,
    Enforcement,
    Guillotine,
    OutboundStatus,
    Passage,
    ProofBegun,
    Reason,
    Verdict,
    Verification,
)
from mailvane.errors import AlreadyExists, InvalidInput, NotFound
from mailvane.services.governance import Governance
from mailvane.storage.domains import MinuteOfDecisions
from mailvane.storage.ledger import SqlLedger, open_ledger

NOW = 1_790_000_000_000


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    opened = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    yield opened
    opened.close()


@pytest.fixture
def governance(ledger: SqlLedger) -> Governance:
    return governed(ledger)


def governed(ledger: SqlLedger, **rules: Any) -> Governance:
    return Governance(ledger, ledger, ledger, GovernanceRules(**rules))


def send(governance: Governance, number: int = 1, name: str = "a.example", now: int = NOW) -> list[Verdict]:
    return governance.decide([Passage(domain=name)] * number, now)


def bounce(governance: Governance, number: int, name: str = "a.example") -> list[bool]:
    return [governance.feedback(name, 1, 0, {"kind": "bounce"}, f"m{each}", NOW) for each in range(number)]


def told(governance: Governance, name: str = "a.example") -> list[tuple[str, str]]:
    return [(entry.action, entry.actor) for entry in governance.audit(name, 99) if entry.action != "created"]


# -- domains


def test_a_domain_of_nobody_belongs_to_the_default_workspace(governance: Governance, ledger: SqlLedger) -> None:
    first, second = governance.create("A.Example.", None, NOW), governance.create("b.example", None, NOW)
    assert (first.name, first.workspace) == ("a.example", second.workspace)
    assert [each.name for each in ledger.workspaces()] == [DEFAULT_WORKSPACE]


def test_a_domain_is_found_under_any_spelling(governance: Governance, ledger: SqlLedger) -> None:
    made = governance.create("bücher.example", ledger.add_workspace("acme", NOW).id, NOW)
    assert governance.domain("BÜCHER.example") == made
    assert send(governance, name="Bücher.Example")[0].known
    with pytest.raises(AlreadyExists):
        governance.create("xn--bcher-kva.example", None, NOW)
    governance.remove("Bücher.example.", "key 1", NOW)
    assert governance.domains() == []


@pytest.mark.parametrize("name", ["", "b.example", "\x00", "a..b", "x" * 5_000])
def test_there_is_no_such_domain(governance: Governance, name: str) -> None:
    for ask in (
        governance.domain,
        lambda it: governance.remove(it, "key 1", NOW),
        lambda it: governance.usage_today(it, NOW),
    ):
        with pytest.raises(NotFound, match="there is no domain"):
            ask(name)
    with pytest.raises(NotFound):
        governance.change(name, {"daily_limit": 1}, "key 1", NOW)
    with pytest.raises(NotFound):
        governance.verification_started(name, ProofBegun(token="t"), "key 1", NOW)
    assert governance.audit(name, 9) == []
    assert not governance.feedback(name, 1, 0, {}, "m1", NOW)


def test_one_impossible_question_does_not_spoil_the_others(governance: Governance) -> None:
    governance.create("a.example", None, NOW)
    governance.change("a.example", {"counting": "recipients"}, "key 1", NOW)
    odd = [
        Passage(domain="\x00.example"),
        Passage(domain="\udcff"),
        Passage(domain="a.example", units=10**40),
        Passage(domain="A.EXAMPLE", instance="\udcff\x00"),
    ]
    found = governance.decide(odd, NOW)
    assert [verdict.known for verdict in found] == [False, False, True, True]
    assert all(verdict.allowed for verdict in found)
    assert found[-1].sent_today == 1_000_001


def test_a_change_is_written_down_with_what_was_and_what_is(governance: Governance) -> None:
    governance.create("a.example", None, NOW)
    changed = governance.change("a.example", {"daily_limit": 500, "enforcement": "soft"}, "key 7", NOW + 5)
    assert (changed.daily_limit, changed.enforcement) == (500, Enforcement.SOFT)
    entry, _ = governance.audit("a.example", 9)
    assert (entry.action, entry.actor, entry.at, entry.workspace) == ("limits_changed", "key 7", NOW + 5, 1)
    assert msgspec.json.decode(entry.evidence) == {"daily_limit": [0, 500], "enforcement": ["hard", "soft"]}
    governance.change("a.example", {"daily_limit": 500}, "key 7", NOW + 6)
    assert len(governance.audit("a.example", 9)) == 2, "what changes nothing is not written down"
    with pytest.raises(InvalidInput):
        governance.change("a.example", {"daily_limit": 9, "tier": "gold"}, "key 7", NOW)
    assert governance.domain("a.example").daily_limit == 500


def test_counters_are_shown_as_of_now(governance: Governance) -> None:
    governance.create("a.example", None, NOW)
    send(governance, 3)
    assert governance.usage_today("a.example", NOW).sent_today == 3
    tomorrow = governance.usage_today("A.example", NOW + DAY_MS)
    assert (tomorrow.sent_today, tomorrow.sent_month) == (0, 3)
    domain = governance.domain("a.example")
    unknown = msgspec.structs.replace(domain, id=999)
    assert list(governance.usages_today([domain, unknown], NOW)) == [domain.id]


# -- verification


def test_from_the_first_step_of_verification_to_its_end_nothing_is_sent(governance: Governance) -> None:
    governance.create("a.example", None, NOW)
    governance.change("a.example", {"enforcement": "soft"}, "key 1", NOW)
    started = governance.verification_started(
        "a.example", ProofBegun(token="secret", dkim_tokens=("k1", "k2")), "key 1", NOW
    )
    assert (started.verification, started.dkim_tokens) == (Verification.PENDING, ("k1", "k2"))
    assert send(governance)[0].reason is Reason.UNVERIFIED
    governance.verified("a.example", "SES", NOW)
    assert send(governance)[0].allowed
    governance.verified("a.example", "SES", NOW)
    assert told(governance)[:2] == [("verified", "SES"), ("verification_started", "key 1")]
    assert "secret" not in governance.audit("a.example", 9)[1].evidence


def test_where_all_must_be_verified_a_new_domain_waits(ledger: SqlLedger) -> None:
    strict = governed(ledger, require_verification=True)
    strict.create("a.example", None, NOW)
    assert send(strict)[0].reason is Reason.UNVERIFIED


# -- the guillotine


def test_a_hundred_sent_and_four_bounced_is_the_end_until_somebody_restores_it(governance: Governance) -> None:
    governance.create("a.example", None, NOW)
    send(governance, 100)
    assert bounce(governance, 3) == [True] * 3
    assert governance.domain("a.example").status is OutboundStatus.ACTIVE
    assert bounce(governance, 4) == [False, False, False, True]
    assert governance.domain("a.example").status is OutboundStatus.SUSPENDED
    assert send(governance)[0].word == "outbound_suspended"
    governance.change("a.example", {"enforcement": "soft"}, "key 1", NOW)
    assert send(governance)[0].word == "outbound_suspended_soft"
    governance.change("a.example", {"status": "active"}, "key 1", NOW)
    assert send(governance)[0].word is None
    assert told(governance) == [("restored", "key 1"), ("limits_changed", "key 1"), ("suspended", "guillotine")]


def test_a_suspension_carries_its_evidence(governance: Governance) -> None:
    governance.create("a.example", None, NOW)
    send(governance, 10)
    governance.feedback("a.example", 1, 0, {"recipient": "x@b.example"}, "m-1", NOW)
    entry, _ = governance.audit("a.example", 9)
    assert msgspec.json.decode(entry.evidence) == {
        "crossed": {"line": "bounces", "count": 1, "sent": 10, "rate": 10.0, "lower_bound": 1.79, "limit": 3.0},
        "rule": msgspec.to_builtins(Guillotine()),
        "message_id": "m-1",
        "notification": {"recipient": "x@b.example"},
    }


def test_the_next_bounce_of_a_restored_domain_stops_it_again(governance: Governance) -> None:
    governance.create("a.example", None, NOW)
    send(governance, 10)
    bounce(governance, 1)
    governance.change("a.example", {"status": "active"}, "key 1", NOW)
    bounce(governance, 2)
    assert governance.domain("a.example").status is OutboundStatus.SUSPENDED


def test_a_suspended_domain_is_not_suspended_again(governance: Governance) -> None:
    governance.create("a.example", None, NOW)
    send(governance, 10)
    bounce(governance, 5)
    assert told(governance) == [("suspended", "guillotine")]
    assert governance.usage_today("a.example", NOW).bounces == 5


def test_complaints_have_a_line_of_their_own(ledger: SqlLedger) -> None:
    governance = governed(ledger, guillotine=Guillotine(complaint_percent=0.5))
    governance.create("a.example", None, NOW)
    send(governance, 100)
    governance.feedback("a.example", 0, 1, {}, "c1", NOW)
    assert governance.domain("a.example").status is OutboundStatus.SUSPENDED


def test_a_warning_is_given_once_and_stops_nothing(ledger: SqlLedger) -> None:
    governance = governed(ledger, guillotine=Guillotine(warn_only=True))
    governance.create("a.example", None, NOW)
    send(governance, 10)
    bounce(governance, 5)
    assert governance.domain("a.example").status is OutboundStatus.ACTIVE
    assert told(governance) == [("warned", "guillotine")]


def test_a_domain_may_have_a_rule_of_its_own(governance: Governance) -> None:
    governance.create("a.example", None, NOW)
    governance.change("a.example", {"guillotine": {"minimum_volume": 50, "probation_daily": 60}}, "key 1", NOW)
    send(governance, 49)
    bounce(governance, 40)
    assert governance.domain("a.example").status is OutboundStatus.ACTIVE
    send(governance)
    bounce(governance, 41)
    assert governance.domain("a.example").status is OutboundStatus.SUSPENDED
    assert [verdict.allowed for verdict in send(governance, 12)] == [True] * 10 + [False] * 2
    governance.change("a.example", {"guillotine": None}, "key 1", NOW)
    assert governance.domain("a.example").guillotine is None


def test_bounces_of_a_new_month_are_counted_anew(governance: Governance) -> None:
    governance.create("a.example", None, NOW)
    send(governance, 100)
    bounce(governance, 3)
    later = NOW + 31 * DAY_MS
    send(governance, 100, now=later)
    governance.feedback("a.example", 1, 0, {}, "late", later)
    assert governance.usage_today("a.example", later).bounces == 1
    assert governance.domain("a.example").status is OutboundStatus.ACTIVE


# -- resets and replays


def test_resets_say_how_many_domains_there_are(governance: Governance) -> None:
    governance.create("a.example", None, NOW)
    governance.create("b.example", None, NOW)
    send(governance, 5)
    assert governance.reset_daily(NOW) == 2
    assert governance.usage_today("a.example", NOW).sent_today == 0
    period = governance.reset_monthly(NOW, "2026-09")
    assert {each.name: each.sent_month for each in period.domains} == {"a.example": 5, "b.example": 0}
    send(governance, 2)
    assert governance.reset_monthly(NOW, "2026-09") == period
    assert governance.usage_today("a.example", NOW).sent_month == 2
    assert governance.periods(9) == [period]


@pytest.mark.parametrize("key", ["", "x" * 256, "a\x00b", "ä"])
def test_an_impossible_key_freezes_nothing(governance: Governance, key: str) -> None:
    with pytest.raises(InvalidInput):
        governance.reset_monthly(NOW, key)
    assert governance.periods(9) == []


def test_what_was_decided_can_be_replayed_under_other_limits(governance: Governance) -> None:
    governance.create("a.example", None, NOW)
    governance.change("a.example", {"daily_limit": 20}, "key 1", NOW)
    send(governance, 25)
    send(governance, 4, now=NOW + DAY_MS)
    found = governance.what_if("a.example", NOW - DAY_MS, NOW + 2 * DAY_MS, Limits(daily=10))
    assert (found.asked, found.passed_then, found.stopped, len(found.days)) == (29, 24, 15, 1)
    assert found.from_log == 0
    logged = [
        MinuteOfDecisions(domain="a.example", minute=hour, asked=30, allowed=30)
        for hour in (NOW // HOUR_MS * HOUR_MS - DAY_MS, NOW // HOUR_MS * HOUR_MS)
    ]
    found = governance.what_if("a.example", NOW - 2 * DAY_MS, NOW + 2 * DAY_MS, Limits(daily=10), logged)
    # The later of these hours has decisions of its own, which know better.
    assert (found.asked, found.from_log, found.stopped, len(found.days)) == (59, 30, 35, 2)
