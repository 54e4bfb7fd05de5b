"""Pictures that the server draws, as text: what stands in them, and where."""

from __future__ import annotations

import re

from mailvane.core.moments import HOUR_MS, MINUTE_MS
from mailvane.dashboard.parts.approach import Stage, approach
from mailvane.dashboard.parts.axis import Point, axis
from mailvane.dashboard.parts.bars import Bar, Pin, bars
from mailvane.dashboard.parts.gauge import gauge
from mailvane.dashboard.parts.interval import interval
from mailvane.dashboard.rendering import span

HOURS = [Bar(hour * HOUR_MS, {"ok": hour}, f"/at/{hour}", f"hour {hour}") for hour in range(1, 11)]


def pinned(*ats: int) -> list[tuple[str, str]]:
    """Link and title of what is pinned to ten hours."""
    pins = [Pin(at, f"/fired/{at}", f"<{at}>") for at in ats]
    drawn = bars(HOURS, str, "Mails", pins=pins)
    return re.findall(r'<a class="pin" href="([^"]+)"><title>([^<]+)</title>', drawn)


def test_what_happened_is_pinned_to_its_hour_and_close_ones_are_one() -> None:
    first, close, far = HOUR_MS, HOUR_MS + MINUTE_MS, 9 * HOUR_MS
    assert pinned(far, first, close) == [
        (f"/fired/{close}", f"&lt;{first}&gt;; &lt;{close}&gt;"),
        (f"/fired/{far}", f"&lt;{far}&gt;"),
    ]
    assert pinned() == []


def test_a_chart_that_can_be_drawn_across_says_which_time_it_shows() -> None:
    assert f'data-brush="/log?q=" data-from="{HOUR_MS}" data-step="{HOUR_MS}"' in bars(HOURS, str, "x", brush="/log?q=")
    assert "data-brush" not in bars(HOURS, str, "x")
    assert "data-brush" not in bars(HOURS[:1], str, "x", brush="/log?q="), "of one bar nobody knows how long it is"


def test_a_life_is_a_line_with_its_tries_in_their_place() -> None:
    tries = [Point(0, "none", "accepted", "accepted"), Point(HOUR_MS, "warn", "1", "put off"),
             Point(2 * HOUR_MS, "ok", "delivered", "delivered <3>")]  # fmt: skip
    drawn = axis(tries, span, "Life")
    assert [float(x) for x in re.findall(r'<use href="#\w+" x="([\d.]+)"', drawn)] == [16.0, 482.0, 948.0]
    assert re.findall(r'text-anchor="\w+">([^<]+)<', drawn) == ["+1 h", "+2 h", "accepted", "1", "delivered"]
    assert "delivered &lt;3&gt;" in drawn


def test_tries_that_are_close_do_not_write_over_each_other() -> None:
    tries = [Point(at, "warn", str(at), "put off") for at in (0, 1000, 2000, 3000, 500_000, 1_000_000)]
    written = re.findall(r">(\d+)</text>", axis(tries, span, "Life"))
    assert written == ["0", "500000", "1000000"]


def test_a_gauge_is_never_longer_than_its_limit() -> None:
    widths = [re.findall(r'width="([\d.]+)"', gauge(used, 10, "ok"))[1:] for used in (0, 5, 10, 25)]
    assert widths == [[], ["120.0"], ["240.0"], ["240.0"]]


def test_an_interval_shows_the_line_that_is_not_to_be_passed() -> None:
    assert 'class="limit" x1="48.0"' in interval(0.01, 0, 0.02, 0.06, "x", 0.03)
    assert "limit" not in interval(0.01, 0, 0.02, 0.06, "x")


def test_how_a_share_came_to_its_line_is_cut_off_where_little_was_sent_and_ends_at_the_stop() -> None:
    stages = [
        Stage(1, 1.0, 0.2, 1.0),
        Stage(50, 0.1, 0.04, 0.2),
        Stage(100, 0.05, 0.02, 0.1, "<five> of 100", "/mail/a"),
    ]
    drawn = approach(stages, 0.03, 50, "Share of <bounces>")
    assert "Share of &lt;bounces&gt;" in drawn
    assert '<a href="/mail/a"><title>&lt;five&gt; of 100</title><circle' in drawn
    assert drawn.count("<circle") == 1, "what something came back at"
    assert "line 3 %" in drawn
    assert "from 50 mails on" in drawn
    assert ">100 mails<" in drawn
    heights = [float(each) for each in re.findall(r"[ML][\d.]+ ([\d.]+)", drawn)]
    assert min(heights) == 14, "the first, of which all came back, is cut off at the top"
    assert "from " not in approach(stages, 0.03, 0, "x")
    assert "from " not in approach(stages, 0.03, 500, "x"), "which were never sent"


def test_one_mail_is_a_picture_too() -> None:
    assert ">1 mails<" in approach([Stage(1, 1.0, 0.2, 1.0, "it", "")], 0.03, 0, "x")
