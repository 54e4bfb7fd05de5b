"""Mailboxes in the ledger, on SQLite and PostgreSQL: kept once, changed, found, and by which rule they appear."""

from __future__ import annotations

from typing import Any

import pytest

from mailvane.core.errors import AlreadyExists, NotFound
from mailvane.mailboxes.model import (
    DnsStanding,
    Mailbox,
    MailboxQuestion,
    MailboxRule,
    TagMode,
    Warmup,
    WarmupStatus,
    mailbox_id,
)
from mailvane.server.ledger import Ledger

NOW = 1_790_000_000_000


def mailbox(workspace: int, address: str, **fields: Any) -> Mailbox:
    return Mailbox(id=mailbox_id(workspace, address), workspace=workspace, address=address, created_at=NOW, **fields)


@pytest.fixture
def workspace(ledger: Ledger) -> int:
    found = ledger.tenants.add_workspace("one", NOW).id
    warmup = Warmup(start=1, step=1, target=3, started_at=NOW)
    ledger.mailboxes.add(mailbox(found, "a@x.example", tags=("one", "two"), display_name="Änne"))
    ledger.mailboxes.add(mailbox(found, "b@x.example", tags=("one",), warmup=warmup))
    ledger.mailboxes.add(mailbox(found, "c@x.example", sending_enabled=False, dns=DnsStanding(NOW, 75)))
    ledger.mailboxes.notice([mailbox(found, "d@y.example", noticed=True)])
    return found


def names(ledger: Ledger, workspace: int, **more: Any) -> str:
    page = ledger.mailboxes.page(MailboxQuestion(workspace=workspace, **({"now": NOW} | more)))
    assert page.total >= len(page.mailboxes)
    return "".join(one.address[0] for one in page.mailboxes)


QUESTIONS = [
    ({}, "abcd"),
    ({"tags": ("one",)}, "ab"),
    ({"tags": ("one", "two"), "tag_mode": TagMode.ALL}, "a"),
    ({"tags": ("two", "none")}, "a"),
    ({"untagged": True}, "cd"),
    ({"search": "ÄNN"}, "a"),
    ({"search": "%"}, ""),
    ({"sending_enabled": True}, "abd"),
    ({"warming": True}, "b"),
    ({"warmup_statuses": (WarmupStatus.IN_PROGRESS,)}, "b"),
    ({"warmup_statuses": (WarmupStatus.COMPLETED,), "now": NOW + 3 * 86_400_000}, "b"),
    ({"warmup_statuses": ()}, ""),
    ({"least_score": 70}, "c"),
    ({"most_score": 70}, ""),
    ({"addresses": ("a@x.example", "z@x.example")}, "a"),
    ({"addresses": ()}, ""),
    ({"but": ("a@x.example",)}, "bcd"),
    ({"statuses": ()}, ""),
]


@pytest.mark.parametrize(("filters", "found"), QUESTIONS, ids=str)
def test_filters(ledger: Ledger, workspace: int, filters: dict[str, Any], found: str) -> None:
    assert names(ledger, workspace, **filters) == found


def test_pages(ledger: Ledger, workspace: int) -> None:
    first = ledger.mailboxes.page(MailboxQuestion(workspace=workspace, limit=3))
    assert (len(first.mailboxes), first.total, first.more) == (3, 4, True)
    rest = ledger.mailboxes.page(MailboxQuestion(workspace=workspace, after=first.mailboxes[-1].id, limit=3))
    assert ([one.address[0] for one in rest.mailboxes], rest.more) == (["d"], False)
    assert names(ledger, workspace, skip=2, limit=1) == "c"
    with pytest.raises(NotFound):
        ledger.mailboxes.page(MailboxQuestion(workspace=workspace, after="0" * 24))


def test_an_address_is_one_mailbox_of_a_workspace(ledger: Ledger, workspace: int) -> None:
    with pytest.raises(AlreadyExists):
        ledger.mailboxes.add(mailbox(workspace, "a@x.example"))
    ledger.mailboxes.notice([mailbox(workspace, "a@x.example", display_name="another")])
    assert ledger.mailboxes.all(workspace)[0].display_name == "Änne"
    other = ledger.tenants.add_workspace("two", NOW).id
    ledger.mailboxes.add(mailbox(other, "a@x.example"))
    assert mailbox_id(workspace, "a@x.example") != mailbox_id(other, "a@x.example")
    assert ledger.mailboxes.mailbox(other, mailbox_id(workspace, "a@x.example")) is None


def test_a_narrower_rule_takes_what_appeared_by_the_former_one(ledger: Ledger, workspace: int) -> None:
    assert ledger.mailboxes.rule(workspace) == MailboxRule()
    rule = MailboxRule(("x.example",))
    ledger.mailboxes.save_rule(workspace, rule)
    assert ledger.mailboxes.rule(workspace) == rule
    assert names(ledger, workspace) == "abc"
    assert ledger.mailboxes.created(workspace) == ("a@x.example", "b@x.example", "c@x.example")
    assert ledger.mailboxes.count(workspace, noticed=True) == 0
