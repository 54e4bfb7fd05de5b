"""What an event says of a mail."""

from __future__ import annotations

import pytest

from mailvane.maillog.model import EventType
from mailvane.maillog.postfix.event_builder import EventBuilder, protocol_of
from mailvane.maillog.postfix.records import Attempt
from mailvane.maillog.postfix.state import LONGEST_EVIDENCE, Mail, QueueEntry, Start
from mailvane.maillog.reasons import load_reasons


def entry() -> QueueEntry:
    return QueueEntry("mx1/postfix/A", 1, Mail(1, 1_000_500, 7, "A", "mx1"), "A", Start.CLIENT, 1_000_000)


def builder() -> EventBuilder:
    made = EventBuilder(3, load_reasons())
    made.source, made.line, made.raw = "mail.log", 42, "the line"
    return made


@pytest.mark.parametrize(
    ("named", "secured", "login", "expected"),
    [
        ("", False, "", ""),
        ("ESMTP", False, "", "ESMTP"),
        ("ESMTP", True, "", "ESMTPS"),
        ("ESMTP", False, "ann", "ESMTPA"),
        ("", True, "ann", "ESMTPSA"),
        ("SMTP", True, "", "SMTP"),
        ("LOCAL", False, "uid=0", "LOCAL"),
        ("LMTP", True, "", "LMTPS"),
    ],
)
def test_the_protocol_is_put_together_from_what_is_known(named: str, secured: bool, login: str, expected: str) -> None:
    assert protocol_of(named, secured=secured, login=login) == expected


def test_an_acceptance_is_told_once() -> None:
    tells, mail = builder(), entry()
    tells.accepted(mail, 1_001_000)
    tells.accepted(mail, 1_002_000)
    (event,) = tells.take()
    assert (event.type, event.relay, event.accepted_at, event.number) == ("accepted", 3, 1_000_500, 7)
    assert (event.source, event.line, event.waiting) == ("mail.log", 42, 1)
    assert tells.take() == []


def test_nothing_happens_before_the_acceptance() -> None:
    tells, mail = builder(), entry()
    tells.accepted(mail, 1_000_000)  # a whole second, cut off
    assert tells.take()[0].at == 1_000_500


def test_a_mail_stops_waiting_with_its_first_recipient() -> None:
    tells, mail = builder(), entry()
    tells.accepted(mail, 1_001_000)
    for recipient in ("a@B.example", "c@b.example"):
        attempt = Attempt(recipient, "", "mx", "192.0.2.1", "sent", 250, "2.0.0", "250 ok", 5, "")
        tells.attempt(mail, EventType.DELIVERED, 1_002_000, attempt, transport="smtp", tls="")
    _, first, second = tells.take()
    assert (first.waiting, first.recipient, first.recipient_number) == (-1, "a@b.example", 1)
    assert (second.waiting, second.recipient, second.recipient_number) == (0, "c@b.example", 2)


def test_evidence_has_an_end() -> None:
    tells, mail = builder(), entry()
    tells.raw = "x" * 1000
    for tells.line in range(1000):
        tells.add_raw_line(mail)
    tells.accepted(mail, 1_001_000)
    (event,) = tells.take()
    assert LONGEST_EVIDENCE - 2000 < len(event.raw) <= LONGEST_EVIDENCE
    assert event.raw.startswith("0\txxx")
