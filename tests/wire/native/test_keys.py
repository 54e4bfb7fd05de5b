"""Keys over HTTP: who sees them, who changes them, and that what is taken back opens nothing."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from mailvane.core.moments import iso_text
from mailvane.core.tenants.model import KeyKind
from tests.wire.world import MASTER, NOW, World

KEYS = "/mailvane/v1/keys"
AS_MASTER = {"X-API-KEY": MASTER}


def made(world: World, **given: Any) -> Any:
    answer = world.client.post(KEYS, headers=AS_MASTER, json={"kind": "workspace", **given})
    assert answer.status_code == 201, answer.text
    return answer.json()


def status(world: World, token: str) -> int:
    answer: httpx.Response = world.client.get(KEYS, headers={"X-API-KEY": token})
    return answer.status_code


def test_a_key_is_made_used_listed_and_revoked(world: World) -> None:
    key = made(world, workspace=world.ours.workspace.id, expires_at=iso_text(NOW + 1000))
    assert key == {
        "id": key["id"], "kind": "workspace", "workspace": world.ours.workspace.id, "hint": key["token"][:12],
        "created_at": iso_text(NOW), "expires_at": iso_text(NOW + 1000), "last_used_at": None, "token": key["token"],
    }  # fmt: skip
    own = {"X-API-KEY": key["token"]}
    listed = world.client.get(KEYS, headers=own).json()
    del key["token"]
    assert listed[-1] == key | {"last_used_at": iso_text(NOW)}
    assert {each["workspace"] for each in listed} == {world.ours.workspace.id}
    changed = world.client.patch(f"{KEYS}/{key['id']}", headers=AS_MASTER, json={"expires_at": None})
    assert (changed.status_code, changed.json()["expires_at"]) == (200, None)
    assert world.client.delete(f"{KEYS}/{key['id']}", headers=AS_MASTER).status_code == 204
    assert world.client.get(KEYS, headers=own).status_code == 401  # at once, though it was proven a moment ago
    assert world.client.delete(f"{KEYS}/{key['id']}", headers=AS_MASTER).status_code == 404


def test_no_answer_holds_a_secret(world: World) -> None:
    text = world.client.get(KEYS, headers=AS_MASTER).text
    for token in (world.ours.token, world.theirs.token, world.platform):
        assert token[:12] in text
        assert token[:13] not in text


def test_the_master_sees_all_keys_and_others_those_of_their_workspace(world: World) -> None:
    ours, theirs = world.ours.workspace.id, world.theirs.workspace.id

    def owners(headers: dict[str, str]) -> list[int | None]:
        return [each["workspace"] for each in world.client.get(KEYS, headers=headers).json()]

    assert sorted(owners(AS_MASTER), key=str) == sorted([None, ours, theirs], key=str)
    assert owners(AS_MASTER | {"X-Workspace-Id": str(theirs)}) == [theirs]
    assert owners(world.ours.headers) == [ours]
    platform = {"X-API-KEY": world.platform}
    assert world.client.get(KEYS, headers=platform).status_code == 400  # it has to name a workspace
    assert owners(platform | {"X-Workspace-Id": str(ours)}) == [ours]


def test_only_the_master_makes_changes_and_revokes_keys(world: World) -> None:
    services = world.services.tenancy
    client = services.create_key(KeyKind.CLIENT, world.ours.workspace.id, NOW).token
    key = services.keys(world.ours.workspace.id)[0].id
    platform = {"X-API-KEY": world.platform, "X-Workspace-Id": str(world.ours.workspace.id)}
    body = {"kind": "workspace", "workspace": world.ours.workspace.id}
    for headers in (world.ours.headers, world.theirs.headers, platform, {"X-API-KEY": client}):
        assert world.client.post(KEYS, headers=headers, json=body).status_code == 403
        expiry = world.client.patch(f"{KEYS}/{key}", headers=headers, json={"expires_at": None})
        assert expiry.status_code == 403
        assert world.client.delete(f"{KEYS}/{key}", headers=headers).status_code == 403
    assert world.client.get(KEYS, headers={"X-API-KEY": client}).status_code == 403
    named = AS_MASTER | {"X-Workspace-Id": str(world.theirs.workspace.id)}
    assert world.client.delete(f"{KEYS}/{key}", headers=named).status_code == 404  # it is another workspace's


@pytest.mark.parametrize(
    "body",
    [
        {}, {"kind": "master"}, {"kind": "workspace"}, {"kind": "platform", "workspace": 1}, {"kind": "x"},
        {"kind": "platform", "expires_at": "soon"}, {"kind": "platform", "expires_at": -5},
        {"kind": "platform", "x": 1},
        {"kind": "platform", "expires_at": "2001-01-01"}, {"kind": "platform", "expires_at": "2024-01-17T20:30:45Z"},
    ],
)  # fmt: skip
def test_an_impossible_key_is_refused(world: World, body: dict[str, Any]) -> None:
    assert world.client.post(KEYS, headers=AS_MASTER, json=body).status_code == 400


@pytest.mark.parametrize("key", ["x", "-1", "99999999999", "1.0", "\u0661"])
def test_a_key_is_named_by_its_number(world: World, key: str) -> None:
    assert world.client.delete(f"{KEYS}/{key}", headers=AS_MASTER).status_code == 400
    assert world.client.delete(f"{KEYS}/4294967296", headers=AS_MASTER).status_code == 404


def test_an_expired_key_opens_nothing(world: World) -> None:
    issued = world.services.tenancy.create_key(KeyKind.WORKSPACE, world.ours.workspace.id, NOW - 10, NOW - 1)
    for headers in ({"X-API-KEY": issued.token}, {"Authorization": f"Bearer {issued.token}"}):
        assert world.client.get(KEYS, headers=headers).status_code == 401
        assert world.client.get("/mail/log", headers=headers).status_code == 401
