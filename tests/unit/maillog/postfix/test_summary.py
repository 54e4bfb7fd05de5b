"""What an import came to."""

from __future__ import annotations

from mailvane.maillog.model import EventType, MailEvent, MailKind
from mailvane.maillog.postfix.summary import Summary


def event(kind: EventType, of: MailKind = MailKind.MAIL) -> MailEvent:
    return MailEvent(relay=1, accepted_at=0, number=0, type=kind, at=0, kind=of)


def test_only_mail_proper_is_counted_as_messages() -> None:
    summary = Summary()
    summary.count(
        [
            event(EventType.ACCEPTED),
            event(EventType.DELIVERED),
            event(EventType.DELIVERED),
            event(EventType.REJECTED),
            event(EventType.ACCEPTED, MailKind.NOTIFICATION),
            event(EventType.DELIVERED, MailKind.PROBE),
        ]
    )
    assert summary.events == {EventType.ACCEPTED: 1, EventType.DELIVERED: 2, EventType.REJECTED: 1}


def test_samples_are_few_and_short() -> None:
    summary = Summary()
    for number in range(1000):
        summary.miss("smtp", "mail.log", number, "x" * 10_000)
    assert summary.not_understood == {"smtp": 1000}
    assert 0 < len(summary.samples["smtp"]) < 100
    assert max(map(len, summary.samples["smtp"])) < 600
    assert summary.samples["smtp"][0].startswith("mail.log:0: xxx")


def test_summaries_of_blocks_add_up() -> None:
    whole = Summary()
    for number in range(30):
        block = Summary()
        block.lines = 2
        block.count([event(EventType.ACCEPTED)])
        block.miss("smtp", "mail.log", number, "x")
        whole.add(block)
    assert (whole.lines, whole.events, whole.not_understood) == (60, {EventType.ACCEPTED: 30}, {"smtp": 30})
    assert whole.samples["smtp"] == [f"mail.log:{number}: x" for number in range(20)]
