"""Servers before the gateway and behind it: TLS on both sides, a real LMTP server, one that is down, slow or full."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mailvane.inbound.model import InboundDomain, Message, MessageStatus, NextHop
from tests.acceptance import dovecot_instance
from tests.acceptance.dovecot_instance import DovecotInstance
from tests.acceptance.gateway_world import DOMAIN, GatewayWorld, mail
from tests.acceptance.smtp_sink import SmtpSink
from tests.ports import free_port
from tests.unit.notify.post_office import PostOffice, certified
from tests.waiting import PATIENCE, wait_for

OK = 250
SOON = "retry_minutes = [0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 60]"


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    running = SmtpSink().start()
    yield running
    running.stop()


def one(world: GatewayWorld, subject: str) -> Message:
    (found,) = [each for each in world.messages() if each.subject == subject]
    return found


def in_state(world: GatewayWorld, subject: str, status: MessageStatus) -> Message:
    """The message, once it has that status."""

    def found() -> Message | None:
        message = one(world, subject)
        return message if message.status is status else None

    return wait_for(found, lambda: f"{one(world, subject)}\n{world.installation.said()}")  # type: ignore[return-value]


def subjects(sink: SmtpSink) -> list[str]:
    """Of what it accepted, in that order."""
    found = (re.search(rb"\r\nSubject: ([^\r]+)\r\n", each.data) for each in list(sink.accepted))
    return [match[1].decode() for match in found if match]


def redeliver(world: GatewayWorld, subject: str) -> httpx.Response:
    """Through the interface that Cleanbox's clients know."""
    return httpx.post(
        f"{world.installation.url}/v1/messages/{one(world, subject).id}/redeliver",
        headers={"Authorization": f"Bearer {world.key}"},
        timeout=PATIENCE,
        trust_env=False,
    )


def hop_is(world: GatewayWorld, hop: NextHop) -> None:
    """The domain's mail goes there from now on."""
    with world.stores() as stores:
        (domain,) = stores.domains.domains(1)
        stores.domains.save(
            InboundDomain(id=domain.id, workspace=1, name=domain.name, hop=hop, created_at=domain.created_at)
        )


# -- TLS


def test_starttls_on_both_sides(tmp_path: Path, sink: SmtpSink) -> None:
    _, trusting = certified(tmp_path)
    files = f'tls_certificate = "{tmp_path}/public.pem"\ntls_key = "{tmp_path}/private.pem"'
    world = GatewayWorld(tmp_path / "data", sink.port, files)
    world.installation.environment["SSL_CERT_FILE"] = str(tmp_path / "public.pem")
    world.mailbox("info")
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(tmp_path / "public.pem", tmp_path / "private.pem")
    with PostOffice().running(tls_context=shown, require_starttls=True) as office, world.installation.serving():
        hop_is(world, NextHop("localhost", office.port, tls="required"))
        with smtplib.SMTP("localhost", world.port, timeout=PATIENCE) as client:
            client.ehlo("client.example")
            assert client.has_extn("starttls")
            assert client.starttls(context=trusting)[0] == 220
            client.ehlo("client.example")
            assert not client.has_extn("starttls"), "RFC 3207 section 4.2"
            for number in range(3):
                content = mail(f"encrypted {number}", "x" * 70 * 1024 * number)
                client.sendmail("ann@sender.example", f"info@{DOMAIN}", content.replace(b"x" * 70, b"x" * 68 + b"\r\n"))
        for number in range(3):
            assert in_state(world, f"encrypted {number}", MessageStatus.DELIVERED).protocol == "ESMTPS"
        assert {str(each["Subject"]) for each in office.taken} == {f"encrypted {number}" for number in range(3)}
        # A server that offers none gets no mail that is to be encrypted.
        hop_is(world, NextHop("localhost", sink.port, tls="required"))
        assert world.send(f"info@{DOMAIN}", mail("not in the clear"))[0] == OK
        wait_for(lambda: one(world, "not in the clear").attempts, world.installation.said)
        assert one(world, "not in the clear").status is MessageStatus.PENDING
        assert not sink.accepted
        commands_before_tls_are_forgotten(world, trusting)


def commands_before_tls_are_forgotten(world: GatewayWorld, trusting: ssl.SSLContext) -> None:
    """RFC 3207 section 4.2, CVE-2011-0411: what came in the clear with STARTTLS says nothing afterwards."""
    with socket.create_connection(("127.0.0.1", world.port), PATIENCE) as plain:
        assert plain.recv(1000).startswith(b"220 ")
        plain.sendall(b"EHLO client.example\r\n")
        told = b""
        while not re.search(rb"^250 .*\r\n\Z", told, re.MULTILINE):
            told += plain.recv(4096)
        plain.sendall(b"STARTTLS\r\nEHLO injected.example\r\nMAIL FROM:<evil@e.example>\r\n")
        assert plain.recv(1000).startswith(b"220 ")
        with trusting.wrap_socket(plain, server_hostname="localhost") as encrypted:
            encrypted.sendall(b"RCPT TO:<info@office.example>\r\n")
            assert encrypted.recv(1000)[:3] == b"503"


# -- LMTP


