"""The suppression list and holds over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.wire.world import MASTER, NOW, Tenant, World

PATH = "/mailvane/v1/suppressions"
GONE = "gone@inbox.example"


def ask(world: World, who: Tenant, method: str, path: str = "", **more: Any) -> httpx.Response:
    return world.client.request(method, PATH + path, headers=who.headers, **more)


def increment(world: World, *recipients: str, **who: str) -> Any:
    path = "/domains/ours.example/outbound/increment"
    params: list[tuple[str, str | int | float | bool | None]] = [("recipient", each) for each in recipients]
    params += list(who.items())
    return world.client.post(path, headers={"X-API-KEY": MASTER}, params=params).json()


@pytest.fixture
def governed(world: World) -> World:
    world.services.outbound.governance.create("ours.example", world.ours.workspace.id, 1)
    return world


def test_an_address_is_listed_refused_shown_and_taken_back(governed: World) -> None:
    made = ask(governed, governed.ours, "PUT", "/Gone@Inbox.example", json={"reason": "complained", "note": "by phone"})
    assert made.status_code == 200
    assert made.json() == {
        "address": GONE, "reason": "complained", "noticed_at": NOW, "ends_at": None, "holds": True,
        "source": made.json()["source"], "note": "by phone", "spared": 0, "warned": 0,
    }  # fmt: skip
    assert made.json()["source"].startswith("key ")
    refused = increment(governed, "a@inbox.example", "GONE@inbox.example")
    assert (refused["allowed"], refused["reason"], refused["outbound_sent_today"]) == (False, "recipient_suppressed", 0)
    assert increment(governed, "a@inbox.example")["allowed"]
    assert increment(governed)["allowed"]
    assert ask(governed, governed.ours, "GET", f"/{GONE}").json()[0]["spared"] == 1
    summary = ask(governed, governed.ours, "GET", "/summary").json()
    assert (summary["mode"], summary["addresses"], summary["spared"]) == ("refuse", {"complained": 1}, 1)
    assert [each["address"] for each in ask(governed, governed.ours, "GET").json()] == [GONE]
    assert ask(governed, governed.ours, "DELETE", f"/{GONE}?reason=bounced").status_code == 404
    assert ask(governed, governed.ours, "DELETE", f"/{GONE}").status_code == 204
    assert increment(governed, GONE)["allowed"]
    assert ask(governed, governed.ours, "GET", f"/{GONE}").status_code == 404


def test_another_workspace_sees_and_changes_nothing(governed: World) -> None:
    ask(governed, governed.ours, "PUT", f"/{GONE}", json={})
    assert ask(governed, governed.theirs, "GET").json() == []
    assert ask(governed, governed.theirs, "GET", f"/{GONE}").status_code == 404
    assert ask(governed, governed.theirs, "DELETE", f"/{GONE}").status_code == 404
    assert ask(governed, governed.theirs, "GET", "/export").text.count("\n") == 1
    assert governed.client.get(PATH, headers={"X-API-KEY": MASTER}).status_code == 400, "of which workspace"


def test_a_file_is_brought_in_and_taken_out(governed: World) -> None:
    body = "email,reason\na@inbox.example,bounce\nnobody,bounce\nB@inbox.example,\n"
    done = ask(governed, governed.ours, "POST", "/import", content=body).json()
    assert (done["taken"], done["refused"], done["first_refused"][0]["line"]) == (2, 1, 3)
    out = ask(governed, governed.ours, "GET", "/export")
    assert out.headers["content-type"].startswith("text/csv")
    assert [line.split(",")[:2] for line in out.text.splitlines()] == [
        ["address", "reason"], ["a@inbox.example", "bounced"], ["b@inbox.example", "manual"],
    ]  # fmt: skip
    assert ask(governed, governed.theirs, "POST", "/import", content=out.text).json()["taken"] == 2


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/nobody", {}, 400),
        ("PUT", f"/{GONE}", {"reason": "bored"}, 400),
        ("PUT", f"/{GONE}", {"expires_at": 5}, 400),
        ("PUT", f"/{GONE}", {"note": "x" * 501}, 400),
        ("GET", "?limit=0", None, 400),
        ("GET", "?reason=bored", None, 400),
        ("DELETE", f"/{GONE}", None, 404),
    ],
    ids=str,
)
def test_refusals(world: World, method: str, path: str, body: Any, status: int) -> None:
    assert ask(world, world.ours, method, path, json=body).status_code == status


def test_holds_are_the_masters(governed: World) -> None:
    path, master = "/mailvane/v1/holds", {"X-API-KEY": MASTER}
    made = governed.client.put(f"{path}/domain/Ours.example", headers=master, json={"note": "odd"})
    assert made.json() == {
        "kind": "domain", "name": "ours.example", "held_at": NOW, "actor": "master token", "note": "odd",
    }  # fmt: skip
    assert (increment(governed)["allowed"], increment(governed)["reason"]) == (False, "sending_held")
    assert governed.client.get(path, headers=governed.ours.headers).status_code == 403
    assert governed.client.delete(f"{path}/domain/ours.example", headers=governed.ours.headers).status_code == 403
    assert [each["name"] for each in governed.client.get(path, headers=master).json()] == ["ours.example"]
    released = governed.client.delete(f"{path}/domain/ours.example", headers=master)
    assert "postsuper -H" in released.json()["command"]
    assert increment(governed)["allowed"]
    assert governed.client.delete(f"{path}/domain/ours.example", headers=master).status_code == 404
    assert governed.client.put(f"{path}/team/x", headers=master).status_code == 400
