"""One attempt at one provider: the lines it leaves and what is still to be done."""

from __future__ import annotations

from random import Random

import pytest

from mailvane_demo.world import providers
from mailvane_demo.world.addresses import Recipient
from mailvane_demo.world.delivery import Courier, Outcome, seconds
from mailvane_demo.world.log import Log
from mailvane_demo.world.mail import Letter, QueuedMail, Waiting
from mailvane_demo.world.processes import Daemon, process_ids
from mailvane_demo.world.providers import NOWHERE, OWN_MAILBOXES, PROVIDERS, Provider, Refusal
from mailvane_demo.world.truth import Tally, Truth

AT = 1_760_000_000_000
SHOP = PROVIDERS[6]


class Place:
    """A courier with a log that can be read."""

    def __init__(self, seed: int = 1) -> None:
        self.log, self.tally = Log(), Tally()
        daemons = {name: Daemon("mx1", f"postfix/{name}", process_ids(500)) for name in ("smtp", "lmtp", "error")}
        self.courier = Courier(self.log, Random(seed), self.tally, daemons)

    def attempt(self, *waiting: Waiting, notification: bool = False, spammy: float = 0.0) -> Outcome:
        letter = Letter("a@shop.example", [one.recipient for one in waiting], (), "<1@shop.example>", 900, 0.0, spammy)
        return self.courier.attempt(QueuedMail("4jWXsw4mxrzJ9Td", letter, AT, list(waiting), notification), AT)

    def lines(self) -> list[str]:
        return [text for _, text in self.log.take(AT + 10**9)]

    def deliveries(self) -> list[str]:
        return [line for line in self.lines() if "status=" in line]

    def truth(self) -> Truth:
        return self.tally.truth(0, AT + 10**9)


def waiting(local: str, provider: Provider = SHOP, flaw: Refusal | None = None) -> Waiting:
    return Waiting(Recipient(f"{local}@{provider.domains[0]}", provider, flaw))


def lucky() -> Place:
    """A place where a new mail to a provider that greylists gets through at the first attempt."""
    for seed in range(100):
        place = Place(seed)
        if not place.attempt(waiting("ann")).waiting:
            return Place(seed)
    raise AssertionError("nobody is ever lucky")


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0"),
        (4, "0"),
        (20, "0.02"),
        (100, "0.1"),
        (155, "0.15"),
        (2000, "2"),
        (8140, "8.1"),
        (9990, "10"),
        (12_300, "12"),
        (439_000, "439"),
    ],
)
def test_a_delay_has_two_digits_that_matter(milliseconds: int, text: str) -> None:
    assert seconds(milliseconds) == text


def test_a_delivery_names_relay_reply_and_delays() -> None:
    place = lucky()
    outcome = place.attempt(waiting("ann"))
    assert (outcome.waiting, outcome.bounced) == ([], False)
    (line,) = place.deliveries()
    assert "postfix/smtp[" in line
    assert "]: 4jWXsw4mxrzJ9Td: to=<ann@acme-werke.example>, relay=mx" in line
    assert ", delay=0." in line
    assert line.count("/") == 4
    assert "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as " in line
    assert place.truth().delivered == 1


def test_recipients_of_one_provider_share_one_conversation() -> None:
    place = lucky()
    place.attempt(waiting("ann"), waiting("bob"))
    first, second = place.deliveries()
    assert first.replace("<ann@", "<bob@") == second


def test_an_unknown_user_bounces_and_the_others_do_not() -> None:
    place = lucky()
    outcome = place.attempt(waiting("ann"), waiting("gone", flaw=SHOP.unknown))
    assert outcome.bounced
    assert outcome.waiting == []
    sent, bounced = sorted(place.deliveries(), key=lambda line: "bounced" in line)
    assert "status=sent" in sent
    assert "dsn=5.1.1, status=bounced (host mx" in bounced
    assert "said: 550 5.1.1 <gone@acme-werke.example>: Recipient address rejected: User unknown" in bounced
    assert bounced.endswith("(in reply to RCPT TO command))")
    assert place.truth().families == {SHOP.unknown.family: 1}


