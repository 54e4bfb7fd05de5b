"""One mail is one mail, whatever filters it goes through, and however the lines of others stand between its own."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailvane.maillog.model import EventType, MailEvent, MailKind
from tests.unit.maillog.postfix.filter_world import ADDRESSES, Filter, FilterWorld
from tests.unit.maillog.postfix.test_correlation import read_in_pieces, read_whole

_RANKS = [EventType.ACCEPTED, EventType.HELD, EventType.DEFERRED, EventType.DISCARDED, EventType.EXPIRED]
_RANKS += [EventType.BOUNCED, EventType.DELIVERED]


def rows(events: Iterable[MailEvent]) -> list[tuple[str, str, bool, tuple[tuple[str, str], ...]]]:
    """As the mail log joins events: one row for each mail and recipient, of the newest state."""
    mails: dict[str, list[MailEvent]] = defaultdict(list)
    for event in events:
        mails[event.mail_id].append(event)
    found = []
    for told in mails.values():
        assert sum(event.type is EventType.ACCEPTED for event in told) == 1
        newest: dict[str, tuple[int, int]] = {}
        for event in told:
            if event.recipient and event.type in _RANKS:
                state = (event.at, _RANKS.index(event.type))
                newest[event.recipient] = max(state, newest.get(event.recipient, state))
        states = tuple(sorted((to, str(_RANKS[rank])) for to, (_, rank) in newest.items()))
        first = told[0]
        found.append((first.sender, first.origin, told[-1].kind is MailKind.NOTIFICATION, states))
    return sorted(found)


def filters(choose: random.Random, *, simple: bool) -> list[Filter]:
    named = Filter(
        choose.choice(ADDRESSES),
        choose.choice(("smtp", "lmtp")),
        splits=choose.random() < 0.3 and not simple,
        forwards=choose.random() < 0.2,
    )
    return [named] * choose.choice((0, 1, 1, 1 if simple else 2))


def silent(choose: random.Random) -> list[Filter]:
    """Filters that do not say which queue id a mail has now: its Message-ID must tell."""
    near = [address for address in ADDRESSES if address.startswith(("1", ":", "f"))]
    return [
        choose.choice(
            (
                Filter(choose.choice(near), choose.choice(("smtp", "lmtp")), named=False),
                Filter("", pipe=True),
                Filter("127.0.0.1"),
            )
        )
    ]


def world(choose: random.Random, *, simple: bool = False) -> FilterWorld:
    made = FilterWorld(choose)
    path = filters(choose, simple=simple)
    for number in range(choose.randrange(1, 7)):
        where = choose.choice(("outside", "outside", "lan", "loopback", "pickup", "proxy"))
        kind = choose.random()
        if kind < 0.25:
            made.mail_from(where, path, choose.randrange(1, 4), None)
        elif kind < 0.4:
            made.mail_from("loopback", path, 1, "same@list.example")
        elif kind < 0.6 and not simple:
            made.mail_from(where, silent(choose), choose.randrange(1, 4), f"{number}@silent.example")
        else:
            made.mail_from(where, path, choose.randrange(1, 4), f"{number}@shop.example")
    return made


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=True))
def test_every_mail_is_told_once_through_whatever_filters(choose: random.Random) -> None:
    made = world(choose)
    log = made.run()
    assert rows(read_whole(log)[0]) == made.truth(), log


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=True), st.booleans())
def test_doubts_survive_wherever_the_log_is_cut(choose: random.Random, restart: bool) -> None:
    lines = world(choose).run().splitlines(keepends=True)
    cuts = sorted(choose.sample(range(len(lines) + 1), min(len(lines), choose.randrange(1, 9))))
    assert read_in_pieces(lines, cuts, restart=restart) == read_whole("".join(lines))[0]


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=True))
def test_a_log_that_begins_anywhere_shows_each_recipient_once(choose: random.Random) -> None:
    made = world(choose, simple=True)
    lines = made.run().splitlines(keepends=True)
    log = "".join(lines[choose.randrange(len(lines)) :])
    found: dict[str, set[str]] = defaultdict(set)
    waiting: dict[str, int] = defaultdict(int)
    for event in read_whole(log)[0]:
        waiting[event.mail_id] += event.waiting
        if event.recipient and event.type in _RANKS:
            found[event.recipient].add(event.mail_id)
    assert not {to: mails for to, mails in found.items() if len(mails) > 1 and "@shop" not in to}, log
    assert not any(waiting.values()), log
    for mail in made.mails:
        for to in mail.recipients.keys() - found.keys():
            assert not re.search(rf"to=<{to}>, relay=mx", log), log
