"""What is remembered between two lines: mails in flight, the queue ids they travel under, and open connections.

Everything here can be written down and read back, so that reading may stop and go on at any line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

import msgspec

from mailvane.core.decoding import prepared
from mailvane.core.mailbox import canonical_address
from mailvane.maillog.automatic import says_automatic
from mailvane.maillog.model import EventType, MailKind
from mailvane.maillog.postfix.headers import CAMPAIGN, campaign_name
from mailvane.maillog.postfix.records import Attempt

LONGEST_EVIDENCE = 65_536  # characters of raw lines kept with one event


class Trouble(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Why a recipient was deferred last."""

    original_recipient: str
    code: int
    enhanced_code: str
    reply: str


class Withheld(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An event of a mail whose identity is in doubt, to be emitted once that is settled."""

    type: EventType
    at: int
    source: str
    line: int
    raw: str
    children: int = 0  # of the queue id, by then
    attempt: Attempt | None = None
    transport: str = ""
    tls: str = ""
    everyone: bool = False  # all recipients that had no final outcome
    recipient: str = ""
    reply: str = ""
    queue_id: str = ""  # that the mail had then


class Doubt(msgspec.Struct, array_like=True, gc=False):
    """Whether a mail continues one that went to a content filter. Until that is known, its events are withheld."""

    entry: str  # key of the queue id that it began with
    until: int  # time at which it is taken for a mail of its own
    awaits: list[str] = []  # keys of queue ids, and of connections, that may yet name it
    candidates: list[str] = []  # keys of queue ids that named no other and may have become it: its recipients decide
    withheld: list[Withheld] = []
    accepted: bool = False  # its acceptance is among them

    def recipients(self) -> set[str]:
        """All that are known so far, before and after rewriting."""
        tried = [kept.attempt for kept in self.withheld if kept.attempt is not None]
        return {canonical_address(name) for one in tried for name in (one.recipient, one.original_recipient) if name}


class Mail(msgspec.Struct, array_like=True, gc=False):
    """All that is known of one mail. Several queue ids may share it: the mail before and after a content filter."""

    serial: int  # of the queue entry that it began with
    accepted_at: int
    number: int
    queue_id: str
    host: str
    kind: MailKind = MailKind.MAIL
    counted: bool = False  # its acceptance was emitted, or happened before the log began
    waiting: bool = False  # accepted, and no recipient seen since
    sender: str = ""
    subject: str = ""
    message_id: str = ""
    header_from: str = ""
    reply_to: str = ""
    in_reply_to: str = ""
    references: str = ""
    origin: str = ""
    client_name: str = ""
    login: str = ""
    protocol: str = ""
    secured: bool = False
    interface: str = ""
    size: int = 0
    nrcpt: int = 0
    recipients: dict[str, int] = {}  # number of each recipient
    undecided: dict[str, Trouble] = {}  # deferred recipients
    travels: int = 1  # queue ids so far
    doubt: Doubt | None = None
    automatic: bool = False  # written by a program, as its headers say
    campaign: str = ""

    def mark(self, name: str, value: str) -> None:
        """By a header, its name in lower case, that says who wrote the mail, or which campaign it is of."""
        if name == CAMPAIGN:
            self.campaign = self.campaign or campaign_name(value)
        elif says_automatic(name, value):
            self.automatic = True

    def learn(self, other: Mail) -> None:
        """Fill what is unknown here from the same mail's later queue id."""
        for field in _FACTS:
            if not getattr(self, field):
                setattr(self, field, getattr(other, field))

    def number_of(self, recipient: str) -> int:
        return self.recipients.setdefault(recipient, len(self.recipients) + 1)


_FACTS = (
    "sender", "subject", "message_id", "header_from", "reply_to", "in_reply_to", "references", "size", "nrcpt",
    "automatic", "campaign",
)  # fmt: skip


class Start:
    """How a queue id came to be."""

    UNSEEN = 0  # before the log began
    CLIENT = 1  # from another host
    LOOPBACK = 2  # from this host, by SMTP
    NEIGHBOUR = 3  # from a private address, by SMTP: perhaps a content filter in another container
    PICKUP = 4  # from this host, by sendmail(1)
    WITHIN = 5  # from Postfix itself: a notification, a probe, a forwarded mail


class QueueEntry(msgspec.Struct, array_like=True, gc=False):
    """One queue id, from its first line to its removal."""

    key: str
    serial: int  # order of first lines
    mail: Mail
    queue_id: str
    start: int
    seen: int  # time of the newest line
    closed: int = 0  # time of removal; 0 while open
    active: int = 0  # time of the first "queue active"
    cleaned: bool = False  # cleanup named its Message-ID, even if it has none
    message_id: str = ""
    pending_verdict: str = ""  # hold or discard, emitted once the headers are known
    pending_recipient: str = ""
    joined: bool = False
    children: int = 0  # queue ids that continue this one
    piped: bool = False  # handed to a program, which may give it back by sendmail(1)
    client: str = ""  # IP address of the SMTP client, which may be a content filter
    evidence: list[str] = []
    evidence_size: int = 0
    recipients: int = 0  # at the newest "queue active"
    pending: int = 0  # of those, how many have no outcome yet
    named: str = ""  # queue id that a filter said it has now, and that was not seen yet: the log begins between them
    unnamed: bool = False  # a filter may have taken it without saying which queue id it has now
    refused: bool = False  # before it was taken in; closed
    pending_reply: str = ""  # what was said with the pending verdict

    @property
    def in_progress(self) -> bool:
        return self.pending > 0 and not self.closed

    def take_raw_lines(self) -> str:
        """The raw lines since the last event."""
        text = "\n".join(self.evidence)
        self.evidence = []
        self.evidence_size = 0
        return text


class Connection(msgspec.Struct, array_like=True, gc=False):
    """What is known of the peer that one smtpd or smtp process is talking to."""

    seen: int
    peer: str = ""
    tls: str = ""
    name: str = ""
    ip: str = ""
    login: str = ""
    pending_verdict: str = ""  # of the mail that comes next: hold or discard
    pending_recipient: str = ""
    pending_sender: str = ""
    proxied: bool = False  # a before-queue filter has the mail
    pending_reply: str = ""


class Marks(msgspec.Struct, array_like=True):
    """Where the correlation stands apart from any mail."""

    serial: int = 0
    clock: int = 0  # the latest time of a line; an earlier one only when a log goes back by more than a day
    swept: int = 0  # hour of the log in which what was left open for long was last looked for


T = TypeVar("T")


class Register(Generic[T]):
    """Values by key, with what changed since it was last written down."""

    def __init__(self, prefix: str, kind: type[T]) -> None:
        self.values: dict[str, T] = {}
        self.touched: set[str] = set()
        self._prefix = prefix
        self._written: set[str] = set()
        self._decoder = msgspec.msgpack.Decoder(prepared(kind))

    def restore(self, records: Iterable[tuple[str, bytes]]) -> None:
        for key, record in records:
            if key.startswith(self._prefix):
                self.values[key[len(self._prefix) :]] = self._decoder.decode(record)
        self._written = set(self.values)

    def changes(self) -> tuple[list[tuple[str, bytes]], list[str]]:
        """`(new or changed, gone)` since the last call."""
        opened = [
            (self._prefix + key, msgspec.msgpack.encode(self.values[key]))
            for key in sorted(self.touched & self.values.keys())
        ]
        closed = [self._prefix + key for key in self._gone()]
        self._written.difference_update(self._gone())
        self._written.update(self.touched & self.values.keys())
        self.touched.clear()
        return opened, closed

    def _gone(self) -> list[str]:
        return sorted(key for key in self.touched & self._written if key not in self.values)

    def __iter__(self) -> Iterator[T]:
        return iter(self.values.values())
