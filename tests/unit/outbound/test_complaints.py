"""An abuse report is told of the mail it encloses, and counts once for that mail's domain."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mailvane.maillog.complaints import LATE_BOUNCE, Bounce, Came, Complaint, EnclosedMail, is_complaint
from mailvane.maillog.model import EventBatch, EventType, MailEvent, mail_id
from mailvane.maillog.recording import Recorder
from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.complaints import Complaints
from mailvane.outbound.governance import Governance
from mailvane.outbound.model import Guillotine, OutboundStatus, SendRequest
from mailvane.server.ledger import Ledger
from tests.ledgers import fresh_ledger
from tests.wire.memory_maillog import MemoryMailLog

NOW = 1_795_000_000_000
DAY = 86_400_000
SENT = NOW - 3 * DAY
MAIL = MailEvent(
    relay=1, accepted_at=SENT, number=5, type=EventType.DELIVERED, at=SENT + 900, sender="news@Shop.example",
    recipient="ann@one.example", recipient_number=1, header_from="hello@shop.example", subject="Sale",
    message_id="<m1@shop.example>", queue_id="4VpXyZ0abcz1", reply="250 ok", code=250,
)  # fmt: skip
REPORT = EnclosedMail(
    feedback_type="abuse", reported_at=NOW - DAY, arrived_at=SENT + 2000, message_id="<m1@shop.example>",
    recipients=("ann@one.example",), domains=("shop.example",), subject="Sale", reporter="mx.one.example",
)  # fmt: skip
UNNAMED = msgspec.structs.replace(REPORT, message_id="")


class Place:
    """Two workspaces with a relay and a domain each, and a mail log."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.maillog = MemoryMailLog()
        rules = GovernanceRules(guillotine=Guillotine(complaint_percent=0.1))
        self.book = Governance(ledger.domains, ledger.billing, ledger.tenants, rules)
        for number, name in enumerate(("shop.example", "theirs.example"), 1):
            workspace = ledger.tenants.add_workspace(name, NOW).id
            assert (workspace, ledger.tenants.add_relay(workspace, "", NOW).id) == (number, number)
            self.book.create(name, workspace, NOW)
            self.book.decide([SendRequest(domain=name)] * 2000, NOW)
        self.recorder = Recorder(ledger.journal, self.maillog)
        self.complaints = Complaints(lambda: self.maillog, self.recorder.record, ledger.tenants, self.book)

    def sent(self, *events: MailEvent, workspace: int = 1) -> None:
        self.maillog.append(EventBatch(f"sent {len(self.maillog._tokens)}", workspace, 0, list(events)))

    def take(self, mail: EnclosedMail, digest: str = "d1", workspace: int = 1) -> Complaint:
        taken = self.complaints.take(workspace, mail, digest, NOW)
        self.recorder.drain()
        return taken

    def events(self, workspace: int = 1) -> list[MailEvent]:
        return [each for each in self.maillog._events.get(workspace, []) if each.type is EventType.COMPLAINED]

    def counted(self, name: str = "shop.example") -> int:
        return self.book.usage_today(name, NOW).complaints


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    ledger = fresh_ledger(tmp_path / "ledger.sqlite")
    yield Place(ledger)
    ledger.close()


def changed(report: EnclosedMail = UNNAMED, **fields: Any) -> EnclosedMail:
    return msgspec.structs.replace(report, **fields)


def test_a_complaint_is_told_of_its_mail_and_counted_once_however_often_it_comes(place: Place) -> None:
    place.sent(MAIL)
    told = [place.take(REPORT) for _ in range(3)]
    assert told == [
        Complaint(
            mail_id=MAIL.mail_id, relay=1, recipient="ann@one.example", found_by="message_id", counted="shop.example"
        )
    ] * 3  # fmt: skip
    (event,) = place.events()
    assert (event.key, event.recipient, event.at, event.reply) == (MAIL.key, MAIL.recipient, NOW - DAY, "abuse")
    assert (event.sender, event.message_id, event.queue_id) == (MAIL.sender, MAIL.message_id, MAIL.queue_id)
    assert (event.code, event.source) == (0, "abuse report")
    assert place.counted() == 1


