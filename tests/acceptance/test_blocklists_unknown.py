"""A resolver that breaks in every way there is, under a server that watches: no listing ends, nothing is cleared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from mailvane.reputation.sources.dnsbl.zones import shipped
from tests.acceptance.installation import Installation
from tests.unit.reputation.sources.dnsbl.name_server import TEST_POINTS, NameServer
from tests.waiting import PATIENCE, wait_for

LISTED, CLEAR, NAME = "192.0.2.66", "192.0.2.67", "bad.example"
WELL = {**TEST_POINTS, "66.2.0.192": "127.0.0.4", NAME: "127.0.1.2"}
HOSTS = ("one.example", "two.example")
BROKEN: dict[str, dict[str, str] | str] = {
    "over quota": "refusing",
    "SERVFAIL": "failing",
    "NXDOMAIN": {},
    "captive portal": "hijacked",
    "wildcard": "everything",
}


class Watcher:
    """A server whose dictionary is two zones, and what it shows of two addresses and a domain."""

    def __init__(self, installation: Installation, token: str) -> None:
        self.client = httpx.Client(base_url=installation.url, headers={"X-API-KEY": token}, timeout=PATIENCE)
        master = (installation.data / "master-token").read_text().strip()
        for host, enabled in (*((zone.host, False) for zone in shipped()), *((host, True) for host in HOSTS)):
            body = {"lists": ["ips", "domains"], "enabled": enabled}
            path, headers = f"/mailvane/v1/blocklists/{host}", {"X-API-KEY": master}
            assert self.client.put(path, json=body, headers=headers).status_code == 200

    def watch(self) -> None:
        assert self.client.post("/api/v1.0/ips", json={"ips": [LISTED, CLEAR]}).status_code == 201
        assert self.client.post("/api/v1.0/domains", json={"domains": [NAME]}).status_code == 201

    def assets(self) -> dict[str, Any]:
        pages = (self.client.get(f"/api/v1.0/{path}").json()["data"] for path in ("ips", "domains"))
        return {one.get("ip") or one["domain"]: one for page in pages for one in page}

    def shown(self) -> dict[str, bool | None]:
        return {name: one["blacklisted"] for name, one in self.assets().items()}

    def changes(self) -> list[tuple[str, str, str]]:
        return sorted(
            (name, change["host"], change["status"])
            for name, one in self.assets().items()
            for change in self.client.get(
                f"/api/v1.0/{'ips' if 'ip' in one else 'domains'}/{one['id']}/rbl_changes_log"
            ).json()["data"]["data"]
        )

    def refresh(self, status: str) -> None:
        assert self.client.post("/mailvane/v1/sources/blocklists/run", json={}).status_code == 200
        self.waited_for(status)

    def waited_for(self, status: str) -> None:
        wait_for(lambda: {one["status"] for one in self.assets().values()} == {status})


@pytest.fixture
def resolver() -> Iterator[NameServer]:
    with NameServer(dict.fromkeys(HOSTS, WELL), {}).running() as running:
        yield running


@pytest.fixture
def watcher(tmp_path: Path, resolver: NameServer) -> Iterator[Watcher]:
    with ExitStack() as stack:
        installation = Installation(tmp_path / "data")
        settings = f'[reputation]\nresolvers = ["127.0.0.1:{resolver.port}"]\n'
        (installation.data / "mailvane.toml").write_text(settings)
        _, token = installation.tenant("acme")
        stack.enter_context(installation.serving())
        found = Watcher(installation, token)
        stack.callback(found.client.close)
        yield found


def test_a_resolver_that_breaks_ends_no_listing_and_clears_nothing(watcher: Watcher, resolver: NameServer) -> None:
    watcher.watch()
    watcher.waited_for("UPDATED")
    known = {LISTED: True, CLEAR: False, NAME: True}
    opened = sorted((name, host, "BLACKLISTED") for name in (LISTED, NAME) for host in HOSTS)
    assert (watcher.shown(), watcher.changes()) == (known, opened)
    for broken in BROKEN.values():
        resolver.zones = dict.fromkeys(HOSTS, broken)
        watcher.refresh("FAILED")
        assert (watcher.shown(), watcher.changes()) == (known, opened), broken
        resolver.zones = dict.fromkeys(HOSTS, WELL)
        watcher.refresh("UPDATED")
        assert (watcher.shown(), watcher.changes()) == (known, opened), broken
        # The same while a round is under way: it passes its probe, and breaks at the first address.
        turning = {f"66.2.0.192.{host}": (host, broken) for host in HOSTS}
        resolver.turning = turning | {f"67.2.0.192.{host}": (host, broken) for host in HOSTS}
        watcher.refresh("FAILED")
        assert (watcher.shown(), watcher.changes()) == (known, opened), broken
        resolver.turning, resolver.zones = {}, dict.fromkeys(HOSTS, WELL)
        watcher.refresh("UPDATED")
    resolver.zones = dict.fromkeys(HOSTS, TEST_POINTS)
    watcher.refresh("UPDATED")
    assert watcher.shown() == {LISTED: False, CLEAR: False, NAME: False}, "the lists themselves say so"
    assert len(watcher.changes()) == 8


@pytest.mark.parametrize("broken", list(BROKEN.values()), ids=list(BROKEN))
def test_a_fresh_server_behind_a_broken_resolver_calls_nothing_clear(
    watcher: Watcher, resolver: NameServer, broken: dict[str, str] | str
) -> None:
    resolver.zones = dict.fromkeys(HOSTS, broken)
    watcher.watch()
    wait_for(lambda: watcher.client.get("/mailvane/v1/sources").json()[0]["failures"] > 0)
    (health,) = watcher.client.get("/mailvane/v1/sources").json()
    assert (health["source"], health["succeeded_at"]) == ("blocklists", 0)
    assert health["failures"] >= 1
    assert watcher.shown() == {LISTED: None, CLEAR: None, NAME: None}
    resolver.zones = {HOSTS[0]: WELL, HOSTS[1]: broken}
    watcher.refresh("UPDATED")
    assert watcher.shown() == {LISTED: True, CLEAR: False, NAME: True}
    assert watcher.assets()[CLEAR]["rbl_unknown"] == [{"lookup_host": HOSTS[1]}]
