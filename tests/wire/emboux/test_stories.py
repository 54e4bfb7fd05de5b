"""Plays the recorded stories: what a client sends, and exactly what it gets."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.tables import read_table
from tests.wire.world import MASTER, World

STORIES: list[dict[str, Any]] = read_table(Path(__file__).with_name("stories.yaml"))


def keys_of(world: World) -> dict[str, str]:
    return {
        "master": MASTER,
        "ours": world.ours.token,
        "theirs": world.theirs.token,
        "platform": world.platform,
    }


def sent(world: World, step: dict[str, Any]) -> httpx.Response:
    keys = keys_of(world)
    method, path = step["send"].split(" ", 1)
    key = step.get("key", "master")
    headers = {} if key == "none" else {"Authorization": f"Bearer {keys.get(key, key)}"}
    body = json.dumps(step["json"]) if "json" in step else step.get("raw")
    return world.client.request(
        method, path.replace("{ours}", keys["ours"]), headers=headers | step.get("headers_sent", {}), content=body
    )


def judge(step: dict[str, Any], answer: httpx.Response) -> None:
    assert answer.status_code == step["status"], f"{step['send']}: {answer.text}"
    for name, value in step.get("headers", {}).items():
        assert answer.headers[name] == value
    if "text" in step:
        assert answer.text == step["text"]
    if "body" in step:
        found = answer.json()
        if "unordered" in step:
            found[step["unordered"]].sort(key=lambda each: str(each["name"]))
        assert json.dumps(found) == json.dumps(step["body"]), step["send"]  # dumped: the order of keys counts
    for name, value in step.get("has", {}).items():
        assert answer.json()[name] == value, f"{step['send']}: {name}"
    if "places" in step:
        assert [each["loc"] for each in answer.json()["detail"]] == step["places"]
        assert all(each["msg"] and each["type"] for each in answer.json()["detail"])


@pytest.fixture
def served(world: World, story: dict[str, Any]) -> World:
    settings: dict[str, Any] = {
        name: True for name in ("clients_may_change_limits", "trust_new_domains") if story.get(name)
    }
    if settings:
        outbound = replace(world.services.outbound, **settings)
        world.client.app.state.services = replace(world.services, outbound=outbound).by_type
    return world


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story["story"])
def test_the_story_goes_as_recorded(served: World, story: dict[str, Any]) -> None:
    for step in story["steps"]:
        judge(step, sent(served, step))


def test_names_of_stories_are_unique() -> None:
    assert len({story["story"] for story in STORIES}) == len(STORIES)
