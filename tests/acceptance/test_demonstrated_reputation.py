"""The demo's judging world: over real protocols, each of its incidents makes its alert fire."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.installation import HTTP, Installation, end, stop
from tests.waiting import wait_for

_BEGIN_AT_ONCE = """
import sys
from pathlib import Path
from mailvane_demo import demo
from mailvane.server.settings import load
from mailvane_demo.options import DemoOptions
options = DemoOptions(seed=7, days=2, mails_per_day=300, data=Path(sys.argv[1]))
demo.run(load({"http": sys.argv[2]}, {}), options, pause=0)
"""


class Demo:
    """A demo that runs, with the lines of its welcome."""

    def __init__(self, installation: Installation, lines: list[str]) -> None:
        self.installation = installation
        self.token = next(line.split()[1] for line in lines if line.strip().startswith("key "))
        asked = [line.split()[-1] for line in lines if line.strip().startswith("curl")]
        self.receiver = [word for word in asked if word.startswith("http")][-1]
        self.place = installation.data / "demo"

    def get(self, path: str, **query: str) -> Any:
        return self.installation.get(f"/api/v1.0{path}", self.token, **query)["data"]

    def told(self) -> set[str]:
        """The names of the alerts of which the webhook has heard."""
        return {each["body"]["name"] for each in HTTP.get(self.receiver).json()["messages"]}

    def log(self) -> list[dict[str, Any]]:
        told = self.installation.answer("--data", str(self.place), "alerts", "log")
        entries: list[dict[str, Any]] = told["entries"]
        return entries


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    installation = Installation(tmp_path / "data")
    place, listen = str(installation.data / "demo"), installation.environment["MAILVANE_HTTP"]
    process = subprocess.Popen(
        [sys.executable, "-c", _BEGIN_AT_ONCE, place, listen],
        env=installation.environment,
        text=True,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        lines: list[str] = []
        while not any("Ctrl-C" in line for line in lines):
            lines.append(process.stdout.readline())
            assert lines[-1], "it ended before it had said what to try"
        yield Demo(installation, lines)
        stop(process)
    finally:
        end(process)


def test_each_incident_of_the_demo_makes_its_alert_fire_and_a_webhook_hears_of_it(demo: Demo) -> None:
    names = {alert["name"] for alert in demo.get("/alerts")}
    assert len(names) == 5
    wait_for(lambda: len(demo.told()) >= len(names), demo.told)
    assert demo.told() == names
    assert sorted(entry["name"] for entry in demo.log()) == sorted(names)  # each fired once
    assert {one["ip"] for one in demo.get("/ips") if one["blacklisted"]} == {"192.0.2.25"}
    assert [one["ip"] for one in demo.get("/snds/ip_data", filter_result="RED")] == ["192.0.2.27"]
    assert [one["lookalikes"] for one in demo.get("/lookalike")] == [3]
    failing = demo.installation.answer("--data", str(demo.place), "dmarc", "show", "--failing")
    assert {"203.0.113.66", "203.0.113.71"} <= {one["source_ip"] for one in failing["senders"]}
