"""Governance: domains, verification, feedback and the guillotine, resets, and what is written down of each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mailvane.core.errors import AlreadyExists, InvalidInput, NotFound
from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.outbound.admission.replay import Limits
from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.governance import Governance
from mailvane.outbound.model import (
    DEFAULT_WORKSPACE,
    Enforcement,
    Feedback,
    Guillotine,
    MinuteOfDecisions,
    OutboundStatus,
    ProofBegun,
    Reason,
    SendRequest,
    Verdict,
    Verification,
)
from mailvane.server.ledger import Ledger
from tests.ledgers import fresh_ledger

NOW = 1_790_000_000_000


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = fresh_ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def governance(ledger: Ledger) -> Governance:
    return governed(ledger)


def governed(ledger: Ledger, **rules: Any) -> Governance:
    return Governance(ledger.domains, ledger.billing, ledger.tenants, GovernanceRules(**rules))


def send(governance: Governance, number: int = 1, name: str = "a.example", now: int = NOW) -> list[Verdict]:
    return governance.decide([SendRequest(domain=name)] * number, now)


def bounce(governance: Governance, number: int, name: str = "a.example") -> list[bool]:
    told = [Feedback(bounces=1, message_id=f"m{each}", evidence={"kind": "bounce"}) for each in range(number)]
    return [governance.feedback(name, each, NOW) for each in told]


def told(governance: Governance, name: str = "a.example") -> list[tuple[str, str]]:
    return [(entry.action, entry.actor) for entry in governance.audit(name, 99) if entry.action != "created"]


# -- domains


def test_a_domain_of_nobody_belongs_to_the_default_workspace(governance: Governance, ledger: Ledger) -> None:
    first, second = governance.create("A.Example.", None, NOW), governance.create("b.example", None, NOW)
    assert (first.name, first.workspace) == ("a.example", second.workspace)
    assert [each.name for each in ledger.tenants.workspaces()] == [DEFAULT_WORKSPACE]


def test_a_domain_is_found_under_any_spelling(governance: Governance, ledger: Ledger) -> None:
    made = governance.create("bücher.example", ledger.tenants.add_workspace("acme", NOW).id, NOW)
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
    assert not governance.feedback(name, Feedback(bounces=1, message_id="m1"), NOW)


def test_one_impossible_question_does_not_spoil_the_others(governance: Governance) -> None:
    governance.create("a.example", None, NOW)
    governance.change("a.example", {"counting": "recipients"}, "key 1", NOW)
    odd = [
        SendRequest(domain="\x00.example"),
        SendRequest(domain="\udcff"),
        SendRequest(domain="a.example", units=10**40),
        SendRequest(domain="A.EXAMPLE", instance="\udcff\x00"),
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


def test_where_all_must_be_verified_a_new_domain_waits(ledger: Ledger) -> None:
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
    governance.feedback("a.example", Feedback(bounces=1, message_id="m-1", evidence={"recipient": "x@b.example"}), NOW)
    entry, _ = governance.audit("a.example", 9)
    assert msgspec.json.decode(entry.evidence) == {
        "crossed": {"line": "bounces", "count": 1, "sent": 10, "rate": 10.0, "lower_bound": 1.79, "limit": 3.0},
        "rule": msgspec.to_builtins(Guillotine()),
        "message_id": "m-1",
        "notification": {"recipient": "x@b.example"},
    }


def status(governance: Governance) -> OutboundStatus:
    return governance.domain("a.example").status


def late(governance: Governance, number: int, mail_at: int, now: int, complaint: bool = False) -> list[bool]:
    """Bounces or complaints that come now, about mail of then."""
    told = Feedback(bounces=int(not complaint), complaints=int(complaint), message_id="", mail_at=mail_at)
    each = [msgspec.structs.replace(told, message_id=f"{mail_at} {place} {now}") for place in range(number)]
    return [governance.feedback("a.example", one, now) for one in each]


def test_the_bounces_of_a_restored_domain_count_anew(governance: Governance) -> None:
    governance.create("a.example", None, NOW)
    send(governance, 100)
    bounce(governance, 4)
    assert status(governance) is OutboundStatus.SUSPENDED
    governance.change("a.example", {"status": "active"}, "key 1", NOW + HOUR_MS)
    entry = governance.audit("a.example", 1)[0]
    assert (entry.action, msgspec.json.decode(entry.evidence)) == (
        "restored",
        {
            "status": ["suspended", "active"],
            "counted_until_now": {"sent": 100, "bounces": 4, "complaints": 0},
            "counted_anew_from": NOW + HOUR_MS,
        },
    )
    shown = governance.usage_today("a.example", NOW + HOUR_MS)
    assert (shown.sent_month, shown.bounces, shown.figures.bounces, shown.figures.bounce_rate) == (100, 4, 0, 0.0)
    # Of mail that was sent before, whenever it comes: also when nobody says of which mail, as long as none was sent.
    assert late(governance, 20, NOW, NOW + 2 * HOUR_MS) == [True] * 20
    assert bounce(governance, 9)[4:] == [True] * 5
    send(governance, now=NOW + 2 * HOUR_MS)
    assert status(governance) is OutboundStatus.ACTIVE
    # And of mail that was sent after it by the same rule as ever.
    send(governance, 99, now=NOW + 2 * HOUR_MS)
    late(governance, 3, NOW + 2 * HOUR_MS, NOW + 3 * HOUR_MS)
    assert status(governance) is OutboundStatus.ACTIVE
    assert governance.usage_today("a.example", NOW + 3 * HOUR_MS).figures.bounce_rate == 3.0
    late(governance, 1, NOW + 2 * HOUR_MS + 1, NOW + 3 * HOUR_MS)
    assert status(governance) is OutboundStatus.SUSPENDED
    assert governance.usage_today("a.example", NOW).bounces == 33


def test_a_domain_that_is_activated_and_was_not_suspended_goes_on_as_it_was(governance: Governance) -> None:
    governance.create("a.example", None, NOW)
    send(governance, 100)
    bounce(governance, 3)
    governance.change("a.example", {"status": "active", "daily_limit": 500}, "key 1", NOW)
    assert governance.usage_today("a.example", NOW).figures.bounces == 3
    bounce(governance, 4)
    assert status(governance) is OutboundStatus.SUSPENDED


NOVEMBER = 1_793_491_200_000  # 1 November 2026
DECEMBER = NOVEMBER + 30 * DAY_MS


def test_a_late_bounce_is_charged_to_the_month_of_its_mail(governance: Governance) -> None:
    governance.create("a.example", None, NOVEMBER)
    send(governance, 1000, now=DECEMBER - HOUR_MS)
    send(governance, 3, now=DECEMBER + HOUR_MS)
    assert late(governance, 1, DECEMBER - HOUR_MS, DECEMBER + HOUR_MS) == [True]
    assert status(governance) is OutboundStatus.ACTIVE
    december = governance.usage_today("a.example", DECEMBER + HOUR_MS)
    assert (december.bounces, december.figures.bounce_rate) == (0, 0.0)
    # That month has a rate of its own, which stops a domain that sent its spam in the last night of the month.
    late(governance, 29, DECEMBER - HOUR_MS + 1, DECEMBER + 2 * HOUR_MS)
    assert status(governance) is OutboundStatus.ACTIVE
    late(governance, 1, DECEMBER - HOUR_MS + 2, DECEMBER + 2 * HOUR_MS)
    assert status(governance) is OutboundStatus.SUSPENDED
    evidence = msgspec.json.decode(governance.audit("a.example", 1)[0].evidence)
    assert (evidence["month"], evidence["crossed"]["count"], evidence["crossed"]["sent"]) == ("2026-11", 31, 1000)
    # It is billed with that month, and restoring the domain settles that month, too.
    governance.change("a.example", {"status": "active"}, "key 1", DECEMBER + 3 * HOUR_MS)
    late(governance, 5, DECEMBER - HOUR_MS + 3, DECEMBER + 4 * HOUR_MS)
    assert status(governance) is OutboundStatus.ACTIVE
    (frozen,) = governance.reset_monthly(DECEMBER + 5 * HOUR_MS).domains
    assert (frozen.sent_month, frozen.bounces) == (1003, 36)


def test_a_month_that_was_frozen_is_one_with_the_minutes_after_it(governance: Governance) -> None:
    governance.create("a.example", None, NOVEMBER)
    send(governance, 1000, now=DECEMBER - HOUR_MS)
    send(governance, 3, now=DECEMBER + 60_000)
    governance.reset_monthly(DECEMBER + 300_000)
    send(governance, 2, now=DECEMBER + HOUR_MS)
    for mail_at in (DECEMBER - HOUR_MS, DECEMBER + 60_000, DECEMBER + 299_999):
        assert late(governance, 10, mail_at, DECEMBER + HOUR_MS) == [True] * 10
    assert status(governance) is OutboundStatus.ACTIVE
    assert governance.usage_today("a.example", DECEMBER + HOUR_MS).figures.bounces == 0
    late(governance, 1, DECEMBER + 1, DECEMBER + HOUR_MS)
    assert status(governance) is OutboundStatus.SUSPENDED
    (frozen,) = governance.reset_monthly(DECEMBER + 2 * HOUR_MS).domains
    assert (frozen.sent_month, frozen.bounces) == (2, 0), "what was frozen is not billed again"


def test_feedback_on_mail_of_long_ago_counts_nowhere(governance: Governance) -> None:
    governance.create("a.example", None, NOVEMBER)
    send(governance, 3, now=DECEMBER + HOUR_MS)
    assert late(governance, 1, NOVEMBER, DECEMBER + HOUR_MS) == [False], "nothing was counted in that month"
    assert late(governance, 1, NOVEMBER - 90 * DAY_MS, DECEMBER + HOUR_MS) == [False]
    assert late(governance, 1, NOVEMBER, DECEMBER + HOUR_MS, complaint=True) == [False]
    assert status(governance) is OutboundStatus.ACTIVE
    # A clock of the sending service that is ahead of ours is no other month.
    assert late(governance, 1, DECEMBER + 40 * DAY_MS, DECEMBER + HOUR_MS) == [True]
    assert status(governance) is OutboundStatus.SUSPENDED


def test_the_rule_is_judged_when_mail_is_counted_too(governance: Governance) -> None:
    governance.create("a.example", None, NOW)
    bounce(governance, 1)
    assert status(governance) is OutboundStatus.ACTIVE
    assert [verdict.word for verdict in send(governance, 3)] == [None, "outbound_suspended", "outbound_suspended"]
    entry = governance.audit("a.example", 1)[0]
    assert told(governance) == [("suspended", "guillotine")]
    evidence = msgspec.json.decode(entry.evidence)
    assert (evidence["counted"], evidence["crossed"]["count"], evidence["crossed"]["sent"]) == ("mail", 1, 1)


def test_a_rule_that_waits_for_mail_acts_with_the_mail_it_waited_for(ledger: Ledger) -> None:
    for warn_only, expected in ((False, ["suspended"]), (True, ["warned"])):
        governance = governed(ledger, guillotine=Guillotine(minimum_volume=50, warn_only=warn_only))
        name = f"{warn_only}.example".lower()
        governance.create(name, None, NOW)
        send(governance, 49, name)
        bounce(governance, 2, name)
        assert governance.domain(name).status is OutboundStatus.ACTIVE
        send(governance, 10, name)
        assert [entry.action for entry in governance.audit(name, 9) if entry.actor == "guillotine"] == expected
        assert governance.usage_today(name, NOW).sent_month == (50 if not warn_only else 59)


def test_a_suspended_domain_is_not_suspended_again(governance: Governance) -> None:
    governance.create("a.example", None, NOW)
    send(governance, 10)
    bounce(governance, 5)
    assert told(governance) == [("suspended", "guillotine")]
    assert governance.usage_today("a.example", NOW).bounces == 5


def test_complaints_have_a_line_of_their_own(ledger: Ledger) -> None:
    governance = governed(ledger, guillotine=Guillotine(complaint_percent=0.5))
    governance.create("a.example", None, NOW)
    send(governance, 100)
    governance.feedback("a.example", Feedback(complaints=1, message_id="c1"), NOW)
    assert governance.domain("a.example").status is OutboundStatus.SUSPENDED


def test_a_warning_is_given_once_and_stops_nothing(ledger: Ledger) -> None:
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
    governance.feedback("a.example", Feedback(bounces=1, message_id="late"), later)
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
