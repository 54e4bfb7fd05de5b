"""Replies that the gateway takes in are judged by a classifier over HTTP, and a person's word holds against it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from tests.acceptance.gateway_world import DOMAIN, GatewayWorld, mail, now
from tests.acceptance.installation import HTTP
from tests.acceptance.smtp_sink import SmtpSink
from tests.waiting import wait_for

ANN, CLIENT = f"ok.ann@{DOMAIN}", "client@isp.example"
SETTINGS = """
[mailboxes]
classifier_url = "http://127.0.0.1:{port}/v1/"
classifier_model = "small"
classifier_key_file = "{key}"
"""


class Model:
    """An OpenAI-compatible server. It answers what the reply says, is out of order at first, and keeps what it got."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.out_of_order = 2
        model = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                model.asked.append((self.path, dict(self.headers), body))
                status, said = model.answer(body["messages"][-1]["content"])
                answer = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, text: str) -> tuple[int, Any]:
        if self.out_of_order:
            self.out_of_order -= 1
            return 503, {"error": "overloaded"}
        if "odd" in text:
            return 200, b"<html>no JSON</html>"
        said = "Positive.\n" if "interested" in text else "I cannot say" if "vague" in text else "negative"
        return 200, {"choices": [{"message": {"role": "assistant", "content": said}}]}


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    running = Model()
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.fixture(scope="module")
def gateway(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    sink = SmtpSink().start()
    place = tmp_path_factory.mktemp("classifier")
    (place / "key").write_text("secret of the model\n")
    made = GatewayWorld(place / "data", sink.port, SETTINGS.format(port=model.port, key=place / "key"))
    made.mailbox("ok.ann")
    with made.installation.serving():
        yield made
    sink.stop()


def counts(gateway: GatewayWorld) -> tuple[int | None, int | None]:
    answer = HTTP.get(f"{gateway.installation.url}/mailvane/v1/mailboxes/{ANN}", headers={"X-API-KEY": gateway.key})
    if answer.status_code == httpx.codes.NOT_FOUND:
        return None, None  # its mail is not in the mail log yet
    rates = answer.json()["rates"]
    return rates["replied"]["numerator"], rates["positive"]["numerator"]


def mail_ids(gateway: GatewayWorld) -> dict[str, str]:
    """Of the mails that were answered, by Message-ID."""
    rows = gateway.installation.get("/mail/log", gateway.key, limit=100)["emails"]
    return {row["messageId"]: row["id"] for row in rows}


def test_replies_are_judged_and_a_person_has_the_last_word(gateway: GatewayWorld, model: Model) -> None:
    facts = {"sender": ANN, "header_from": ANN, "recipient": CLIENT, "time": now() - 5_000}
    sent = [
        json.dumps({"id": f"{n}", "type": "accepted", "mail": f"m{n}", "message_id": f"<{n}@ours.example>"} | facts)
        for n in range(6)
    ]
    headers = {"X-API-KEY": gateway.key, "Content-Type": "application/x-ndjson"}
    url = gateway.installation.url
    HTTP.post(f"{url}/mailvane/v1/events", headers=headers, content="\n".join(sent)).raise_for_status()
    texts = [
        "I am interested.\r\n\r\nOn Mon, 2 Nov 2026 at 10:00, Ann <ann@ours.example> wrote:\r\n> our secret offer\r\n",
        "No, thank you.\r\n> Are you interested?\r\n",
        "An odd one.\r\n",
        "A vague one.\r\n",
        "I am interested, too.\r\n",
    ]
    for number, text in enumerate(texts):
        thread = f"In-Reply-To: <{number}@ours.example>\r\n"
        assert gateway.send(ANN, mail(f"Re {number}", text, CLIENT, thread), CLIENT)[0] == 250
    away = "In-Reply-To: <5@ours.example>\r\nAuto-Submitted: auto-replied\r\n"
    assert gateway.send(ANN, mail("away", "I am interested", CLIENT, away), CLIENT)[0] == 250
    elsewhere = "In-Reply-To: <elsewhere@isp.example>\r\n"
    assert gateway.send(ANN, mail("other", "I am interested", CLIENT, elsewhere), CLIENT)[0] == 250
    gateway.installation.wait_for(lambda: counts(gateway) == (5, 2))
    wait_for(lambda: {"odd", "vague"} <= {word for *_, body in model.asked for word in said(body).split()})
    judge_what_was_sent(model)

    ids = mail_ids(gateway)
    run = gateway.installation.run
    run("mailbox-untag", ids["<0@ours.example>"])
    gateway.installation.wait_for(lambda: counts(gateway) == (5, 1))
    given = {"mail_id": ids["<3@ours.example>"], "recipient": CLIENT, "positive": True, "relay": gateway.relay}
    HTTP.post(f"{url}/mailvane/v1/replies/tag", headers={"X-API-KEY": gateway.key}, json=given).raise_for_status()
    run("mailbox-tag", "<1@ours.example>", "--recipient", CLIENT.upper())
    gateway.installation.wait_for(lambda: counts(gateway) == (5, 3))
    # Another answer to the same mail, whatever is made of it, does not change what a person said.
    once_more = mail("Re 0 again", "I am interested again.", CLIENT, "In-Reply-To: <0@ours.example>\r\n")
    asked = len(model.asked)
    assert gateway.send(ANN, once_more, CLIENT)[0] == 250
    wait_for(lambda: any("again" in said(body) for *_, body in model.asked[asked:]))
    gateway.installation.run("rebuild")
    assert counts(gateway) == (5, 3)
    assert run("mailbox-tag", "<none@ours.example>", succeeds=False).returncode != 0
    assert run("mailbox-tag", "0" * 18, succeeds=False).returncode != 0
    assert run("mailbox-tag", ids["<0@ours.example>"], "--recipient", "x@y.example", succeeds=False).returncode != 0


def said(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


def judge_what_was_sent(model: Model) -> None:
    """The documented data and nothing else; replies of programs and to others' mails are not asked about."""
    path, headers, body = model.asked[-1]
    assert (path, headers["Authorization"]) == ("/v1/chat/completions", "Bearer secret of the model")
    assert {name: value for name, value in body.items() if name != "messages"} == {
        "model": "small", "temperature": 0, "max_tokens": 8,
    }  # fmt: skip
    told = {said(body) for *_, body in model.asked}
    assert "<reply>\nSubject: Re 0\n\nI am interested.\n</reply>" in told
    assert "<reply>\nSubject: Re 1\n\nNo, thank you.\n</reply>" in told
    assert not [each for each in told if "away" in each or "other" in each or "@" in each]
