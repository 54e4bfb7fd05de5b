"""`mailvane check` on a terminal: what blocklists say, without a server and without a data directory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailvane.reputation.sources.dnsbl.zones import shipped
from tests.acceptance.installation import Installation
from tests.unit.reputation.sources.dnsbl.name_server import TEST_POINTS, NameServer

TRUE = "zen.spamhaus.org"


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """Its resolver knows one blocklist that tells the truth, one that lists everything, and none of the others."""
    zones = {zone.host: "failing" for zone in shipped()}
    points = {**TEST_POINTS, "2.0.0.0.7.f.0.0.f.f.f.f." + "0." * 19 + "0": "127.0.0.2"}
    truth: dict[str, dict[str, str] | str] = {
        TRUE: {**points, "9.2.0.192": "127.0.0.2"},
        "bl.spamcop.net": "everything",
    }
    words = {(f"9.2.0.192.{TRUE}", "TXT"): '"https://check.example/9"'}
    with NameServer({**zones, **truth}, words).running() as server:
        found = Installation(tmp_path / "data")
        settings = f'[reputation]\nresolvers = ["127.0.0.1:{server.port}"]\n'
        (found.data / "mailvane.toml").write_text(settings)
        yield found


def test_a_listed_address_is_shown_with_the_evidence(installation: Installation) -> None:
    done = installation.run("check", "ip", "192.0.2.8", "192.0.2.9", succeeds=False)
    assert done.returncode == 3, done.stderr
    assert "✓ 192.0.2.8  listed on 0 of 1" in done.stdout
    assert "✗ 192.0.2.9  listed on 1 of 1" in done.stdout
    assert "SBL: spam source" in done.stdout
    assert "https://check.example/9" in done.stdout
    assert "bl.spamcop.net: it lists everything it is asked about" in done.stdout
    assert not (installation.data / "ledger.sqlite").exists()


def test_one_that_is_not_listed_ends_well_and_nonsense_does_not(installation: Installation) -> None:
    found = installation.answer("check", "ip", "192.0.2.8")
    assert [verdict["outcome"] for verdict in found["findings"][0]["verdicts"]] == ["clear"]
    refused = installation.run("check", "ip", "nonsense", succeeds=False)
    assert (refused.returncode, refused.stderr) == (1, "mailvane: 'nonsense' is no IP address\n")


@pytest.mark.parametrize(("kind", "name"), [("ip", "192.0.2.8"), ("domain", "a.example")])
def test_where_every_list_lacks_its_test_point_nothing_is_known(
    installation: Installation, kind: str, name: str
) -> None:
    with NameServer({zone.host: {} for zone in shipped()}, {}).running() as server:
        (installation.data / "mailvane.toml").write_text(f'[reputation]\nresolvers = ["127.0.0.1:{server.port}"]\n')
        done = installation.run("check", kind, name, succeeds=False)
        told = installation.run("check", kind, name, "--json", succeeds=False)
    assert done.returncode == told.returncode == 2
    assert f"? {name}  unknown" in done.stdout
    assert "✓" not in done.stdout
    assert "do not list their own test point: their silence is not believed" in done.stdout
    (found,) = json.loads(told.stdout)["findings"]
    assert found["outcome"] == "unknown"
    assert {verdict["outcome"] for verdict in found["verdicts"]} == {"unknown"}


def test_where_no_list_answers_nothing_is_known(installation: Installation) -> None:
    done = installation.run("check", "domain", "a.example", succeeds=False)
    assert done.returncode == 2
    assert "? a.example  unknown" in done.stdout
    assert "dbl.spamhaus.org: it does not answer: SERVFAIL" in done.stdout


def test_a_listed_one_among_unknown_ones_is_listed(installation: Installation) -> None:
    done = installation.run("check", "ip", "192.0.2.9", "2001:db8::1", succeeds=False)
    assert done.returncode == 3
