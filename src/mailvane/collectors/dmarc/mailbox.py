"""Reads reports out of an IMAP folder. A message is marked as seen only when what was in it is durable.

Blocking, so it belongs on a thread. What a report is, others know; here a message is bytes and a number.
"""

from __future__ import annotations

import imaplib
import io
import logging
import re
import ssl
from collections.abc import Sequence
from pathlib import Path

from mailvane.collectors.dmarc.arrivals import Deliver, is_refused, reasons
from mailvane.errors import CollectionFailed, MailvaneError
from mailvane.reputation_config import ImapMailbox

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 30.0
MOST_MESSAGES = 500  # of one round
MOST_BYTES = 16 * 1024**2  # of one message
_SIZE = re.compile(rb"RFC822\.SIZE (\d+)")
_TROUBLES = (imaplib.IMAP4.error, OSError, EOFError, ValueError)


class Mailbox:
    """One folder. For one thread at a time."""

    def __init__(self, settings: ImapMailbox, timeout: float = TIMEOUT_SECONDS) -> None:
        self._settings = settings
        self._timeout = timeout
        self._generation = b""
        # Durable, but the server has not confirmed the mark: they are not handed in again while we live.
        self._taken: set[bytes] = set()

    def read(self, deliver: Deliver) -> int:
        """Hand in the unseen messages; how many. Raises CollectionFailed, also after some were handed in."""
        told = f"the mailbox {self._settings.user}@{self._settings.host}"
        try:
            connection = self._connected()
        except _TROUBLES as error:
            raise CollectionFailed(f"{told} cannot be opened: {self._plain(error)}") from None
        try:
            return self._read(connection, deliver)
        except _TROUBLES as error:
            raise CollectionFailed(f"{told} cannot be read: {self._plain(error)}") from None
        finally:
            _leave(connection)

    def _connected(self) -> imaplib.IMAP4:
        chosen = self._settings
        connection: imaplib.IMAP4
        if chosen.security == "tls":
            context = ssl.create_default_context()
            connection = imaplib.IMAP4_SSL(chosen.host, chosen.port, ssl_context=context, timeout=self._timeout)
        else:
            connection = imaplib.IMAP4(chosen.host, chosen.port, timeout=self._timeout)
        try:
            connection.login(chosen.user, self._password())
            _good(connection.select(_quoted(chosen.folder)))
        except _TROUBLES:
            _leave(connection)
            raise
        return connection

    def _password(self) -> str:
        if self._settings.password_file is None:
            return ""
        return Path(self._settings.password_file).read_text().strip()

    def _read(self, connection: imaplib.IMAP4, deliver: Deliver) -> int:
        self._see_generation(connection)
        unseen = _good(connection.uid("SEARCH", "UNSEEN"))
        count = 0
        for uid in _numbers(unseen)[:MOST_MESSAGES]:
            if uid not in self._taken:
                if not self._hand_in(connection, uid, deliver):
                    continue
                self._taken.add(uid)
                count += 1
            _good(connection.uid("STORE", uid.decode(), "+FLAGS.SILENT", r"(\Seen)"))
            self._taken.discard(uid)
        return count

    def _see_generation(self, connection: imaplib.IMAP4) -> None:
        """Numbers mean nothing any more once the server says that it has counted anew."""
        _, told = connection.response("UIDVALIDITY")
        generation = next((each for each in told or () if isinstance(each, bytes)), b"")
        if generation != self._generation:
            self._generation = generation
            self._taken.clear()

    def _hand_in(self, connection: imaplib.IMAP4, uid: bytes, deliver: Deliver) -> bool:
        """False when the message went away meanwhile."""
        number = uid.decode()
        size = _SIZE.search(_flat(_good(connection.uid("FETCH", number, "(RFC822.SIZE)"))))
        if size is None:
            return False
        if int(size[1]) > MOST_BYTES:
            log.warning("message %s of the report mailbox was passed over: more than %d bytes", number, MOST_BYTES)
            return True
        content = _literal(_good(connection.uid("FETCH", number, "(BODY.PEEK[])")))
        if content is None:
            return False
        try:
            taken = deliver(io.BytesIO(content), f"message {number}")
        except (MailvaneError, OSError):
            raise
        except Exception:
            # Anybody may send mail here: one that we fail at must not keep the others from being read.
            log.exception("message %s of the report mailbox could not be taken in", number)
            return False
        if is_refused(taken):
            log.warning("message %s of the report mailbox was refused: %s", number, "; ".join(reasons(taken)))
        return True

    def _plain(self, error: Exception) -> str:
        """Servers repeat what they were sent: the password must not be in what is told."""
        first = error.args[0] if error.args else ""
        told = first.decode("utf-8", "replace") if isinstance(first, bytes) else str(error) or type(error).__name__
        try:
            password = self._password()
        except OSError:
            password = ""
        return (told.replace(password, "…") if password else told)[:300]


def _leave(connection: imaplib.IMAP4) -> None:
    try:
        connection.logout()
    except _TROUBLES:
        connection.shutdown()


def _good(answer: tuple[str, Sequence[object]]) -> Sequence[object]:
    status, told = answer
    if status != "OK":
        raise imaplib.IMAP4.error(_flat(told).decode("utf-8", "replace"))
    return told


def _numbers(told: Sequence[object]) -> list[bytes]:
    return [number for each in told if isinstance(each, bytes) for number in each.split()]


def _flat(told: Sequence[object]) -> bytes:
    pieces: list[bytes] = []
    for each in told:
        if isinstance(each, bytes):
            pieces.append(each)
        elif isinstance(each, tuple):
            pieces += [piece for piece in each if isinstance(piece, bytes)]
    return b" ".join(pieces)


def _literal(told: Sequence[object]) -> bytes | None:
    for each in told:
        if isinstance(each, tuple) and len(each) > 1 and isinstance(each[1], bytes):
            return each[1]
    return None


def _quoted(folder: str) -> str:
    escaped = folder.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