def test_two_reports_of_one_mail_are_two_complaints(place: Place) -> None:
    place.sent(MAIL)
    place.take(REPORT, "d1")
    place.take(REPORT, "d2")
    assert (len(place.events()), place.counted()) == (2, 2)


@pytest.mark.parametrize(
    ("report", "found_by"),
    [
        (changed(message_id="<M1@shop.example>", recipients=(), subject="", arrived_at=0), ""),
        (changed(ids=("other1", "4VpXyZ0abcz1")), "queue_id"),
        (changed(ids=("4VpXyZ0abcz1",), domains=(), subject=""), "queue_id"),
        (changed(ids=("4VpXyZ0abcz1",), domains=("other.example",), recipients=("x@y.example",)), ""),
        (changed(ids=(mail_id(SENT, 5).upper(),), domains=(), recipients=(), subject=""), "mail_id"),
        (changed(), "recipient"),
        (changed(subject="", recipients=("ANN@one.example", "ann@one.example")), "recipient"),
        (changed(subject="Another"), ""),
        (changed(message_id="<rewritten@one.example>"), "recipient"),
        (changed(message_id="<another@shop.example>", subject=""), ""),
        (changed(domains=("other.example",)), ""),
        (changed(arrived_at=SENT - 2 * DAY), ""),
        (changed(arrived_at=0, reported_at=0), "recipient"),
        (changed(arrived_at=0, subject=""), ""),
        (changed(message_id="<no@such>", ids=("4VpXyZ0abcz1",)), "queue_id"),
    ],
)
def test_a_mail_is_found_by_whatever_tells_it_from_others(place: Place, report: EnclosedMail, found_by: str) -> None:
    place.sent(MAIL)
    told = place.take(report)
    assert told.found_by == found_by
    assert told.mail_id == (MAIL.mail_id if found_by else "")
    assert len(place.events()) == bool(found_by)


def test_a_part_of_a_message_id_is_not_it(place: Place) -> None:
    place.sent(MAIL)
    assert place.take(changed(message_id="<1@shop.example>", subject="", recipients=())).mail_id == ""


def test_the_recipient_who_complained_is_told_or_that_nobody_says_who(place: Place) -> None:
    bob = msgspec.structs.replace(MAIL, recipient="bob@two.example", recipient_number=2)
    ann = msgspec.structs.replace(MAIL, recipient="ann@box.example", original_recipient="ann@one.example")
    place.sent(ann, bob)
    assert place.take(REPORT, "d1").recipient == "ann@box.example"
    assert place.take(changed(REPORT, recipients=("BOB@two.example",)), "d2").recipient == "bob@two.example"
    told = place.take(changed(REPORT, recipients=("redacted@one.example",)), "d3")
    assert told.recipient == "ann@box.example"
    assert told.remarks == ("which of the mail's 2 recipients complained is not said: told of the first",)
    assert len(place.events()) == 3


def test_a_mail_that_is_not_known_counts_by_what_the_report_says(place: Place) -> None:
    told = place.take(changed(REPORT, domains=("nowhere.example", "Shop.example.")))
    assert (told.mail_id, told.counted) == ("", "shop.example")
    assert told.remarks == (
        "the mail log does not know the mail: counted as a complaint of shop.example by what the report says",
    )
    assert (place.events(), place.counted()) == ([], 1)
    place.sent(MAIL)
    place.take(changed(REPORT, domains=("nowhere.example", "Shop.example.")))
    assert place.counted() == 1


def test_nothing_is_told_or_counted_of_another_workspace(place: Place) -> None:
    place.sent(MAIL)
    told = place.take(changed(REPORT, domains=("shop.example",)), workspace=2)
    assert (told.mail_id, told.counted) == ("", "")
    assert told.remarks == (
        "the mail log does not know the mail",
        "not counted: it tells of shop.example, and no such domain is governed in this workspace",
    )
    assert (place.events(1), place.events(2), place.counted()) == ([], [], 0)


