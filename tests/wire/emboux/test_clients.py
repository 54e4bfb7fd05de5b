"""What a client does besides single requests: the vendor's own command lines, many at once, secrets in paths."""

from __future__ import annotations

import asyncio
import logging
import shlex
from typing import Any

import httpx
import pytest

from mailvane.core.errors import StoreUnavailable
from mailvane.core.tenants.model import Principal
from mailvane.outbound.clients import Terms
from tests.wire.world import MASTER, NOW, World

BASE = "https://mail.emboux.com"
TOKEN = "emb_only_its_holder_knows"
INCREMENT = "/domains/example.com/outbound/increment"

CURLS: dict[str, set[str]] = {
    f'curl {BASE}/domains/example.com/outbound -H "Authorization: Bearer KEY"': {
        "name",
        "outbound_tier",
        "outbound_status",
        "outbound_daily_limit",
        "outbound_monthly_limit",
        "outbound_sent_today",
        "outbound_sent_month",
        "outbound_enforcement",
        "bounce_count",
        "complaint_count",
        "bounce_rate",
        "complaint_rate",
        "ses_verified",
    },
    f'curl -X PUT {BASE}/domains/example.com/outbound -H "Authorization: Bearer KEY" '
    """-H "Content-Type: application/json" -d '{"outbound_daily_limit": 500, "outbound_monthly_limit": 10000}'""": {
        "outbound_daily_limit"
    },
    f'curl -X POST {BASE}/domains/example.com/ses-verify -H "Authorization: Bearer KEY"': {
        "name",
        "ses_verification_token",
        "ses_dkim_tokens",
        "ses_verified",
        "dns_records",
    },
}


def played(world: World, command: str, key: str) -> httpx.Response:
    """What curl would send, to this server."""
    words = iter(shlex.split(command)[1:])
    method, url, body = "GET", "", None
    headers: dict[str, str] = {"User-Agent": "curl/8.5.0", "Accept": "*/*"}
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value.replace("KEY", key)
        elif word == "-d":
            body = next(words)
        else:
            url = word.removeprefix(BASE)
    return world.client.request(method, url, headers=headers, content=body)


@pytest.mark.parametrize("command", CURLS)
def test_the_vendors_own_command_lines_work(world: World, command: str) -> None:
    world.services.outbound.governance.create("example.com", None, NOW)
    answer = played(world, command, MASTER)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json()) >= CURLS[command]


async def _all_at_once(world: World, requests: int, **headers: str) -> list[httpx.Response]:
    await world.services.outbound.decision_queue.stop()
    await world.services.outbound.decision_queue.start()  # on this loop
    transport = httpx.ASGITransport(app=world.client.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        answers = await asyncio.gather(*(client.post(INCREMENT) for _ in range(requests)))
    await world.services.outbound.decision_queue.stop()
    return answers


def test_parallel_questions_never_pass_a_limit(world: World) -> None:
    governance = world.services.outbound.governance
    governance.create("example.com", None, NOW)
    governance.change("example.com", {"daily_limit": 100}, "test", NOW)
    answers = asyncio.run(_all_at_once(world, 300, Authorization=f"Bearer {MASTER}"))
    told = [answer.json() for answer in answers]
    assert sorted(each["outbound_sent_today"] for each in told if each["allowed"]) == list(range(1, 101))
    assert {each["reason"] for each in told if not each["allowed"]} == {"daily_limit_exceeded"}
    assert governance.usage_today("example.com", NOW).sent_today == 100


def test_a_key_is_proven_once_for_all_who_present_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.services.outbound.governance.create("example.com", None, NOW)
    key_cache = world.client.app.state.key_cache
    proofs: list[str] = []
    prove = key_cache.prove

    def counted(token: str, *more: Any) -> Principal:
        proofs.append(token)
        proven: Principal = prove(token, *more)
        return proven

    monkeypatch.setattr(key_cache, "prove", counted)
    answers = asyncio.run(_all_at_once(world, 50, Authorization=f"Bearer {MASTER}"))
    assert {answer.status_code for answer in answers} == {200}
    assert proofs == [MASTER]


def test_a_refused_key_is_refused_to_all_who_present_it(world: World) -> None:
    answers = asyncio.run(_all_at_once(world, 20, Authorization="Bearer emb_nobody_has_this"))
    assert {answer.status_code for answer in answers} == {403}
    assert {answer.text for answer in answers} == {'{"detail":"Invalid API key"}'}


def test_a_ledger_that_is_away_is_a_503_and_never_a_pass(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.services.outbound.governance.create("example.com", None, NOW)

    def away(*_: object) -> None:
        raise StoreUnavailable("the ledger does not answer")

    headers = {"Authorization": f"Bearer {MASTER}"}
    assert world.client.post(INCREMENT, headers=headers).json()["allowed"]
    monkeypatch.setattr(world.ledger.domains, "decide", away)
    answer = world.client.post(INCREMENT, headers=headers)
    assert (answer.status_code, answer.json()) == (503, {"detail": "the ledger does not answer"})
    assert answer.headers["retry-after"] == "5"


def test_a_token_in_a_path_shows_neither_in_the_log_nor_in_metrics_nor_in_refusals(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    headers = {"Authorization": f"Bearer {MASTER}"}
    world.services.outbound.clients.issue(world.ours.workspace.id, TOKEN, Terms(), NOW)
    with caplog.at_level(logging.DEBUG):
        answers = [
            world.client.put(f"/api-keys/{TOKEN}", headers=headers, json={"domains_allowed": -1}),
            world.client.get(f"/api-keys/{TOKEN}/usage", headers={"Authorization": "Bearer x"}),
            world.client.get(f"/api-keys/{TOKEN}/no/such/path", headers=headers),
            world.client.delete(f"/api-keys/{TOKEN}x", headers=headers),
        ]
        monkeypatch.setattr(world.ledger.clients, "remove_client", broken)
        answers.append(world.client.delete(f"/api-keys/{TOKEN}", headers=headers))
    assert [answer.status_code for answer in answers] == [422, 403, 404, 404, 500]
    assert not any(TOKEN in answer.text for answer in answers)
    ours = [record for record in caplog.records if not record.name.startswith("httpx")]  # the client's own log
    assert ours
    assert not any(TOKEN in logging.Formatter().format(record) for record in ours)
    metrics = world.client.get("/metrics").text
    assert TOKEN not in metrics
    assert 'route="/api-keys/{token}"' in metrics


def test_a_key_that_is_taken_back_opens_nothing_from_then_on_on_any_surface(world: World) -> None:
    world.services.outbound.clients.issue(world.ours.workspace.id, TOKEN, Terms(), NOW)
    client, master = {"Authorization": f"Bearer {TOKEN}"}, {"Authorization": f"Bearer {MASTER}"}
    assert world.client.get("/domains/", headers=client).status_code == 200
    assert world.client.post("/mailvane/v1/events", headers=client).status_code == 403
    world.client.put(f"/api-keys/{TOKEN}", headers=master, json={"active": False})
    assert world.client.get("/domains/", headers=client).json() == {"detail": "API key is deactivated"}
    assert world.client.post("/mailvane/v1/events", headers=client).status_code == 401
    world.client.delete(f"/api-keys/{TOKEN}", headers=master)
    assert world.client.get("/domains/", headers=client).json() == {"detail": "Invalid API key"}
