"""Figures for Prometheus and InfluxDB."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from mailvane.inbound.health.exporting import HealthMetrics, line_protocol, push_to_influx
from mailvane.inbound.health.model import TeamReport
from mailvane.notify.notifier import NotDelivered, Refused
from mailvane_demo.world.web_server import Reply
from tests.cleanbox import Received, receiver
from tests.ports import free_port
from tests.unit.inbound.health.reports import AT, calm, report, silent, troubled


@pytest.fixture
def influx() -> Iterator[Received]:
    with receiver() as found:
        found.answer = Reply(b"", 204)
        yield found


def named(name: str) -> TeamReport:
    one = calm()
    return TeamReport(reading=msgspec.structs.replace(one.reading, team=name))


def test_a_line_for_each_team_holds_what_is_known() -> None:
    lines = line_protocol(report(troubled(), silent())).decode().splitlines()
    assert lines == [
        (
            "mailvane_health,team=globex weekly_used=820i,weekly_limit=1000i,usage_pct=82i,aliases_used=7i,"
            "aliases_limit=20i,mailboxes_used=3i,quarantine_pending=50i,failed_count=0i,denied_count=25i,"
            f"alerts=3i,status=1i,unknown=0i,estimated=2i {AT}000000"
        ),
        f"mailvane_health,team=initech alerts=0i,status=2i,unknown=10i,estimated=0i {AT}000000",
    ]


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("two words", r"two\ words"),
        ("a,b=c", r"a\,b\=c"),
        ("line\nbreak", r"line\ break"),
        ("end\\", "end"),
        ('"quoted"', '"quoted"'),
        ("Zürich", "Zürich"),
    ],
)
def test_names_are_escaped(name: str, tag: str) -> None:
    (line,) = line_protocol(report(named(name))).decode().splitlines()
    assert line.startswith(f"mailvane_health,team={tag} weekly_used=")


@pytest.mark.parametrize(
    ("query", "stamp"),
    [("", f"{AT}000000"), ("&precision=s", str(AT // 1000)), ("&precision=ms", str(AT)), ("&precision=us", f"{AT}000")],
)
def test_it_is_pushed_in_the_precision_that_the_address_names(
    influx: Received, tmp_path: Path, query: str, stamp: str
) -> None:
    (tmp_path / "token").write_text("secret\n")
    url = f"{influx.url}?org=o&bucket=b{query}"
    asyncio.run(push_to_influx(report(calm()), url, str(tmp_path / "token")))
    (request,) = influx.requests
    assert request.headers["authorization"] == "Token secret"
    assert request.query["bucket"] == "b"
    assert request.body.decode().split()[-1] == stamp


def test_what_influx_refuses_is_told_without_its_address(influx: Received, tmp_path: Path) -> None:
    influx.answer = Reply(b'{"message": "bucket not found"}', 404)
    with pytest.raises(NotDelivered, match="bucket not found") as failed:
        asyncio.run(push_to_influx(report(calm()), influx.url, None))
    assert influx.url not in failed.value.message
    with pytest.raises(NotDelivered, match="cannot be reached"):
        asyncio.run(push_to_influx(report(calm()), f"http://127.0.0.1:{free_port()}/write", None))
    with pytest.raises(Refused, match="token file"):
        asyncio.run(push_to_influx(report(calm()), influx.url, str(tmp_path / "none")))
    with pytest.raises(Refused, match="precision"):
        asyncio.run(push_to_influx(report(calm()), f"{influx.url}?precision=d", None))


def test_what_is_no_longer_known_is_no_longer_shown() -> None:
    registry = CollectorRegistry()
    metrics = HealthMetrics(registry)
    metrics.show(report(troubled("acme")))
    text = generate_latest(registry).decode()
    assert 'mailvane_health_quarantine_pending{team="acme"} 50.0' in text
    assert 'mailvane_health_estimated{figure="quarantine_pending",team="acme"} 1.0' in text
    assert "offers@shop.example" not in text
    metrics.show(report(silent("acme")))
    text = generate_latest(registry).decode()
    assert "mailvane_health_quarantine_pending{" not in text
    assert 'mailvane_health_unknown{figure="quarantine_pending",team="acme"} 1.0' in text
    assert 'mailvane_health_alerts{team="acme"} 0.0' in text
