"""Plays the recorded exchanges: what a client sends, and exactly what it gets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mailvane.core.tenants.model import KeyKind
from tests.tables import read_table
from tests.wire.world import MASTER, NOW, World, populate

EXCHANGES: list[dict[str, Any]] = read_table(Path(__file__).with_name("exchanges.yaml"))


@pytest.fixture(scope="module")
def populated(shared_world: World) -> World:
    populate(shared_world)
    return shared_world


def key_of(world: World, name: str) -> str | None:
    if name == "client":
        return world.services.tenancy.create_key(KeyKind.CLIENT, world.ours.workspace.id, NOW).token
    known = {"ours": world.ours.token, "platform": world.platform, "master": MASTER, "none": None}
    return known.get(name, name)


def headers_of(world: World, exchange: dict[str, Any]) -> dict[str, str]:
    headers = dict(exchange.get("headers_sent", {}))
    key = key_of(world, exchange.get("key", "ours"))
    if key is not None:
        headers |= {"Authorization": f"Bearer {key}"} if exchange.get("bearer") else {"X-API-KEY": key}
    return headers


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange["name"])
def test_the_answer_is_as_recorded(populated: World, exchange: dict[str, Any]) -> None:
    answer = populated.client.request(
        exchange.get("method", "GET"), exchange["path"], headers=headers_of(populated, exchange)
    )
    assert answer.status_code == exchange["status"], answer.text
    for name, value in exchange.get("headers", {}).items():
        assert answer.headers[name] == value
    if "text" in exchange:
        assert answer.text == exchange["text"]
    if "body" in exchange:
        assert json.dumps(answer.json()) == json.dumps(exchange["body"])  # dumped: the order of keys counts
    if "message" in exchange:
        assert set(answer.json()) == {"code", "message"}
        assert answer.json()["code"] == exchange["status"]
        assert exchange["message"] in answer.json()["message"]
    if "rows" in exchange:
        assert [row["to"] for row in answer.json()["emails"]] == exchange["rows"]
        assert answer.json()["total"] == exchange["total"]


def test_names_of_exchanges_are_unique() -> None:
    assert len({exchange["name"] for exchange in EXCHANGES}) == len(EXCHANGES)
