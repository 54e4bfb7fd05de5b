"""Reads reports out of an IMAP folder. A message is marked as seen only when what was in it is durable, or refused.

Anybody may send mail here. The newest messages come first, each is tried once, and one that is refused is flagged, so
that a person finds it: whatever is sent, it keeps no later report waiting.
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
from time import monotonic

from mailvane.core.errors import CollectionFailed, MailvaneError, Transient
from mailvane.dmarc.intake import Deliver, Refuse, Taken, failed_at, is_refused, nobody, reasons, refusals
from mailvane.dmarc.settings import ImapMailbox

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 30.0
ROUND_SECONDS = 120.0  # after which a round ends, so that what came meanwhile has its turn
MOST_MESSAGES = 500  # of one round
MOST_TROUBLES = 3  # messages of a round that cannot be taken in for now, before the round ends
_SEARCHED_AT_ONCE = 20_000  # messages: the library refuses an answer of a million bytes
MOST_BYTES = 16 * 1024**2  # of one message
_SIZE = re.compile(rb"RFC822\.SIZE (\d+)")
_TROUBLES = (imaplib.IMAP4.error, OSError, EOFError, ValueError)


class Mailbox:
    """One folder. For one thread at a time."""

    def __init__(
        self, settings: ImapMailbox, timeout: float = TIMEOUT_SECONDS, round_seconds: float = ROUND_SECONDS
    ) -> None:
        self._settings = settings
        self._round_seconds = round_seconds
        self._timeout = timeout
        self._generation = b""
        self._exist = 0
        # Durable, but the server has not confirmed the mark: they are not handed in again while we live. Whether each
        # was refused.
        self._taken: dict[bytes, bool] = {}
        self._postponed: set[bytes] = set()

    def read(self, deliver: Deliver, refuse: Refuse = nobody) -> int:
        """Hand in the unseen messages; how many. Raises CollectionFailed, also after some were handed in."""
        mailbox = f"the mailbox {self._settings.user}@{self._settings.host}"
        try:
            connection = self._connected()
        except _TROUBLES as error:
            raise CollectionFailed(f"{mailbox} cannot be opened: {self._plain(error)}") from None
        try:
            return self._read(connection, deliver, refuse)
        except _TROUBLES as error:
            raise CollectionFailed(f"{mailbox} cannot be read: {self._plain(error)}") from None
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
            escaped = chosen.folder.replace("\\", "\\\\").replace('"', '\\"')
            exist = _numbers(_good(connection.select(f'"{escaped}"')))
            self._exist = int(exist[0]) if exist else 0
        except _TROUBLES:
            _leave(connection)
            raise
        return connection

    def _password(self) -> str:
        if self._settings.password_file is None:
            return ""
        return Path(self._settings.password_file).read_text().strip()

    def _read(self, connection: imaplib.IMAP4, deliver: Deliver, refuse: Refuse) -> int:
        # Numbers mean nothing any more once the server says that it has counted anew.
        _, validity = connection.response("UIDVALIDITY")
        generation = next((each for each in validity or () if isinstance(each, bytes)), b"")
        if generation != self._generation:
            self._generation = generation
            self._taken.clear()
            self._postponed.clear()
        ends = monotonic() + self._round_seconds
        troubles: list[MailvaneError] = []
        count = 0
        # As many as a round has, the newest first, those last that could not be taken in before.
        last, found = self._exist, list[bytes]()
        while last > 0 and len(found) < MOST_MESSAGES + len(self._postponed):
            first = max(1, last - _SEARCHED_AT_ONCE + 1)
            answer = _good(connection.uid("SEARCH", f"{first}:{last}", "UNSEEN"))
            found += sorted(_numbers(answer), key=int, reverse=True)
            last = first - 1
        for uid in sorted(found, key=lambda uid: uid in self._postponed)[:MOST_MESSAGES]:
            try:
                count += self._settle(connection, uid, deliver, refuse)
            except Transient as error:
                self._postponed.add(uid)
                troubles.append(error)
            if len(troubles) == MOST_TROUBLES or monotonic() > ends:
                break
        if troubles:
            raise troubles[0]
        return count

    def _settle(self, connection: imaplib.IMAP4, uid: bytes, deliver: Deliver, refuse: Refuse) -> bool:
        """Hand in a message, unless that was done before, and mark it; whether it was handed in now."""
        handed = uid not in self._taken
        if handed:
            taken = self._hand_in(connection, uid, deliver)
            if taken is None:
                return False
            self._taken[uid] = is_refused(taken)
            refuse(refusals(taken))
        flags = r"(\Seen \Flagged)" if self._taken[uid] else r"(\Seen)"
        _good(connection.uid("STORE", uid.decode(), "+FLAGS.SILENT", flags))
        del self._taken[uid]
        self._postponed.discard(uid)
        return handed

    def _hand_in(self, connection: imaplib.IMAP4, uid: bytes, deliver: Deliver) -> Sequence[Taken] | None:
        """None when the message went away meanwhile."""
        number = uid.decode()
        name = f"message {number}"
        size = _SIZE.search(_flat(_good(connection.uid("FETCH", number, "(RFC822.SIZE)"))))
        if size is None:
            return None
        if int(size[1]) > MOST_BYTES:
            taken: Sequence[Taken] = [Taken(name=name, reason=f"more than {MOST_BYTES:,} bytes")]
        else:
            content = _literal(_good(connection.uid("FETCH", number, "(BODY.PEEK[])")))
            if content is None:
                return None
            taken = _delivered(content, name, deliver)
        if is_refused(taken):
            log.warning("refused from the report mailbox: %s", "; ".join(reasons(taken)))
        return taken

    def _plain(self, error: Exception) -> str:
        """Servers repeat what they were sent: the password must not be in the message."""
        first = error.args[0] if error.args else ""
        reason = first.decode("utf-8", "replace") if isinstance(first, bytes) else str(error) or type(error).__name__
        try:
            password = self._password()
        except OSError:
            password = ""
        return (reason.replace(password, "…") if password else reason)[:300]


def _delivered(content: bytes, name: str, deliver: Deliver) -> Sequence[Taken]:
    try:
        return deliver(io.BytesIO(content), name)
    except (Transient, OSError):
        raise
    except Exception as error:
        # One message that we fail at must not keep the others from being read, nor come again every minute.
        log.exception("%s of the report mailbox could not be taken in", name)
        return [failed_at(name, error)]


def _leave(connection: imaplib.IMAP4) -> None:
    try:
        connection.logout()
    except _TROUBLES:
        connection.shutdown()


def _good(answer: tuple[str, Sequence[object]]) -> Sequence[object]:
    status, data = answer
    if status != "OK":
        raise imaplib.IMAP4.error(_flat(data).decode("utf-8", "replace"))
    return data


def _numbers(response: Sequence[object]) -> list[bytes]:
    return [number for each in response if isinstance(each, bytes) for number in each.split()]


def _flat(response: Sequence[object]) -> bytes:
    pieces: list[bytes] = []
    for each in response:
        if isinstance(each, bytes):
            pieces.append(each)
        elif isinstance(each, tuple):
            pieces += [piece for piece in each if isinstance(piece, bytes)]
    return b" ".join(pieces)


def _literal(response: Sequence[object]) -> bytes | None:
    for each in response:
        if isinstance(each, tuple) and len(each) > 1 and isinstance(each[1], bytes):
            return each[1]
    return None
