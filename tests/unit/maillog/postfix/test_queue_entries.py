"""Which life a queue id stands for, and how long it is remembered."""

from __future__ import annotations

import pytest

from mailvane.maillog.model import mail_number
from mailvane.maillog.postfix.lines import read_tag
from mailvane.maillog.postfix.queue_entries import GRACE, QueueEntries
from mailvane.maillog.postfix.state import Doubt, Start

DAY = 86_400_000
NOON = 1_791_633_600_000  # 2026-10-10T12:00:00Z
SMTPD, SUBMISSION, OTHER_HOST = (
    read_tag("mx1", "postfix/smtpd"),
    read_tag("mx1", "pf-sub/smtpd"),
    read_tag("mx2", "postfix/smtpd"),
)


def test_a_life_is_found_on_its_host_only() -> None:
    entries = QueueEntries()
    entry = entries.begin(SMTPD, "1A2B3C4D5E", Start.CLIENT, NOON)
    assert entries.find(SMTPD, "1A2B3C4D5E") is entry
    assert entries.find(OTHER_HOST, "1A2B3C4D5E") is None
    assert entries.find_on_host(SUBMISSION, "1A2B3C4D5E") is entry
    assert entries.find_on_host(OTHER_HOST, "1A2B3C4D5E") is None


def test_the_identity_is_the_birth_with_the_fraction_of_the_queue_id() -> None:
    mail = QueueEntries().begin(SMTPD, f"{573_000:05X}AB01", Start.CLIENT, NOON).mail
    assert (mail.accepted_at, mail.number) == (NOON + 573, mail_number("mx1", "postfix", f"{573_000:05X}AB01"))
    assert QueueEntries().begin(SMTPD, f"{573_000:05X}AB01", Start.CLIENT, NOON + 250).mail.accepted_at == NOON + 250


def test_a_mail_whose_birth_was_not_seen_is_dated_by_its_delay() -> None:
    mail = QueueEntries().begin(SMTPD, f"{573_000:05X}AB01", Start.UNSEEN, NOON, 10_000).mail
    assert mail.accepted_at == NOON - 10_000 + 573


def test_a_life_of_another_syslog_name_is_adopted_until_cleanup_has_seen_it() -> None:
    entries = QueueEntries()
    entry = entries.begin(SUBMISSION, "1A2B3C4D5E", Start.CLIENT, NOON)
    assert entries.find(SMTPD, "1A2B3C4D5E") is entry
    assert entries.find(SUBMISSION, "1A2B3C4D5E") is entry  # and back, while nothing speaks against it
    entries.name(entry, "<a@b>")
    assert entries.find(SMTPD, "1A2B3C4D5E") is None


def test_the_dead_are_remembered_for_a_minute() -> None:
    entries = QueueEntries()
    entries.close(entries.begin(SMTPD, "1A2B3C4D5E", Start.CLIENT, NOON), NOON)
    entries.sweep(NOON + GRACE - 1)
    assert entries.find(SMTPD, "1A2B3C4D5E") is not None
    entries.sweep(NOON + GRACE)
    assert entries.find(SMTPD, "1A2B3C4D5E") is None


@pytest.mark.parametrize(("active", "days"), [(True, 30), (False, 1)])
def test_the_living_are_remembered_for_a_month_if_they_were_accepted(active: bool, days: int) -> None:
    entries = QueueEntries()
    entry = entries.begin(SMTPD, "1A2B3C4D5E", Start.CLIENT, NOON)
    entry.active = NOON if active else 0
    entries.sweep(NOON + days * DAY)
    assert entries.find(SMTPD, "1A2B3C4D5E") is entry
    entries.sweep(NOON + days * DAY + 3_600_000)
    assert entries.find(SMTPD, "1A2B3C4D5E") is None


def test_lives_that_are_one_mail_still_are_after_a_restart() -> None:
    entries = QueueEntries()
    first = entries.begin(SMTPD, "1A2B3C4D5E", Start.CLIENT, NOON)
    entries.join(entries.begin(SMTPD, "2B3C4D5E6F", Start.LOOPBACK, NOON), first)
    restarted = QueueEntries()
    restarted.restore(entries.changes()[0])
    one, other = restarted.find(SMTPD, "1A2B3C4D5E"), restarted.find(SMTPD, "2B3C4D5E6F")
    assert one is not None
    assert other is not None
    assert one.mail is other.mail
    assert one.mail == first.mail


def test_namesakes_are_those_of_the_host_with_one_message_id() -> None:
    entries = QueueEntries()
    first, second = (entries.begin(SMTPD, queue_id, Start.CLIENT, NOON) for queue_id in ("1A2B3C4D5E", "2B3C4D5E6F"))
    other, elsewhere = (
        entries.begin(SMTPD, "3C4D5E6F7A", Start.CLIENT, NOON),
        entries.begin(OTHER_HOST, "4D", 1, NOON),
    )
    for entry, message_id in ((second, "<a@b>"), (first, "<a@b>"), (other, "<c@b>"), (elsewhere, "<a@b>")):
        entries.name(entry, message_id)
    assert entries.namesakes(first) == [second]
    entries.close(second, NOON)
    assert entries.namesakes(first) == []


def test_a_mail_without_a_message_id_is_known_while_recipients_have_no_outcome() -> None:
    entries = QueueEntries()
    first, second = (entries.begin(SMTPD, queue_id, Start.CLIENT, NOON) for queue_id in ("1A2B3C4D5E", "2B3C4D5E6F"))
    entries.name(first, "")
    assert entries.nameless(second) == []
    first.pending = 1
    entries.progress(first)
    assert entries.nameless(second) == [first]
    entries.close(first, NOON)
    assert entries.nameless(second) == []


def test_queue_ids_that_share_a_mail_all_go_over_to_another() -> None:
    entries = QueueEntries()
    first, second, third = (entries.begin(SMTPD, queue_id * 10, Start.LOOPBACK, NOON) for queue_id in "ABC")
    entries.join(third, second)
    entries.join(second, first)
    assert first.mail is second.mail is third.mail
    assert first.mail.travels == 3


def test_what_is_in_doubt_is_not_forgotten_and_comes_back_after_a_restart() -> None:
    entries = QueueEntries()
    first, second = (entries.begin(SMTPD, queue_id * 10, Start.LOOPBACK, NOON) for queue_id in "AB")
    second.mail.doubt = Doubt(second.key, NOON + 10 * GRACE, [first.key])
    entries.note_doubt(second.mail.doubt)
    entries.close(first, NOON)
    entries.close(second, NOON)
    entries.sweep(NOON + 2 * GRACE)
    restarted = QueueEntries()
    restarted.restore(entries.changes()[0])
    assert restarted.awaited == {first.key: {second.key: None}}
    found = restarted.find(SMTPD, "B" * 10)
    assert found is not None
    assert restarted.drop_doubt(found.mail) == Doubt(second.key, NOON + 10 * GRACE, [first.key])
    assert (restarted.awaited, restarted.doubtful) == ({}, {})