def test_a_full_mailbox_with_a_temporary_answer_waits() -> None:
    place = Place()
    outcome = place.attempt(waiting("ann", PROVIDERS[0], PROVIDERS[0].full))
    assert [one.refusal for one in outcome.waiting] == [PROVIDERS[0].full]
    (line,) = place.deliveries()
    assert "dsn=4.2.2, status=deferred (host " in line
    assert (place.truth().deferred, place.truth().bounced) == (1, 0)


def test_a_dead_server_leaves_no_relay_and_a_line_of_its_own_when_it_was_tried() -> None:
    said = "connect to mail.old-company.example[203.0.113.250]:25: Connection refused"
    tried = suspended = 0
    for seed in range(40):
        place = Place(seed)
        assert len(place.attempt(waiting("ann", NOWHERE, providers.DEAD_SERVER)).waiting) == 1
        lines = place.lines()
        assert ", relay=none, delay=" in lines[-1]
        if len(lines) == 2:
            tried += 1
            assert lines[0].endswith(f"]: {said}")
            assert lines[1].endswith(f"dsn=4.4.1, status=deferred ({said})")
        else:
            suspended += 1
            assert "postfix/error[" in lines[0]
            assert lines[0].endswith(f"status=deferred (delivery temporarily suspended: {said})")
    assert tried > suspended > 0


def test_what_recovers_at_once_is_delivered_at_the_next_attempt() -> None:
    place = Place()
    passing = Refusal(text="450 4.2.0 wait", enhanced="4.2.0", family=providers.GREYLISTED.family, recovery=1.0)
    outcome = place.attempt(Waiting(Recipient("ann@acme-werke.example", SHOP), passing))
    assert outcome.waiting == []
    assert "status=sent" in place.deliveries()[0]


def test_what_never_recovers_stays() -> None:
    place = Place()
    lasting = Refusal(text="450 4.2.0 wait", enhanced="4.2.0", family=providers.GREYLISTED.family, recovery=0.0)
    outcome = place.attempt(Waiting(Recipient("ann@acme-werke.example", SHOP), lasting))
    assert [one.refusal for one in outcome.waiting] == [lasting]


def test_spam_is_refused_for_all_recipients_at_once() -> None:
    place = Place()
    outcome = place.attempt(waiting("ann", PROVIDERS[4]), waiting("bob", PROVIDERS[4]), spammy=1.0)
    assert outcome.bounced
    assert [line.count("status=bounced") for line in place.deliveries()] == [1, 1]
    assert place.truth().bounced == 2


def test_what_becomes_of_a_notification_does_not_count() -> None:
    place = lucky()
    place.attempt(waiting("ann"), waiting("gone", flaw=SHOP.unknown), notification=True)
    truth = place.truth()
    assert (truth.delivered, truth.bounced) == (0, 0)


def test_own_mailboxes_are_reached_by_lmtp() -> None:
    place = Place()
    place.attempt(waiting("m.brandt", OWN_MAILBOXES))
    (line,) = place.deliveries()
    assert "postfix/lmtp[" in line
    assert "relay=mx2.mailhub.example[private/dovecot-lmtp], delay=" in line
    assert "(250 2.0.0 <m.brandt@brandt-partner.example> " in line


def test_asking_is_no_delivery() -> None:
    place = Place()
    for flaw, verdict in ((None, "deliverable (250 2.1.5 Ok)"), (SHOP.unknown, "undeliverable (host mx")):
        one = waiting("ann", flaw=flaw)
        letter = Letter("double-bounce@mx2", [one.recipient], (), "<1@mx2>", 244)
        place.courier.ask(QueuedMail("AB12", letter, AT, [one]), AT)
        (line,) = place.deliveries()
        assert f"status={verdict}" in line
    assert place.truth() == Tally().truth(0, 1)
