"""What a delivery agent's line says, judged by who took the mail and what it answered."""

from __future__ import annotations

import pytest

from mailvane.maillog.model import EventType
from mailvane.maillog.postfix.event_builder import is_near, may_be_filter, swallowed
from mailvane.maillog.postfix.records import Attempt


def attempt(reply: str, address: str = "127.0.0.1", relay: str = "127.0.0.1") -> Attempt:
    return Attempt("a@example.org", "", relay, address, "sent", 250, "2.0.0", reply, 5, "")


@pytest.mark.parametrize(
    ("address", "near"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.9", True),
        ("172.16.0.1", True),
        ("172.31.255.1", True),
        ("172.32.0.1", False),
        ("192.168.7.7", True),
        ("169.254.1.1", True),
        ("100.64.0.1", True),
        ("100.128.0.1", False),
        ("fd00::9", True),
        ("fe80::1%eth0", True),
        ("2001:db8::1", False),
        ("203.0.113.7", False),
        ("/var/run/amavis.sock", True),
        ("private/dovecot-lmtp", True),
        ("", False),
    ],
)
def test_what_is_near_is_this_machine_or_its_own_networks(address: str, near: bool) -> None:
    assert is_near(address) is near


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("250 2.7.0 Ok, discarded, id=04747-01 - INFECTED: Eicar-Test-Signature", EventType.DISCARDED),
        ("250 2.7.0 Ok, discarded, id=03774-01 - SPAM", EventType.DISCARDED),
        ("250 2.7.1 Ok, discarded, id=00218-04 - VIRUS: HTML.Phishing.Bank-753", EventType.DISCARDED),
        ("250 2.7.1 Ok, discarded, UBE, id=1-1", EventType.DISCARDED),
        ("250 2.5.0 Ok, id=03164-18, DISCARD(bounce.suppressed)", EventType.DISCARDED),
        ("250 2.7.0 Ok, id=1-1, BANNED: .exe", EventType.DISCARDED),
        ("250 2.7.0 Ok, quarantined, id=1121887-15 - spam", EventType.DISCARDED),
        ("250 Virus Detected; Discarded Email", EventType.DISCARDED),
        ("250 2.7.0 BLOCKED (2A6F0C)", EventType.DISCARDED),
        ("250 2.5.0 Ok, id=2243374-09, BOUNCE", EventType.BOUNCED),
        ("250 2.5.0 Ok, but 1 BOUNCE", EventType.BOUNCED),
        ("250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 2B3C4D5E6F", None),
        ("250 2.0.0 Ok: queued as DISCARDED1", None),
        ("250 2.0.0 <bounces@example.org> abc Saved", None),
        ("250 2.6.0 <blocked-list@example.org> Queued mail for delivery", None),
        ("250 2.0.0 <info@infected.example> abc Saved", None),
        ("250 2.5.0 OK (2A6F)", None),
    ],
)
def test_a_filter_that_keeps_a_mail_says_so(reply: str, kind: EventType | None) -> None:
    assert swallowed(attempt(reply), "smtp") is kind
    assert swallowed(attempt(reply, "203.0.113.7", "mx.example.org"), "smtp") is None


@pytest.mark.parametrize(
    ("transport", "relay", "address", "reply", "perhaps"),
    [
        ("smtp", "127.0.0.1", "127.0.0.1", "250 OK", True),
        ("smtp", "mx", "203.0.113.7", "250 OK", False),
        ("lmtp", "127.0.0.1", "127.0.0.1", "250 2.5.0 OK (2A6F)", True),
        ("lmtp", "::1", "::1", "250 2.0.0 <a@b> abc Saved", False),
        ("lmtp", "mx1", "private/dovecot-lmtp", "250 OK", False),
        ("lmtp", "10.0.0.5", "10.0.0.5", "250 2.1.5 Ok SESSIONID=<mx1>", False),
        ("pipe", "spamfilter", "", "delivered via spamfilter service", True),
        ("pipe", "dovecot", "", "delivered via dovecot service", False),
        ("local", "local", "", "delivered to mailbox", False),
        ("virtual", "virtual", "", "delivered to maildir", False),
    ],
)
def test_a_mailbox_is_no_filter(transport: str, relay: str, address: str, reply: str, perhaps: bool) -> None:
    assert may_be_filter(attempt(reply, address, relay), transport) is perhaps
