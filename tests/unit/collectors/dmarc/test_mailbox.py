"""Messages are marked as seen only after they are durable; asked of an IMAP server on a real socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec
import pytest

from mailvane.collectors.dmarc import mailbox
from mailvane.collectors.dmarc.mailbox import Mailbox
from mailvane.domain.reputation import ObservationKind
from mailvane.errors import CollectionFailed, StoreUnavailable
from mailvane.reputation_config import ImapMailbox
from mailvane.services.report_intake import Taken
from tests.unit.collectors.dmarc.imap_server import ImapServer

ONE, TWO = b"Subject: one\r\n\r\n1\r\n", b"Subject: two\r\n\r\n2\r\n"


class Receiver:
    """Remembers what it was given; may be away, or refuse."""

    def __init__(self) -> None:
        self.given: list[tuple[str, bytes]] = []
        self.away = False
        self.answer = Taken(name="x", kind=ObservationKind.DMARC)

    def __call__(self, file: BinaryIO, name: str) -> Sequence[Taken]:
        if self.away:
            raise StoreUnavailable
        self.given.append((name, file.read()))
        return [self.answer]


@pytest.fixture
def server() -> Iterator[ImapServer]:
    with ImapServer(ONE, TWO).running() as running:
        yield running


@pytest.fixture
def settings(server: ImapServer, tmp_path: Path) -> ImapMailbox:
    password = tmp_path / "password"
    password.write_text("secret\n")
    return ImapMailbox(
        host="127.0.0.1", port=server.port, security="none", user="me", password_file=str(password), folder='Re "ports"'
    )


def test_unseen_messages_are_handed_in_and_marked(server: ImapServer, settings: ImapMailbox) -> None:
    receiver = Receiver()
    assert Mailbox(settings).read(receiver) == 2
    assert receiver.given == [("message 101", ONE), ("message 102", TWO)]
    assert server.seen == {101, 102}
    assert Mailbox(settings).read(receiver) == 0
    assert r'SELECT "Re \"ports\""' in server.commands
    assert server.commands[-1] == "LOGOUT"
    assert not any("BODY[" in command and "PEEK" not in command for command in server.commands)


def test_a_message_that_is_not_durable_stays_unseen(server: ImapServer, settings: ImapMailbox) -> None:
    receiver = Receiver()
    receiver.away = True
    with pytest.raises(StoreUnavailable):
        Mailbox(settings).read(receiver)
    assert server.seen == set()
    assert server.commands[-1] == "LOGOUT"


def test_a_message_that_we_fail_at_keeps_no_other_from_being_read(
    server: ImapServer, settings: ImapMailbox, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = Receiver()

    def failing(file: BinaryIO, name: str) -> Sequence[Taken]:
        if name == "message 101":
            raise RecursionError("too deep")
        return receiver(file, name)

    assert Mailbox(settings).read(failing) == 1
    assert receiver.given == [("message 102", TWO)]
    assert server.seen == {102}
    assert "message 101" in caplog.text


def test_a_message_that_is_no_report_is_marked_and_said(
    server: ImapServer, settings: ImapMailbox, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = Receiver()
    receiver.answer = Taken(name="x", reason="a mail without a report")
    assert Mailbox(settings).read(receiver) == 2
    assert server.seen == {101, 102}
    assert "a mail without a report" in caplog.text


def test_what_could_not_be_marked_is_not_handed_in_again(server: ImapServer, settings: ImapMailbox) -> None:
    box, receiver = Mailbox(settings), Receiver()
    server.refuses = "UID STORE"
    with pytest.raises(CollectionFailed, match="cannot be read: not now"):
        box.read(receiver)
    assert len(receiver.given) == 1
    server.refuses = ""
    assert box.read(receiver) == 1
    assert [name for name, _ in receiver.given] == ["message 101", "message 102"]
    assert server.seen == {101, 102}


def test_numbers_are_forgotten_when_the_server_counts_anew(server: ImapServer, settings: ImapMailbox) -> None:
    box, receiver = Mailbox(settings), Receiver()
    server.refuses = "UID STORE"
    with pytest.raises(CollectionFailed):
        box.read(receiver)
    server.refuses, server.generation = "", 8
    assert box.read(receiver) == 2


def test_a_connection_that_breaks_is_a_failed_collection(server: ImapServer, settings: ImapMailbox) -> None:
    box, receiver = Mailbox(settings), Receiver()
    server.hangs_up_at = "UID FETCH 102"
    with pytest.raises(CollectionFailed, match="cannot be read"):
        box.read(receiver)
    assert server.seen == {101}
    server.hangs_up_at = ""
    assert box.read(receiver) == 1


def test_a_wrong_password_is_said_without_telling_it(server: ImapServer, settings: ImapMailbox, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2")
    with pytest.raises(CollectionFailed) as error:
        Mailbox(settings).read(Receiver())
    assert "the mailbox me@127.0.0.1 cannot be opened: wrong password" in error.value.message
    assert "hunter2" not in error.value.message


def test_a_message_that_went_away_is_passed_over(server: ImapServer, settings: ImapMailbox) -> None:
    def gone(file: BinaryIO, name: str) -> Sequence[Taken]:
        server.messages.pop(102)
        return [Taken(name=name, kind=ObservationKind.DMARC)]

    assert Mailbox(settings).read(gone) == 1


def test_a_message_that_is_too_large_is_not_fetched(
    server: ImapServer, settings: ImapMailbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(mailbox, "MOST_BYTES", len(ONE) - 1)
    receiver = Receiver()
    assert Mailbox(settings).read(receiver) == 2
    assert receiver.given == []
    assert "passed over" in caplog.text


def test_a_server_that_is_silent_is_not_waited_for(settings: ImapMailbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        elsewhere = msgspec.structs.replace(settings, port=silent.getsockname()[1])
        with pytest.raises(CollectionFailed, match="cannot be opened: timed out"):
            Mailbox(elsewhere, timeout=0.1).read(Receiver())


def test_a_password_file_that_is_missing_is_a_failed_collection(settings: ImapMailbox) -> None:
    with pytest.raises(CollectionFailed, match="No such file"):
        Mailbox(msgspec.structs.replace(settings, password_file="/nowhere/password")).read(Receiver())
