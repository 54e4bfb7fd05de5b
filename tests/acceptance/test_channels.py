"""Channels at a running server: made and tested on the terminal and over HTTP, told by Apprise, never shown whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.acceptance.installation import Installation
from tests.unit.notify.receiver import Receiver
from tests.waiting import PATIENCE


class Served(NamedTuple):
    installation: Installation
    api: httpx.Client
    receiver: Receiver


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    installation = Installation(tmp_path_factory.mktemp("channels"))
    (installation.data / "mailvane.toml").write_text('[reputation]\nallowed_targets = ["127.0.0.1"]\n')
    _, token = installation.tenant("acme")
    with Receiver().running() as receiver, installation.serving():
        headers = {"X-API-KEY": token}
        with httpx.Client(base_url=f"{installation.url}/mailvane/v1", headers=headers, timeout=PATIENCE) as api:
            yield Served(installation, api, receiver)


def test_a_channel_of_apprise_is_added_tested_and_never_shown(served: Served) -> None:
    installation, api, receiver = served
    receiver.answers[:] = [200, 200, 403]
    url = f"ntfy://127.0.0.1:{receiver.port}/S3CRET-topic"
    made = installation.run("channels", "add", "phone", url, "--quiet", "00:00-23:59", "--min-severity", "critical")
    tested = installation.answer("channels", "test", "phone")
    assert (tested["outcome"], tested["detail"]) == ("delivered", "200")
    body = json.loads(receiver.received[-1].body)
    assert (body["topic"], body["title"]) == ("S3CRET-topic", "[test] This is how Mailvane tells phone")
    assert re.fullmatch(r"Sent as a test 20.* UTC; nothing of it is kept", body["message"])

    other = api.post("/channels", json={"kind": "apprise", "name": "json", "target": url.replace("ntfy:", "json:")})
    assert (other.status_code, other.json()["target"]) == (201, "json://…")
    sent = api.post(f"/channels/{other.json()['id']}/test")
    assert sent.status_code == 201

    def outcome() -> Any:
        return api.get(f"/notifications/{sent.json()['id']}/attempts").json()

    (attempt,) = installation.wait_for(outcome)
    assert attempt["outcome"] == "delivered"
    assert json.loads(receiver.received[-1].body)["title"] == "[test] This is how Mailvane tells json"

    failed = installation.run("channels", "test", "json", succeeds=False)
    assert (failed.returncode, failed.stdout.strip()) == (1, "transient: 403")

    shown = [
        installation.run("channels", "list").stdout,
        installation.run("channels", "list", "--json").stdout,
        installation.run("config", "export").stdout,
        *(api.get(path).text for path in ("/channels", "/notifications", "/targets", "/slack-integrations")),
    ]
    assert all("S3CRET" not in text for text in shown)
    assert made.stdout.strip() in shown[0]
    assert "S3CRET" in installation.run("config", "export", "--secrets").stdout
    assert "S3CRET" not in installation.log.read_text()


def test_an_alert_tells_a_channel_by_its_name(served: Served) -> None:
    installation, _, receiver = served
    installation.run("channels", "add", "hook", receiver.url, "--min-severity", "critical")
    rule = json.dumps({"type": "IP_IN_RBL", "ips": ["ALL_IPS"], "rbls": ["bl.example"]})
    common = ("alerts", "create", "--rule", rule, "--channel", "hook")
    quiet = installation.run(*common, "--name", "quiet").stdout.splitlines()[0]
    grave = installation.run(*common, "--name", "grave", "--severity", "critical").stdout.splitlines()[0]
    assert "hook" in installation.run("alerts", "show", grave).stdout
    before = len(receiver.received)
    installation.run("alerts", "test", quiet, "--notify")
    installation.wait_for(lambda: len(receiver.received) > before)
    assert json.loads(receiver.received[-1].body)["name"] == "[test] quiet"
    assert json.loads(receiver.received[-1].body)["severity"] == "warning"


def test_a_url_into_this_network_and_one_of_no_service_are_refused(served: Served) -> None:
    installation, api, _ = served
    for target in ("json://10.0.0.1/x", "ntfy://[::1]/topic", "mqtt://192.0.2.1/x", "json://localhost/x", "json://"):
        answer = api.post("/channels", json={"kind": "apprise", "name": "x", "target": target})
        assert answer.status_code == 400, target
    refused = installation.run("channels", "add", "x", "json://169.254.169.254/latest", succeeds=False)
    assert "not a public address" in refused.stderr


def test_a_file_says_the_channels(served: Served, tmp_path: Path) -> None:
    installation, _, _ = served
    exported = installation.run("config", "export").stdout
    file = tmp_path / "config.toml"
    file.write_text(exported)
    assert installation.run("config", "diff", str(file)).stdout.strip() == "nothing differs"
    file.write_text(
        '[channels.apprise.pager]\nurl = "json://pager.example/S3CRET"\nquiet_from = "22:00"\nquiet_until = "07:00"\n'
    )
    told = installation.run("config", "apply", str(file)).stdout
    assert "add apprise pager" in told
    assert "S3CRET" not in told
    found = {each["name"]: each for each in installation.answer("channels", "list")}
    assert (found["pager"]["quiet_from"], found["pager"]["target"]) == ("22:00", "json://…")
