"""Limits of mailboxes, logins and domains, over HTTP: the master's alone."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.wire.world import MASTER, World

PATH = "/mailvane/v1/limits"
ANN = "ann@ours.example"


def ask(world: World, method: str, path: str = "", **more: Any) -> httpx.Response:
    return world.client.request(method, PATH + path, headers={"X-API-KEY": MASTER}, **more)


def increment(world: World, **who: str) -> Any:
    path = "/domains/ours.example/outbound/increment"
    return world.client.post(path, headers={"X-API-KEY": MASTER}, params=who).json()


def test_a_limit_is_set_holds_is_shown_and_is_taken_back(world: World) -> None:
    world.services.outbound.governance.create("ours.example", world.ours.workspace.id, 1)
    made = ask(world, "PUT", "/mailbox/*", json={"hourly": 2, "daily": 9})
    assert made.json() == {"kind": "mailbox", "name": "*", "hourly": 2, "daily": 9, "monthly": None}
    assert ask(world, "PUT", "/login/Deploy", json={"monthly": 1}).json()["name"] == "deploy"
    assert [increment(world, sender=ANN)["allowed"] for _ in range(3)] == [True, True, False]
    assert increment(world, sender=ANN)["reason"] == "mailbox_limit_exceeded"
    assert [increment(world, login="deploy")["reason"] for _ in range(2)] == [None, "login_limit_exceeded"]
    assert ask(world, "GET", f"/mailbox/{ANN}").json() == {
        "kind": "mailbox", "name": ANN, "by_default": True,
        "windows": [{"window": "hourly", "most": 2, "sent": 2}, {"window": "daily", "most": 9, "sent": 2}],
    }  # fmt: skip
    assert [each["kind"] for each in ask(world, "GET").json()] == ["login", "mailbox"]
    assert ask(world, "DELETE", "/mailbox/*").status_code == 204
    assert increment(world, sender=ANN)["allowed"]
    assert ask(world, "GET", f"/mailbox/{ANN}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/team/x", {"daily": 1}, 400),
        ("PUT", "/domain/x.example", {}, 400),
        ("PUT", "/domain/x.example", {"daily": -1}, 400),
        ("PUT", "/domain/x.example", {"weekly": 1}, 400),
        ("PUT", "/mailbox/nobody", {"daily": 1}, 400),
        ("DELETE", "/domain/x.example", None, 404),
    ],
    ids=str,
)
def test_refusals(world: World, method: str, path: str, body: Any, status: int) -> None:
    assert ask(world, method, path, json=body).status_code == status


def test_no_other_key_reads_or_sets_one(world: World) -> None:
    for key in (world.ours.token, world.platform):
        for method, path in (("GET", ""), ("GET", "/domain/x.example"), ("DELETE", "/domain/x.example")):
            assert world.client.request(method, PATH + path, headers={"X-API-KEY": key}).status_code in {400, 403}
        put = world.client.put(f"{PATH}/domain/x.example", headers={"X-API-KEY": key}, json={"daily": 0})
        assert put.status_code in {400, 403}
