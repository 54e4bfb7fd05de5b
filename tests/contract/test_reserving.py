"""A mail that is asked about at its first recipient and again at its end, where recipients count; on every ledger."""

from __future__ import annotations

import msgspec
import pytest

from mailvane.outbound.model import Counting, Domain, Enforcement, MinuteOfDecisions, SendRequest, Usage, Verdict
from mailvane.server.ledger import Ledger
from tests.contract.deciding import JUDGE, NOW, added, decisions, usages

NAME = "a.example"
MINUTE = NOW // 60_000 * 60_000


@pytest.fixture
def domain(ledger: Ledger) -> Domain:
    fresh = Domain(
        id=0,
        workspace=ledger.tenants.add_workspace("acme", NOW).id,
        name=NAME,
        created_at=NOW,
        counting=Counting.RECIPIENTS,
        daily_limit=10,
    )
    return added(ledger, fresh)


def asked(instance: str, units: int) -> SendRequest:
    return SendRequest(domain=NAME, instance=instance, units=units)


def ask(ledger: Ledger, instance: str, units: int) -> Verdict:
    (verdict,) = ledger.domains.decide([asked(instance, units)], NOW, JUDGE)
    return verdict


def usage(ledger: Ledger) -> Usage:
    return usages(ledger, NAME)[NAME]


@pytest.mark.usefixtures("domain")
def test_the_recipients_of_its_end_replace_the_one_of_its_beginning(ledger: Ledger) -> None:
    assert ask(ledger, "1", 1).sent_today == 1
    assert ask(ledger, "1", 1).sent_today == 1
    assert ask(ledger, "1", 7).sent_today == 7
    assert ask(ledger, "1", 7).sent_today == 7
    counted = usage(ledger)
    assert (counted.sent_today, counted.sent_this_hour, counted.sent_month) == (7, 7, 7)
    assert decisions(ledger, NAME, 0, NOW + 1) == [MinuteOfDecisions(domain=NAME, minute=MINUTE, asked=7, allowed=7)]


@pytest.mark.usefixtures("domain")
def test_what_fits_exactly_passes(ledger: Ledger) -> None:
    assert ask(ledger, "1", 1).allowed
    assert ask(ledger, "1", 10).allowed
    assert not ask(ledger, "2", 1).allowed


@pytest.mark.usefixtures("domain")
def test_a_mail_that_proves_too_large_is_refused_and_gives_back_what_it_held(ledger: Ledger) -> None:
    assert ask(ledger, "1", 1).allowed
    assert not ask(ledger, "1", 11).allowed
    assert usage(ledger).sent_today == 0
    assert not ask(ledger, "1", 11).allowed, "asked again, it is still refused"
    assert not ask(ledger, "1", 1).allowed
    assert usage(ledger).sent_today == 0
    assert decisions(ledger, NAME, 0, NOW + 1) == [MinuteOfDecisions(domain=NAME, minute=MINUTE, asked=11, allowed=0)]


@pytest.mark.usefixtures("domain")
def test_mails_that_were_named_at_one_time_are_told_apart_and_recognised(ledger: Ledger) -> None:
    named = [msgspec.structs.replace(asked(instance, 1), named_at=NOW * 1000) for instance in "1213"]
    assert [each.sent_today for each in ledger.domains.decide(named, NOW, JUDGE)] == [1, 2, 1, 3]
    assert [each.sent_today for each in ledger.domains.decide(named[::-1], NOW, JUDGE)] == [3, 1, 2, 1]
    assert usage(ledger).sent_today == 3


@pytest.mark.usefixtures("domain")
def test_one_transaction_may_see_both_questions(ledger: Ledger) -> None:
    verdicts = ledger.domains.decide([asked("1", 1), asked("2", 1), asked("1", 4), asked("2", 1)], NOW, JUDGE)
    assert [verdict.sent_today for verdict in verdicts] == [1, 2, 5, 2]
    assert usage(ledger).sent_today == 5


def test_where_messages_count_the_end_is_free(ledger: Ledger, domain: Domain) -> None:
    ledger.domains.change_domain(NAME, lambda old: msgspec.structs.replace(old, counting=Counting.MESSAGES), None)
    ask(ledger, "1", 1)
    ask(ledger, "1", 50)
    assert usage(ledger).sent_today == 1


def test_a_soft_limit_counts_every_recipient_beyond_it(ledger: Ledger, domain: Domain) -> None:
    ledger.domains.change_domain(NAME, lambda old: msgspec.structs.replace(old, enforcement=Enforcement.SOFT), None)
    assert ask(ledger, "1", 1).word is None
    verdict = ask(ledger, "1", 25)
    assert (verdict.allowed, verdict.word, verdict.sent_today) == (True, "daily_limit_exceeded_soft", 25)
