"""The SMTP gateway of a running server: who gets mail, what becomes of it, and what hostile mail meets."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import msgspec
import pytest

from mailvane.inbound.model import Contact, ContactState, Filter, FilterAction, Message, MessageStatus, RuleGroup, Team
from tests.acceptance.gateway_world import DOMAIN, GatewayWorld, arrived, mail, now
from tests.acceptance.smtp_sink import SmtpSink
from tests.waiting import PATIENCE, wait_for

SETTINGS = """
score_from = "headers"
trusted_relays = ["127.0.0.0/8"]
authserv_id = "mx.front.example"
message_bytes = 1000000
recipients = 50
quarantine_at = 5
reject_at = 15
retry_minutes = [0.01, 0.01, 60]
"""
OK = 250


@pytest.fixture(scope="module")
def sink() -> Iterator[SmtpSink]:
    running = SmtpSink().start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def world(sink: SmtpSink, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    made = GatewayWorld(tmp_path_factory.mktemp("gateway"), sink.port, SETTINGS)
    box = made.mailbox("ok.box")
    made.mailbox("info", mailbox=box.id)
    made.mailbox("public", mailbox=box.id, quarantine_at=3.0, reject_at=6.0)
    made.mailbox("asleep", mailbox=box.id, active=False)
    made.mailbox("few", mailbox=box.id, weekly_limit=1)
    with made.installation.serving():
        yield made


# -- who gets mail


@pytest.mark.parametrize(
    ("recipient", "answer"),
    [
        ("nobody@office.example", "550 5.1.1"),
        ("info@elsewhere.example", "550 5.7.1"),
        ("asleep@office.example", "450 4.2.1"),
        ("InFo@Office.Example", "250 2.1.5"),
        ("info+shop@office.example", "250 2.1.5"),
        ("ok.box@office.example", "250 2.1.5"),
    ],
)
def test_a_recipient_is_answered(world: GatewayWorld, recipient: str, answer: str) -> None:
    with world.client() as client:
        client.mail("ann@sender.example")
        code, told = client.rcpt(recipient)
        assert f"{code} {told.decode()}".startswith(answer)


def test_an_address_whose_week_is_full_takes_no_more(world: GatewayWorld) -> None:
    assert world.send(f"few@{DOMAIN}", mail("first of the week"))[0] == OK
    code, told = world.send(f"few@{DOMAIN}", mail("second of the week"))
    assert (code, told[:5]) == (452, "4.2.2")


def test_two_that_come_at_once_do_not_pass_a_limit_together(world: GatewayWorld) -> None:
    world.mailbox("single", weekly_limit=1)
    with world.client() as one, world.client() as two:
        for client in (one, two):
            client.mail("ann@sender.example")
            assert client.rcpt(f"single@{DOMAIN}")[0] == OK
        codes = [client.data(mail(f"race {number}"))[0] for number, client in enumerate((one, two))]
    assert codes == [OK, 452]


# -- the way through


def test_a_mail_arrives_at_the_mailbox_of_the_alias_with_nothing_changed_but_what_stands_above_it(
    world: GatewayWorld, sink: SmtpSink
) -> None:
    content = mail("unchanged", "Caf\u00e9\r\n.\u00a0dot\r\n..two dots\r\n\r\n", extra="X-Folded: a\r\n\tb\r\n")
    assert world.send(f"info@{DOMAIN}", content)[0] == OK
    (received,) = wait_for(lambda: arrived(sink, b"Subject: unchanged"), world.installation.said)
    assert received.recipients == (f"ok.box@{DOMAIN}",)
    assert received.sender == "ann@sender.example"
    trace, _, rest = received.data.replace(b"\r\n..", b"\r\n.").partition(b"From: Ann")
    assert b"From: Ann" + rest == content
    assert trace.startswith(b"Received: from client.example ([127.0.0.1])\r\n\tby mx.office.example")
    assert b"X-Mailvane-Score: unknown\r\n" in trace
    (message,) = wait_for(lambda: kept(world, "unchanged", MessageStatus.DELIVERED))
    assert (message.recipient, message.target, message.score) == (f"info@{DOMAIN}", f"ok.box@{DOMAIN}", None)
    assert (message.attempts, message.content) == (1, None)
    with world.stores() as stores:
        contact = stores.contacts.contact(1, "ann@sender.example")
    assert contact is not None
    assert contact.id == message.contact


def test_a_refusal_behind_is_a_failure_and_a_temporary_one_is_tried_again(world: GatewayWorld) -> None:
    for local in ("spam.1", "later.1", "scan.1"):
        world.mailbox(local)
        assert world.send(f"{local}@{DOMAIN}", mail(f"to {local}"))[0] == OK
    (failed,) = wait_for(lambda: kept(world, "to spam.1", MessageStatus.FAILED))
    assert (failed.attempts, failed.reply[:9], failed.content is None) == (1, "554 5.7.1", False)
    (delivered,) = wait_for(lambda: kept(world, "to later.1", MessageStatus.DELIVERED))
    assert delivered.attempts == 2
    (waiting,) = wait_for(lambda: [one for one in kept(world, "to scan.1", MessageStatus.PENDING) if one.attempts == 3])
    assert waiting.next_at is not None
    assert waiting.next_at > now() + 30 * 60_000


# -- what becomes of a mail


def scored(subject: str, score: float) -> bytes:
    return mail(subject, extra=f"X-Spam-Status: Yes, score={score} required=5.0 tests=BAYES_99={score}\r\n")


@pytest.mark.parametrize(
    ("local", "score", "status"),
    [
        ("info", 4.9, MessageStatus.DELIVERED),
        ("info", 5.0, MessageStatus.QUARANTINED),
        ("public", 2.9, MessageStatus.DELIVERED),
        ("public", 3.0, MessageStatus.QUARANTINED),
        ("public", 6.0, MessageStatus.REJECTED),
        ("info", 15.0, MessageStatus.REJECTED),
    ],
)
def test_thresholds_are_those_of_the_address(
    world: GatewayWorld, local: str, score: float, status: MessageStatus
) -> None:
    subject = f"{local} scores {score}"
    code, told = world.send(f"{local}@{DOMAIN}", scored(subject, score))
    assert code == (550 if status is MessageStatus.REJECTED else OK), told
    (message,) = wait_for(lambda: kept(world, subject, status))
    assert message.score == score
    assert (message.content is not None) is (status is MessageStatus.QUARANTINED)


def test_where_one_recipient_refuses_and_another_does_not_nothing_is_lost(world: GatewayWorld) -> None:
    with world.client() as client:
        client.sendmail("ann@sender.example", [f"info@{DOMAIN}", f"public@{DOMAIN}"], scored("for two", 6.5))
    found = wait_for(lambda: kept(world, "for two", MessageStatus.QUARANTINED))
    assert {one.recipient.partition("@")[0] for one in found} == {"info", "public"}
    assert len({one.mail_id for one in found}) == 1
    assert len({one.content for one in found}) == 1


def test_contacts_and_filters_decide(world: GatewayWorld) -> None:
    for sender in ("blocked", "white", "spoofed", "muted"):
        world.send(f"info@{DOMAIN}", mail(f"hello of {sender}", sender=f"{sender}@c.example"))
    states = {"blocked": ContactState.BLOCKED, "white": ContactState.WHITELISTED, "muted": ContactState.MUTED}
    states["spoofed"] = ContactState.WHITELISTED
    rule = {"match": "all", "conditions": [{"component": "subject", "operator": "contains", "value": "casino"}]}
    with world.stores() as stores:
        for sender, state in states.items():
            stores.contacts.change(1, f"{sender}@c.example", partial(in_state, state))
        stores.filters.put(
            Filter(
                id="f",
                workspace=1,
                name="no casino",
                action=FilterAction.DENY,
                groups=(msgspec.convert(rule, RuleGroup),),
            )
        )

    def sent(sender: str, subject: str, extra: str = "") -> MessageStatus:
        head = f"X-Spam-Score: 9.5\r\n{extra}"
        world.send(f"info@{DOMAIN}", mail(subject, sender=f"{sender}@c.example", extra=head))
        message = wait_for(lambda: [one for one in kept(world, subject) if one.status is not MessageStatus.PENDING])[0]
        return message.status

    assert sent("blocked", "from the blocked") is MessageStatus.DENIED
    assert sent("white", "from the white") is MessageStatus.DELIVERED
    assert sent("white", "white casino") is MessageStatus.DENIED, "filters still run"
    fail = "Authentication-Results: mx.front.example; dmarc=fail header.from=c.example\r\n"
    assert sent("spoofed", "spoofed", fail) is MessageStatus.QUARANTINED
    other = "Authentication-Results: somebody.example; dmarc=fail header.from=c.example\r\n"
    assert sent("spoofed", "believed", other) is MessageStatus.DELIVERED, "not the relay in front"
    assert sent("muted", "from the muted") is MessageStatus.QUARANTINED


def in_state(state: ContactState, contact: Contact) -> Contact:
    return msgspec.structs.replace(contact, state=state)


# -- hostile mail


@contextmanager
def talking(world: GatewayWorld) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", world.port), PATIENCE) as connection:
        yield connection


def heard(connection: socket.socket, until: bytes) -> bytes:
    said = b""
    while until not in said:
        piece = connection.recv(65536)
        assert piece, said
        said += piece
    return said


def with_data(world: GatewayWorld, content: bytes) -> str:
    """What is said to bytes that are sent exactly as they are, behind DATA."""
    with talking(world) as connection:
        heard(connection, b"220 ")
        for command in (b"EHLO h.example", b"MAIL FROM:<ann@sender.example>", b"RCPT TO:<info@office.example>"):
            connection.sendall(command + b"\r\n")
            heard(connection, b"250 ")
        connection.sendall(b"DATA\r\n")
        heard(connection, b"354 ")
        connection.sendall(content)
        return heard(connection, b"\r\n").decode()


SMUGGLED = (
    b"MAIL FROM:<evil@e.example>\r\nRCPT TO:<info@office.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nhi\r\n.\r\n"
)


@pytest.mark.parametrize(
    "end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n\n.\r\n", b"\r\n\x00.\r\n"]
)
def test_nothing_ends_a_mail_but_a_dot_between_two_crlf(world: GatewayWorld, sink: SmtpSink, end: bytes) -> None:
    answer = with_data(world, b"Subject: outer\r\n\r\nbody" + end + SMUGGLED)
    assert answer.startswith("550 5.6.0"), answer
    assert not arrived(sink, b"smuggled")
    assert not kept(world, "smuggled")


MULTIPART = b"From: @@,<>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (b"Subject: nul\r\n\r\na\0b\r\n.\r\n", "550 5.6.0"),
        (b"Subject: long\r\n\r\n" + b"x" * 70_000 + b"\r\n.\r\n", "550 5.6.0"),
        (b"Subject: line\r\n\r\n" + b"x" * 2_000 + b"\r\n.\r\n", "250 2.0.0"),
        (b"X: 1234567890\r\n" * 20_000 + b"\r\n.\r\n", "552 5.3.4"),
        (b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 70_000 + b".\r\n", "552 5.3.4"),
        (b"Received: by x\r\n" * 101 + b"\r\n.\r\n", "554 5.4.6"),
        (b".\r\n", "250 2.0.0"),
        (b"no header at all\r\n.\r\n", "250 2.0.0"),
        (b"Subject: =?utf-8?b?////?= \xff\xfe\r\nFrom: \xe9 <a@b\r\n\r\n\xff\xfe\r\n.\r\n", "250 2.0.0"),
        (MULTIPART + b"--b\r\n\r\n" * 10_000 + b".\r\n", "250"),
    ],
    ids=["nul", "line", "longish", "header", "large", "loop", "empty", "headless", "bytes", "parts"],
)  # fmt: skip
def test_hostile_content_is_kept_or_refused(world: GatewayWorld, content: bytes, answer: str) -> None:
    assert with_data(world, content).startswith(answer)


def test_whoever_speaks_before_the_greeting_is_not_heard(world: GatewayWorld, sink: SmtpSink) -> None:
    early = b"EHLO h\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<info@office.example>\r\nDATA\r\n"
    early += b"Subject: early\r\n\r\nx\r\n.\r\nQUIT\r\n"
    with talking(world) as connection:
        connection.sendall(early)
        said = b""
        while piece := connection.recv(65536):
            said += piece
    # The bytes may have come behind the greeting after all: then they are commands like any other, each answered.
    assert said.startswith((b"554 5.5.0", b"220 mx.office.example"))
    if said.startswith(b"554"):
        assert not arrived(sink, b"Subject: early")


def test_commands_that_come_in_one_piece_are_answered_in_order(world: GatewayWorld, sink: SmtpSink) -> None:
    once = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<info@office.example>\r\nDATA\r\nSubject: piped %d\r\n\r\n..x\r\n.\r\n"
    with talking(world) as connection:
        heard(connection, b"220 ")
        connection.sendall(b"EHLO h\r\n" + once % 1 + once % 2 + b"QUIT\r\n")
        said = heard(connection, b"221 ").decode()
    codes = [line[:3] for line in said.splitlines() if line[3:4] == " "]
    assert codes == ["250", "250", "250", "354", "250", "250", "250", "354", "250", "221"]
    wait_for(lambda: arrived(sink, b"Subject: piped 1") and arrived(sink, b"Subject: piped 2"))


def test_many_recipients_are_bounded(world: GatewayWorld) -> None:
    with world.client() as client:
        client.mail("ann@sender.example")
        codes = [client.rcpt(f"info+{number}@{DOMAIN}")[0] for number in range(60)]
        client.rset()
    assert codes == [250] * 50 + [452] * 10


def test_addresses_beyond_ascii_need_smtputf8(world: GatewayWorld, sink: SmtpSink) -> None:
    world.mailbox("ok.p\u00e4ket")
    with world.client() as client:
        client.command_encoding = "utf-8"
        assert client.docmd("MAIL", "FROM:<j\u00f8rn@sender.example>")[0] == 553
    with smtplib.SMTP("127.0.0.1", world.port, timeout=PATIENCE) as client:
        client.ehlo("client.example")
        client.command_encoding = "utf-8"
        assert client.mail("j\u00f8rn@sender.example", ["SMTPUTF8", "BODY=8BITMIME"])[0] == OK
        assert client.rcpt(f"ok.p\u00e4ket@{DOMAIN}")[0] == OK
        assert client.data("Subject: Gr\u00fc\u00dfe\r\n\r\n\u00e4\r\n".encode())[0] == OK
    (received,) = wait_for(lambda: arrived(sink, "Subject: Gr\u00fc\u00dfe".encode()), world.installation.said)
    assert (received.sender, received.recipients) == ("j\u00f8rn@sender.example", (f"ok.p\u00e4ket@{DOMAIN}",))


@pytest.mark.parametrize(
    "command",
    [b"MAIL FROM:<a\0b@c>", b"MAIL FROM:<a@b>\rRCPT TO:<x>", b"X" * 9000, b"\xff\xfe", b"MAIL FROM:<%b>" % bytes(300)],
)  # fmt: skip
def test_a_command_that_is_none_is_refused(world: GatewayWorld, command: bytes) -> None:
    with talking(world) as connection:
        heard(connection, b"220 ")
        connection.sendall(b"EHLO h\r\n")
        heard(connection, b"250 ")
        connection.sendall(command + b"\r\n")
        assert heard(connection, b"\r\n")[:1] == b"5"
        connection.sendall(b"NOOP\r\n")
        assert b"250" in heard(connection, b"\r\n")


# -- the workspace


def test_the_week_of_the_workspace_is_full(world: GatewayWorld) -> None:
    with world.stores() as stores:
        stores.teams.save_team(Team(workspace=1, weekly_limit=1))
    code, told = world.send(f"info@{DOMAIN}", mail("over the limit"))
    with world.stores() as stores:
        stores.teams.save_team(Team(workspace=1))
    assert (code, told[:5]) == (452, "4.2.2")
    assert not kept(world, "over the limit")


def kept(world: GatewayWorld, subject: str, *statuses: MessageStatus) -> list[Message]:
    return [one for one in world.messages(*statuses) if one.subject == subject]
