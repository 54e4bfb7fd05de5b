"""A mail's identity, and the mail events that make up its life.

A mail event is one thing that happened to one mail. Every event names its mail by `(relay, accepted_at, number)`,
so an event that comes days late finds its row without a search. Everything else that Mailvane shows is built
from these events. This module knows nothing of where events come from or where they are kept.

Times are integers: milliseconds since the epoch, UTC.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from enum import StrEnum
from hashlib import md5
from typing import Literal, Protocol

import msgspec

from mailvane.core.errors import InvalidInput

NUMBER_BITS = 28
_ID_DIGITS = 18
_TIME_DIGITS = 11
_HEX = frozenset(string.hexdigits)

EngagementKey = Literal["sender", "day", "campaign", "sequence", "step"]
EngagementCount = Literal[
    "delivered", "bounced", "opened", "opened_raw", "clicked", "clicked_raw", "replied", "auto_replied", "tagged",
    "positive", "unsubscribed", "complained",
]  # fmt: skip


class MailKey(msgspec.Struct, frozen=True, order=True, gc=False):
    """The identity of one mail within a workspace."""

    relay: int
    accepted_at: int
    number: int

    @property
    def mail_id(self) -> str:
        return mail_id(self.accepted_at, self.number)


def mail_id(accepted_at: int, number: int) -> str:
    """The public id: 18 hexadecimal digits, 11 of acceptance time in milliseconds and 7 that tell mails apart."""
    return f"{accepted_at:011x}{number:07x}"


def parse_mail_id(text: str) -> tuple[int, int]:
    """`(accepted_at, number)` of a public id.

    Raises InvalidInput unless the text is 18 hexadecimal digits.
    """
    if len(text) != _ID_DIGITS or not _HEX.issuperset(text):
        raise InvalidInput("a mail id has 18 hexadecimal digits")
    return int(text[:_TIME_DIGITS], 16), int(text[_TIME_DIGITS:], 16)


def mail_number(*parts: str) -> int:
    """A stable 28-bit number that tells apart mails accepted within the same millisecond."""
    text = "\x00".join(parts).encode("utf-8", "surrogatepass")
    # A hash that ClickHouse has, too: `postfix.plain` computes the same number there.
    digest = md5(text, usedforsecurity=False).digest()[:4]
    return int.from_bytes(digest, "big") >> (32 - NUMBER_BITS)


class EventType(StrEnum):
    """What happened."""

    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    EXPIRED = "expired"
    HELD = "held"
    DISCARDED = "discarded"
    REJECTED = "rejected"
    REINJECTED = "reinjected"  # handed to a content filter or alias that gave it back under another queue id
    COMPLAINED = "complained"
    OPENED = "opened"
    CLICKED = "clicked"
    REPLIED = "replied"
    UNSUBSCRIBED = "unsubscribed"
    TAGGED = "tagged"  # what was said of the replies to a mail: the newest holds


class DeliveryStatus(StrEnum):
    """The newest state of one mail on its way to one recipient."""

    QUEUED = "queued"
    DEFERRED = "deferred"
    HELD = "held"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    EXPIRED = "expired"
    DISCARDED = "discarded"


class MailKind(StrEnum):
    """Whose mail it is: a person's or program's, the relay's own notification, or an address probe."""

    MAIL = "mail"
    NOTIFICATION = "notification"
    PROBE = "probe"


class ReasonFamily(StrEnum):
    """Why a delivery did not succeed, in the words of the field."""

    NONE = ""
    UNKNOWN_USER = "unknown_user"
    MAILBOX_FULL = "mailbox_full"
    POLICY = "policy"
    SPAM = "spam"
    RATE_LIMIT = "rate_limit"
    REPUTATION = "reputation"
    AUTH = "auth"
    NETWORK = "network"
    CONTENT = "content"
    OTHER = "other"


