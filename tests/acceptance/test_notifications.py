"""Notifications of Amazon SES at a running server: signed by SNS, counted once, and the domain stops by itself."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from mailvane_demo.world.certificate_authority import root, signer
from mailvane_demo.world.sns_topic import SnsTopic, stamp
from tests.acceptance.installation import HTTP, Installation
from tests.waiting import PATIENCE

NAME = "shop.example"


def now() -> int:
    return time.time_ns() // 1_000_000


def bounce_of(recipient: str) -> str:
    mail = {
        "timestamp": stamp(now() - 5000),
        "messageId": f"0102-{recipient}",
        "source": f"news@{NAME}",
        "destination": [recipient],
    }
    bounce = {
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "bouncedRecipients": [{"emailAddress": recipient, "diagnosticCode": "smtp; 550 5.1.1 user unknown"}],
        "timestamp": stamp(now()),
        "feedbackId": "f",
    }
    return json.dumps({"notificationType": "Bounce", "mail": mail, "bounce": bounce})


@pytest.fixture
def topic(tmp_path: Path) -> SnsTopic:
    authority = root(now())
    found = SnsTopic(signer=signer(now(), authority, ["sns.amazonaws.com"]))
    (tmp_path / "roots.pem").write_bytes(authority.pem)
    (tmp_path / "certificates").mkdir()
    (tmp_path / "certificates" / found.certificate).write_bytes(found.signer.pem)
    return found


@pytest.fixture
def served(tmp_path: Path, topic: SnsTopic) -> Iterator[Installation]:
    installation = Installation(tmp_path / "data")
    (installation.data / "mailvane.toml").write_text(
        f'[outbound]\nsns_topics = ["{topic.arn}"]\nsns_trusted_roots = "{tmp_path}/roots.pem"\n'
        f'sns_certificates = "{tmp_path}/certificates"\n'
    )
    with installation.serving():
        yield installation


@pytest.fixture
def master(served: Installation) -> Iterator[httpx.Client]:
    token = (served.data / "master-token").read_text().strip()
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=served.url, headers=headers, timeout=PATIENCE) as client:
        assert client.post("/domains/", json={"name": NAME, "partner_ref": "acme"}).status_code == 201
        yield client


def take(served: Installation, body: bytes) -> httpx.Response:
    """As SNS sends it: without a key, and as text."""
    headers = {"Content-Type": "text/plain; charset=UTF-8"}
    return HTTP.post(f"{served.url}/webhooks/ses", content=body, headers=headers)


def test_bounces_stop_a_domain_and_stand_in_its_mail_log(
    served: Installation, topic: SnsTopic, master: httpx.Client
) -> None:
    for _ in range(100):
        assert master.post(f"/domains/{NAME}/outbound/increment").json()["allowed"]
    for number in range(4):
        assert master.get(f"/domains/{NAME}/outbound").json()["outbound_status"] == "active"
        body = topic.notification(bounce_of(f"u{number}@one.example"), now(), str(number))
        with ThreadPoolExecutor(5) as pool:
            answers = list(pool.map(lambda _, body=body: take(served, body), range(5)))
        assert [answer.json() for answer in answers] == [{"status": "ok"}] * 5
        assert master.get(f"/domains/{NAME}/outbound").json()["bounce_count"] == number + 1

    told = master.get(f"/domains/{NAME}/outbound").json()
    assert (told["outbound_status"], told["bounce_rate"]) == ("suspended", 4.0)
    assert master.post(f"/domains/{NAME}/outbound/increment").json()["reason"] == "outbound_suspended"

    def four() -> list[dict[str, Any]]:
        page = served.answer("log", "--workspace", "acme")
        rows: list[dict[str, Any]] = page["deliveries"]
        return rows if page["total"] >= 4 else []

    assert {row["recipient"] for row in served.wait_for(four)} == {f"u{number}@one.example" for number in range(4)}


def test_what_is_not_believed_is_refused_with_the_reason(
    served: Installation, topic: SnsTopic, master: httpx.Client
) -> None:
    body = topic.notification(bounce_of("u@one.example"), now(), "a")
    forged = json.dumps(json.loads(body) | {"MessageId": "mine"}).encode()
    for wrong, status, why in (
        (forged, 403, "signature"),
        (topic.notification(bounce_of("u@one.example"), now() - 7_200_000, "b"), 403, "an hour"),
        (b"{}", 400, "not an SNS message"),
    ):
        answer = take(served, wrong)
        assert answer.status_code == status
        assert why in answer.json()["detail"]
    assert master.get(f"/domains/{NAME}/outbound").json()["bounce_count"] == 0


def test_bounces_of_a_postfix_log_count_too_where_the_settings_say_so(tmp_path: Path) -> None:
    at = datetime.now(UTC).isoformat()
    lines = (
        "smtpd[1]: 4XyZ1234abcdefg: client=app[192.0.2.1]",
        f"qmgr[2]: 4XyZ1234abcdefg: from=<news@{NAME}>, size=900, nrcpt=1 (queue active)",
        (
            "smtp[3]: 4XyZ1234abcdefg: to=<ann@one.example>, relay=mx.one.example[192.0.2.9]:25, delay=1, "
            "delays=0/0/0/1, dsn=5.1.1, status=bounced (host mx.one.example[192.0.2.9] said: 550 5.1.1 no such user)"
        ),
        "qmgr[2]: 4XyZ1234abcdefg: removed",
    )
    log = tmp_path / "mail.log"
    log.write_text("".join(f"{at} mx1 postfix/{line}\n" for line in lines))
    counted = {}
    for setting in ("true", "false"):
        installation = Installation(tmp_path / setting)
        (installation.data / "mailvane.toml").write_text(f"[outbound]\ncount_postfix_bounces = {setting}\n")
        installation.tenant("acme")
        with installation.serving():
            token = (installation.data / "master-token").read_text().strip()
            headers = {"Authorization": f"Bearer {token}"}
            with httpx.Client(base_url=installation.url, headers=headers, timeout=PATIENCE) as client:
                assert client.post("/domains/", json={"name": NAME, "partner_ref": "acme"}).status_code == 201
                for _ in range(2):
                    installation.run("import", "postfix", str(log), "--workspace", "acme")
                counted[setting] = client.get(f"/domains/{NAME}/outbound").json()["bounce_count"]
    assert counted == {"true": 1, "false": 0}
