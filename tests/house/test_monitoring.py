"""What the shipped dashboard and alert rules ask Prometheus for is what the server exports."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

MONITORING = Path(__file__).parents[2] / "deploy" / "monitoring"
METRICS = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
_METRIC = re.compile(r"\b(?:mailvane|process)_[a-z_]+\b")
_PARTS = ("_bucket", "_count", "_sum")  # of a histogram


def exported() -> set[str]:
    """Every name that /metrics may show; another house test keeps the page as the program is."""
    rows = re.findall(r"^\| `([a-z_]+)` \| ([a-z]+) \|", METRICS.read_text(), re.MULTILINE)
    return {name + part for name, kind in rows for part in (_PARTS if kind == "histogram" else ("",))}


def used(text: str) -> set[str]:
    return set(_METRIC.findall(text)) - {"mailvane_"}


def expressions() -> list[str]:
    dashboard = json.loads((MONITORING / "grafana.json").read_text())
    found = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    found += [each["query"]["query"] for each in dashboard["templating"]["list"] if isinstance(each["query"], dict)]
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
    return found + [rule["expr"] for group in groups for rule in group["rules"]]


def test_every_metric_that_is_used_is_exported() -> None:
    names = {name for expression in expressions() for name in used(expression)}
    assert names - exported() == set()
    assert {"mailvane_mail_deliveries_total", "mailvane_postfix_silent_seconds", "process_open_fds"} <= names


def test_every_alert_says_what_to_do() -> None:
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
    for rule in (rule for group in groups for rule in group["rules"]):
        assert rule["annotations"]["action"]
        assert used(rule["annotations"]["action"]) <= exported()


@pytest.mark.parametrize("words", [("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")])
def test_the_tool_of_prometheus_agrees(words: tuple[str, ...]) -> None:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("no promtool: apt-get install prometheus")
    done = subprocess.run([tool, *words], cwd=MONITORING, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
