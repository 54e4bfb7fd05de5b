"""Whatever the simulated world's log looks like, reading it gives what really happened there."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from mailvane.maillog.model import EventType, MailKind, ReasonFamily
from mailvane.maillog.postfix.reading import LogReading, Origin
from mailvane_demo.world.log_writer import LogWriter
from mailvane_demo.world.postfix import PostfixWorld
from mailvane_demo.world.stamps import LogFormat
from mailvane_demo.world.truth import Truth

START = 1_764_460_800_000  # 2025-11-30: the log runs over the end of a month
END = START + 4 * 86_400_000


def read(path: Path) -> Truth:
    """What the events of a log add up to."""
    events: Counter[tuple[MailKind, EventType]] = Counter()
    families: Counter[ReasonFamily] = Counter()
    for step in LogReading(Origin(workspace=1, relay=1)).read_all([str(path)], END):
        for event in step.entry.batch.events:
            events[event.kind, event.type] += 1
            if event.type is EventType.BOUNCED and event.kind is MailKind.MAIL:
                families[event.family] += 1
    return Truth(
        accepted=events[MailKind.MAIL, EventType.ACCEPTED],
        delivered=events[MailKind.MAIL, EventType.DELIVERED],
        deferred=events[MailKind.MAIL, EventType.DEFERRED],
        bounced=events[MailKind.MAIL, EventType.BOUNCED],
        expired=events[MailKind.MAIL, EventType.EXPIRED],
        rejected=events[MailKind.MAIL, EventType.REJECTED],
        screened=0,
        notifications=events[MailKind.NOTIFICATION, EventType.ACCEPTED],
        families=dict(families),
    )


@pytest.mark.parametrize("log_format", list(LogFormat))
def test_the_log_is_read_as_it_was_lived(tmp_path: Path, log_format: LogFormat) -> None:
    world = PostfixWorld(3, START, mails_per_day=1500, log_format=log_format)
    LogWriter(world, tmp_path / "mail.log").write(START, END)
    told, truth = read(tmp_path / "mail.log"), world.truth(START, END)
    assert truth.accepted > 3000
    assert told.accepted == truth.accepted
    assert told.delivered == truth.delivered
    assert told.deferred == truth.deferred
    assert told.bounced == truth.bounced > 30
    assert told.expired == truth.expired > 0
    assert told.rejected == truth.rejected + truth.screened
    assert told.notifications == truth.notifications


def test_reasons_are_told_apart_as_they_were_meant(tmp_path: Path) -> None:
    world = PostfixWorld(4, START, mails_per_day=3000)
    LogWriter(world, tmp_path / "mail.log").write(START, END)
    told, truth = read(tmp_path / "mail.log").families, world.truth(START, END).families
    assert told.keys() == truth.keys()
    for family, count in truth.items():
        assert told[family] == count, family
