"""Heartbeats over HTTP: made and deleted with a key, called without one."""

from __future__ import annotations

import pytest

from tests.wire.world import NOW, World

PATH = "/mailvane/v1/heartbeats"


def test_one_is_made_called_listed_and_deleted(world: World) -> None:
    body = {"name": "nightly backup", "period": 3600, "grace": 600}
    made = world.client.post(PATH, headers=world.ours.headers, json=body)
    told = made.json()
    shown = body | {
        "id": told["id"], "created_at": NOW, "called_at": None, "due_at": NOW + 4_200_000, "late": False
    }  # fmt: skip
    assert (made.status_code, told) == (201, shown | {"path": told["path"], "url": told["url"]})
    assert told["url"].endswith(told["path"])
    assert len(told["path"].removeprefix(f"{PATH}/call/")) >= 32
    assert world.client.get(PATH, headers=world.ours.headers).json() == [shown], "the address is not shown again"
    for method in ("GET", "POST", "HEAD"):
        called = world.client.request(method, told["path"])
        assert (called.status_code, called.text) == (200, "" if method == "HEAD" else "OK\n")
        assert called.headers["content-type"].startswith("text/plain")
    (found,) = world.client.get(PATH, headers=world.ours.headers).json()
    assert found["called_at"] == NOW
    assert world.client.delete(f"{PATH}/{told['id']}", headers=world.ours.headers).status_code == 204
    assert world.client.get(told["path"]).status_code == 404
    assert world.client.delete(f"{PATH}/{told['id']}", headers=world.ours.headers).status_code == 404


def test_what_lies_beside_the_address_is_closed_or_unknown(world: World) -> None:
    made = world.client.post(PATH, headers=world.ours.headers, json={"name": "a", "period": 60}).json()
    for path in (PATH, f"{PATH}/{made['id']}", f"{PATH}/call"):
        assert world.client.get(path).status_code == 401, path
    for wrong in ("x", made["id"], made["path"].rpartition("/")[2][:-1], made["path"].rpartition("/")[2] + "/x"):
        answer = world.client.get(f"{PATH}/call/{wrong}")
        assert answer.status_code == 404, wrong
        assert made["path"].rpartition("/")[2] not in answer.text
    assert world.client.put(made["path"]).status_code == 405
    assert world.client.get(PATH, headers=world.theirs.headers).json() == []
    assert world.client.delete(f"{PATH}/{made['id']}", headers=world.theirs.headers).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": " ", "period": 60}, "name"),
        ({"name": "a\nb", "period": 60}, "name"),
        ({"name": "a", "period": 0}, "period"),
        ({"name": "a", "period": 10**9}, "period"),
        ({"name": "a", "period": 60, "grace": -1}, "grace"),
        ({"name": "a", "period": 60, "graze": 1}, "graze"),
        ({"name": "a"}, "period"),
    ],
)
def test_what_cannot_be_meant_is_refused(world: World, body: dict[str, object], field: str) -> None:
    answer = world.client.post(PATH, headers=world.ours.headers, json=body)
    assert answer.status_code == 400
    assert field in answer.json()["detail"]


def test_a_name_is_given_once(world: World) -> None:
    for status in (201, 409):
        answer = world.client.post(PATH, headers=world.ours.headers, json={"name": "a", "period": 60})
        assert answer.status_code == status
