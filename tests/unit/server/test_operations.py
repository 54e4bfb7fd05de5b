"""Alive, ready, measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from litestar.testing import TestClient
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from mailvane import __version__
from mailvane.core.errors import StoreUnavailable
from mailvane.maillog.followed_logs import FollowedLog, FollowedLogs
from mailvane.maillog.model import EventBatch, JournalEntry
from mailvane.maillog.recording import Waiting
from mailvane.server.http import create_app
from mailvane.server.operations import Metrics
from tests.wire.world import NOW, World, accepted, opened


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with opened(tmp_path) as running:
        yield running


def away(*_: object, **__: object) -> None:
    raise StoreUnavailable("password of the store")


def test_a_server_that_runs_is_alive_without_a_key(world: World) -> None:
    assert world.client.get("/healthz").text == "ok\n"


def test_a_server_is_ready_when_both_stores_answer(world: World) -> None:
    answer = world.client.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "maillog": "ok",
            "ledger": "ok",
            "disk": "ok",
            "journal": {"batches": 0, "oldest_ms": 0, "refused": 0},
        },
    )


def test_a_server_without_its_mail_log_is_alive_but_not_ready(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.maillog, "health", away)
    answer = world.client.get("/readyz")
    assert (answer.status_code, answer.json()["detail"]) == (503, "the mail log does not answer")
    assert world.client.get("/healthz").status_code == 200


def test_a_server_whose_log_is_not_followed_is_not_ready(world: World) -> None:
    followed = FollowedLog("/var/log/mail.log", 0)
    logs = FollowedLogs(lambda: 9_000, [followed])
    with TestClient(create_app(replace(world.services, followed=logs))) as client:
        assert client.get("/readyz").json()["postfix"] == [
            {"log": "/var/log/mail.log", "standing": "following", "behind_ms": 9_000}
        ]
        followed.stopped("gone")
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["detail"] == "/var/log/mail.log is not followed (stopped for 9 s): gone"


def test_a_server_without_its_ledger_is_not_ready(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.services.maillog.recorder, "waiting", away)
    answer = world.client.get("/readyz")
    assert (answer.status_code, answer.json()["detail"]) == (503, "the ledger does not answer")


def test_metrics_are_valid_and_begin_with_our_name(world: World) -> None:
    world.client.get("/ping")
    answer = world.client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=1.0.0; charset=utf-8"
    families = list(text_string_to_metric_families(answer.text))
    assert all(family.name.startswith("mailvane_") and family.documentation for family in families)
    assert f'mailvane_build_info{{version="{__version__}"}} 1.0' in answer.text


def test_the_backlog_of_the_journal_is_shown(world: World) -> None:
    batch = EventBatch("t", world.ours.workspace.id, 0, [accepted(world.ours, "a@b.example")])
    world.services.maillog.recorder.record(JournalEntry(batch=batch), NOW)
    told = world.client.get("/metrics").text
    assert "mailvane_journal_backlog 1.0" in told
    assert "mailvane_journal_oldest_seconds 0.0" in told
    assert world.client.get("/readyz").json()["journal"] == {"batches": 1, "oldest_ms": 0, "refused": 0}
    world.services.maillog.recorder.drain()
    assert "mailvane_journal_backlog 0.0" in world.client.get("/metrics").text


def test_new_events_are_counted_and_repeated_ones_are_not(world: World) -> None:
    line = b'{"id": "1", "type": "accepted", "time": 1700000000, "mail": "q", "recipient": "a@b.example"}'
    for _ in range(2):
        world.client.post("/mailvane/v1/events", content=line, headers=world.ours.headers)
    assert "mailvane_intake_events_total 1.0" in world.client.get("/metrics").text


def test_metrics_of_other_parts_are_shown_along() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.observe("some", "/route", 200, 0.01)
    assert metrics.registry is registry
    assert b'mailvane_http_request_seconds_count{route="/route",surface="some"} 1.0' in metrics.exposed(
        Waiting(batches=0, oldest_ms=0, refused=0)
    )
