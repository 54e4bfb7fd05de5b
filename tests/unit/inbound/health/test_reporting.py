"""Collecting over HTTP from servers that answer well, badly, slowly, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import msgspec
import pytest

from mailvane.inbound.health.model import HealthReport, Metrics, Sender, Status
from mailvane.inbound.health.reporting import HealthReporting, remote_team
from mailvane.inbound.health.settings import HealthSettings, Team
from mailvane_demo.world.web_server import Reply, Request, json
from tests.cleanbox import KEY, Cleanbox, cleanbox, contact, message
from tests.ports import free_port
from tests.waiting import PATIENCE

NOW = 1_795_766_400_000
EVERYTHING = set(Metrics.__struct_fields__)
TEAM = EVERYTHING - {"quarantine_pending", "failed_count", "denied_count", "top_senders"}
HALF = b'{"usage": {"weekly_used": 1.5, "weekly_limit": 9}, "limits": {"aliases": {"used": 1, "limit": 0}, "mailboxes": {"used": 2}}}'  # noqa: E501


@pytest.fixture
def team() -> Iterator[Cleanbox]:
    with cleanbox() as found:
        yield found


def of(url: str, name: str = "acme", key: str = KEY, timeout: float = 60.0) -> tuple[Team, float]:
    return Team(name=name, url=url, key=key), timeout


def report(*teams: tuple[Team, float]) -> HealthReport:
    asked = [remote_team(team, timeout, pauses=()) for team, timeout in teams]
    return asyncio.run(HealthReporting(HealthSettings(), lambda: NOW).report(asked))


def only(*teams: tuple[Team, float]) -> tuple[Metrics, dict[str, str], Status]:
    (found,) = report(*teams).teams
    return found.reading.metrics, dict(found.reading.unknown), found.status


def test_every_metric_of_the_guide_is_read(team: Cleanbox) -> None:
    team.quarantine = [message(number, "quarantined") for number in range(3)]
    team.messages = [message(number, "failed") for number in range(2)] + [message(9, "denied")]
    team.contacts = [contact(f"c{number}@example.org", number) for number in range(40, 48)]
    (found,) = report(of(team.url)).teams
    assert found.reading.metrics == Metrics(
        weekly_used=120, weekly_limit=1000, usage_pct=12, aliases_used=7, aliases_limit=20, mailboxes_used=3,
        quarantine_pending=150, failed_count=50, denied_count=25,
        top_senders=tuple(Sender(f"c{number}@example.org", number, "unset") for number in (47, 46, 45, 44, 43)),
    )  # fmt: skip
    assert found.reading.estimates == ("quarantine_pending", "failed_count", "denied_count")
    assert found.reading.unknown == {}
    asked = {request.path: dict(request.query) for request in team.requests if request.path != "/v1/messages"}
    assert asked == {
        "/v1/team": {}, "/v1/quarantine": {"per_page": "1"},
        "/v1/contacts": {"sort": "emailCount", "dir": "desc", "per_page": "5"},
    }  # fmt: skip
    assert sorted(each.query["status"] for each in team.requests if each.path == "/v1/messages") == ["denied", "failed"]


def test_a_server_that_counts_is_exact() -> None:
    with cleanbox(says_total=True) as team:
        team.quarantine = [message(number, "quarantined") for number in range(3)]
        (found,) = report(of(team.url)).teams
    assert (found.reading.metrics.quarantine_pending, found.reading.estimates) == (3, ())


def test_an_empty_server_is_healthy_and_nothing_of_it_is_an_estimate(team: Cleanbox) -> None:
    team.usage = {"weekly_used": 0, "weekly_limit": 0}
    (found,) = report(of(team.url)).teams
    assert (found.status, found.reading.estimates, found.reading.metrics.usage_pct) == (Status.HEALTHY, (), 0)


def answering(body: bytes, status: int = 200) -> Callable[[Request], Reply]:
    return lambda _: Reply(body, status)


@pytest.mark.parametrize(
    ("path", "fault", "unknown", "told"),
    [
        ("/quarantine", answering(b"{"), {"quarantine_pending"}, "is not JSON"),
        ("/quarantine", answering(b"[]"), {"quarantine_pending"}, "is no JSON object"),
        ("/quarantine", answering(b"[" * 100_000), {"quarantine_pending"}, "is not JSON"),
        ("/quarantine", answering(b"{}"), {"quarantine_pending"}, "has no `total_pages`"),
        ("/quarantine", answering(b'{"total_pages": null}'), {"quarantine_pending"}, "has no `total_pages`"),
        ("/quarantine", answering(b'{"total_pages": -1}'), {"quarantine_pending"}, "has no `total_pages`"),
        ("/quarantine", answering(b'{"total_pages": true}'), {"quarantine_pending"}, "has no `total_pages`"),
        ("/quarantine", answering(b'{"total_pages": "3"}'), {"quarantine_pending"}, "has no `total_pages`"),
        ("/quarantine", answering(b"x" * 5_000_000), {"quarantine_pending"}, "more than 4,194,304 bytes"),
        ("/messages", answering(b"oops", 500), {"failed_count", "denied_count"}, "trouble of its own (status 500)"),
        ("/messages", answering(b"", 302), {"failed_count", "denied_count"}, "status 302"),
        ("/messages", answering(b"", 429), {"failed_count", "denied_count"}, "asks for patience"),
        ("/contacts", answering(b'{"data": [{"email": "a@b.example"}]}'), {"top_senders"}, "a contact lacks"),
        ("/contacts", answering(b'{"data": {}}'), {"top_senders"}, "no list `data`"),
        ("/team", answering(b'{"usage": 3, "limits": []}'), TEAM, "did not say"),
        ("/team", answering(HALF), {"weekly_used", "usage_pct"}, "did not say"),
    ],
)  # fmt: skip
def test_one_bad_answer_makes_its_own_metrics_unknown_and_no_others(
    team: Cleanbox, path: str, fault: Callable[[Request], Reply], unknown: set[str], told: str
) -> None:
    team.faults[path] = fault
    metrics, reasons, status = only(of(team.url))
    assert (set(reasons), status) == (unknown, Status.UNKNOWN)
    assert all(told in reason for reason in reasons.values()), reasons
    for name in EVERYTHING:
        assert (getattr(metrics, name) is None) == (name in unknown)


def test_a_key_that_is_not_accepted_makes_everything_unknown(team: Cleanbox) -> None:
    _, reasons, status = only(of(team.url, key="cb_wrong"))
    assert (set(reasons), status) == (EVERYTHING, Status.UNKNOWN)
    assert set(reasons.values()) == {"the key is missing or not accepted (status 401): Missing or invalid API key."}


@pytest.mark.parametrize(
    ("status", "told"), [(403, "the API is not enabled for this team"), (404, "is the base URL right?"), (418, "418")]
)
def test_a_refusal_says_what_its_status_means(team: Cleanbox, status: int, told: str) -> None:
    hostile = "x\n\x1b[31m" + "y" * 1000
    team.faults["/team"] = lambda _: json({"error": {"code": "no", "message": hostile}}, status)
    _, reasons, _ = only(of(team.url))
    assert told in reasons["weekly_used"]
    assert reasons["weekly_used"].isprintable()
    assert len(reasons["weekly_used"]) <= 400


def test_a_dead_server_is_unknown_and_the_address_is_not_told() -> None:
    _, reasons, status = only(of(f"http://127.0.0.1:{free_port()}/v1"))
    assert (set(reasons), status) == (EVERYTHING, Status.UNKNOWN)
    assert set(reasons.values()) == {"the server of acme cannot be reached (ConnectError)"}


def test_a_slow_server_is_not_waited_for(team: Cleanbox) -> None:
    asked_for_nothing_more = Event()

    def slow(_: Request) -> Reply:
        asked_for_nothing_more.wait(PATIENCE)
        return json({"data": [], "total_pages": 0})

    team.faults["/quarantine"] = slow
    _, reasons, _ = only(of(team.url, timeout=1.5))
    asked_for_nothing_more.set()
    assert reasons["quarantine_pending"] == "no answer to /quarantine within 1.5 s"


def test_one_teams_failure_spoils_no_other(team: Cleanbox, tmp_path: Path) -> None:
    missing = Team(name="keyless", url=team.url, key_file=str(tmp_path / "none"))
    empty = Team(name="empty", url=team.url, key="\n")
    found = report(of(f"http://127.0.0.1:{free_port()}", "dead"), (missing, 60.0), (empty, 60.0), of(team.url, "alive"))
    assert {one.reading.team: one.status for one in found.teams} == {
        "dead": Status.UNKNOWN, "keyless": Status.UNKNOWN, "empty": Status.UNKNOWN, "alive": Status.HEALTHY,
    }  # fmt: skip
    assert found.status is Status.UNKNOWN
    assert "key file cannot be read" in found.teams[1].reading.unknown["failed_count"]


def test_an_address_that_others_chose_is_one_short_line(team: Cleanbox) -> None:
    team.contacts = [contact("a@b.example\n:white_check_mark: all is well\x1b[2J" + "x" * 1000, 99)]
    (found,) = report(of(team.url)).teams
    (sender,) = found.reading.metrics.top_senders or ()
    assert sender.email.isprintable()
    assert len(sender.email) == 320


def test_numbers_beyond_all_reason_spoil_nothing(team: Cleanbox) -> None:
    team.usage = {"weekly_used": 10**15, "weekly_limit": 1}
    team.contacts = [contact("a@b.example", 10**15, "x" * 1000 + "\n")]
    found = report(of(team.url))
    assert found.teams[0].reading.metrics.usage_pct == 10**17
    assert len((found.teams[0].reading.metrics.top_senders or ())[0].state) == 40
    msgspec.json.encode(found)
    team.usage = {"weekly_used": 10**15 + 1, "weekly_limit": 1e300}
    team.faults["/quarantine"] = lambda _: json({"total_pages": 2**63})
    metrics, reasons, _ = only(of(team.url))
    assert set(reasons) == {"weekly_used", "weekly_limit", "usage_pct", "quarantine_pending"}
    assert metrics.weekly_limit is None


def test_a_report_is_kept_as_json(team: Cleanbox) -> None:
    found = report(of(team.url))
    assert msgspec.json.decode(msgspec.json.encode(found), type=HealthReport) == found
