"""From a blocklist to a webhook, through a real server: a listing is told once, signed, and read back."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from mailvane.notify.model import NotificationState
from mailvane.reputation.sources.dnsbl.zones import shipped
from mailvane.server.ledger import open_ledger
from tests.acceptance.installation import Installation, kill, stop
from tests.unit.notify.receiver import Receiver
from tests.unit.reputation.sources.dnsbl.name_server import TEST_POINTS, NameServer
from tests.waiting import PATIENCE

TRUE = "zen.spamhaus.org"
POINTS = {**TEST_POINTS, "2.0.0.0.7.f.0.0.f.f.f.f." + "0." * 19 + "0": "127.0.0.2"}
RULE = {"type": "IP_IN_RBL", "ips": ["ALL_IPS"], "rbls": ["HIGH_REPUTATION"]}


@pytest.mark.parametrize("killed", [False, True])
def test_a_listing_is_told_once_signed_and_read_back(tmp_path: Path, killed: bool) -> None:
    zones: dict[str, Any] = {zone.host: "failing" for zone in shipped()} | {TRUE: {**POINTS, "9.2.0.192": "127.0.0.2"}}
    answers = (503,) if not killed else (503,) * 50
    with ExitStack() as stack:
        names = stack.enter_context(NameServer(zones, {}).running())
        receiver = stack.enter_context(Receiver(*answers).running())
        installation = Installation(tmp_path / "data")
        settings = f'resolvers = ["127.0.0.1:{names.port}"]\nallowed_targets = ["127.0.0.1"]\n'
        (installation.data / "mailvane.toml").write_text("[reputation]\n" + settings)
        _, token = installation.tenant("acme")
        process = stack.enter_context(installation.starting("serve"))
        installation.wait_until_ready()
        api = stack.enter_context(
            httpx.Client(base_url=f"{installation.url}/api/v1.0", headers={"X-API-KEY": token}, timeout=PATIENCE)
        )
        alert = api.post("/alerts", json={"name": "listed", "rules": [RULE], "webhook_url": receiver.url}).json()
        assert api.post("/ips", json={"ips": ["192.0.2.8", "192.0.2.9"]}).status_code == 201
        installation.wait_for(lambda: receiver.received)
        if killed:
            kill(process)
            receiver.answers.clear()
            soon(installation)
            process = stack.enter_context(installation.starting("serve"))
            installation.wait_until_ready()
        ledger = open_ledger(f"sqlite:///{installation.data / 'ledger.sqlite'}")
        stack.callback(ledger.close)
        (message,) = installation.wait_for(lambda: ledger.outbox.notifications(1, NotificationState.DELIVERED))
        secret = ledger.channels.signing_secrets(1, 0)[0].secret
        last = receiver.received[-1]
        told = Webhook(secret).verify(last.body, last.headers)
        assert {one.headers["webhook-id"] for one in receiver.received} == {message.id}
        assert told["rules"][0]["matching"] == {"items": [{"ip": "192.0.2.9", "rbl": TRUE}], "count": 1}
        (entry,) = api.get(f"/alerts/{alert['id']}/log").json()["data"]
        assert (told["id"], told["user_alert_id"]) == (entry["id"], alert["id"])
        assert {one["ip"]: one["blacklisted"] for one in api.get("/ips").json()["data"]} == {
            "192.0.2.8": False,
            "192.0.2.9": True,
        }
        stop(process)
        assert json.loads(last.body)["name"] == "listed"


def soon(installation: Installation) -> None:
    """What was taken by the killed process, or waits for its next try, is due at once."""
    ledger = open_ledger(f"sqlite:///{installation.data / 'ledger.sqlite'}")
    (message,) = ledger.outbox.notifications(1)
    ledger.outbox.resend(1, message.id, 0)
    ledger.close()
