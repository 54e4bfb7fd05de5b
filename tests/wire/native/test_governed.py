"""Frozen months and what was done to a domain, over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from mailvane.core.tenants.model import KeyKind
from mailvane.outbound.model import SendRequest
from tests.wire.world import MASTER, NOW, World

PERIODS = "/mailvane/v1/billing/periods"
AS_MASTER = {"X-API-KEY": MASTER}


@pytest.fixture
def governed(world: World) -> World:
    """Both workspaces have a domain that sent, was changed and was billed."""
    governance = world.services.outbound.governance
    for tenant, name, mails in ((world.ours, "ours.example", 3), (world.theirs, "theirs.example", 5)):
        governance.create(name, tenant.workspace.id, NOW)
        governance.change(name, {"daily_limit": 100}, "key 1", NOW)
        governance.decide([SendRequest(domain=name)] * mails, NOW)
    governance.create("nobodys.example", None, NOW)
    governance.reset_monthly(NOW, "2026-10")
    return world


def get(world: World, path: str, headers: dict[str, str], **params: Any) -> httpx.Response:
    return world.client.get(path, headers=headers, params=params)


def billed(answer: httpx.Response) -> list[dict[str, int]]:
    assert answer.status_code == 200
    return [{domain["name"]: domain["sent_month"] for domain in period["domains"]} for period in answer.json()]


def actions(answer: httpx.Response) -> list[str]:
    return [each["action"] for each in answer.json()]


def test_the_master_sees_every_bill_and_the_key_of_its_freeze(governed: World) -> None:
    answer = get(governed, PERIODS, AS_MASTER)
    assert billed(answer) == [{"ours.example": 3, "theirs.example": 5, "nobodys.example": 0}]
    period = answer.json()[0]
    assert (period["idempotency_key"], period["frozen_at"]) == ("2026-10", NOW)
    partners = {domain["name"]: domain["partner"] for domain in period["domains"]}
    assert partners == {"ours.example": "ours", "theirs.example": "theirs", "nobodys.example": None}


def test_a_workspace_sees_its_own_bills_only(governed: World) -> None:
    answer = get(governed, PERIODS, governed.ours.headers)
    assert billed(answer) == [{"ours.example": 3}]
    assert answer.json()[0]["idempotency_key"] is None
    platform = {"X-API-KEY": governed.platform, "X-Workspace-Id": str(governed.theirs.workspace.id)}
    assert billed(get(governed, PERIODS, platform)) == [{"theirs.example": 5}]
    named = AS_MASTER | {"X-Workspace-Id": str(governed.ours.workspace.id)}
    assert billed(get(governed, PERIODS, named)) == [{"ours.example": 3}]


def test_a_domain_that_moved_on_is_billed_to_whom_it_was(governed: World) -> None:
    governance = governed.services.outbound.governance
    governance.change("theirs.example", {"workspace": governed.ours.workspace.id}, "key 1", NOW)
    assert billed(get(governed, PERIODS, governed.ours.headers)) == [{"ours.example": 3}]


def test_as_many_periods_as_asked_for(governed: World) -> None:
    governed.services.outbound.governance.reset_monthly(NOW + 1)
    assert [period["frozen_at"] for period in get(governed, PERIODS, AS_MASTER).json()] == [NOW + 1, NOW]
    assert [period["frozen_at"] for period in get(governed, PERIODS, AS_MASTER, limit=1).json()] == [NOW + 1]


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "x", "", "1.5", "٣", "9" * 5000])
@pytest.mark.parametrize("path", [PERIODS, "/mailvane/v1/domains/ours.example/audit"])
def test_an_impossible_limit_is_refused(governed: World, path: str, limit: str) -> None:
    answer = get(governed, path, AS_MASTER, limit=limit)
    assert (answer.status_code, answer.json()["detail"]) == (400, "`limit` is a whole number from 1 to 1000")


def test_what_was_done_to_a_domain_is_told_with_its_evidence(governed: World) -> None:
    answer = get(governed, "/mailvane/v1/domains/OURS.example/audit", governed.ours.headers)
    *told, made = answer.json()
    assert (made["action"], made["actor"], made["evidence"]) == ("created", "server", {"approved": True})
    assert told == [
        {
            "domain": "ours.example",
            "workspace": governed.ours.workspace.id,
            "at": NOW,
            "action": "limits_changed",
            "actor": "key 1",
            "evidence": {"daily_limit": [0, 100]},
        }
    ]


def test_a_removed_domain_is_still_told_of_and_only_to_whom_it_was(governed: World) -> None:
    path = "/mailvane/v1/domains/ours.example/audit"
    governance = governed.services.outbound.governance
    governance.remove("ours.example", "key 1", NOW)
    of_ours = ["removed", "limits_changed", "created"]
    assert actions(get(governed, path, governed.ours.headers)) == of_ours
    assert get(governed, path, governed.theirs.headers).status_code == 404
    governance.create("ours.example", governed.theirs.workspace.id, NOW)
    assert actions(get(governed, path, governed.theirs.headers)) == ["created"]
    assert actions(get(governed, path, governed.ours.headers)) == of_ours


def test_a_domain_of_others_looks_like_none(governed: World) -> None:
    theirs = get(governed, "/mailvane/v1/domains/theirs.example/audit", governed.ours.headers)
    nobodys = get(governed, "/mailvane/v1/domains/nothing.example/audit", governed.ours.headers)
    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.json() == nobodys.json()


@pytest.mark.parametrize("path", [PERIODS, "/mailvane/v1/domains/ours.example/audit"])
def test_who_may_not_read_is_told_why(governed: World, path: str) -> None:
    client = governed.services.tenancy.create_key(KeyKind.CLIENT, governed.ours.workspace.id, NOW).token
    assert get(governed, path, {"X-API-KEY": client}).status_code == 403
    platform = get(governed, path, {"X-API-KEY": governed.platform})
    assert (platform.status_code, platform.json()["title"]) == (400, "Bad Request")
