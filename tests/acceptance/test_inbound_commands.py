"""`mailvane inbound`, `address`, `alias`, `contact`, `filter`, `quarantine`: beside each other, without a server."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import pytest

from mailvane.inbound.model import MessageStatus
from mailvane.server.ledger import open_ledger
from tests.acceptance.installation import Installation
from tests.wire.inbound import message, taken_in


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """With a domain, a mailbox, an alias, and two messages of which one is held."""
    data: Path = tmp_path_factory.mktemp("office")
    made = Installation(data)
    made.tenant("acme")
    box = made.answers(
        ("inbound", "domain", "add", "In.example", "--host", "127.0.0.1", "--port", "24", "--protocol", "lmtp"),
        ("address", "add", "Team@In.example", "--weekly-limit", "100"),
        ("alias", "add", "shop@in.example", "team@in.example", "--label", "Shop", "--quarantine-at", "4"),
    )[1]
    now = time.time_ns() // 1_000_000
    held = {"status": MessageStatus.QUARANTINED, "score": 7.5, "subject": "win", "from_address": "evil@y.example"}
    with closing(open_ledger(f"sqlite:///{data / 'ledger.sqlite'}")) as ledger:
        taken_in(
            ledger.inbound, 1, now, message(1, now - 60_000, address=box["id"]),
            message(1, now - 30_000, address=box["id"], **held),
        )  # fmt: skip
    return made


def test_domains_addresses_and_limits_are_kept_and_shown(office: Installation) -> None:
    domains, team, aliases, limit, shown = office.answers(
        ("inbound", "domain", "list"),
        ("alias", "set", "shop@in.example", "--reject-at", "9", "--quarantine-at", "default"),
        ("alias", "list", "--mailbox", "team@in.example"),
        ("inbound", "limit", "500"),
        ("address", "disable", "team@in.example"),
    )
    assert [(one["name"], one["hop"]["protocol"], one["hop"]["port"]) for one in domains] == [
        ("in.example", "lmtp", 24)
    ]
    assert (team["quarantine_at"], team["reject_at"], team["label"]) == (None, 9.0, "Shop")
    assert [one["address"] for one in aliases] == ["shop@in.example"]
    assert (limit["weekly_limit"], limit["weekly_used"], limit["zone"]) == (500, 2, "UTC")
    assert (shown["active"], shown["weekly_limit"]) == (False, 100)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("address", "add", "x@elsewhere.example"), "mail for this domain is not taken"),
        (("address", "add", "not an address"), "no mail address"),
        (("address", "remove", "team@in.example"), "has aliases"),
        (("inbound", "domain", "remove", "in.example"), "has addresses"),
        (("inbound", "domain", "add", "in.example", "--host", "h.example"), "taken already"),
        (("inbound", "domain", "add", "a.example", "--host", "two words"), "no name and no address"),
        (("inbound", "limit", "--zone", "Mars/Olympus"), "no time zone"),
        (("alias", "set", "shop@in.example", "--reject-at", "much"), "expected a score"),
        (("alias", "set", "shop@in.example", "--reject-at", "nan"), "expected a score"),
        (("filter", "add", "empty", "--action", "deny"), "without a condition"),
        (("filter", "add", "bad", "--action", "deny", "--if", "from like x"), "no operator"),
        (("filter", "add", "bad", "--action", "deny", "--if", "subject matches ("), "cannot be read"),
        (("quarantine", "show", "nothing"), "no message"),
        (("contact", "set", "a@b.example"), "say --state or --category"),
    ],
)
def test_what_cannot_be_is_said(office: Installation, words: tuple[str, ...], told: str) -> None:
    (done,) = office.run_several(words)
    assert done.returncode != 0
    assert told in done.stderr


def test_a_sender_who_never_wrote_can_be_blocked(office: Installation) -> None:
    (nobody,) = office.run_several(("contact", "list", "--search", "nobody@z.example"))
    assert "no sender is like that" in nobody.stdout
    blocked, listed = office.answers(
        ("contact", "set", "New@Z.example", "--state", "blocked", "--category", "spam"),
        ("contact", "list", "--state", "blocked"),
    )
    assert (blocked["state"], blocked["category"], blocked["email_count"]) == ("blocked", "spam", 0)
    assert [one["email"] for one in listed] == ["new@z.example"]


def test_filters_are_tried_ordered_and_removed(office: Installation) -> None:
    deny = ("--action", "deny", "--if", "from ends-with @y.example")
    tried, first, second, moved, listed, tried_again = office.answers(
        ("filter", "test", *deny),
        ("filter", "add", "high", "--action", "allow", "--if", "spam_score greater_than 5"),
        ("filter", "add", "y", *deny),
        ("filter", "move", "y", "1"),
        ("filter", "list"),
        ("filter", "test", "high"),
    )
    assert (tried["messages"], tried["decided"], tried["changed"], tried["unknown"]) == (2, 2, 2, 0)
    assert (first["position"], second["position"], moved["position"]) == (1, 2, 1)
    assert [one["name"] for one in listed] == ["y", "high"]
    assert (tried_again["decided"], tried_again["earlier"]) == (0, 1)
    told, gone, _ = office.run_several(("filter", "test", "y"), ("filter", "remove", "y"), ("filter", "remove", "high"))
    assert "2  would have been denied by y; they were: 1 delivered, 1 quarantined" in told.stdout
    assert gone.returncode == 0


def test_held_mail_is_listed_shown_and_rejected(office: Installation) -> None:
    (held,) = office.answer("quarantine", "list")
    listed, shown, accepted, rejected, again = office.run_several(
        ("quarantine", "list"),
        ("quarantine", "show", held["id"]),
        ("quarantine", "accept", held["id"]),
        ("quarantine", "reject", held["id"]),
        ("quarantine", "reject", held["id"]),
    )
    assert held["id"] in listed.stdout
    assert "evil@y.example" in listed.stdout
    assert "7.5" in shown.stdout
    assert (accepted.returncode, "no longer kept" in accepted.stdout) == (1, True), "it came without content"
    assert (rejected.returncode, again.returncode) == (0, 1)
    assert "not in quarantine" in again.stdout
