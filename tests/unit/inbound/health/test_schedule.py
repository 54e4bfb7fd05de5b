"""The daily report: made once when it is due, made up when it was missed, told to everybody in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from mailvane.core.daily import last_due
from mailvane.inbound.health.schedule import HealthSchedule, NotTold
from mailvane.inbound.health.settings import HealthSettings, Remediation, Team
from mailvane.inbound.health.texts.letter import letter_of
from mailvane.inbound.health.texts.terminal import lines_of
from mailvane.notify.settings import OutgoingMail
from mailvane.server.health import Health
from mailvane.server.ledger import Ledger
from mailvane.server.settings import Settings, load
from mailvane_demo.world.web_server import Reply
from tests.cleanbox import KEY, Cleanbox, Received, cleanbox, message, receiver
from tests.ledgers import fresh_ledger
from tests.unit.notify.post_office import PostOffice

DAY = 86_400_000
EIGHT = 1_795_766_400_000  # 2026-11-27T08:00:00Z


class Station:
    """A server's part that makes reports, with a clock that tests set."""

    def __init__(self, place: Path, ledger: Ledger, **settings: Any) -> None:
        self.now = EIGHT
        self.ledger = ledger
        base = load({"data": str(place)}, {})
        health = HealthSettings(hour=8, **{"schedule": True, **settings})
        self.settings: Settings = msgspec.structs.replace(base, health=health)

    def mailing(self, office: PostOffice) -> None:
        mail = OutgoingMail(host="127.0.0.1", port=office.port, security="none")
        notify = msgspec.structs.replace(self.settings.notify, mail=mail)
        self.settings = msgspec.structs.replace(self.settings, notify=notify)

    @property
    def health(self) -> Health:
        """A new one each time, as after a restart."""

        def no_quarantine(_ledger: Ledger) -> Any:
            raise AssertionError("nobody asks this server's own quarantine")

        return Health(self.settings, lambda: self.ledger, lambda: self.now, no_quarantine)

    def schedule(self) -> HealthSchedule:
        return self.health.schedule()

    def due(self) -> None:
        asyncio.run(self.schedule().due(self.now))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(fresh_ledger(tmp_path / "ledger.sqlite")) as found:
        yield found


@pytest.fixture
def team() -> Iterator[Cleanbox]:
    with cleanbox() as found:
        yield found


@pytest.fixture
def slack(tmp_path: Path) -> Iterator[Received]:
    with receiver() as found:
        (tmp_path / "slack").write_text(found.url)
        yield found


@pytest.fixture
def station(tmp_path: Path, ledger: Ledger, team: Cleanbox, slack: Received) -> Station:
    asked = (Team(name="acme", url=team.url, key=KEY),)
    return Station(tmp_path, ledger, teams=asked, slack_url_file=str(tmp_path / "slack"))


def test_a_day_is_told_once_however_often_it_is_looked_at(station: Station, slack: Received, team: Cleanbox) -> None:
    for _ in range(3):
        station.due()
    assert len(slack.messages) == 1
    assert slack.messages[0]["text"] == "acme, 2026-11-27: healthy"
    assert len([each for each in team.requests if each.path == "/v1/team"]) == 1


def test_a_run_that_was_missed_is_made_up_and_the_next_comes_at_its_hour(station: Station, slack: Received) -> None:
    station.due()
    station.now = EIGHT + 2 * DAY + 9 * 3_600_000  # nothing ran for two days
    station.due()
    station.due()
    station.now = EIGHT + 3 * DAY - 1
    station.due()
    assert len(slack.messages) == 2
    station.now = EIGHT + 3 * DAY
    station.due()
    made = [station.ledger.health.reports.made(f"2026-11-{day}") for day in (27, 28, 29, 30)]
    assert [each is not None for each in made] == [True, False, True, True]


def test_who_was_told_is_not_told_again_while_another_is_tried(
    station: Station, slack: Received, tmp_path: Path
) -> None:
    with receiver() as influx, PostOffice().running() as office:
        station.mailing(office)
        health = msgspec.structs.replace(
            station.settings.health, mail_to=("Ops <ops@example.net>", "b@example.net"), influx_url=influx.url
        )
        station.settings = msgspec.structs.replace(station.settings, health=health)
        slack.answer, influx.answer = Reply(b"", 500), Reply(b"partial write", 400, "text/plain")
        with pytest.raises(NotTold) as failed:
            station.due()
        assert "slack: Slack has trouble of its own (status 500)" in failed.value.message
        assert "influx: InfluxDB does not take it (status 400): partial write" in failed.value.message
        assert slack.url not in failed.value.message
        assert sorted(each["To"] for each in office.taken) == ["b@example.net", "ops@example.net"]
        slack.answer = influx.answer = Reply(b"", 204)
        station.due()
        assert (len(office.taken), len(slack.requests), len(influx.requests)) == (2, 2, 2)


