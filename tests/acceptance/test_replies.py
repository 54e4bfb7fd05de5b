"""Replies count wherever they come in: read from a log while no server runs, or taken in by the gateway."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.gateway_world import DOMAIN, GatewayWorld, mail, now
from tests.acceptance.installation import HTTP, Installation
from tests.acceptance.smtp_sink import SmtpSink

ANN, CLIENT = "ann@ours.example", "client@isp.example"
OUT = """\
Nov 26 10:00:0{n} mx postfix/smtpd[1]: 4AAAAAA{n}: client=app.ours.example[192.0.2.1]
Nov 26 10:00:0{n} mx postfix/cleanup[2]: 4AAAAAA{n}: message-id=<{n}@ours.example>
Nov 26 10:00:0{n} mx postfix/cleanup[2]: 4AAAAAA{n}: info: header From: Ann <ann@ours.example> from \
app.ours.example[192.0.2.1]; from=<ann@ours.example> to=<client@isp.example> proto=ESMTP helo=<app>
Nov 26 10:00:0{n} mx postfix/qmgr[3]: 4AAAAAA{n}: from=<ann@ours.example>, size=1234, nrcpt=1 (queue active)
Nov 26 10:00:0{n} mx postfix/smtp[4]: 4AAAAAA{n}: to=<client@isp.example>, relay=in.isp.example[192.0.2.9]:25, \
delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as X{n})
Nov 26 10:00:0{n} mx postfix/qmgr[3]: 4AAAAAA{n}: removed
"""
IN = """\
Nov 26 11:00:0{n} mx postfix/smtpd[1]: 4BBBBBB{n}: client=out.isp.example[192.0.2.7]
Nov 26 11:00:0{n} mx postfix/cleanup[2]: 4BBBBBB{n}: info: header From: {author} from out.isp.example[192.0.2.7]; \
from=<{author}> to=<ann@ours.example> proto=ESMTP helo=<out.isp.example>
Nov 26 11:00:0{n} mx postfix/cleanup[2]: 4BBBBBB{n}: info: header In-Reply-To: <{n}@ours.example> from \
out.isp.example[192.0.2.7]; from=<{author}> to=<ann@ours.example> proto=ESMTP helo=<out.isp.example>
Nov 26 11:00:0{n} mx postfix/cleanup[2]: 4BBBBBB{n}: info: header {extra} from out.isp.example[192.0.2.7]; \
from=<{author}> to=<ann@ours.example> proto=ESMTP helo=<out.isp.example>
Nov 26 11:00:0{n} mx postfix/cleanup[2]: 4BBBBBB{n}: message-id=<{n}@isp.example>
Nov 26 11:00:0{n} mx postfix/qmgr[3]: 4BBBBBB{n}: from=<{author}>, size=1234, nrcpt=1 (queue active)
Nov 26 11:00:0{n} mx postfix/smtp[4]: 4BBBBBB{n}: to=<ann@ours.example>, relay=box.ours.example[192.0.2.3]:25, \
delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as Y{n})
Nov 26 11:00:0{n} mx postfix/qmgr[3]: 4BBBBBB{n}: removed
"""


def answers() -> str:
    """By whoever got the mail, by a colleague of theirs, and by a program."""
    told = [(1, CLIENT, "Subject: Re: x"), (2, "boss@isp.example", "Subject: Re: x")]
    told.append((3, CLIENT, "Auto-Submitted: auto-replied"))
    return "".join(IN.format(n=number, author=author, extra=extra) for number, author, extra in told)


@pytest.mark.parametrize("together", [True, False], ids=["one import", "answers before the mails"])
def test_replies_count_after_an_import_alone(tmp_path: Path, together: bool) -> None:
    installation = Installation(tmp_path / "data")
    installation.tenant("acme")
    mails = "".join(OUT.format(n=number) for number in range(1, 5))
    for number, text in enumerate([mails + answers()] if together else [answers(), mails]):
        log = tmp_path / f"mail{number}.log"
        log.write_text(text)
        installation.run("import", "postfix", str(log), "--workspace", "acme", "--year", "2025")
    found = {one["address"]: one for one in installation.answer("mailboxes")}[ANN]
    counts = {kind: rate["numerator"] for kind, rate in found["rates"].items()}
    assert (found["sent"], counts["replied"], counts["auto_replied"]) == (4, 2, 1)


def test_replies_count_while_an_import_follows_a_log(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    installation.tenant("acme")
    log = tmp_path / "mail.log"
    log.write_text("".join(OUT.format(n=number) for number in range(1, 5)) + answers())

    def told() -> int:
        with closing(sqlite3.connect(installation.data / "ledger.sqlite")) as ledger:
            found: int = ledger.execute("SELECT count(*) FROM event_ids").fetchone()[0]
            return found

    with installation.starting("import", "postfix", str(log), "--workspace", "acme", "--year", "2025", "--follow"):
        installation.wait_for(lambda: told() == 3)  # events of a log have no ids; of replies they have


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    sink = SmtpSink().start()
    made = GatewayWorld(tmp_path_factory.mktemp("gateway"), sink.port)
    made.mailbox("ok.ann")
    with made.installation.serving():
        yield made
    sink.stop()


def test_replies_that_the_gateway_takes_in_count(gateway: GatewayWorld) -> None:
    ann, key = f"ok.ann@{DOMAIN}", gateway.key
    facts = {"sender": ann, "header_from": ann, "recipient": CLIENT, "time": now() - 5_000}
    sent = [
        json.dumps({"id": f"{n}", "type": "accepted", "mail": f"m{n}", "message_id": f"<{n}@ours.example>"} | facts)
        for n in range(4)
    ]
    headers = {"X-API-KEY": key, "Content-Type": "application/x-ndjson"}
    url = gateway.installation.url
    HTTP.post(f"{url}/mailvane/v1/events", headers=headers, content="\n".join(sent)).raise_for_status()
    threads = [
        "In-Reply-To: <0@ours.example>\r\n",
        "References: <old@isp.example>\r\n <1@ours.example>\r\n",
        "In-Reply-To: <2@ours.example>\r\nAuto-Submitted: auto-replied (vacation)\r\n",
        "In-Reply-To: <elsewhere@isp.example>\r\n",
    ]
    for number, thread in enumerate(threads):
        assert gateway.send(ann, mail(f"re {number}", sender=CLIENT, extra=thread), CLIENT)[0] == 250

    def counts() -> dict[str, Any]:
        answer = HTTP.get(f"{gateway.installation.url}/mailvane/v1/mailboxes/{ann}", headers={"X-API-KEY": key})
        if answer.status_code == httpx.codes.NOT_FOUND:
            return {}  # its mail is not in the mail log yet
        rates = answer.json()["rates"]
        return {kind: rates[kind]["numerator"] for kind in ("replied", "auto_replied")}

    gateway.installation.wait_for(lambda: counts() == {"replied": 2, "auto_replied": 1})
