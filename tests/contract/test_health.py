"""What the ledger keeps of health reports, on both engines."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from mailvane.core.errors import NotFound
from mailvane.inbound.health.model import (
    DayCounts,
    HealthReport,
    HeldMessage,
    Metrics,
    Reading,
    ReleaseState,
    TeamReport,
)
from mailvane.inbound.health.store.readings import MadeReport
from mailvane.server.ledger import Ledger

NOW = 1_795_766_400_000
HOUR = 3_600_000
DAY = "2026-11-27"


def reading(at: int = NOW, team: str = "acme", **counts: int) -> Reading:
    return Reading(team=team, at=at, metrics=msgspec.convert(counts, Metrics), estimates=("failed_count",))


def held(number: int, sender: str = "friend@example.org") -> HeldMessage:
    return HeldMessage(id=f"message-{number}", sender=sender, state="whitelisted", subject="a\0b")


def test_the_newest_reading_of_a_day_is_kept(ledger: Ledger) -> None:
    readings = ledger.health.readings
    readings.keep(DAY, reading(NOW, failed_count=2, denied_count=0))
    readings.keep(DAY, reading(NOW - 1, failed_count=99))
    readings.keep("2026-11-26", reading(NOW - 24 * HOUR, failed_count=1))
    readings.keep(DAY, reading(NOW, team="other", failed_count=7))
    assert readings.days("acme", "2026-11-26") == (
        DayCounts("2026-11-26", {"failed_count": 1}, ("failed_count",)),
        DayCounts(DAY, {"failed_count": 2, "denied_count": 0}, ("failed_count",)),
    )
    assert readings.days("acme", DAY)[0].day == DAY
    newest = readings.newest("acme")
    assert newest is not None
    assert newest.metrics.failed_count == 2
    assert readings.newest("nobody") is None


def test_a_reading_that_says_nothing_replaces_none(ledger: Ledger) -> None:
    ledger.health.readings.keep(DAY, reading(failed_count=2))
    ledger.health.readings.keep(DAY, Reading(team="acme", at=NOW + 1, unknown={"failed_count": "dead"}))
    assert ledger.health.readings.days("acme", DAY)[0].counts == {"failed_count": 2}


def test_old_readings_and_reports_are_forgotten(ledger: Ledger) -> None:
    ledger.health.readings.keep(DAY, reading(failed_count=2))
    ledger.health.reports.keep_report(DAY, HealthReport(day=DAY, at=NOW, teams=()))
    assert ledger.health.readings.forget_readings(NOW) == 0
    assert ledger.health.readings.forget_readings(NOW + 1) == 2
    assert ledger.health.readings.days("acme", DAY) == ()


def test_a_report_is_made_once_and_told_to_each_channel_once(ledger: Ledger) -> None:
    reports = ledger.health.reports
    assert reports.made(DAY) is None
    first = HealthReport(day=DAY, at=NOW, teams=(TeamReport(reading=reading(failed_count=9), alerts=(":x: nine",)),))
    reports.keep_report(DAY, first)
    reports.keep_report(DAY, HealthReport(day=DAY, at=NOW + 1, teams=()))
    reports.told(DAY, "slack")
    reports.told(DAY, "mail a@b.example")
    reports.told(DAY, "slack")
    assert reports.made(DAY) == MadeReport(first, ("mail a@b.example", "slack"))


def test_no_more_than_the_budget_of_an_hour_is_reserved(ledger: Ledger) -> None:
    releases = ledger.health.releases
    first = releases.reserve("acme", [held(number) for number in range(5)], NOW, NOW - HOUR, 3)
    assert [one.message for one in first] == ["message-0", "message-1", "message-2"]
    for one in first:
        releases.settle(msgspec.structs.replace(one, state=ReleaseState.ACCEPTED))
    assert releases.reserve("acme", [held(9)], NOW + 1, NOW + 1 - HOUR, 3) == []
    assert len(releases.reserve("other", [held(9)], NOW + 1, NOW + 1 - HOUR, 3)) == 1
    assert len(releases.reserve("acme", [held(9)], NOW + HOUR, NOW, 3)) == 1


def test_what_was_released_or_undone_is_not_reserved_again(ledger: Ledger) -> None:
    releases = ledger.health.releases
    accepted, undone, failed, asked = releases.reserve("acme", [held(n) for n in range(4)], NOW, NOW - HOUR, 9)
    releases.settle(msgspec.structs.replace(accepted, state=ReleaseState.ACCEPTED))
    releases.settle(msgspec.structs.replace(undone, state=ReleaseState.UNDONE, detail="by a person"))
    releases.settle(msgspec.structs.replace(failed, state=ReleaseState.FAILED))
    again = releases.reserve("acme", [held(n) for n in range(4)], NOW + 1, NOW + 1 - HOUR, 9)
    assert [one.id for one in again] == [failed.id, asked.id]
    assert releases.held_back("acme") == {"friend@example.org"}
    assert releases.held_back("other") == frozenset()
    assert releases.release(undone.id).detail == "by a person"
    assert {one.state for one in releases.releases("acme")} == {
        ReleaseState.ACCEPTED, ReleaseState.UNDONE, ReleaseState.ASKED,
    }  # fmt: skip
    assert releases.releases("other") == []
    with pytest.raises(NotFound):
        releases.release("nothing")


def test_several_at_once_keep_one_budget(ledger: Ledger) -> None:
    def reserve(number: int) -> int:
        mine = [held(10 * number + each) for each in range(5)]
        return len(ledger.health.releases.reserve("acme", mine, NOW, NOW - HOUR, 7))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(reserve, range(4))) == 7