@pytest.mark.skipif(bool(dovecot_instance.cannot_run()), reason=dovecot_instance.cannot_run() or "-")
def test_dovecot_takes_mail_by_lmtp_and_refuses_what_does_not_fit(tmp_path: Path) -> None:
    with DovecotInstance(mailbox_bytes=20_000) as dovecot:
        world = GatewayWorld(tmp_path, dovecot.port, protocol="lmtp")
        box = world.mailbox("box")
        world.mailbox("info", mailbox=box.id)
        small, large = mail("small", "..\r\n.x\r\n"), mail("large", f"{'x' * 70}\r\n" * 300)
        with world.installation.serving():
            for content in (small, large):
                assert world.send(f"info@{DOMAIN}", content)[0] == OK
            assert "saved" in in_state(world, "small", MessageStatus.DELIVERED).reply.lower()
            failed = in_state(world, "large", MessageStatus.FAILED)
            assert (failed.reply[:9], failed.content is None) == ("552 5.2.2", False)
            (kept,) = dovecot.mailbox("box")
            assert kept.replace(b"\r\n", b"\n").endswith(small.replace(b"\r\n", b"\n"))
            # Once there is room, a person has it tried again.
            dovecot.stop()
            dovecot.allow(200_000)
            dovecot.start()
            answer = redeliver(world, "large")
            assert (answer.status_code, answer.json()["status"]) == (200, "delivered"), answer.text
            assert len(dovecot.mailbox("box")) == 2


# -- a server that is down, then slow, then full


def test_mail_waits_for_a_server_that_is_down_then_slow_then_full_and_goes_in_order_of_age(tmp_path: Path) -> None:
    port = free_port()
    world = GatewayWorld(tmp_path, port, f"connections_per_hop = 1\nhop_timeout = 1\n{SOON}")
    world.mailbox("ok.box")
    world.mailbox("spam.box")
    names = [f"mail {number:02}" for number in range(10)]
    with world.installation.serving():
        # Down: each try is noted, and the mail waits.
        for name in names:
            assert world.send(f"ok.box@{DOMAIN}", mail(name))[0] == OK
        wait_for(lambda: all(one(world, name).attempts for name in names), world.installation.said)
        waiting = one(world, names[0])
        assert waiting.status is MessageStatus.PENDING
        assert waiting.next_at is not None
        assert "refused" in waiting.reply.lower() or "connect" in waiting.reply.lower(), waiting.reply
        # Slow: it takes connections and says nothing.
        with socket.create_server(("127.0.0.1", port)):
            wait_for(lambda: "time" in one(world, names[0]).reply.lower(), lambda: one(world, names[0]))
        # Full: it answers for now, to each mail.
        full = SmtpSink(answers={"ok": "452 4.2.2 Mailbox full"}).start(port)
        wait_for(lambda: all(one(world, name).reply[:9] == "452 4.2.2" for name in names), world.installation.said)
        assert not full.accepted
        full.stop()
        sink = SmtpSink().start(port)
        for name in names:
            in_state(world, name, MessageStatus.DELIVERED)
        assert sorted(subjects(sink)) == names, "each once"
        # Refused for good, it is shown so, and can be tried again by hand.
        assert world.send(f"spam.box@{DOMAIN}", mail("refused"))[0] == OK
        assert in_state(world, "refused", MessageStatus.FAILED).reply[:9] == "554 5.7.1"
        answer = redeliver(world, "refused")
        assert answer.json()["status"] == "failed", answer.text
        sink.stop()
        # Down again, and back: the oldest goes first, whatever came last.
        later = [f"later {number:02}" for number in range(10)]
        for name in later:
            assert world.send(f"ok.box@{DOMAIN}", mail(name))[0] == OK
        wait_for(lambda: one(world, later[-1]).attempts, world.installation.said)
        sink = SmtpSink().start(port)
        for name in later:
            in_state(world, name, MessageStatus.DELIVERED)
        assert subjects(sink) == later
        sink.stop()


def test_a_mail_at_which_the_server_behind_ends_the_connection_holds_up_no_other(
    tmp_path: Path, sink: SmtpSink
) -> None:
    world = GatewayWorld(tmp_path, sink.port, "connections_per_hop = 1\nretry_minutes = [0.01, 0.01, 60]")
    for local in ("drop.box", "ok.box"):
        world.mailbox(local)
    with world.installation.serving():
        assert world.send(f"drop.box@{DOMAIN}", mail("poison"))[0] == OK
        for number in range(4):  # it is the oldest whenever others are due
            assert world.send(f"ok.box@{DOMAIN}", mail(f"wanted {number}"))[0] == OK
            in_state(world, f"wanted {number}", MessageStatus.DELIVERED)
        poison = wait_for(lambda: one(world, "poison").attempts == 3 and one(world, "poison"), world.installation.said)
        assert isinstance(poison, Message)
        assert poison.status is MessageStatus.PENDING, "tried again as any other"
        assert world.send(f"ok.box@{DOMAIN}", mail("after it"))[0] == OK
        in_state(world, "after it", MessageStatus.DELIVERED)
    assert subjects(sink) == [*(f"wanted {number}" for number in range(4)), "after it"]


def test_mail_that_waits_goes_where_its_domain_goes_now(tmp_path: Path, sink: SmtpSink) -> None:
    world = GatewayWorld(tmp_path, free_port(), "retry_minutes = [60]")
    world.mailbox("ok.box")
    with world.installation.serving():
        for number in range(3):
            assert world.send(f"ok.box@{DOMAIN.upper()}", mail(f"moved {number}"))[0] == OK
        wait_for(lambda: all(one(world, f"moved {number}").attempts for number in range(3)), world.installation.said)
        world.installation.run("inbound", "domain", "set", DOMAIN, "--port", str(sink.port))
        for number in range(3):
            assert in_state(world, f"moved {number}", MessageStatus.DELIVERED).hop == f"smtp:127.0.0.1:{sink.port}"
    assert sorted(subjects(sink)) == [f"moved {number}" for number in range(3)]
