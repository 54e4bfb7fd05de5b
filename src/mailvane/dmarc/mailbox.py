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
from typing import Generic, Protocol, TypeVar

from mailvane.core.errors import CollectionFailed, MailvaneError, TooLarge, Transient
from mailvane.dmarc.arrivals import Deliver, Refuse, failed_at, is_refused, nobody, reasons, refusals
from mailvane.dmarc.intake import Taken
from mailvane.dmarc.oauth import AccessTokens
from mailvane.dmarc.settings import ImapMailbox

Number = TypeVar("Number", bytes, str)

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 30.0
ROUND_SECONDS = 120.0  # after which a round ends, so that what came meanwhile has its turn
MOST_MESSAGES = 500  # of one round
MOST_TROUBLES = 3  # messages of a round that cannot be taken in for now, before the round ends
_SEARCHED_AT_ONCE = 20_000  # messages: the library refuses an answer of a million bytes
MOST_BYTES = 16 * 1024**2  # of one message
_SIZE = re.compile(rb"RFC822\.SIZE (\d+)")
_TROUBLES = (imaplib.IMAP4.error, OSError, EOFError, ValueError)


class Folder(Protocol[Number]):
    """What a round asks of a place that messages lie in."""

    def unseen(self, most: int) -> Sequence[Number]:
        """Those that nobody has seen, the newest first."""

    def content(self, number: Number) -> bytes | None:
        """None when the message went away meanwhile. Raises TooLarge."""

    def mark(self, number: Number, refused: bool) -> None:
        """As seen, and flagged when it was refused."""


class Rounds(Generic[Number]):
    """Hands in what is unseen in a folder, round after round. For one thread at a time."""

    def __init__(self, round_seconds: float) -> None:
        self._round_seconds = round_seconds
        # Durable, but the server has not confirmed the mark: they are not handed in again while we live. Whether each
        # was refused.
        self._taken: dict[Number, bool] = {}
        self._postponed: set[Number] = set()

    def begin_anew(self) -> None:
        """Numbers mean nothing any more."""
        self._taken.clear()
        self._postponed.clear()

    def round(self, folder: Folder[Number], deliver: Deliver, refuse: Refuse) -> int:
        """The newest first, those last that could not be taken in before; how many. Raises what a message raised."""
        ends = monotonic() + self._round_seconds
        troubles: list[MailvaneError] = []
        count = 0
        found = folder.unseen(MOST_MESSAGES + len(self._postponed))
        for number in sorted(found, key=lambda each: each in self._postponed)[:MOST_MESSAGES]:
            try:
                count += self._settle(folder, number, deliver, refuse)
            except Transient as error:
                self._postponed.add(number)
                troubles.append(error)
            if len(troubles) == MOST_TROUBLES or monotonic() > ends:
                break
        if troubles:
            raise troubles[0]
        return count

    def _settle(self, folder: Folder[Number], number: Number, deliver: Deliver, refuse: Refuse) -> bool:
        """Hand in a message, unless that was done before, and mark it; whether it was handed in now."""
        handed = number not in self._taken
        if handed:
            taken = _hand_in(folder, number, deliver)
            if taken is None:
                return False
            self._taken[number] = is_refused(taken)
            refuse(refusals(taken))
        folder.mark(number, self._taken[number])
        del self._taken[number]
        self._postponed.discard(number)
        return handed


def _hand_in(folder: Folder[Number], number: Number, deliver: Deliver) -> Sequence[Taken] | None:
    """None when the message went away meanwhile."""
    name = f"message {number.decode() if isinstance(number, bytes) else number}"
    try:
        content = folder.content(number)
        if content is None:
            return None
        taken = _delivered(content, name, deliver)
    except TooLarge:
        taken = [Taken(name=name, reason=f"more than {MOST_BYTES:,} bytes")]
    if is_refused(taken):
        log.warning("refused from the report mailbox: %s", "; ".join(reasons(taken)))
    return taken


