"""Questions to the mail log, and their answers. No SQL here and no wire names: values only.

Times are milliseconds since the epoch, UTC. Every question names one workspace; there is no way to ask across two.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from mailvane.maillog.ever import Ever
from mailvane.maillog.model import DeliveryStatus, EngagementCount, EngagementKey, MailKind, ReasonFamily, mail_id


class Match(StrEnum):
    """How a text is compared."""

    WHOLE = "whole"  # exactly
    DOMAIN = "domain"  # of an address, its domain; of a host, itself or one below it
    PART = "part"  # anywhere in it, any case


class Pattern(msgspec.Struct, frozen=True):
    """What a text is compared with."""

    text: str
    match: Match


TermField = Literal[
    "text", "from", "to", "subject", "answer", "why", "is", "mx", "host", "login", "origin", "queue", "id", "msgid",
    "author", "transport",
]  # fmt: skip
# As `query_language` names it; "text": sender, recipient, subject or Message-ID. Only programs ask for the last two:
# "author", the address of From, or of the envelope where that is not known, in lower case; "transport", of the last try


class Term(msgspec.Struct, frozen=True):
    """A condition on a delivery: one of the patterns fits the field, or with `excludes` none does."""

    field: TermField
    patterns: tuple[Pattern, ...]
    excludes: bool = False


_LOGGED = 180  # bytes of a Subject that Postfix logs, at least: 200 with its name, less a letter for each folded line
_LONGEST_LETTER = 3  # bytes for each byte of a letter that is not ASCII (RFC 2047, quoted-printable)
_KEPT = 150
_KEPT_ENCODED = 12  # letters: what remains of 180 bytes of encoded words of Asian letters, less one torn word


def least_kept(subject: str) -> int:
    """How many letters are kept of such a Subject when a log has cut it; 0: it is too short to be cut."""
    if subject.isascii():
        return _KEPT if len(subject) > _LOGGED else 0
    return _KEPT_ENCODED if len(subject.encode()) * _LONGEST_LETTER > _LOGGED else 0


class Place(msgspec.Struct, frozen=True):
    """Where a delivery stands in the order of a page. A row keeps its place, whatever becomes of it."""

    accepted_at: int
    number: int
    relay: int
    recipient_number: int
    recipient: str


class LogQuestion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which deliveries, in which order, which page. `None` does not filter; all filters are joined by AND."""

    workspace: int
    relays: tuple[int, ...]  # at least one
    origin: str | None = None
    mx_host: str | None = None
    sender: str | None = None
    recipient: str | None = None
    subject: str | None = None  # also of mail of whose long Subject only the beginning was logged
    mail_id: str | None = None
    message_id_part: str | None = None  # substring of the Message-ID, any case
    queue_ids: tuple[str, ...] | None = None  # the mail had one of them here, or was given it by a server that took it
    reply_to: str | None = None
    header_from: str | None = None
    delivered: bool | None = None  # False: everything that is not delivered, untried mail included
    status: DeliveryStatus | None = None
    family: ReasonFamily | None = None
    since: int | None = None  # acceptance time, inclusive
    until: int | None = None  # acceptance time, inclusive
    kinds: tuple[MailKind, ...] = (MailKind.MAIL,)
    terms: tuple[Term, ...] = ()  # of the query language
    domains: tuple[str, ...] | None = None  # one of the recipient, or of the address that was written to; lower case
    after: Place | None = None  # only what comes behind this row, which need not be there; with `by_message`, this mail
    skip: int = 0
    limit: int = 100
    ascending: bool = False  # by acceptance time, then mail, then recipient number
    by_message: bool = False  # one row per mail: its first recipient that passes the filters


