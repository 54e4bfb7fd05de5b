"""A mailbox that is warmed up: its days, its volume, its score."""

from __future__ import annotations

import pytest

from mailvane.core.moments import DAY_MS
from mailvane.mailboxes.model import Mailbox, Warmup, WarmupStatus
from mailvane.mailboxes.warmup import Placement

NOON = 1_790_000_000_000 // DAY_MS * DAY_MS + DAY_MS // 2
WARMUP = Warmup(start=5, step=10, target=40, started_at=NOON)


@pytest.mark.parametrize(
    ("after", "day", "volume", "status"),
    [
        (0, 1, 5, WarmupStatus.IN_PROGRESS),
        (DAY_MS // 2 - 1, 1, 5, WarmupStatus.IN_PROGRESS),
        (DAY_MS // 2, 2, 15, WarmupStatus.IN_PROGRESS),  # a day begins at midnight, UTC
        (3 * DAY_MS, 4, 35, WarmupStatus.IN_PROGRESS),
        (4 * DAY_MS, 5, 40, WarmupStatus.COMPLETED),
        (90 * DAY_MS, 91, 40, WarmupStatus.COMPLETED),
    ],
)
def test_a_warmup_day_by_day(after: int, day: int, volume: int, status: WarmupStatus) -> None:
    now = NOON + after
    assert (WARMUP.day(now), WARMUP.volume(now), WARMUP.status(now)) == (day, volume, status)


def test_a_pause_holds_the_day() -> None:
    paused = Warmup(start=5, step=10, target=40, started_at=NOON, paused_at=NOON + DAY_MS)
    assert (paused.day(NOON + 9 * DAY_MS), paused.volume(NOON + 9 * DAY_MS)) == (2, 15)
    assert paused.status(NOON + 9 * DAY_MS) is WarmupStatus.PAUSED


@pytest.mark.parametrize(
    ("limit", "warmup", "allowed"),
    [(None, Warmup(), None), (30, Warmup(), 30), (None, WARMUP, 5), (3, WARMUP, 3), (0, WARMUP, 0)],
)
def test_the_least_of_the_limits_holds(limit: int | None, warmup: Warmup, allowed: int | None) -> None:
    mailbox = Mailbox(id="", workspace=1, address="a@b.example", daily_limit=limit, warmup=warmup)
    assert mailbox.allowed_today(NOON) == allowed


def test_the_score_of_the_vendors_sample_is_cut_off_and_not_rounded() -> None:
    sample = Placement(sent=175, inbox=155, spam=12, replied=0, opened=145, bounced=0)
    assert (sample.inbox_rate, sample.spam_rate, sample.health_score) == (89, 7, 88)


@pytest.mark.parametrize(
    ("counted", "score"),
    [((10, 10, 0, 0, 10, 0), 100), ((10, 0, 0, 0, 0, 10), 30), ((0, 0, 0, 0, 0, 0), 0), ((10, 0, 10, 0, 0, 0), 0)],
)
def test_scores(counted: tuple[int, int, int, int, int, int], score: int) -> None:
    assert Placement(*counted).health_score == score