def test_the_domain_of_the_mail_itself_counts_whatever_the_report_says(place: Place) -> None:
    place.sent(MAIL)
    assert place.take(changed(REPORT, domains=("theirs.example",))).counted == "shop.example"
    assert place.counted("theirs.example") == 0


def test_many_complaints_suspend_the_domain_with_evidence(place: Place) -> None:
    place.sent(MAIL)
    for number in range(3):
        place.take(REPORT, f"d{number}")
    assert place.book.domain("shop.example").status is OutboundStatus.SUSPENDED
    (entry,) = [each for each in place.book.audit("shop.example", 10) if each.action == "suspended"]
    told = msgspec.json.decode(entry.evidence)["notification"]
    assert (told["source"], told["mail"], told["reporter"]) == ("abuse report", MAIL.mail_id, "mx.one.example")


def test_without_a_book_the_mail_gets_its_event_and_nothing_counts(place: Place) -> None:
    place.sent(MAIL)
    alone = Complaints(lambda: place.maillog, place.recorder.record, place.ledger.tenants, None)
    told = alone.take(1, REPORT, "d1", NOW)
    place.recorder.drain()
    assert (told.found_by, told.counted, told.remarks) == ("message_id", "", ())
    assert (len(place.events()), place.counted()) == (1, 0)


@pytest.mark.parametrize(
    ("feedback_type", "complaint"),
    [
        *((each, True) for each in ("abuse", "Fraud", "virus", "other", "opt-out", "x-odd")),
        *((each, False) for each in ("not-spam", "auth-failure", "Auth-Failure", "dmarc", "")),
    ],
)
def test_what_nobody_complained_by_is_no_complaint(feedback_type: str, complaint: bool) -> None:
    assert is_complaint(feedback_type) is complaint


# -- bounces that come back as mail --------------------------------------------------------------------------------

UNKNOWN = Bounce(sender="news@Shop.example", code=550, enhanced_code="5.1.1", reply="user unknown")
BOUNCED = EnclosedMail(
    feedback_type=LATE_BOUNCE, reported_at=NOW - DAY, recipients=("ann@one.example",), domains=("shop.example",),
    reporter="mx.one.example", bounce=UNKNOWN,
)  # fmt: skip


def bounces(place: Place, name: str = "shop.example") -> tuple[int, list[MailEvent]]:
    told = [each for each in place.maillog._events.get(1, []) if each.type is EventType.BOUNCED]
    return place.book.usage_today(name, NOW).bounces, told


@pytest.mark.parametrize(("message_id", "by"), [("<m1@shop.example>", "message_id"), ("", "envelope")])
def test_a_late_bounce_is_told_of_its_mail_and_counted_once(place: Place, message_id: str, by: str) -> None:
    place.sent(MAIL)
    report = changed(BOUNCED, message_id=message_id)
    first = place.take(report, "d1")
    assert (first.mail_id, first.found_by, first.counted, first.remarks) == (MAIL.mail_id, by, "shop.example", ())
    # Another report of the same mail, and the same report again.
    again = [place.take(report, digest) for digest in ("d1", "d2")]
    assert [each.remarks for each in again] == [("the mail log has it as failed already",)] * 2
    counted, (event,) = bounces(place)
    assert (counted, event.key, event.recipient, event.at) == (1, MAIL.key, MAIL.recipient, NOW - DAY)
    assert (event.code, event.family.value, event.hard, event.source) == (550, "unknown_user", True, "late bounce")
    assert place.events() == []
    assert place.counted() == 0


def test_a_late_bounce_is_of_the_newest_mail_before_it_and_says_that_others_fit(place: Place) -> None:
    before = msgspec.structs.replace(MAIL, accepted_at=SENT - DAY, at=SENT - DAY, message_id="<m0@shop.example>")
    after = msgspec.structs.replace(MAIL, accepted_at=NOW - 9, at=NOW - 8, message_id="<m2@shop.example>")
    place.sent(before, MAIL, after)
    found = place.take(BOUNCED)
    assert found.mail_id == MAIL.mail_id
    assert found.remarks == ("of the mails of this sender to this recipient before it, the newest: 1 more fit",)


