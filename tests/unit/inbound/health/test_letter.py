"""Health reports as mails."""

from __future__ import annotations

import struct
import zlib

import pytest

from mailvane.inbound.health.model import Reading, TeamReport
from mailvane.inbound.health.texts.chart import HEIGHT, WIDTH, chart
from mailvane.inbound.health.texts.letter import letter_of
from mailvane.inbound.health.texts.terminal import lines_of
from tests.unit.inbound.health.reports import AT, calm, report, silent, troubled


def test_one_team_is_told_in_the_subject() -> None:
    assert letter_of(report(calm())).subject == "[Mailvane] email health of acme, 2026-11-27: healthy"
    assert letter_of(report(calm(), troubled())).subject == "[Mailvane] email health of 2 teams, 2026-11-27: 3 alerts"


def test_text_and_html_say_the_same() -> None:
    told = letter_of(report(troubled(), silent()))
    for part in (told.text, told.html):
        plain = " ".join(part.split())
        for words in (
            "Weekly quota at 82% (820/1000)", "50+ messages in quarantine awaiting review", "820 of 1000 (82 %)",
            "about 50",
            "+31 % a week, over several weeks", "from 0 to 40; newest 20; 1 day not known", "unknown", "status 401",
        ):  # fmt: skip
            assert words in plain


def test_what_is_unknown_is_never_a_zero() -> None:
    told = letter_of(report(silent()))
    assert told.subject.endswith("no alerts, but not everything is known")
    assert "healthy" not in told.text + told.html
    assert "  0" not in told.text
    assert not any(line.endswith(" 0") for line in lines_of(report(silent())))


def test_what_others_wrote_is_no_markup() -> None:
    hostile = TeamReport(reading=Reading(team="<script>", at=AT), alerts=(":mag: contact <img src=x>",))
    html = letter_of(report(hostile)).html
    assert "<script>" not in html
    assert "<img src=x>" not in html


def test_every_picture_is_shown_and_every_shown_one_is_there() -> None:
    told = letter_of(report(troubled(), calm()))
    assert [each.name for each in told.images] == ["health-0-quarantine_pending", "health-0-failed_count"]
    assert all(f'src="cid:{each.name}"' in told.html for each in told.images)
    assert told.html.count("cid:") == 2


def test_a_mail_of_many_teams_stays_small() -> None:
    told = letter_of(report(*(troubled(f"team {number}") for number in range(100))))
    assert len(told.images) == 20
    assert sum(len(each.content) for each in told.images) < 50_000


def pixels(image: bytes) -> list[bytes]:
    """The rows of an indexed PNG, each chunk's checksum proven."""
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    place, found = 8, {}
    while place < len(image):
        (length,) = struct.unpack(">I", image[place : place + 4])
        kind, content = image[place + 4 : place + 8], image[place + 8 : place + 8 + length]
        (sum_,) = struct.unpack(">I", image[place + 8 + length : place + 12 + length])
        assert sum_ == zlib.crc32(kind + content)
        found[kind], place = content, place + 12 + length
    assert list(found) == [b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"]
    data = zlib.decompress(found[b"IDAT"])
    assert len(data) == HEIGHT * (WIDTH + 1)
    return [data[row * (WIDTH + 1) + 1 : (row + 1) * (WIDTH + 1)] for row in range(HEIGHT)]


@pytest.mark.parametrize("values", [[], [0], [None], [1] * 100, [0, 1, 10**12, None]])
def test_a_chart_can_be_drawn_of_anything(values: list[int | None]) -> None:
    pixels(chart(values))


def test_bars_are_as_high_as_their_values() -> None:
    rows = pixels(chart([0, 5, 10, None]))
    heights = [sum(row[WIDTH - 18 * back + 2] in (1, 2) for row in rows) for back in (4, 3, 2, 1)]
    assert heights == [0, 36, 72, 0]
    assert sum(row[WIDTH - 16] == 4 for row in rows) == 2  # the mark of a day that is not known
