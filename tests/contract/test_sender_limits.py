"""The daily limit of a mailbox, and its warm-up, decide on its mail: exactly, on both ledgers, by many at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mailvane.core.moments import DAY_MS
from mailvane.mailboxes.model import Mailbox, Warmup, mailbox_id
from mailvane.outbound.model import Counting, Domain, Reason, SendRequest, Verdict
from mailvane.server.ledger import Ledger, open_ledger
from tests.contract.deciding import JUDGE, NOW, added, usages

ANN = "ann@ours.example"


@pytest.fixture
def workspace(ledger: Ledger) -> int:
    return ledger.tenants.add_workspace("acme", NOW).id


def mailbox(ledger: Ledger, workspace: int, address: str = ANN, **fields: Any) -> None:
    new = Mailbox(id=mailbox_id(workspace, address), workspace=workspace, address=address, created_at=NOW, **fields)
    ledger.mailboxes.add(new)


def ask(ledger: Ledger, *senders: str, now: int = NOW, domain: str = "ours.example", **more: Any) -> Verdict:
    request = SendRequest(domain=domain, senders=senders or (ANN,), mail_server=True, **more)
    return ledger.domains.decide([request], now, JUDGE)[0]


def allowed(ledger: Ledger, count: int, *senders: str, **more: Any) -> int:
    return sum(ask(ledger, *senders, **more).allowed for _ in range(count))


def test_of_many_at_once_exactly_so_many_pass(ledger: Ledger, ledger_url: str, workspace: int) -> None:
    """Two nodes, each with many who ask."""
    mailbox(ledger, workspace, daily_limit=100)
    other = open_ledger(ledger_url)
    try:
        with ThreadPoolExecutor(8) as pool:
            group = [SendRequest(domain="ours.example", senders=(ANN,), mail_server=True)] * 4
            answers = pool.map(lambda turn: (ledger, other)[turn % 2].domains.decide(group, NOW, JUDGE), range(40))
            found = [verdict for verdicts in answers for verdict in verdicts]
    finally:
        other.close()
    assert (len(found), sum(verdict.allowed for verdict in found)) == (160, 100)
    assert {verdict.reason for verdict in found if not verdict.allowed} == {Reason.MAILBOX}


def test_a_new_day_begins_anew(ledger: Ledger, workspace: int) -> None:
    mailbox(ledger, workspace, daily_limit=2)
    assert allowed(ledger, 3) == 2
    assert allowed(ledger, 3, now=NOW + DAY_MS) == 2
    assert allowed(ledger, 1, now=NOW) == 0, "a clock that goes back finds its day again"


def test_a_mail_that_is_asked_about_again_counts_once(ledger: Ledger, workspace: int) -> None:
    mailbox(ledger, workspace, daily_limit=2)
    for instance in ("1", "1", "2", "2"):
        assert ask(ledger, instance=instance, is_look=True).allowed
        assert ask(ledger, instance=instance).allowed
    assert not ask(ledger, instance="3", is_look=True).allowed
    assert ask(ledger, instance="1").allowed, "as it was answered"


def test_a_limit_of_its_domain_holds_besides(ledger: Ledger, workspace: int) -> None:
    mailbox(ledger, workspace, daily_limit=2)
    terms: dict[str, Any] = {"daily_limit": 3, "counting": Counting.RECIPIENTS}
    added(ledger, Domain(id=0, workspace=workspace, name="ours.example", created_at=NOW, **terms))
    assert ask(ledger, instance="1", units=1).allowed
    assert ask(ledger, instance="1", units=2).allowed, "more recipients of one mail are no second mail"
    assert ask(ledger, instance="2").allowed
    refused = ask(ledger, "bob@ours.example")
    assert (refused.allowed, refused.reason) == (False, Reason.DAILY)
    assert usages(ledger, "ours.example")["ours.example"].sent_today == 3


def test_what_the_mailbox_is_refused_its_domain_does_not_count(ledger: Ledger, workspace: int) -> None:
    mailbox(ledger, workspace, daily_limit=1)
    added(ledger, Domain(id=0, workspace=workspace, name="ours.example", created_at=NOW))
    first, second = ask(ledger), ask(ledger)
    assert (first.allowed, first.sent_today) == (True, 1)
    assert (second.allowed, second.reason, second.sent_today) == (False, Reason.MAILBOX, 1)
    assert usages(ledger, "ours.example")["ours.example"].sent_today == 1


def test_a_warm_up_limits_and_a_stopped_mailbox_sends_nothing(ledger: Ledger, workspace: int) -> None:
    mailbox(ledger, workspace, warmup=Warmup(start=2, step=1, target=9, started_at=NOW), daily_limit=8)
    mailbox(ledger, workspace, "off@ours.example", sending_enabled=False)
    mailbox(ledger, workspace, "free@ours.example")
    assert allowed(ledger, 5) == 2
    assert allowed(ledger, 5, now=NOW + DAY_MS) == 3
    assert allowed(ledger, 10, now=NOW + 20 * DAY_MS) == 8
    assert allowed(ledger, 2, "off@ours.example") == 0
    assert allowed(ledger, 20, "free@ours.example") == 20


def test_the_login_counts_before_the_sender(ledger: Ledger, workspace: int) -> None:
    mailbox(ledger, workspace, daily_limit=2)
    mailbox(ledger, workspace, "bob@ours.example", daily_limit=1)
    assert allowed(ledger, 3, ANN, "bob@ours.example") == 2
    assert allowed(ledger, 3, "nobody@ours.example", "bob@ours.example") == 1


def test_nobody_limits_the_mail_of_another_workspace(ledger: Ledger, workspace: int) -> None:
    added(ledger, Domain(id=0, workspace=workspace, name="ours.example", created_at=NOW))
    mailbox(ledger, ledger.tenants.add_workspace("evil", NOW).id, daily_limit=0)
    assert allowed(ledger, 3) == 3
    mailbox(ledger, workspace, daily_limit=4)
    assert allowed(ledger, 6) == 4
