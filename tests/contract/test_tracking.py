"""Secrets of tracking links and reactions that wait, on SQLite and PostgreSQL."""

from __future__ import annotations

import msgspec

from mailvane.mailboxes.tracking.links import Link, LinkKind, MailName
from mailvane.mailboxes.tracking.model import Reaction, ReactionKind, reaction_of
from mailvane.server.ledger import Ledger

NOW = 1_790_000_000_000


def reaction(kind: LinkKind = LinkKind.OPEN, place: int = 0, machine: str = "") -> Reaction:
    mail = MailName("a@x.example", "<1@y.example>")
    link = Link(1, kind, NOW, mail, place, 2, "https://x.example/" if place else "")
    return reaction_of(link, NOW + place, machine, "192.0.2.1", "Mozilla/5.0 \xff\0")


def test_a_workspace_keeps_its_secret(ledger: Ledger) -> None:
    first, second = ledger.tracking.secret(1, NOW), ledger.tracking.secret(2, NOW)
    assert len(first) == 32
    assert first != second
    assert ledger.tracking.secret(1, NOW + 1) == first
    assert ledger.tracking.secrets() == {1: first, 2: second}


def test_a_reaction_is_kept_once_until_it_is_settled(ledger: Ledger) -> None:
    store, first, by_machine = ledger.tracking, reaction(), reaction(machine="barracuda")
    clicks = [reaction(LinkKind.CLICK, place) for place in (1, 2)]
    store.add([(first, NOW), (first, NOW + 5), (by_machine, NOW + 1), (clicks[0], NOW + 9), (clicks[1], NOW + 10)])
    store.add([(first, NOW + 5)])
    assert [one.reaction for one in store.due(NOW + 1, 10)] == [first, by_machine]
    assert [one.reaction for one in store.due(NOW + 10, 1)] == [first]
    found = store.clicks_of([first.mail_digest])
    assert sorted(one.reaction.place for one in found) == [1, 2]
    assert {one.reaction.kind for one in found} == {ReactionKind.CLICKED}
    store.put_off([(first, NOW + 100)])
    assert [(one.reaction, one.tries) for one in store.due(NOW + 1, 10)] == [(by_machine, 0)]
    assert store.due(NOW + 100, 10)[-1].tries == 1
    store.settle([first.digest, by_machine.digest, *(each.digest for each in clicks)])
    assert store.due(NOW + 1_000, 10) == []


def test_only_replies_that_were_looked_at_before_are_hastened(ledger: Ledger) -> None:
    store, opened = ledger.tracking, reaction()
    first, again = (
        msgspec.structs.replace(
            opened, digest=bytes([number]) * 16, kind=ReactionKind.REPLIED, thread=("<1@y.example>",)
        )
        for number in (1, 2)
    )
    store.add([(opened, NOW), (first, NOW + 50), (again, NOW)])
    store.put_off([(opened, NOW + 100), (again, NOW + 100)])
    store.hasten(NOW + 1)
    assert [(one.reaction, one.tries) for one in store.due(NOW + 1, 10)] == [(again, 0)]
    store.put_off([(again, NOW + 100)])
    assert {one.reaction.digest: one.tries for one in store.due(NOW + 100, 10)}[again.digest] == 1
