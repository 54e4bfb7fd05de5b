"""A server that is stopped or killed while it asks a source: the next one asks at once, and shows when."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mailvane.reputation.sources.dnsbl.zones import shipped
from tests.acceptance.installation import Installation
from tests.unit.reputation.sources.dnsbl.name_server import TEST_POINTS, NameServer
from tests.waiting import PATIENCE

POINTS = {**TEST_POINTS, "2.0.0.0.7.f.0.0.f.f.f.f." + "0." * 19 + "0": "127.0.0.2"}


@pytest.fixture
def resolver() -> Iterator[NameServer]:
    with NameServer({zone.host: POINTS for zone in shipped()}, {}).running() as running:
        yield running


@pytest.fixture
def client(tmp_path: Path, resolver: NameServer) -> Iterator[tuple[Installation, httpx.Client]]:
    installation = Installation(tmp_path / "data")
    set_lookups(installation, resolver, at_once=1)
    _, token = installation.tenant("acme")
    with httpx.Client(base_url=installation.url, headers={"X-API-KEY": token}, timeout=PATIENCE) as client:
        yield installation, client


def set_lookups(installation: Installation, resolver: NameServer, at_once: int) -> None:
    settings = f'[reputation]\nresolvers = ["127.0.0.1:{resolver.port}"]\nlookups_at_once = {at_once}\n'
    (installation.data / "mailvane.toml").write_text(settings)


def shown(client: httpx.Client) -> dict[str, Any]:
    (found,) = client.get("/mailvane/v1/sources").json()
    assert found["source"] == "blocklists"
    return dict(found)


def statuses(client: httpx.Client) -> list[str]:
    return [one["status"] for one in client.get("/api/v1.0/ips").json()["data"]]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_source_is_asked_at_once_after_a_restart(
    client: tuple[Installation, httpx.Client], resolver: NameServer, how: signal.Signals
) -> None:
    installation, api = client
    well = resolver.zones
    resolver.zones = dict.fromkeys(well, "silent")  # one question after the other, each until its time is over
    with installation.starting("serve") as process:
        installation.wait_until_ready()
        assert api.post("/api/v1.0/ips", json={"ips": ["192.0.2.98"]}).status_code == 201
        installation.wait_for(lambda: shown(api)["leased_until"])
        doctor = {one["name"]: one["finding"] for one in installation.answer("doctor")}
        assert f":{process.pid}:" in doctor["sources"], "who asks is shown"
        process.send_signal(how)
        process.wait(PATIENCE)
    resolver.zones = well
    set_lookups(installation, resolver, at_once=100)
    with installation.serving():
        assert api.post("/api/v1.0/ips", json={"ips": ["192.0.2.99"]}).status_code == 201
        assert api.post("/mailvane/v1/sources/blocklists/run", json={}).json() == {"count": 2}
        installation.wait_for(lambda: statuses(api) == ["UPDATED"] * 2)
        installation.wait_for(lambda: not shown(api)["leased_until"])
        found = shown(api)
        day = 24 * 3_600_000
        assert 0.85 * day < found["next_at"] - found["succeeded_at"] <= day
        doctor = {one["name"]: one["finding"] for one in installation.answer("doctor")}
        assert doctor["sources"].startswith("blocklists is due in 2")
        assert api.post("/mailvane/v1/sources/blocklists/run", json={}).json() == {"count": 2}
        assert shown(api)["next_at"] < found["next_at"]
