"""A client of the EmailConsul API, and a source that says things."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailvane.reputation.model import SOURCE_OF, AssetKind, Observation, ObservationKind, Refresh
from tests.wire.world import NOW, World

HOUR, DAY = 3_600_000, 86_400_000


def get(world: World, path: str, status: int = 200, **query: Any) -> Any:
    answer = world.client.get(f"/api/v1.0{path}", params=query, headers=world.ours.headers)
    assert answer.status_code == status, answer.text
    return answer.json()


def send(world: World, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    answer = world.client.request(method, f"/api/v1.0{path}", json=body, headers=world.ours.headers)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def post(world: World, path: str, body: Any, status: int = 201) -> Any:
    return send(world, "POST", path, body, status)


def said(
    world: World,
    kind: ObservationKind,
    asset: tuple[AssetKind, str],
    data: Mapping[str, Any],
    *,
    key: str = "",
    at: int = NOW,
) -> None:
    """A source said so of something that is watched."""
    told = Observation(kind=kind, asset=asset[1], key=key, at=at, seen_at=NOW, data=data)
    refresh = Refresh(source=SOURCE_OF[kind], kind=asset[0], asset=asset[1], at=NOW, observations=(told,))
    world.services.reputation.watched_assets.record(world.ours.workspace.id, [refresh], NOW)
