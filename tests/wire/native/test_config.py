"""The configuration file over HTTP: exported, compared and applied by the master, for the workspace that it names."""

from __future__ import annotations

from tests.wire.world import MASTER, World

CONFIG = "/mailvane/v1/config"
FILE = '[domains."filed.example"]\ndaily_limit = 5\n[watched]\nip = ["192.0.2.7"]\n'


def headers(world: World) -> dict[str, str]:
    return {"X-API-KEY": MASTER, "X-Workspace-Id": str(world.ours.workspace.id)}


def test_a_file_is_compared_applied_and_exported(world: World) -> None:
    as_master = headers(world)
    planned = world.client.post(f"{CONFIG}/diff", headers=as_master, json={"toml": FILE}).json()
    assert [(each["action"], each["what"], each["name"]) for each in planned["changes"]] == [
        ("add", "domain", "filed.example"),
        ("add", "watched ip", "192.0.2.7"),
    ]
    assert world.client.post(f"{CONFIG}/apply", headers=as_master, json={"toml": FILE}).json() == planned
    assert world.client.post(f"{CONFIG}/apply", headers=as_master, json={"toml": FILE}).json()["changes"] == []
    exported = world.client.get(CONFIG, headers=as_master).json()["toml"]
    assert '[domains."filed.example"]\n' in exported
    assert "daily_limit = 5\n" in exported
    assert world.services.outbound.governance.audit("filed.example", 1)[0].actor == "master token"


def test_what_is_no_file_is_told_with_its_place(world: World) -> None:
    answer = world.client.post(f"{CONFIG}/apply", headers=headers(world), json={"toml": FILE + "[colours]\n"})
    assert answer.status_code == 400
    assert "there is no colours" in answer.text


def test_only_the_master_may_and_names_the_workspace(world: World) -> None:
    for path in (CONFIG, f"{CONFIG}/diff", f"{CONFIG}/apply"):
        method = "GET" if path == CONFIG else "POST"
        body = None if path == CONFIG else {"toml": FILE}
        assert world.client.request(method, path, headers=world.ours.headers, json=body).status_code == 403
        assert world.client.request(method, path, headers={"X-API-KEY": MASTER}, json=body).status_code == 400
