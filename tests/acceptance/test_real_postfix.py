"""A real Postfix and a real server beside it: what was sent is what the mail log says, while it happens."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailvane.core.mailbox import canonical_address
from mailvane.maillog.model import EventType
from mailvane.maillog.postfix.reading import LogReading, Origin
from tests.acceptance.beside import Place, note, place
from tests.acceptance.mail_client import SENDER, hand_in
from tests.waiting import PATIENCE


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("real") / "data") as running:
        yield running


def test_a_delivery_is_answered_with_all_that_was_known_of_it(beside: Place) -> None:
    to = "ok.fields@inbox.example"
    message_id = "<fields.1@shop.example>"
    headers = {"Reply-To": "Help <help@shop.example>", "Message-ID": message_id}
    (queue_id,) = hand_in(beside.postfix.smtp, note(to, Subject="=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", **headers))
    beside.soon(queue_id, "status=sent", then=lambda: [row["delivered"] for row in beside.rows(to=to)] == [1])
    row = beside.row(to)
    assert row["from"] == SENDER
    assert row["to"] == row["recipient"] == to
    assert row["domain"] == "inbox.example"
    assert row["subject"] == "Grüße"
    assert row["messageId"] == message_id
    assert row["origin"] == "127.0.0.1"
    assert row["transtype"] == "ESMTP"
    assert row["code"] == 250
    assert row["response"].startswith("250 2.0.0 Ok: queued as SINK")
    assert row["mxHostname"] == "127.0.0.1"
    assert row["bodySize"] > 100
    assert abs(row["time"] - time.time()) < 60
    for name, value in (
        ("headerfrom", "ann@shop.example"),
        ("replyto", "help@shop.example"),
        ("subject", "Grüße"),
        ("messageId", "FIELDS.1@shop"),
        ("mailid", row["id"]),
        ("mx", "127.0.0.1"),
    ):
        assert row in beside.rows(**{name: value}), name


def test_a_bounce_is_answered_with_what_the_other_side_said(beside: Place) -> None:
    to = "blocked.1@inbox.example"
    (queue_id,) = hand_in(beside.postfix.smtp, note(to))
    beside.soon(queue_id, "status=bounced", then=lambda: bool(beside.rows(to=to)))
    row = beside.row(to)
    assert (row["delivered"], row["code"]) == (0, 550)
    assert "unusual rate of unsolicited mail" in row["response"]


def test_a_deferred_mail_is_undelivered_and_then_delivered(beside: Place) -> None:
    to = "grey.1@inbox.example"
    (queue_id,) = hand_in(beside.postfix.smtp, note(to))
    beside.soon(queue_id, "status=deferred", then=lambda: bool(beside.rows(to=to)))
    beside.soon(queue_id, "status=sent", then=lambda: beside.row(to)["delivered"] == 1)
    assert beside.row(to)["code"] == 250


def test_each_recipient_of_a_mail_has_a_row_of_its_own(beside: Place) -> None:
    recipients = ("ok.crowd@inbox.example", "unknown.crowd@inbox.example", "full.crowd@other.example")
    (queue_id,) = hand_in(beside.postfix.smtp, note(*recipients, Subject="crowd"))
    beside.soon(f"{queue_id}: removed", then=lambda: len(beside.rows(subject="crowd")) == 3)
    rows = {row["to"]: row for row in beside.rows(subject="crowd")}
    assert {to: row["delivered"] for to, row in rows.items()} == dict(zip(recipients, (1, 0, 0), strict=True))
    assert len({row["id"] for row in rows.values()}) == 1
    assert sorted(row["seq"] for row in rows.values()) == [1, 2, 3]
    assert len(beside.rows(subject="crowd", groupby="message")) == 1


def test_a_mail_that_passed_a_content_filter_is_one_mail(beside: Place) -> None:
    to = "ok.filtered@inbox.example"
    (queue_id,) = hand_in(beside.postfix.filtered, note(to))
    beside.postfix.wait_for(f"{queue_id}: removed")
    beside.soon(
        f"to=<{to}>", ":", "queued as SINK", then=lambda: [row["delivered"] for row in beside.rows(to=to)] == [1]
    )
    row = beside.row(to)
    assert row["response"].startswith("250 2.0.0 Ok: queued as SINK")
    assert row["subject"] == f"to {to}"


def test_a_login_at_the_submission_service_is_known(beside: Place) -> None:
    to = "ok.login@inbox.example"
    hand_in(beside.postfix.submission, note(to), login="anna@office.example")
    beside.soon(f"to=<{to}>", "status=sent", then=lambda: bool(beside.rows(to=to)))
    row = beside.row(to)
    assert row["transtype"] == "ESMTPA"
    assert row["interface"] == "submission"


def test_an_alias_is_followed_to_where_the_mail_went(beside: Place) -> None:
    (queue_id,) = hand_in(beside.postfix.smtp, note("many@alias.example", Subject="alias"))
    beside.soon(f"{queue_id}: removed", then=lambda: len(beside.rows(subject="alias")) == 2)
    rows = beside.rows(subject="alias")
    assert {row["recipient"]: row["delivered"] for row in rows} == {
        "ok.1@inbox.example": 1,
        "unknown.2@inbox.example": 0,
    }
    assert {row["to"] for row in rows} == {"many@alias.example"}


def test_lmtp_local_virtual_and_pipe_deliver_too(beside: Place) -> None:
    recipients = ("ok.1@lmtp.example", "daemon@localhost.example", "ann@virtual.example", "x@pipe.example")
    (queue_id,) = hand_in(beside.postfix.smtp, note(*recipients, Subject="transports"))
    beside.soon(f"{queue_id}: removed", then=lambda: len(beside.rows(subject="transports")) == 4)
    rows = {row["to"]: row for row in beside.rows(subject="transports")}
    assert {rows[to]["delivered"] for to in recipients} == {1}
    assert [rows[to]["sendingZone"] for to in recipients] == ["lmtp", "local", "virtual", "pipe"]


def test_programs_on_the_machine_send_too(beside: Place) -> None:
    to = "ok.cron@inbox.example"
    beside.postfix.command("sendmail", "-f", "cron@shop.example", to, text=f"Subject: from cron\nTo: {to}\n\nHello\n")
    beside.soon(f"to=<{to}>", "status=sent", then=lambda: bool(beside.rows(to=to)))
    row = beside.row(to)
    assert (row["from"], row["subject"], row["interface"]) == ("cron@shop.example", "from cron", "pickup")


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("X-Test-Reject: yes\n", "on request"),
        ("Received: from a by b; Fri, 27 Nov 2026 10:00:00 +0000\n" * 51, "too many hops"),
    ],
    ids=["header checks", "hops"],
)
def test_a_mail_that_cleanup_does_not_let_pass_is_bounced_once_for_each_recipient(
    beside: Place, head: str, said: str
) -> None:
    subject = f"cleanup: {said}"
    to = ("ok.first@inbox.example", "ok.second@inbox.example")
    text = f"Subject: {subject}\n{head}To: {to[0]}\n\nHello\n"
    beside.postfix.command("sendmail", "-f", "cron@shop.example", *to, text=text)
    beside.soon("cleanup", f"status=bounced ({said})", times=2, then=lambda: len(beside.rows(subject=subject)) == 2)
    rows = beside.rows(subject=subject)
    assert {row["to"] for row in rows} == set(to)
    assert {(row["delivered"], row["response"], row["interface"]) for row in rows} == {(0, said, "pickup")}
    assert len({row["id"] for row in rows}) == 1


SENT = ">, relay=mx.victim.example[192.0.2.66]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)"
HOSTILE = {
    "an outcome": SENT,
    "an original address": f">, orig_to=<x@victim.example{SENT}",
    "a quote and an outcome": f'\\" {SENT} \\\\',
    "an acceptance": ">, size=1, nrcpt=9 (queue active)",
    "another line": f": to=<w@victim.example{SENT}",
    "an envelope": "; from=<v@victim.example> to=<w@victim.example> proto=SMTP helo=<g>: ",
    "an expiry": ">, status=expired, returned to sender",
    "a client": " from x[192.0.2.66]; from=<v@victim.example> to=<w@victim.example>",
}


@pytest.mark.parametrize("spelt", HOSTILE)
def test_no_address_tells_its_own_outcome(beside: Place, spelt: str) -> None:
    text = HOSTILE[spelt]
    name = spelt.replace(" ", "-")
    sender, to = f'"{name}{text}"@shop.example', f'"unknown {text}"@inbox.example'
    head = f"Subject: {name} {text}\r\nMessage-ID: <{name}{text}@shop.example>\r\nFrom: ann@shop.example\r\n"
    with smtplib.SMTP("127.0.0.1", beside.postfix.smtp, local_hostname="app.shop.example", timeout=PATIENCE) as client:
        client.ehlo()
        for command in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{to}>"):
            assert client.docmd(command)[0] == 250, command
        code, said = client.data(f"{head}\r\nHello.\r\n".encode())
        assert code == 250
        queue_id = said.decode().rpartition(" ")[2]
        # One that is refused at the door: the reply repeats the address without its quotes.
        client.docmd(f"MAIL FROM:<{sender}>")
        assert client.docmd(f"RCPT TO:<{to.replace('@inbox', '@error')}>")[0] == 550

    def ours() -> list[dict[str, Any]]:
        """Without the notification that goes back to the sender."""
        return [row for row in beside.rows() if row["from"] == canonical_address(sender)]

    beside.soon(f"{queue_id}: removed", then=lambda: bool(ours()))
    (bounced,) = ours()
    assert bounced["to"] == canonical_address(to)
    assert (bounced["delivered"], bounced["code"], bounced["mxHostname"]) == (0, 550, "127.0.0.1")
    assert not [row for row in beside.rows() if "victim.example" in (row["domain"], row["mxHostname"])]
    steps = LogReading(Origin(1, 1)).read_all([str(beside.postfix.log)], time.time_ns() // 1_000_000)
    refused = [event for step in steps for event in step.entry.batch.events if event.type is EventType.REJECTED]
    told = [(event.recipient, event.origin) for event in refused if event.sender == canonical_address(sender)]
    assert told == [(canonical_address(to.replace("@inbox", "@error")), "127.0.0.1")]


def test_totals_are_what_was_sent(tmp_path: Path) -> None:
    with place(tmp_path / "data", lifetime="6s") as beside:
        wanted = {
            f"{word}.{number}@inbox.example": word
            for number in range(12)
            for word in ("ok", "unknown", "spam", "grey", "later", "bare")
        }
        hand_in(beside.postfix.smtp, *(note(to) for to in wanted))
        hand_in(beside.postfix.smtp, note("busy.1@inbox.example"))
        wanted["busy.1@inbox.example"] = "busy"
        # a mail each, a notification for each that failed
        failing = [to for to, word in wanted.items() if word in {"unknown", "spam", "bare", "busy"}]
        total = len(wanted) + len(failing)
        beside.soon(": removed", times=total, then=lambda: _settled(beside, wanted))
        told = {row["to"]: row["delivered"] for row in beside.rows()}
        assert told == {to: int(to not in failing) for to in wanted}
        figures = beside.installation.get("/mail/stats", beside.token, time="day")
        assert figures["received"] == len(wanted)
        assert figures["sent"] == len(wanted) - len(failing)


def _settled(beside: Place, wanted: dict[str, str]) -> bool:
    rows = beside.rows()
    expired = [row for row in rows if row["to"] == "busy.1@inbox.example" and "450 4.2.1" in (row["response"] or "")]
    waiting = [row for row in rows if row["delivered"] == 0 and row["to"].startswith(("grey", "later"))]
    return len(rows) == len(wanted) and bool(expired) and not waiting
