"""Blocklists as they are served in the wild, by a real rbldnsd, watched by a real server: only true listings alert."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from mailvane.reputation.sources.dnsbl.zones import shipped
from tests.acceptance.installation import Installation
from tests.acceptance.rbldnsd import Rbldnsd, cannot_run, resolver
from tests.waiting import PATIENCE, wait_for

BAD_4, BAD_6, BAD_NAME = "192.0.2.9", "2001:db8::9", "bad.example"
GOOD_4, GOOD_6, GOOD_NAME = "192.0.2.8", "2001:db8::8", "good.example"
POINT_4, POINT_6, POINT_NAME = ":127.0.0.2:Test $\n127.0.0.2\n", ":127.0.0.2:Test\n::ffff:7f00:2/128\n", ":2:\ntest\n"
EVERY_6 = "::/0 :127.0.0.2:\n"
LISTS = {"ip4trie": "ips", "ip6trie": "ipv6", "dnset": "domains"}
ZONES = {
    "true.example": {
        "ip4trie": f"{POINT_4}{BAD_4} :127.0.0.3:Caught, see https://true.example/$",
        "ip6trie": f"{POINT_6}{BAD_6}/128 :127.0.0.3:Caught",
        "dnset": f"{POINT_NAME}{BAD_NAME} :127.0.1.2:Advertised",
    },
    "turning.example": {"ip4trie": f"{POINT_4}{BAD_4} :127.0.0.2:Caught here as well"},
    "clear.example": {"ip4trie": POINT_4, "ip6trie": POINT_6, "dnset": POINT_NAME},
    "refusing.example": {"ip4trie": "0/0 :127.255.255.254:Not for public resolvers"},
    "everything.example": {"ip4trie": "0/0 :127.0.0.2:", "ip6trie": EVERY_6},
    "parked.example": {"ip4trie": f"{POINT_4}{BAD_4} :192.0.2.80:", "dnset": f"{POINT_NAME}.example :192.0.2.80:"},
    "silent.example": {"ip4trie": f"{POINT_4}{BAD_4} :127.0.0.2:"},
}
DEAD = "dead.example"  # rbldnsd refuses what it was not given
RULES = [
    {"type": "IP_IN_RBL", "ips": ["ALL_IPS"], "rbls": ["HIGH_REPUTATION"]},
    {"type": "DOMAIN_IN_RBL", "domains": ["ALL_DOMAINS"], "rbls": ["HIGH_REPUTATION"]},
]
LISTED_AT_FIRST = {
    BAD_4: {"true.example", "turning.example"}, BAD_6: {"true.example"}, BAD_NAME: {"true.example"},
    GOOD_4: set(), GOOD_6: set(), GOOD_NAME: set(),
}  # fmt: skip


class Watcher:
    """A server that watches six assets on the zones of a name server, and one alert for each rule."""

    def __init__(self, installation: Installation, token: str) -> None:
        self.api = httpx.Client(base_url=f"{installation.url}/api/v1.0", headers={"X-API-KEY": token}, timeout=PATIENCE)
        self.native = httpx.Client(base_url=f"{installation.url}/mailvane/v1", timeout=PATIENCE)
        self.native.headers["X-API-KEY"] = token
        master = (installation.data / "master-token").read_text().strip()
        self._know(
            httpx.Client(base_url=f"{installation.url}/mailvane/v1", headers={"X-API-KEY": master}, timeout=PATIENCE)
        )
        self.alerts = [self._alert(rule) for rule in RULES]
        assert self.api.post("/ips", json={"ips": [BAD_4, BAD_6, GOOD_4, GOOD_6]}).status_code == 201
        assert self.api.post("/domains", json={"domains": [BAD_NAME, GOOD_NAME]}).status_code == 201

    @staticmethod
    def _know(master: httpx.Client) -> None:
        with master:
            for zone in shipped():
                body = {"lists": zone.lists, "enabled": False}
                assert master.put(f"/blocklists/{zone.host}", json=body).status_code == 200
            for host in (*ZONES, DEAD):
                lists = [LISTS[kind] for kind in ZONES.get(host, ["ip4trie"])]
                body = {"lists": lists, "high_reputation": True}
                assert master.put(f"/blocklists/{host}", json=body).status_code == 200

    def _alert(self, rule: dict[str, Any]) -> str:
        body = {"name": rule["type"], "rules": [rule], "emails": ["a@b.example"]}
        made = self.api.post("/alerts", json=body)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    def assets(self) -> list[dict[str, Any]]:
        return [one for path in ("/ips", "/domains") for one in self.api.get(path).json()["data"]]

    def listed(self) -> dict[str, set[str]]:
        return {
            one.get("ip") or one["domain"]: {zone["lookup_host"] for zone in one["rbl_result"]} for one in self.assets()
        }

    def statuses(self) -> set[str]:
        return {one["status"] for one in self.assets()}

    def changes(self) -> dict[str, list[tuple[str, str]]]:
        """What is logged of each asset, the newest first."""
        return {
            one.get("ip") or one["domain"]: [
                (change["host"], change["status"])
                for change in self.api.get(f"/{'ips' if 'ip' in one else 'domains'}/{one['id']}/rbl_changes_log")
                .json()["data"]["data"]
            ]
            for one in self.assets()
        }  # fmt: skip

    def told(self) -> set[tuple[str, str]]:
        """What the alerts ever matched."""
        entries = [entry for alert in self.alerts for entry in self.api.get(f"/alerts/{alert}/log").json()["data"]]
        items = [item for entry in entries for rule in entry["rules"] for item in rule["matchings"]["items"]]
        return {(item.get("ip") or item["domain"], item["rbl"]) for item in items}

    def refresh(self, *statuses: str) -> None:
        """Ask again about everything, and wait for how that ends."""
        assert self.native.post("/sources/blocklists/run", json={}).status_code == 200
        wait_for(lambda: self.statuses() == set(statuses))

    def close(self) -> None:
        self.api.close()
        self.native.close()


@pytest.fixture
def blocklists() -> Iterator[Rbldnsd]:
    if reason := cannot_run():
        pytest.skip(reason)
    with Rbldnsd(ZONES).running() as running:
        yield running


@pytest.fixture
def watcher(tmp_path: Path, blocklists: Rbldnsd) -> Iterator[Watcher]:
    with ExitStack() as stack:
        port = stack.enter_context(resolver(blocklists.port, "silent.example"))
        installation = Installation(tmp_path / "data")
        (installation.data / "mailvane.toml").write_text(f'[reputation]\nresolvers = ["127.0.0.1:{port}"]\n')
        _, token = installation.tenant("acme")
        stack.enter_context(installation.serving())
        found = Watcher(installation, token)
        stack.callback(found.close)
        wait_for(lambda: found.statuses() == {"UPDATED"})
        yield found


def test_only_true_listings_alert_and_nothing_flips_while_lists_are_away(watcher: Watcher, blocklists: Rbldnsd) -> None:
    zones = {one["zone"]["host"]: one["health"] for one in watcher.native.get("/blocklists").json()}
    usable = {host for host, health in zones.items() if health and health["usable"]}
    assert usable == {"true.example", "turning.example", "clear.example", "parked.example"}
    reasons = [zones[host]["reason"] for host in ("refusing.example", "everything.example", "silent.example", DEAD)]
    assert reasons == [
        "it does not answer: answered 127.255.255.254: it refuses the question",
        "it lists 127.0.0.1, which no list may",
        "it does not answer: no answer in time",
        "it does not answer: REFUSED",
    ]
    true = {(name, host) for name, hosts in LISTED_AT_FIRST.items() for host in hosts}
    assert watcher.listed() == LISTED_AT_FIRST
    wait_for(lambda: watcher.told() == true)
    opened = watcher.changes()
    assert {name: {host for host, _ in log} for name, log in opened.items()} == LISTED_AT_FIRST

    blocklists.stop()
    watcher.refresh("FAILED")
    assert (watcher.listed(), watcher.changes(), watcher.told()) == (LISTED_AT_FIRST, opened, true)

    # One list takes an address off; another begins to refuse, which is no word about its listing.
    blocklists.write("true.example", "ip4trie", POINT_4)
    blocklists.write("turning.example", "ip4trie", ZONES["refusing.example"]["ip4trie"])
    blocklists.start()
    watcher.refresh("UPDATED")
    assert watcher.listed() == LISTED_AT_FIRST | {BAD_4: {"turning.example"}}
    assert watcher.changes() == opened | {BAD_4: [("true.example", "RESOLVED"), *opened[BAD_4]]}
    assert watcher.told() == true


def test_a_listing_that_ends_while_the_list_is_served_is_closed_and_opened_again_when_it_returns(
    watcher: Watcher, blocklists: Rbldnsd
) -> None:
    def served(lines: str, of: str) -> None:
        blocklists.write("true.example", "dnset", lines)
        blocklists.reload()
        wait_for(lambda: blocklists.says(f"{BAD_NAME}.true.example") == of)
        assert watcher.native.post("/sources/blocklists/run", json={}).status_code == 200

    served(POINT_NAME, "NXDOMAIN")
    wait_for(lambda: not watcher.listed()[BAD_NAME])
    served(ZONES["true.example"]["dnset"], "NOERROR 127.0.1.2")
    wait_for(lambda: watcher.listed()[BAD_NAME])
    assert watcher.changes()[BAD_NAME] == [
        ("true.example", "BLACKLISTED"), ("true.example", "RESOLVED"), ("true.example", "BLACKLISTED")
    ]  # fmt: skip