class Mailbox:
    """One IMAP folder. For one thread at a time."""

    def __init__(
        self,
        settings: ImapMailbox,
        timeout: float = TIMEOUT_SECONDS,
        round_seconds: float = ROUND_SECONDS,
        tokens: AccessTokens | None = None,
    ) -> None:
        """With `tokens`, login is by OAuth 2 (SASL XOAUTH2)."""
        self._settings = settings
        self._timeout = timeout
        self._tokens = tokens
        self._generation = b""
        self._exist = 0
        self._rounds = Rounds[bytes](round_seconds)

    def read(self, deliver: Deliver, refuse: Refuse = nobody) -> int:
        """Hand in the unseen messages; how many. Raises CollectionFailed, also after some were handed in."""
        mailbox = f"the mailbox {self._settings.user}@{self._settings.host}"
        try:
            connection = self._connected()
        except CollectionFailed as error:
            raise CollectionFailed(f"{mailbox} cannot be opened: {error.message}") from None
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
            self._login(connection)
            escaped = chosen.folder.replace("\\", "\\\\").replace('"', '\\"')
            exist = _numbers(_good(connection.select(f'"{escaped}"')))
            self._exist = int(exist[0]) if exist else 0
        except (*_TROUBLES, CollectionFailed):
            _leave(connection)
            raise
        return connection

    def _login(self, connection: imaplib.IMAP4) -> None:
        if self._tokens is None:
            connection.login(self._settings.user, self._password())
            return
        try:
            connection.authenticate("XOAUTH2", _Xoauth2(self._settings.user, self._tokens.token()))
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error:
            # It may have been revoked, or the server's clock be ahead: a new one is tried once.
            self._tokens.forget()
            connection.authenticate("XOAUTH2", _Xoauth2(self._settings.user, self._tokens.token()))

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
            self._rounds.begin_anew()
        return self._rounds.round(_ImapFolder(connection, self._exist), deliver, refuse)

    def _plain(self, error: Exception) -> str:
        """Servers repeat what they were sent: the password must not be in the message."""
        first = error.args[0] if error.args else ""
        reason = first.decode("utf-8", "replace") if isinstance(first, bytes) else str(error) or type(error).__name__
        try:
            password = self._password()
        except OSError:
            password = ""
        reason = self._tokens.masked(reason) if self._tokens is not None else reason
        return (reason.replace(password, "…") if password else reason)[:300]


class _ImapFolder:
    """The folder that is selected."""

    def __init__(self, connection: imaplib.IMAP4, exist: int) -> None:
        self._connection = connection
        self._exist = exist

    def unseen(self, most: int) -> Sequence[bytes]:
        last, found = self._exist, list[bytes]()
        while last > 0 and len(found) < most:
            first = max(1, last - _SEARCHED_AT_ONCE + 1)
            answer = _good(self._connection.uid("SEARCH", f"{first}:{last}", "UNSEEN"))
            found += sorted(_numbers(answer), key=int, reverse=True)
            last = first - 1
        return found

    def content(self, number: bytes) -> bytes | None:
        size = _SIZE.search(_flat(_good(self._connection.uid("FETCH", number.decode(), "(RFC822.SIZE)"))))
        if size is None:
            return None
        if int(size[1]) > MOST_BYTES:
            raise TooLarge
        return _literal(_good(self._connection.uid("FETCH", number.decode(), "(BODY.PEEK[])")))

    def mark(self, number: bytes, refused: bool) -> None:
        flags = r"(\Seen \Flagged)" if refused else r"(\Seen)"
        _good(self._connection.uid("STORE", number.decode(), "+FLAGS.SILENT", flags))


class _Xoauth2:
    """SASL XOAUTH2, as Google and Microsoft have it: one answer; an error comes as a challenge, which wants none."""

    def __init__(self, user: str, token: str) -> None:
        self._answer: bytes = f"user={user}\x01auth=Bearer {token}\x01\x01".encode()

    def __call__(self, _challenge: bytes) -> bytes:
        answer, self._answer = self._answer, b""
        return answer


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
