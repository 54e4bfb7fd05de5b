"""Rules about a server's own mail, through a real server: the policy door, a followed log, files and blocklists.

Each fires by what it is about, the log tells of it, and a backtest by the command finds it, too.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from mailvane.server.settings import load, master_token
from tests.acceptance.installation import Installation
from tests.waiting import PATIENCE

OURS = "ours.example"
QUIET = timedelta(minutes=125)  # that long ago mails were deferred and bounced; rates of a day are looked at every 2 h
RATE = {"domains_are": "RECEIVING", "domains": ["ALL_DOMAINS"]}
RULES: dict[str, dict[str, Any]] = {
    "MV_QUOTA": {"limits_of": ["LOGIN", "DOMAIN"], "windows": ["DAY", "MONTH"], "names": ["ANY"], "percent": 80},
    "MV_SENDING_STOPPED": {"domains": ["ALL_DOMAINS"]},
    "MV_LOG_SILENT": {"logs": ["ANY"], "minutes": 60},
    "MV_SOURCE_FAILING": {"sources": ["ANY"], "hours": 0},
    "MV_WAITING_MAIL": {"by": "TOTAL", "domains": ["ALL_DOMAINS"], "mails": 3},
    "MV_WAITING_AGE": {"by": "DESTINATION", "domains": ["waits.example"], "minutes": 60},
    "MV_BOUNCE_RATE": RATE | {"mv_bounce_rate": {"value": 0.2, "time_range": "ONE_DAY", "minimum": 5}},
    "MV_DEFERRAL_RATE": RATE | {"mv_deferral_rate": {"value": 0.2, "time_range": "ONE_DAY", "minimum": 3}},
}


def lines(workday: datetime) -> Iterator[str]:
    """A Postfix log: eight mails that bounce, three that wait."""
    stamp = workday.strftime("%b %e %H:%M:%S")
    for number in range(11):
        queue_id, domain = f"4A{number:02d}B3C4D5", "gone.example" if number < 8 else "waits.example"
        status = "bounced (host mx said: 550 5.1.1 no such user)" if number < 8 else "deferred (connection timed out)"
        code = "5.1.1" if number < 8 else "4.4.1"
        yield f"{stamp} mx1 postfix/smtpd[11]: {queue_id}: client=localhost[127.0.0.1]"
        yield f"{stamp} mx1 postfix/cleanup[12]: {queue_id}: message-id=<{number}@{OURS}>"
        yield f"{stamp} mx1 postfix/qmgr[13]: {queue_id}: from=<s@{OURS}>, size=900, nrcpt=1 (queue active)"
        yield (
            f"{stamp} mx1 postfix/smtp[14]: {queue_id}: to=<r{number}@{domain}>, relay=mx.{domain}[192.0.2.9]:25,"
            f" delay=1, delays=0/0/0/1, dsn={code}, status={status}"
        )


async def ask(port: int, count: int) -> None:
    """A login sends mail of the domain, as far as it may."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in range(count):
        facts = f"protocol_state=END-OF-MESSAGE\nsender=s@{OURS}\nsasl_username=shop\ninstance=i{number}\n"
        writer.write(f"request=smtpd_access_policy\n{facts}recipient_count=1\n\n".encode())
        await reader.readuntil(b"\n\n")
    writer.close()
    await writer.wait_closed()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, httpx.Client, Path]]:
    """A server that looks at itself every second and follows a log that nobody writes to; no resolver answers it."""
    installation = Installation(tmp_path_factory.mktemp("own"))
    log, workday = installation.data / "mail.log", datetime.now(UTC) - QUIET
    log.write_text("".join(f"{line}\n" for line in lines(workday)))
    os.utime(log, (workday.timestamp(), workday.timestamp()))
    (installation.data / "mailvane.toml").write_text(
        'timezone = "UTC"\n\n[reputation]\nown_rules_seconds = 1\nresolvers = ["127.0.0.1:9"]\n'
        f'postmaster_url = "http://127.0.0.1:9"\nsnds_url = "http://127.0.0.1:9"\n\n'
        f'[[postfix]]\npath = "{log}"\nworkspace = "acme"\n'
    )
    _, token = installation.tenant("acme")
    with (
        installation.serving(),
        httpx.Client(base_url=installation.url, headers={"X-API-KEY": token}, timeout=PATIENCE) as client,
    ):
        yield installation, client, log


def test_each_fires_by_its_own_source_and_a_backtest_finds_it(place: tuple[Installation, httpx.Client, Path]) -> None:
    installation, client, log = place
    master = {"X-API-KEY": master_token(load({"data": str(installation.data)}, {}))}

    def send(path: str, body: Any, headers: dict[str, str] | None = None, method: str = "POST") -> Any:
        answer = client.request(method, path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    made = {
        kind: send("/api/v1.0/alerts", {"name": kind, "rules": [{"type": kind, **rule}]})["id"]
        for kind, rule in RULES.items()
    }
    installation.run("limit", "set", "login", "shop", "--daily", "10")
    asyncio.run(ask(installation.policy_port, 9))
    send("/domains", {"name": OURS, "partner_ref": "acme"}, master)
    send(f"/domains/{OURS}/outbound", {"outbound_status": "suspended"}, master, "PUT")
    send("/api/v1.0/snds/creds", {"key": "0b7c6a1e-1111-2222-3333-44445555abcd"})

    def told(kind: str) -> Any:
        entries = client.get(f"/api/v1.0/alerts/{made[kind]}/log").json()["data"]
        return entries and entries[0]["rules"][0]["matchings"]["items"]

    found = {kind: installation.wait_for(partial(told, kind)) for kind in RULES}
    assert found["MV_QUOTA"] == [{"name": "shop", "limit_of": "LOGIN", "window": "DAY", "value": 90.0}]
    assert found["MV_SENDING_STOPPED"] == [{"domain": OURS}]
    ((silent,), (waiting,), (late,)) = (found[kind] for kind in ("MV_LOG_SILENT", "MV_WAITING_MAIL", "MV_WAITING_AGE"))
    assert (silent["log"], waiting) == (str(log), {"destination": "all", "value": 3})
    assert late["destination"] == "waits.example"
    assert found["MV_BOUNCE_RATE"] == [{"domain": "gone.example", "time_range": "ONE_DAY", "value": 1.0}]
    assert found["MV_DEFERRAL_RATE"] == [{"domain": "waits.example", "time_range": "ONE_DAY", "value": 1.0}]
    # It is written again, and the domain may send: neither says anything now.
    log.write_text(log.read_text() + "\n".join(lines(datetime.now(UTC)))[:100] + "\n")
    send(f"/domains/{OURS}/outbound", {"outbound_status": "active"}, master, "PUT")

    def is_silent(kind: str) -> bool:
        return not installation.answer("alerts", "test", made[kind])["fired"]

    for kind in ("MV_LOG_SILENT", "MV_SENDING_STOPPED"):
        installation.wait_for(partial(is_silent, kind))
    for kind, rule in RULES.items():
        draft = installation.data / "draft.json"
        draft.write_text(json.dumps({"name": kind, "rules": [{"type": kind, **rule}]}))
        tried = installation.answer("alerts", "backtest", str(draft), "--days", "2", "--workspace", "acme")
        assert tried["firings"], kind
