"""Rhythms: busy days and quiet nights that average out."""

from __future__ import annotations

import pytest

from mailvane_demo.world.senders import OFFICE, SENDERS, WARM_UP, Rhythm, pace

HOUR = 3_600_000
DAY = 24 * HOUR
MONDAY = 1_760_313_600_000  # 2025-10-13, 00:00 UTC


@pytest.mark.parametrize("rhythm", [rhythm for rhythm in Rhythm if rhythm is not Rhythm.WARM_UP])
def test_a_week_averages_to_one(rhythm: Rhythm) -> None:
    paces = [pace(rhythm, MONDAY + hour * HOUR, MONDAY) for hour in range(7 * 24)]
    assert abs(sum(paces) / len(paces) - 1) < 0.03


def test_an_office_rests_on_sunday_and_works_on_monday() -> None:
    ten = 10 * HOUR
    assert pace(OFFICE.rhythm, MONDAY + ten, MONDAY) > 10 * pace(OFFICE.rhythm, MONDAY + 6 * DAY + ten, MONDAY)


def test_a_warm_up_doubles_again_and_again_and_then_stays() -> None:
    paces = [pace(WARM_UP.rhythm, MONDAY + week * 7 * DAY + 10 * HOUR, MONDAY) for week in range(9)]
    assert paces[1] > 2 * paces[0]
    assert paces[2] > 2 * paces[1]
    assert paces[7] == paces[8]


def test_each_sender_writes_from_its_own_domain() -> None:
    for sender in SENDERS:
        assert all(sender.domain in address for address in (*sender.envelope, *sender.header_from))