@pytest.mark.parametrize(
    "other",
    [
        {"message_id": "<other@shop.example>"},
        {"recipients": ("bob@one.example",)},
        {"bounce": msgspec.structs.replace(UNKNOWN, sender="else@shop.example")},
    ],
)
def test_a_bounce_of_no_mail_of_ours_is_said_and_not_counted(place: Place, other: dict[str, Any]) -> None:
    place.sent(MAIL)
    became = place.take(changed(BOUNCED, **other))
    assert became == Complaint(remarks=("the mail log does not know the mail: the bounce is not counted",))
    assert bounces(place) == (0, [])


def test_a_bounce_that_names_none_of_several_recipients_is_of_nobody(place: Place) -> None:
    place.sent(MAIL, msgspec.structs.replace(MAIL, recipient="bob@one.example", recipient_number=2))
    forwarded = changed(BOUNCED, message_id="<m1@shop.example>", recipients=("far@two.example",))
    assert place.take(forwarded).mail_id == ""
    assert bounces(place) == (0, [])


def test_a_bounce_that_is_not_permanent_is_told_and_not_counted(place: Place) -> None:
    place.sent(MAIL)
    full = Bounce(sender=UNKNOWN.sender, code=452, enhanced_code="4.2.2", reply="mailbox full")
    assert place.take(changed(BOUNCED, bounce=full)).counted == ""
    counted, (event,) = bounces(place)
    assert (counted, event.hard, event.family.value) == (0, False, "mailbox_full")


LATER = NOW + 5 * DAY


def test_a_complaint_is_joined_to_mail_that_comes_later_and_counted_once(place: Place) -> None:
    first = place.take(REPORT)
    came = Came(at=NOW, counted=first.counted)
    assert (first.mail_id, first.counted, place.counted()) == ("", "shop.example", 1)
    assert place.complaints.join(1, REPORT, "d1", came, LATER) is None
    place.sent(MAIL)
    for _ in range(3):
        told = place.complaints.join(1, REPORT, "d1", came, LATER)
        place.recorder.drain()
        assert told is not None
        assert (told.mail_id, told.counted) == (MAIL.mail_id, "shop.example")
    (event,) = place.events()
    assert (event.key, event.at) == (MAIL.key, NOW - DAY)
    assert place.counted() == 1


def test_what_nobody_was_counted_for_is_counted_for_who_sent_it(place: Place) -> None:
    report = changed(REPORT, domains=("unknown.example",))
    came = Came(at=NOW, counted=place.take(report).counted)
    assert (came.counted, place.counted()) == ("", 0)
    place.sent(MAIL)
    for _ in range(2):
        told = place.complaints.join(1, report, "d1", came, NOW)
        assert told is not None
        assert told.counted == "shop.example"
    assert place.counted() == 1


def test_a_complaint_is_not_about_mail_that_was_sent_since(place: Place) -> None:
    report = changed(arrived_at=0, reported_at=0)
    came = Came(at=NOW, counted=place.take(report).counted)
    place.sent(msgspec.structs.replace(MAIL, accepted_at=NOW + DAY, at=NOW + DAY + 900))
    assert place.complaints.join(1, report, "d1", came, LATER) is None


def test_a_late_bounce_is_joined_to_mail_that_comes_later(place: Place) -> None:
    bounce = Bounce(sender="news@shop.example", code=550, enhanced_code="5.1.1", reply="550 5.1.1 no such user")
    report = changed(REPORT, feedback_type=LATE_BOUNCE, bounce=bounce)
    assert place.take(report).mail_id == ""
    place.sent(MAIL)
    for _ in range(2):
        told = place.complaints.join(1, report, "d1", Came(at=NOW), LATER)
        place.recorder.drain()
        assert told is not None
        assert (told.mail_id, told.counted) == (MAIL.mail_id, "shop.example")
    (event,) = [each for each in place.maillog._events[1] if each.type is EventType.BOUNCED]
    assert (event.key, event.hard) == (MAIL.key, True)
