"""Mails as people read them."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import msgspec
import pytest

from mailvane.core.errors import InvalidInput
from mailvane.reputation.alerts.daily_report import AlertLine, DailyReport, ProfileLines, RuleLine
from mailvane.reputation.alerts.model import LogEntry
from mailvane.reputation.texts.email_templates import render_email
from mailvane.reputation.texts.plain_message import plain_message
from mailvane.reputation.texts.slack_message import slack_body
from tests.unit.notify.letters_sent import BUSY, DAY, FORGED, LISTED, NOW, QUIET, UNKNOWN, entry, fired, notification

EVIL = "<script>alert(1)</script><img src=//evil.example>"


class Closed(HTMLParser):
    """Which elements are left open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("told", [entry(), QUIET, UNKNOWN, BUSY])
def test_html_is_whole_and_fetches_nothing(told: LogEntry | DailyReport) -> None:
    html = render_email(notification(told)).html
    parser = Closed()
    parser.feed(html)
    assert parser.open == []
    assert not re.search(r"https?://|src=|url\(|<img|<link|@import|<script", html)
    assert "prefers-color-scheme: dark" in html


def test_a_cell_is_broken_within_a_word_only_where_the_word_is_long() -> None:
    long = "a-very-long-name-of-some-team.shop.example"
    items = [{"domain": name, "time_range": "ONE_HOUR", "value": 0.636364} for name in ("shop.example", long, " ")]
    html = render_email(notification(entry(fired("MV_BOUNCE_RATE", items)))).html
    cells = dict(reversed(found) for found in re.findall(r'<td class="rule" style="([^"]*)">([^<]*)</td>', html))
    assert "word-break" in cells[long]
    assert "word-break" not in cells["shop.example"]
    assert "63.636\u00a0%" in cells


def test_what_others_said_stays_text() -> None:
    alert = render_email(notification(entry(fired("IP_IN_RBL", [{"ip": EVIL, "rbl": EVIL}], ips=[EVIL]), name=EVIL)))
    line = AlertLine(
        alert_id="a", name=EVIL, fired=1, unattended=1, first_at=NOW, last_at=NOW,
        rules=(RuleLine("IP_IN_RBL", ({"ip": EVIL, "rbl": EVIL},), 1),),
    )  # fmt: skip
    daily = render_email(
        notification(msgspec.structs.replace(BUSY, workspace=EVIL, profiles=(ProfileLines(EVIL, (line,)),)))
    )
    for letter in (alert, daily):
        assert "<script" not in letter.html
        assert "<img" not in letter.html
        assert "&lt;script" in letter.html
        assert "\n" not in letter.subject


def test_the_text_of_an_alert_can_be_read_on_a_terminal() -> None:
    text = render_email(notification(entry(FORGED))).text
    assert max(map(len, text.splitlines())) <= 76
    table = [line for line in text.splitlines() if line.startswith("  ")]
    assert table == [
        "  Domain        Failed  Of messages  Within",
        "  ------------  ------  -----------  -------",
        "  shop.example  12,345  98,765       one day",
    ]
    for told in ("What it means:", "What to do:", "Reports until 2026-09-21 13:13 UTC", "65f0c0ffee0123456789abcd"):
        assert told in text
    assert "\n\n\n\n" not in text


@pytest.mark.parametrize(
    ("report", "outcome"),
    [
        (QUIET, "nothing happened"),
        (UNKNOWN, "no alert fired, but not everything is known"),
        (BUSY, "3 alerts fired 5 times, and not everything is known"),
        (msgspec.structs.replace(QUIET, alerts=1, firings=1), "1 alert fired"),
        (msgspec.structs.replace(UNKNOWN, sources=()), "no alert fired, but not everything is known"),
    ],
)
def test_what_could_not_be_asked_is_not_called_quiet(report: DailyReport, outcome: str) -> None:
    assert render_email(notification(report)).subject == f"[Mailvane] default, 2026-09-20: {outcome}"


def test_a_report_says_what_fired_and_what_is_not_known() -> None:
    letter = render_email(notification(BUSY))
    for text in (letter.text, letter.html.replace("&amp;", "&")):
        for told in (
            "203.0.113.7 is on zen.spamhaus.org", "and 7 more", "3 times, 02:00 to 09:00", "2 not acknowledged yet",
            "sh0p[.]example looks like shop.example", "3 of 120 watched assets", "all of 4 watched assets",
            "the resolver", "could not be judged", "Sunday",
        ):  # fmt: skip
            assert told in text, told
    assert "NEWSLETTERS & OFFERS" in letter.text
    assert "nothing to say" not in letter.text
    assert "12 alerts watched" in render_email(notification(QUIET)).text


def test_times_are_those_of_the_reports_zone() -> None:
    there = msgspec.structs.replace(BUSY, day=msgspec.structs.replace(DAY, zone="Asia/Tokyo"))
    assert "3 times, 11:00 to 18:00" in render_email(notification(there)).text


def test_what_is_neither_entry_nor_report_is_no_letter() -> None:
    for body in ({}, {"report": "daily"}, {"report": "weekly"}):
        with pytest.raises(InvalidInput):
            render_email(msgspec.structs.replace(notification(QUIET), body=body))


def test_a_test_says_that_it_is_one_and_names_no_entry_that_there_is_not() -> None:
    told = notification(entry(LISTED))
    tried = msgspec.structs.replace(told, body={**told.body, "test": True})
    letter = render_email(tried)
    for text in (letter.text, letter.html, plain_message(tried).body, slack_body(tried).decode()):
        assert "Sent as a test 2026-09-21 14:13 UTC" in text
        assert "Fired" not in text
        assert entry(LISTED).id not in text
    assert entry(LISTED).id in render_email(told).text
