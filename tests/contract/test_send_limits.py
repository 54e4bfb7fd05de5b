"""Limits of mailboxes, logins and domains: windows side by side, exactly, on both ledgers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mailvane.core.errors import InvalidInput, NotFound
from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.mailboxes.model import Mailbox, mailbox_id
from mailvane.outbound.model import (
    Domain,
    Enforcement,
    LimitKind,
    LimitWindow,
    Reason,
    SenderLimit,
    SendRequest,
    Verdict,
)
from mailvane.outbound.send_limits import SendLimits
from mailvane.outbound.store.senders import counter_of
from mailvane.server.ledger import Ledger, open_ledger
from tests.contract.deciding import JUDGE, NOW, added

ANN, BOB = "ann@ours.example", "bob@ours.example"
MAILBOX, LOGIN, DOMAIN = LimitKind
HOUR, DAY, MONTH = LimitWindow


def limit(ledger: Ledger, kind: LimitKind, name: str, **windows: int) -> None:
    SendLimits(ledger.send_limits).set(kind, name, windows)


def ask(ledger: Ledger, *senders: str, login: str = "", domain: str = "ours.example", now: int = NOW) -> Verdict:
    request = SendRequest(domain=domain, senders=senders or (ANN,), login=login, mail_server=True)
    return ledger.domains.decide([request], now, JUDGE)[0]


def passed(ledger: Ledger, count: int, *senders: str, **more: Any) -> int:
    return sum(ask(ledger, *senders, **more).allowed for _ in range(count))


def test_windows_hold_side_by_side_and_each_begins_anew(ledger: Ledger) -> None:
    limit(ledger, MAILBOX, ANN, hourly=3, daily=5, monthly=7)
    midnight = NOW - NOW % DAY_MS
    assert passed(ledger, 9, now=midnight) == 3
    refused = ask(ledger, now=midnight)
    assert (refused.reason, refused.window) == (Reason.MAILBOX, HOUR)
    assert passed(ledger, 9, now=midnight + HOUR_MS) == 2
    assert ask(ledger, now=midnight + HOUR_MS).window is DAY
    assert passed(ledger, 9, now=midnight + DAY_MS) == 2
    assert ask(ledger, now=midnight + DAY_MS).window is MONTH
    assert passed(ledger, 9, now=midnight + 40 * DAY_MS) == 3, "another month"


def test_what_an_hour_refuses_the_day_does_not_count(ledger: Ledger) -> None:
    limit(ledger, LOGIN, "ann", hourly=1, daily=3)
    for hour in range(5):
        assert passed(ledger, 4, login="ann", now=NOW - NOW % DAY_MS + hour * HOUR_MS) == (1 if hour < 3 else 0)


def test_login_mailbox_and_domain_each_count(ledger: Ledger) -> None:
    """One that is no address is a login, too; of an address, the mailbox counts besides."""
    limit(ledger, LOGIN, "Deploy", daily=4)
    limit(ledger, MAILBOX, ANN, daily=3)
    limit(ledger, DOMAIN, "Ours.example", daily=5)
    assert passed(ledger, 5, ANN, login="deploy") == 3
    assert ask(ledger, ANN, login="deploy").reason is Reason.MAILBOX
    assert passed(ledger, 5, BOB, login="deploy") == 1
    assert ask(ledger, BOB, login="deploy").reason is Reason.LOGIN
    assert passed(ledger, 5, BOB) == 1
    refused = ask(ledger, BOB)
    assert (refused.reason, refused.window, refused.known) == (Reason.DAILY, DAY, False)
    assert passed(ledger, 5, "carl@other.example", domain="other.example") == 5


@pytest.mark.parametrize("kind", LimitKind)
def test_the_default_counts_each_that_is_not_named_for_itself(ledger: Ledger, kind: LimitKind) -> None:
    def of(name: str) -> dict[str, Any]:
        senders = {MAILBOX: f"{name}@x.example", LOGIN: "", DOMAIN: ""}[kind]
        return {"login": name if kind is LOGIN else "", "domain": f"{name}.example" if kind is DOMAIN else "x.example",
                "senders": (senders,) if senders else ()}  # fmt: skip

    def count(name: str) -> int:
        requests = [SendRequest(mail_server=True, **of(name))] * 6
        return sum(verdict.allowed for verdict in ledger.domains.decide(requests, NOW, JUDGE))

    limit(ledger, kind, "*", daily=2)
    limit(ledger, kind, {MAILBOX: "vip@x.example", LOGIN: "vip", DOMAIN: "vip.example"}[kind], hourly=4)
    assert [count(name) for name in ("one", "two", "vip", "one")] == [2, 2, 4, 0]


def test_a_limit_holds_beside_those_of_a_governed_domain_and_of_its_workspace(ledger: Ledger) -> None:
    workspace = ledger.tenants.add_workspace("acme", NOW).id
    terms: dict[str, Any] = {"daily_limit": 5, "enforcement": Enforcement.SOFT}
    added(ledger, Domain(id=0, workspace=workspace, name="ours.example", created_at=NOW, **terms))
    own: dict[str, Any] = {"hourly_limit": 2, "monthly_limit": 3}
    ledger.mailboxes.add(
        Mailbox(id=mailbox_id(workspace, ANN), workspace=workspace, address=ANN, created_at=NOW, **own)
    )
    limit(ledger, DOMAIN, "ours.example", daily=6)
    assert passed(ledger, 9, now=NOW) == 2
    assert ask(ledger, now=NOW).window is HOUR
    assert passed(ledger, 9, now=NOW + HOUR_MS) == 1
    found = ask(ledger, now=NOW + HOUR_MS)
    assert (found.reason, found.window, found.sent_today) == (Reason.MAILBOX, MONTH, 3)
    assert passed(ledger, 9, BOB, now=NOW + HOUR_MS) == 3, "soft enforcement does not soften it"


def test_of_many_at_once_on_two_nodes_exactly_so_many_pass(ledger: Ledger, ledger_url: str) -> None:
    limit(ledger, DOMAIN, "ours.example", hourly=150)
    limit(ledger, MAILBOX, "*", daily=40)
    limit(ledger, LOGIN, "*", monthly=70)
    other = open_ledger(ledger_url)
    group = [
        SendRequest(
            domain="ours.example", senders=(f"{number % 4}@ours.example",), login=str(number % 4), mail_server=True
        )
        for number in range(12)
    ]  # fmt: skip
    try:
        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(lambda turn: (ledger, other)[turn % 2].domains.decide(group, NOW, JUDGE), range(20))
            found = [verdict for verdicts in answers for verdict in verdicts]
    finally:
        other.close()
    assert (len(found), sum(verdict.allowed for verdict in found)) == (240, 150)


def test_what_is_used_is_told_and_a_limit_that_is_taken_back_holds_no_more(ledger: Ledger) -> None:
    limits = SendLimits(ledger.send_limits)
    limits.set(MAILBOX, "*", {"daily": 2})
    assert passed(ledger, 3) == 2
    found = limits.standing(MAILBOX, "Ann@ours.example", NOW)
    assert (found.by_default, [(each.window, each.sent, each.most) for each in found.windows]) == (True, [(DAY, 2, 2)])
    limits.set(MAILBOX, ANN, {"hourly": 9, "daily": 3})
    found = limits.standing(MAILBOX, ANN, NOW)
    assert (found.by_default, [(each.sent, each.most) for each in found.windows]) == (False, [(0, 9), (2, 3)])
    assert [(each.name, each.daily) for each in limits.all()] == [("*", 2), (ANN, 3)]
    limits.remove(MAILBOX, ANN)
    limits.remove(MAILBOX, "*")
    assert passed(ledger, 3) == 3
    with pytest.raises(NotFound):
        limits.remove(MAILBOX, ANN)
    with pytest.raises(NotFound):
        limits.standing(MAILBOX, ANN, NOW)


@pytest.mark.parametrize(
    ("kind", "name", "windows"),
    [
        (MAILBOX, "nobody", {"daily": 1}),
        (LOGIN, " ", {"daily": 1}),
        (DOMAIN, "a b", {"daily": 1}),
        (DOMAIN, "x.example", {}),
        (DOMAIN, "x.example", {"daily": -1}),
        (DOMAIN, "x.example", {"monthly": 2**31}),
    ],
    ids=str,
)
def test_refused_limits(ledger: Ledger, kind: LimitKind, name: str, windows: dict[str, int]) -> None:
    with pytest.raises(InvalidInput):
        SendLimits(ledger.send_limits).set(kind, name, windows)


def test_a_counter_is_kept_until_its_window_is_over() -> None:
    ann = SenderLimit(name=ANN)
    december = 1_798_070_400_000  # 2026-12-24
    assert counter_of(ann, DAY, december).last_day * DAY_MS == december
    assert (counter_of(ann, MONTH, december).last_day + 1) * DAY_MS == 1_798_761_600_000, "the first of January"
    assert counter_of(ann, MONTH, december).digest != counter_of(ann, MONTH, december + 9 * DAY_MS).digest
    assert len({counter_of(ann, window, december).digest for window in LimitWindow}) == 3
