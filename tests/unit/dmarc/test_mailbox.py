"""Messages are marked as seen only after they are durable; asked of an IMAP server on a real socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec
import pytest

from mailvane.core.errors import CollectionFailed, InvalidInput, StoreUnavailable
from mailvane.dmarc import mailbox
from mailvane.dmarc.intake import Taken
from mailvane.dmarc.mailbox import Mailbox
from mailvane.dmarc.settings import ImapMailbox
from mailvane.reputation.model import ObservationKind
from tests.unit.dmarc.imap_server import ImapServer

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
    assert receiver.given == [("message 102", TWO), ("message 101", ONE)]
    assert (server.seen, server.flagged) == ({101, 102}, set())
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

    refused: list[str] = []
    assert Mailbox(settings).read(failing, refused.extend) == 2
    assert receiver.given == [("message 102", TWO)]
    assert (server.seen, server.flagged) == ({101, 102}, {101})
    assert refused == ["message 101: it could not be taken in: RecursionError: too deep"]
    assert "message 101" in caplog.text
    assert Mailbox(settings).read(failing, refused.extend) == 0


def test_a_message_that_is_no_report_is_marked_and_said(
    server: ImapServer, settings: ImapMailbox, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = Receiver()
    receiver.answer = Taken(name="x", reason="a mail without a report")
    assert Mailbox(settings).read(receiver) == 2
    assert server.flagged == server.seen == {101, 102}
    assert "a mail without a report" in caplog.text


def test_what_could_not_be_marked_is_not_handed_in_again(server: ImapServer, settings: ImapMailbox) -> None:
    box, receiver = Mailbox(settings), Receiver()
    server.refuses = "UID STORE"
    with pytest.raises(CollectionFailed, match="cannot be read: not now"):
        box.read(receiver)
    assert len(receiver.given) == 1
    server.refuses = ""
    assert box.read(receiver) == 1
    assert [name for name, _ in receiver.given] == ["message 102", "message 101"]
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
    server.hangs_up_at = "UID FETCH 101"
    with pytest.raises(CollectionFailed, match="cannot be read"):
        box.read(receiver)
    assert server.seen == {102}
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
        server.messages.pop(101)
        return [Taken(name=name, kind=ObservationKind.DMARC)]

    assert Mailbox(settings).read(gone) == 1


def test_a_message_that_is_too_large_is_not_fetched(
    server: ImapServer, settings: ImapMailbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(mailbox, "MOST_BYTES", len(ONE) - 1)
    receiver, refused = Receiver(), list[str]()
    assert Mailbox(settings).read(receiver, refused.extend) == 2
    assert receiver.given == []
    assert refused == ["message 102: more than 18 bytes", "message 101: more than 18 bytes"]
    assert refused[0] in caplog.text
    assert server.flagged == {101, 102}


def test_a_server_that_is_silent_is_not_waited_for(settings: ImapMailbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        elsewhere = msgspec.structs.replace(settings, port=silent.getsockname()[1])
        with pytest.raises(CollectionFailed, match="cannot be opened: timed out"):
            Mailbox(elsewhere, timeout=0.1).read(Receiver())


def test_a_password_file_that_is_missing_is_a_failed_collection(settings: ImapMailbox) -> None:
    with pytest.raises(CollectionFailed, match="No such file"):
        Mailbox(msgspec.structs.replace(settings, password_file="/nowhere/password")).read(Receiver())


def test_the_newest_come_first_however_many_wait(
    server: ImapServer, settings: ImapMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "MOST_MESSAGES", 3)
    monkeypatch.setattr(mailbox, "_SEARCHED_AT_ONCE", 2)
    server.messages = dict.fromkeys(range(101, 108), ONE)
    box, receiver = Mailbox(settings), Receiver()
    assert box.read(receiver) == 3
    server.messages[108] = TWO
    assert box.read(receiver) == 3
    assert [name[-3:] for name, _ in receiver.given] == ["107", "106", "105", "108", "104", "103"]
    assert "UID SEARCH 6:7 UNSEEN" in server.commands


def test_what_cannot_be_taken_in_for_now_comes_after_what_was_not_tried(
    server: ImapServer, settings: ImapMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "MOST_TROUBLES", 2)
    server.messages = dict.fromkeys(range(101, 106), ONE)
    receiver = Receiver()

    def sometimes(file: BinaryIO, name: str) -> Sequence[Taken]:
        if int(name[-3:]) > 103:
            raise StoreUnavailable
        return receiver(file, name)

    box = Mailbox(settings)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            box.read(sometimes)
    assert server.seen == {101, 102, 103}
    assert box.read(receiver) == 2
    assert server.seen == set(server.messages)


def test_a_round_ends_so_that_what_came_meanwhile_has_its_turn(server: ImapServer, settings: ImapMailbox) -> None:
    box, receiver = Mailbox(settings, round_seconds=0), Receiver()
    assert box.read(receiver) == 1
    server.messages[103] = TWO
    assert box.read(receiver) == 1
    assert [name for name, _ in receiver.given] == ["message 102", "message 103"]


def test_an_error_that_waiting_does_not_cure_is_not_waited_for(server: ImapServer, settings: ImapMailbox) -> None:
    def refusing(_file: BinaryIO, _name: str) -> Sequence[Taken]:
        raise InvalidInput("a value cannot be stored")

    refused: list[str] = []
    assert Mailbox(settings).read(refusing, refused.extend) == 2
    assert server.flagged == {101, 102}
    assert refused[0] == "message 102: it could not be taken in: a value cannot be stored"


def test_an_empty_folder_is_not_searched(server: ImapServer, settings: ImapMailbox) -> None:
    server.messages = {}
    assert Mailbox(settings).read(Receiver()) == 0
