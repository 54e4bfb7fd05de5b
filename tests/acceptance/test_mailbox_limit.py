"""Many senders at once at the limit of one mailbox, over the policy protocol and HTTP: exactly so many pass."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx

from tests.acceptance.installation import Installation
from tests.waiting import PATIENCE

LIMIT, AT_ONCE, EACH = 300, 64, 8
ANN = "ann@ours.example"


async def by_policy(port: int, number: int) -> int:
    """How many pass of one mail server's."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    allowed = 0
    for mail in range(EACH):
        facts = f"protocol_state=DATA\nrecipient_count=1\nsender=Ann@Ours.example\ninstance={number}.{mail}\n"
        writer.write(f"request=smtpd_access_policy\n{facts}\n".encode())
        answer = await reader.readuntil(b"\n\n")
        assert answer.startswith((b"action=DUNNO", b"action=DEFER 4.7.1")), answer
        allowed += answer.startswith(b"action=DUNNO")
    writer.close()
    return allowed


async def by_http(client: httpx.AsyncClient) -> int:
    asked = [await client.post("/domains/ours.example/outbound/increment", params={"sender": ANN}) for _ in range(EACH)]
    assert {answer.json()["reason"] for answer in asked} <= {None, "mailbox_limit_exceeded"}
    return sum(answer.json()["allowed"] for answer in asked)


async def everybody(installation: Installation, token: str) -> int:
    headers = {"X-API-KEY": token}
    async with httpx.AsyncClient(base_url=installation.url, headers=headers, timeout=PATIENCE) as client:
        asking = [by_policy(installation.policy_port, number) for number in range(AT_ONCE // 2)]
        asking += [by_http(client) for _ in range(AT_ONCE // 2)]
        return sum(await asyncio.gather(*asking))


def test_exactly_so_many_pass(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    _, token = installation.tenant("acme")
    with installation.serving(), httpx.Client(base_url=installation.url, timeout=PATIENCE) as client:
        made = client.post(
            "/mailvane/v1/mailboxes", json={"address": ANN, "daily_limit": LIMIT}, headers={"X-API-KEY": token}
        )
        assert made.is_success, made.text
        master = (installation.data / "master-token").read_text().strip()
        client.post("/domains/", json={"name": "ours.example"}, headers={"X-API-KEY": master}).raise_for_status()
        assert asyncio.run(everybody(installation, master)) == LIMIT