def test_of_several_messages_those_that_arrived_do_not_come_again(station: Station, slack: Received) -> None:
    (first,) = station.settings.health.teams
    teams = (first, msgspec.structs.replace(first, name="globex"))
    health = msgspec.structs.replace(station.settings.health, teams=teams)
    station.settings = msgspec.structs.replace(station.settings, health=health)
    slack.answers = [Reply(b"ok", 200), Reply(b"", 500)]
    with pytest.raises(NotTold):
        station.due()
    station.due()
    assert [each["text"].split(",")[0] for each in slack.messages] == ["2 teams", "acme", "acme", "globex"]


def test_slack_is_waited_for_when_it_asks_for_patience(station: Station, slack: Received) -> None:
    slack.answers = [Reply(b"", 429)]
    station.due()
    assert len(slack.requests) == 2


def test_a_server_tries_again_by_itself(station: Station, slack: Received) -> None:
    slack.answer = Reply(b"", 503)

    async def told() -> None:
        station.schedule()
        day = last_due(station.now, 8, ZoneInfo("UTC"))
        schedule = HealthSchedule(station.schedule()._parts, pauses=(0.0,))
        telling = asyncio.create_task(schedule.post(day, station.now))
        while len(slack.requests) < 3:
            await asyncio.sleep(0.01)
        slack.answer = Reply(b"ok", 200)
        await telling

    asyncio.run(told())
    made = station.ledger.health.reports.made("2026-11-27")
    assert made is not None
    assert made.told == ("slack 1",)


def test_it_is_given_up_when_the_next_day_is_near(station: Station, slack: Received) -> None:
    slack.answer = Reply(b"", 503)

    async def told() -> None:
        day = last_due(station.now, 8, ZoneInfo("UTC"))
        began, station.now = station.now, station.now + 20 * 3_600_000
        await HealthSchedule(station.schedule()._parts, pauses=(0.0,)).post(day, began)

    asyncio.run(told())
    assert len(slack.requests) == 1


def test_only_one_process_makes_it(station: Station, slack: Received) -> None:
    assert station.ledger.leases.hold("health report", "another", station.now, 60_000)
    with pytest.raises(NotTold, match="another process"):
        station.due()
    assert not slack.requests


def test_a_dead_server_is_told_as_unknown_and_that_day_is_not_kept(
    station: Station, slack: Received, team: Cleanbox
) -> None:
    team.faults["/team"] = team.faults["/quarantine"] = team.faults["/messages"] = lambda _: Reply(b"", 500)
    team.faults["/contacts"] = team.faults["/team"]
    station.due()
    assert slack.messages[0]["text"] == "acme, 2026-11-27: no alert, but not everything is known"
    assert station.ledger.health.readings.days("acme", "2026-11-01") == ()


def test_what_the_rule_releases_is_told_beside_what_was_found(
    station: Station, slack: Received, team: Cleanbox
) -> None:
    health = msgspec.structs.replace(station.settings.health, remediation=Remediation(mode="apply", backlog=1))
    station.settings = msgspec.structs.replace(station.settings, health=health)
    team.quarantine = [message(number, "quarantined", "a@b.example", "whitelisted") for number in range(2)]
    station.due()
    assert "100+ pending" in str(slack.messages)
    assert [each["status"] for each in team.messages] == ["delivered", "delivered"]
    assert "*Released by rule*\\n2 held, 2 of whitelisted contacts, 2 released" in str(slack.messages)


def test_a_dry_run_is_told_and_releases_nothing(station: Station, slack: Received, team: Cleanbox) -> None:
    health = msgspec.structs.replace(station.settings.health, remediation=Remediation(mode="dry-run", backlog=1))
    station.settings = msgspec.structs.replace(station.settings, health=health)
    team.quarantine = [message(number, "quarantined", "a@b.example", "whitelisted") for number in range(2)]
    station.due()
    assert "would release 2, within the budget" in str(slack.messages)
    assert not [each for each in team.requests if each.method == "POST"]
    made = station.ledger.health.reports.made("2026-11-27")
    assert made is not None
    told = (letter_of(made.report).text, letter_of(made.report).html, *lines_of(made.report))
    assert sum("would release 2" in " ".join(each.split()) for each in told) == 3


def test_the_figures_are_shown_to_prometheus(station: Station, team: Cleanbox) -> None:
    health = msgspec.structs.replace(station.settings.health, prometheus_minutes=1, schedule=False)
    station.settings = msgspec.structs.replace(station.settings, health=health)
    team.faults["/contacts"] = lambda _: Reply(b"", 500)
    registry = CollectorRegistry()

    async def shown() -> None:
        (collect,) = station.health.background(registry)
        running = asyncio.create_task(collect())
        while b"mailvane_health_weekly_used{" not in generate_latest(registry):
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(shown())
    text = generate_latest(registry).decode()
    for line in (
        'mailvane_health_weekly_used{team="acme"} 120.0',
        'mailvane_health_status{team="acme"} 2.0',
        'mailvane_health_unknown{figure="top_senders",team="acme"} 1.0',
    ):
        assert line in text


def test_a_server_that_is_told_nothing_of_it_does_nothing(tmp_path: Path, ledger: Ledger) -> None:
    registry = CollectorRegistry()
    assert Station(tmp_path, ledger, schedule=False).health.background(registry) == []
    assert generate_latest(registry) == b""
