"""Heartbeats over HTTP: a workspace's own by its key, and the address that a job calls, which needs none. Blocking."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mailvane.reputation.heartbeats import CALLS_PATH, USUAL_GRACE_SECONDS, HeartbeatStanding, standing
from mailvane.reputation.services import ReputationServices
from mailvane.web.dialect import PROBLEM_JSON, Dialect, Problem, render_problem
from mailvane.web.endpoints import Asked, Parameter
from mailvane.web.json_body import read_json

CALLED = "OK\n"
# Of the addresses that hold a secret of their own, so that the key of the interface around them is not asked for.
CALLS = Dialect(
    name="heartbeats", render=render_problem, prefixes=(CALLS_PATH,), open_below=(CALLS_PATH,), refused=Problem,
    refusal_type=PROBLEM_JSON,
)  # fmt: skip
HOST = (
    Parameter("host", "The host of the address that is told.", place="header"),
    Parameter("x-forwarded-proto", "Its scheme, when a proxy in front says it.", place="header"),
)


class HeartbeatBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A name, and how often it will be called, in seconds."""

    name: str
    period: int
    grace: int = USUAL_GRACE_SECONDS


class NewHeartbeatObject(HeartbeatStanding, frozen=True, kw_only=True):
    """The same with the address to call, which is told this once."""

    path: str
    url: str  # by the host that this request named


def listed(services: ReputationServices, asked: Asked) -> Sequence[HeartbeatStanding]:
    return [standing(one, asked.now) for one in services.heartbeats.all(asked.workspace)]


def create(services: ReputationServices, asked: Asked) -> NewHeartbeatObject:
    """Raises InvalidInput, AlreadyExists."""
    given = read_json(HeartbeatBody, asked.body)
    made = services.heartbeats.create(asked.workspace, given.name, given.period, given.grace, asked.now)
    scheme = "https" if asked.headers.get("x-forwarded-proto", "").strip().lower() == "https" else "http"
    url = f"{scheme}://{asked.headers.get('host', '')}{made.path}"
    told = msgspec.structs.asdict(standing(made.heartbeat, asked.now))
    return NewHeartbeatObject(**told, path=made.path, url=url)


def remove(services: ReputationServices, asked: Asked) -> None:
    """Raises NotFound."""
    services.heartbeats.remove(asked.workspace, asked.path["heartbeat_id"])


def call(services: ReputationServices, asked: Asked) -> str:
    """Raises NotFound."""
    services.heartbeats.call(asked.path["secret"], asked.now)
    return CALLED
