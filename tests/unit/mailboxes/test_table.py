"""The table of `mailvane mailboxes` on terminals of several widths: figures are never cut, addresses are."""

from __future__ import annotations

import pytest

from mailvane.core.moments import DAY_MS
from mailvane.mailboxes.cli import mailboxes
from mailvane.mailboxes.model import Mailbox
from mailvane.mailboxes.performance import Known, Performance, Totals, Window
from mailvane.maillog.queries import EngagementCounts

NOW = 20_000 * DAY_MS
KNOWN = Known(frozenset({"delivered", "bounced", "opened", "clicked", "replied", "positive"}))
LONG = "a.very.long.name.of.somebody@outreach.subsidiary.example"


def shown(columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    counts = EngagementCounts(sender=LONG, sent=12_345, delivered=12_345, bounced=1_234, opened=6_172, replied=617)
    one = Mailbox(id="1", workspace=1, address=LONG, daily_limit=2_000)
    found = [Performance(one, Totals(sent_today=1_234), counts, KNOWN)]
    days = {LONG: {NOW - day * DAY_MS: 1 for day in range(30)}}
    mailboxes._print(found, 1, days, mailboxes._Asked(Window(NOW - 29 * DAY_MS, NOW), NOW))
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(("columns", "days", "today"), [(80, 7, False), (120, 14, True), (160, 30, True)])
def test_figures_are_whole(
    columns: int, days: int, today: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    head, line = shown(columns, monkeypatch, capsys)
    assert max(len(head), len(line)) <= columns
    assert line.count("█") == days
    assert ("1,234 of 2,000" in line, "today" in head) == (today, today)
    for figure in ("12,345", "10.0%", "50.0%", "0.0%", "5.0%"):
        assert figure in line
    for word in ("mailbox", "sent", "days", "bounced", "opened", "clicked", "replied", "positive"):
        assert word in head