class Delivery(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The newest state of one mail on its way to one recipient (recipient "" while no attempt was seen)."""

    relay: int
    accepted_at: int
    number: int
    recipient: str
    original_recipient: str
    recipient_number: int
    kind: MailKind
    status: DeliveryStatus
    at: int  # time of the event that gave the status; 0 before the first attempt
    attempts: int
    sender: str
    subject: str
    message_id: str
    header_from: str
    reply_to: str
    in_reply_to: str
    origin: str
    client_name: str
    login: str
    protocol: str
    interface: str
    size: int
    queue_id: str
    host: str
    transport: str
    mx_host: str
    mx_ip: str
    code: int
    enhanced_code: str
    reply: str
    delay: int
    tls: str
    family: ReasonFamily
    hard: bool
    complained_at: int  # 0: never; likewise below
    opened_at: int
    clicked_at: int
    replied_at: int
    unsubscribed_at: int

    @property
    def mail_id(self) -> str:
        return mail_id(self.accepted_at, self.number)

    @property
    def place(self) -> Place:
        return Place(self.accepted_at, self.number, self.relay, self.recipient_number, self.recipient)


class LogPage(msgspec.Struct, frozen=True):
    """One page of deliveries and the exact number of rows on all pages."""

    total: int
    deliveries: list[Delivery]


TallyBy = Literal[
    "status", "family", "sender_domain", "recipient_domain", "mx", "host", "sender", "login", "relay", "provider"
]


class TallyQuestion(msgspec.Struct, frozen=True):
    """How many deliveries that pass have which value, the most first. The page of the question plays no part."""

    log: LogQuestion
    by: TallyBy
    top: int = 10


class TimeTallyQuestion(msgspec.Struct, frozen=True):
    """How many deliveries of each state in each stretch of `step` milliseconds of acceptance, the oldest first."""

    log: LogQuestion
    step: int
    domains: tuple[str, ...] = ()  # only mail of these senders' domains, told apart; none: all of it together


class DelayQuestion(msgspec.Struct, frozen=True):
    """How long deliveries that pass took, by value, those of the most deliveries first; ask for delivered ones."""

    log: LogQuestion
    by: Literal["status", "family", "sender_domain", "recipient_domain", "mx", "host"]
    top: int = 10


class Delays(msgspec.Struct, frozen=True):
    """Of one value: so many deliveries, and the time that half, 90 % and 99 % of them took at most, in milliseconds."""

    value: str
    count: int
    half: int
    most: int
    nearly_all: int


class Tally(msgspec.Struct, frozen=True):
    """How many deliveries have a value."""

    value: str
    count: int


class TimeTally(msgspec.Struct, frozen=True):
    """How many deliveries of mails accepted in a stretch of time are in a state."""

    since: int
    status: DeliveryStatus
    count: int
    domain: str = ""  # of the sender; "": they are not told apart


class RefusedPlace(msgspec.Struct, frozen=True):
    """Where a refusal stands in the order of a page."""

    accepted_at: int
    number: int
    relay: int
    at: int
    line: int
    recipient: str


class RefusedQuestion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which refusals, which page. `None` does not filter; all filters are joined by AND."""

    workspace: int
    relays: tuple[int, ...]  # at least one
    origin: str | None = None
    sender: str | None = None
    recipient: str | None = None
    family: ReasonFamily | None = None
    domains: tuple[str, ...] | None = None  # of the recipient, in lower case
    queue_ids: tuple[str, ...] | None = None  # the mail had one of them
    reply_part: str | None = None  # substring of the reply, any case
    since: int | None = None  # time at which the mail came, inclusive
    until: int | None = None  # inclusive
    terms: tuple[Term, ...] = ()  # of the query language
    after: RefusedPlace | None = None  # only what comes behind this row, which need not be there
    skip: int = 0
    limit: int = 100
    ascending: bool = False  # by that time


class RefusedMail(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A mail, or one recipient of it, that was refused and is therefore no delivery. "" and 0 mean "not known"."""

    relay: int
    accepted_at: int  # when the mail came; where it had no queue id yet, when it was refused
    number: int
    at: int  # when it was refused
    sender: str
    recipient: str  # "" when the whole mail, or the client, was refused
    subject: str
    message_id: str
    origin: str
    client_name: str
    login: str
    protocol: str
    interface: str
    host: str
    queue_id: str
    code: int
    enhanced_code: str
    reply: str
    family: ReasonFamily
    hard: bool
    line: int = 0  # of its log

    @property
    def mail_id(self) -> str:
        return mail_id(self.accepted_at, self.number)

    @property
    def place(self) -> RefusedPlace:
        return RefusedPlace(self.accepted_at, self.number, self.relay, self.at, self.line, self.recipient)


class RefusedPage(msgspec.Struct, frozen=True):
    """One page of refusals and the number of rows on all pages."""

    total: int
    refused: list[RefusedMail]


class QueueIdQuestion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which mails had this queue id here, or were given it by a server that took them; the newest first."""

    workspace: int
    relays: tuple[int, ...]
    queue_id: str
    limit: int = 10


class StatisticsQuestion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Counts over the mails accepted in a window. Only mail proper counts: no notifications, no probes."""

    workspace: int
    relays: tuple[int, ...]
    since: int | None = None  # inclusive
    until: int | None = None  # inclusive
    top: int = 500  # rows of each table; none when only the counts matter
    deliveries: bool = True  # where only the counts matter: whether `sent` does, too


class StatisticsQuestions(msgspec.Struct, frozen=True):
    """Several, to be answered of one moment."""

    questions: tuple[StatisticsQuestion, ...]


class Statistics(msgspec.Struct, frozen=True):
    """`received` counts mails accepted, `sent` deliveries made of them; the tables are ranked, largest first.

    `senders` and `origins` count mails. `recipients` counts deliveries, whatever became of them, that were tried or
    whose recipient was named at acceptance: not those for whom a content filter still has the mail.
    """

    received: int
    sent: int
    senders: dict[str, int]
    recipients: dict[str, int]
    origins: dict[str, int]


class HourlyQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Volume hour by hour; the window is widened to whole hours."""

    workspace: int
    relays: tuple[int, ...]
    since: int
    until: int
    sender_domain: str | None = None  # with one, only acceptances are counted
    accepted: bool = True  # without, acceptances are not counted, which takes a good part of the time


class HourlyCounts(msgspec.Struct, frozen=True, gc=False):
    """What happened in one hour, by the time at which it happened."""

    hour: int  # start of the hour
    accepted: int
    delivered: int
    deferred: int
    bounced: int  # bounced and expired
    rejected: int


class EngagementQuestion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of the mails accepted in a window, and what their recipients did. `None` does not filter.

    Only mail proper counts. A sender is the address of From, or else of the envelope, in lower case.
    """

    workspace: int
    relays: tuple[int, ...]
    by: tuple[EngagementKey, ...] = ("sender",)  # a row for each of these; none: one row for all
    since: int | None = None  # inclusive
    until: int | None = None  # inclusive
    senders: tuple[str, ...] | None = None  # one of these
    domains: tuple[str, ...] | None = None  # of the sender: `example.com`, or `*.example.com` for all below it
    besides: tuple[str, ...] = ()  # senders that count although they are not of these domains
    campaign: str | None = None  # empty: mails of no campaign
    sequence: str | None = None  # empty: the main one
    brief: bool = False  # count `sent` and `bounced`; of the rest tell only whether it ever happened, by 0 or 1
    recent: int | None = None  # with it, a row a sender, which tells also what is of all time: see Ever
    most: int = 100_000  # rows: those that sent most
    counts: tuple[EngagementCount, ...] | None = None  # which are told beside `sent`; None: all, and the times

    def __post_init__(self) -> None:
        if self.recent is not None and (self.by != ("sender",) or self.brief):
            raise ValueError("`recent` is asked by sender alone, and not briefly")


class EngagementCounts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Mails of one row. Each counts once of a kind; opens and clicks by anybody (`_raw`) include those by people."""

    sender: str = ""  # this one and the next four: as far as the question asks for them
    day: int = 0  # when they were accepted: the start of the day, UTC
    campaign: str = ""
    sequence: str = ""
    step: int = 0
    sent: int = 0  # accepted
    delivered: int = 0  # to one recipient at least; likewise below
    bounced: int = 0  # or expired
    opened: int = 0
    opened_raw: int = 0
    clicked: int = 0
    clicked_raw: int = 0
    replied: int = 0
    auto_replied: int = 0
    tagged: int = 0  # replied, and somebody said what that is worth
    positive: int = 0  # and the newest word was that it is a wanted reply
    unsubscribed: int = 0
    complained: int = 0
    first_at: int = 0  # when the first and the last of them were accepted; not told beside `ever`
    last_at: int = 0
    ever: Ever | None = None  # where `recent` was asked; these rows come by what was ever sent


class SenderQuestion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who has written to these domains, and how much. `None` does not filter; all filters are joined by AND.

    A sender is the address of From, or that of the envelope where the From is not known, in lower case. Only mail
    proper counts, and only what was tried or whose recipient was named at acceptance.
    """

    workspace: int
    relays: tuple[int, ...]
    domains: tuple[str, ...]  # of recipients, in lower case
    beside: tuple[str, ...] = ()  # senders that are listed although they have not written
    only: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()
    uuid: tuple[str, str] | None = None  # a namespace, and the UUID of version 5 that the address has in it (RFC 9562)
    text: str | None = None  # part of the address, any case
    order: Literal["mails", "address", "first_at", "last_at"] = "mails"
    ascending: bool = False  # equals are in order of address
    skip: int = 0
    limit: int = 100


class SenderCount(msgspec.Struct, frozen=True, gc=False):
    """A sender, and how many mails came from there, however many recipients each had."""

    address: str
    mails: int
    first_at: int  # when the first and the last of them were accepted; 0: there is none
    last_at: int


class SenderPage(msgspec.Struct, frozen=True):
    """A part of them, and how many there are in all."""

    total: int
    senders: list[SenderCount]


class ReceivedQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """How many mails each of these addresses got; they are in lower case."""

    workspace: int
    relays: tuple[int, ...]
    addresses: tuple[str, ...]


class ReplyQuestion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Replies by people to mails accepted in a window, the newest first."""

    workspace: int
    relays: tuple[int, ...]
    since: int | None = None  # acceptance of the mail that was replied to, inclusive
    tag: Literal["none", "positive", "other"] | None = None  # what the newest word says of it; None does not filter
    skip: int = 0
    limit: int = 100


class Reply(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Who replied to which mail, and what that is worth. Words of people go before those of programs."""

    relay: int
    accepted_at: int
    number: int
    recipient: str  # who replied
    replied_at: int
    tag: Literal["none", "positive", "other"]
    by_program: bool  # nobody but a program has said so

    @property
    def mail_id(self) -> str:
        return mail_id(self.accepted_at, self.number)


class ReplyPage(msgspec.Struct, frozen=True):
    """A part of them, and how many there are in all."""

    total: int
    replies: list[Reply]


class MailLogHealth(msgspec.Struct, frozen=True):
    """What the mail log is and how large it is."""

    engine: str  # for people, such as "chDB 4.4.0 (ClickHouse 26.9)"
    events: int
    deliveries: int
    bytes_on_disk: int
    damage: str = ""  # what is lost and what to do about it; empty when nothing is known to be
