"""Bounces of a Postfix log count against their domain: hard ones, of this month, once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mailvane.maillog.model import EventBatch, EventType, MailEvent, MailKind
from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.feedback import PostfixFeedback
from mailvane.outbound.governance import Governance
from mailvane.outbound.model import OutboundStatus, SendRequest
from mailvane.server.ledger import Ledger
from tests.ledgers import fresh_ledger

NOW = 1_795_000_000_000  # 18 November 2026
DAY = 86_400_000

BOUNCE = MailEvent(
    relay=3,
    accepted_at=NOW - 1000,
    number=5,
    type=EventType.BOUNCED,
    at=NOW,
    sender="news@Shop.example",
    recipient="ann@one.example",
    reply="550 5.1.1 no such user",
    hard=True,
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = fresh_ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def book(ledger: Ledger) -> Governance:
    governance = Governance(ledger.domains, ledger.billing, ledger.tenants, GovernanceRules())
    workspace = ledger.tenants.add_workspace("acme", NOW)
    governance.create("shop.example", workspace.id, NOW)
    governance.decide([SendRequest(domain="shop.example")] * 100, NOW)
    return governance


def batch(*events: MailEvent, workspace: int = 1) -> EventBatch:
    return EventBatch("token", workspace, 0, list(events))


def changed(**fields: Any) -> MailEvent:
    return msgspec.structs.replace(BOUNCE, **fields)


def bounces(book: Governance) -> int:
    return book.usage_today("shop.example", NOW).bounces


def test_a_hard_bounce_counts_once_however_often_the_log_is_read(book: Governance) -> None:
    count = PostfixFeedback(book)
    assert [count(batch(BOUNCE), NOW) for _ in range(3)] == [1, 0, 0]
    assert bounces(book) == 1


def test_a_mail_counts_once_and_where_recipients_are_counted_each_of_them(book: Governance) -> None:
    both = batch(BOUNCE, changed(recipient="bob@one.example"))
    PostfixFeedback(book)(both, NOW)
    assert bounces(book) == 1
    book.change("shop.example", {"counting": "recipients"}, "test", NOW)
    other = batch(changed(number=6), changed(number=6, recipient="bob@one.example"))
    PostfixFeedback(book)(other, NOW)
    assert bounces(book) == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"hard": False},
        {"type": EventType.DEFERRED},
        {"type": EventType.EXPIRED},
        {"kind": MailKind.PROBE},
        {"kind": MailKind.NOTIFICATION},
        {"sender": ""},
        {"sender": "news@other.example"},
        {"at": NOW - 31 * DAY},
        {"at": NOW + 31 * DAY},
    ],
)
def test_nothing_else_counts(book: Governance, fields: dict[str, Any]) -> None:
    assert PostfixFeedback(book)(batch(changed(**fields)), NOW) == 0
    assert bounces(book) == 0


def test_a_log_of_another_workspace_does_not_touch_the_domain(book: Governance, ledger: Ledger) -> None:
    other = ledger.tenants.add_workspace("other", NOW)
    assert PostfixFeedback(book)(batch(BOUNCE, workspace=other.id), NOW) == 0
    assert bounces(book) == 0


def test_the_line_stops_the_domain_with_the_mail_as_evidence(book: Governance) -> None:
    PostfixFeedback(book)(batch(*(changed(number=number) for number in range(4))), NOW)
    assert book.domain("shop.example").status is OutboundStatus.SUSPENDED
    evidence = json.loads(book.audit("shop.example", 1)[0].evidence)
    assert evidence["notification"]["reply"] == "550 5.1.1 no such user"
    assert evidence["notification"]["mail"] == changed(number=3).mail_id


def test_a_domain_that_somebody_only_claims_is_not_touched(book: Governance, ledger: Ledger) -> None:
    claimant = ledger.tenants.add_workspace("other", NOW)
    book.create("other.example", claimant.id, NOW, approved=False)
    book.decide([SendRequest(domain="other.example")] * 9, NOW)
    other = batch(changed(sender="news@other.example"), workspace=claimant.id)
    assert PostfixFeedback(book)(other, NOW) == 0
    assert book.usage_today("other.example", NOW).bounces == 0
    book.approve("other.example", "master", NOW)
    assert PostfixFeedback(book)(other, NOW) == 1