class MailEvent(msgspec.Struct, frozen=True, array_like=True, gc=False, kw_only=True):
    """One thing that happened to one mail, with all that was known of the mail by then.

    An empty string and a zero mean "not known". `accepted`, `held` and `rejected` may name no recipient; every other
    type names one.
    """

    relay: int
    accepted_at: int
    number: int
    type: EventType
    at: int
    kind: MailKind = MailKind.MAIL
    # +1 on an acceptance that names no recipient, -1 on the first event of that mail that does name one: the sum
    # over a mail tells whether it still waits in the queue untried.
    waiting: int = 0
    recipient: str = ""
    original_recipient: str = ""
    recipient_number: int = 0  # from 1, in the order in which the recipients of a mail were first seen
    # -- the mail
    sender: str = ""
    subject: str = ""
    message_id: str = ""  # with angle brackets
    header_from: str = ""  # bare address
    reply_to: str = ""  # bare address
    in_reply_to: str = ""
    references: str = ""
    origin: str = ""  # client IP address
    client_name: str = ""
    login: str = ""  # SASL user name, or "uid=N" of a local submission
    protocol: str = ""  # ESMTP, ESMTPSA, ...: RFC 3848
    interface: str = ""  # the service that took the mail in: smtpd, submission, pickup, ...
    size: int = 0  # bytes
    recipients: int = 0
    queue_id: str = ""
    host: str = ""
    # -- the attempt
    transport: str = ""  # smtp, lmtp, local, virtual, pipe, ...
    mx_host: str = ""
    mx_ip: str = ""
    code: int = 0  # SMTP reply code
    enhanced_code: str = ""  # RFC 3463
    reply: str = ""
    delay: int = 0  # milliseconds since acceptance
    tls: str = ""
    family: ReasonFamily = ReasonFamily.NONE
    hard: bool = False  # trying again cannot help
    # -- the evidence
    source: str = ""  # the file, or the name of the intake
    line: int = 0  # line number of the newest raw line
    raw: str = ""  # the source lines behind this event, newline-separated, each "LINE_NUMBER<TAB>TEXT"
    # -- outreach
    campaign: str = ""
    sequence: str = ""  # of the campaign; empty: the main one
    step: int = 0  # of the sequence, from 0
    automatic: bool = False  # opened, clicked, replied or tagged by a machine: a proxy, a scanner, an autoresponder
    positive: bool = False  # of a tag: the reply is a wanted one
    current_queue_id: str = ""  # the queue id that the mail had when this happened, where that is not `queue_id`

    @property
    def key(self) -> MailKey:
        return MailKey(self.relay, self.accepted_at, self.number)

    @property
    def mail_id(self) -> str:
        return mail_id(self.accepted_at, self.number)


class EventBatch(msgspec.Struct, frozen=True, gc=False):
    """Events of one workspace that are stored together or not at all.

    The token makes storing idempotent: a batch with a token that was stored before changes nothing.
    """

    token: str
    workspace: int
    retention_days: int  # 0 keeps them for ever
    events: list[MailEvent]


class ColumnBatch(EventBatch, frozen=True, gc=False, kw_only=True):
    """A batch in columns, in ClickHouse's Native format and named as the fields of `MailEvent`.

    `events` are only those of its events that are of use to others than the mail log: answers, once at least for each
    mail, and hard bounces.
    """

    rows: int  # events
    columns: bytes
    first: int  # acceptance, of all events
    last: int


class Held(Protocol):
    """Columns that lie in a session of the mail log's own engine."""

    def columns(self) -> bytes: ...

    def insert(self, table: str, constants: Mapping[str, int], settings: Mapping[str, str]) -> None:
        """Store them in a table as one block, each row with these constants. Raises StoreUnavailable."""

    def release(self) -> None:
        """They are stored, and not needed any more."""


class HeldBatch(ColumnBatch, frozen=True, gc=False, kw_only=True):
    """A batch whose columns have not left the engine: for the mail log at once, and never for the journal."""

    held: Held


def rows_of(batch: EventBatch) -> int:
    """How many events it has."""
    return batch.rows if isinstance(batch, ColumnBatch) else len(batch.events)


class Owner(msgspec.Struct, frozen=True):
    """Whose mail is in the mail log. A ledger that begins anew gives ids out again, but never at the same moment."""

    workspace: int
    created_at: int  # when the ledger made the workspace, in ms; 0: the mail log never heard
    name: str = ""  # at that time, for people


class Holding(msgspec.Struct, frozen=True):
    """What the mail log has of one workspace."""

    events: int
    relays: tuple[int, ...]
    retention_days: int  # 0: for ever


class SourceCursor(msgspec.Struct, frozen=True):
    """How far one file (or other input) of a stream was read; all before it is in the journal or the mail log."""

    stream: str  # which source, such as "postfix:3"
    file: str  # fingerprint of the file, stable across renaming and compressing
    name: str  # where it was last seen, for people
    offset: int  # bytes of the uncompressed text that were taken in
    line: int  # number of the last line that was taken in
    tail: bytes  # digest of the last bytes before the offset, to tell a rewritten file from a grown one; or a mark
    reference: int  # the time that year-less stamps of this file are read against


class BlockInProgress(msgspec.Struct, frozen=True):
    """Bytes of a file that are being stored in the mail log, or were when a process died."""

    file: str
    start: int
    end: int


class JournalEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What one step of a source hands over, in one transaction."""

    batch: EventBatch
    cursor: SourceCursor | None = None
    follows: int = 0  # the offset that the cursor must still have for this entry to count
    opened: tuple[tuple[str, bytes], ...] = ()  # new or changed state of mails in flight, by key
    closed: tuple[str, ...] = ()  # keys of mails no longer in flight
    instead: bool = False  # what a process that died may have stored cannot be cut any more
    repeatable: bool = False  # it can be cut once more out of its file, which nobody changes before its end
    event_ids: tuple[str, ...] | None = None  # one per event: those seen before in this workspace are dropped


class PendingBatch(msgspec.Struct, frozen=True):
    """A batch that is safe in the journal and on its way to the mail log."""

    sequence: int
    batch: EventBatch
    members: tuple[int, ...] = ()  # when it was claimed just now: the sequences under which it was committed
