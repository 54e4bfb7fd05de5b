"""From a mail that is held to the digest, its links, and the mailbox behind: a real gateway, server and mail server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message as Mail
from email.policy import default

import httpx
import pytest

from mailvane.inbound.model import MessageStatus
from mailvane.inbound.questions import MessageQuestion
from tests.acceptance.gateway_world import DOMAIN, GatewayWorld, arrived, mail, now
from tests.acceptance.installation import HTTP
from tests.acceptance.smtp_sink import SmtpSink
from tests.waiting import wait_for

SETTINGS = """
score_from = "headers"
trusted_relays = ["127.0.0.0/8"]
quarantine_at = 5
reject_at = 15

[reputation.mail]
host = "127.0.0.1"
port = {port}
security = "none"
sender = "Mailvane <mailvane@office.example>"
"""
HELD = (MessageStatus.QUARANTINED,)


@pytest.fixture(scope="module")
def sink() -> Iterator[SmtpSink]:
    running = SmtpSink().start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def world(sink: SmtpSink, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    made = GatewayWorld(tmp_path_factory.mktemp("digest"), sink.port, SETTINGS.format(port=sink.port))
    made.mailbox("ok.box")
    made.mailbox("ok.empty")
    with made.installation.serving():
        yield made


def body(digest: Mail, kind: str) -> str:
    part = digest.get_body((kind,))  # type: ignore[attr-defined]
    return str(part.get_content())


def test_a_held_mail_is_told_confirmed_and_delivered(world: GatewayWorld, sink: SmtpSink) -> None:
    for subject in ("wanted <b>offer</b>", "unwanted offer"):
        assert world.send(f"ok.box@{DOMAIN}", mail(subject, extra="X-Spam-Score: 7.5\r\n"))[0] == 250
    assert world.installation.answer("quarantine", "digest") == [
        {"address": f"ok.box@{DOMAIN}", "held": 2, "problem": ""}
    ]
    (told,) = arrived(sink, b"held_")
    digest = message_from_bytes(told.data.replace(b"\r\n..", b"\r\n."), policy=default)
    assert digest["Subject"] == f"[Mailvane] 2 mails held for ok.box@{DOMAIN}"
    text, html = body(digest, "plain"), body(digest, "html")
    assert "wanted &lt;b&gt;offer&lt;/b&gt;" in html
    # The newest first: what is unwanted, then what is wanted.
    accepts, rejects = re.findall(r"deliver: (http\S+)", text), re.findall(r"reject:  (http\S+)", text)
    accept, reject = accepts[1], rejects[0]
    assert accept in html

    for _ in range(2):  # as scanners do
        page = HTTP.get(accept)
        assert (page.status_code, "<form" in page.text, "wanted &lt;b&gt;" in page.text) == (200, True, True)
        assert page.headers["referrer-policy"] == "no-referrer"
    assert HTTP.head(accept).status_code == httpx.codes.OK
    for forged in (accept[:-8] + "AAAAAAAA", accept.partition("?")[0], accept.replace("?t=", "?t=%00")):
        for ask in (HTTP.get, HTTP.post):
            assert "not valid" in ask(forged).text
    assert len(world.messages(*HELD)) == 2

    assert "was delivered" in HTTP.post(accept).text
    wait_for(lambda: bool(arrived(sink, b"Subject: wanted")))
    assert "was rejected" in HTTP.post(reject).text
    assert not world.messages(*HELD)

    # Deciding again changes nothing.
    assert "is delivered" in HTTP.post(rejects[1]).text or "was delivered" in HTTP.post(rejects[1]).text
    assert "was rejected" in HTTP.post(accepts[0]).text
    assert len(arrived(sink, b"Subject: wanted")) == 1
    assert not arrived(sink, b"Subject: unwanted")
    with world.stores() as stores:
        actors = {(one.actor, one.action) for one in stores.audit.page(1).entries}
    assert {("digest link", "accept"), ("digest link", "reject")} <= actors


def test_a_snoozed_mail_is_delivered_when_its_time_has_come(world: GatewayWorld, sink: SmtpSink) -> None:
    for subject in ("not-now", "never"):
        assert world.send(f"ok.box@{DOMAIN}", mail(subject, extra="X-Spam-Score: 7.5\r\n"))[0] == 250
    with world.stores() as stores:
        question = MessageQuestion(workspace=1, statuses=HELD)
        ids = {one.subject: one.id for one in stores.pages.page(question, 0, 50).messages}
    url = f"{world.installation.url}/mailvane/v1/inbound/snooze"
    headers = {"Authorization": f"Bearer {world.key}"}
    until = now() + 3_600_000
    told = HTTP.post(url, headers=headers, json={"uuids": [ids["not-now"], ids["never"], "x"], "until": until}).json()
    assert [one["status"] for one in told] == ["snoozed", "snoozed", None]
    with world.stores() as stores:
        assert stores.pages.counts(1)[MessageStatus.SNOOZED] == 2
    assert arrived(sink, b"not-now") == []
    assert HTTP.post(url, headers=headers, json={"uuids": [ids["never"]], "until": 1}).status_code == 400
    assert world.installation.answer("quarantine", "reject", ids["never"])[0]["status"] == "denied"
    world.installation.answer("quarantine", "snooze", ids["not-now"], "--hours", "0.0001")
    wait_for(lambda: len(arrived(sink, b"not-now")) == 1)
    assert arrived(sink, b"never") == []
    with world.stores() as stores:
        found = stores.messages.message(1, ids["not-now"])
        assert stores.pages.counts(1)[MessageStatus.SNOOZED] == 0
    assert found is not None
    assert found.trained == "ham"
