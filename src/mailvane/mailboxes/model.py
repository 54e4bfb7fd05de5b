"""Mailboxes: who sends, on what terms, and how a mailbox is warmed up. Pure; what became of mails the mail log knows.

A mailbox is an address that sends. Its id is derived from the workspace and the address, so that it is the same after
everything else was made anew. Times are milliseconds since the epoch, UTC; days begin at midnight UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from hashlib import blake2b

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.core.mailbox import domain_of, read_mailbox
from mailvane.core.moments import DAY_MS
from mailvane.core.names import canonical_name
from mailvane.mailboxes.health import RecordStatus

_ID_BYTES = 12
_LONGEST_TAG = 100  # characters
_MOST_TAGS = 50
_MOST_DOMAINS = 1000
MOST_A_DAY = 2**31 - 1
_UPPER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_ID = re.compile("[0-9a-f]{24}")


class MailboxStatus(StrEnum):
    """Whether a mailbox is in use."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    SUSPENDED = "suspended"
    ERROR = "error"


class Provider(StrEnum):
    """Where the mailbox is kept."""

    GMAIL = "gmail"
    OUTLOOK = "outlook"
    AZURE = "azure"
    CUSTOM = "custom"


class WarmupStatus(StrEnum):
    """How far a warm-up is."""

    NOT_STARTED = "not_started"
    IN_PROGRESS = "in_progress"
    PAUSED = "paused"
    COMPLETED = "completed"


class TagMode(StrEnum):
    """Whether a mailbox has to have one of the tags or all of them."""

    ANY = "any"
    ALL = "all"


class PausedFor(StrEnum):
    """Why a warm-up is paused."""

    ASKED = "asked"  # somebody said so
    BOUNCES = "bounces"


class Warmup(msgspec.Struct, frozen=True):
    """How a mailbox is brought up to its volume: so many mails on the first day, so many more each day."""

    start: int = 5  # mails on the first day
    step: int = 2  # more on each day
    target: int = 40  # mails a day at which it ends
    started_at: int = 0  # 0: never
    paused_at: int = 0  # 0: it is not paused
    paused_for: PausedFor = PausedFor.ASKED  # as long as it is paused
    judged_from: int = 0  # bounces of mails that were accepted before do not pause it (again)

    @property
    def days(self) -> int:
        """How many days it takes until the target is reached."""
        return 1 + max(0, -(-(self.target - self.start) // max(1, self.step)))

    @property
    def ends_at(self) -> int:
        """When the day begins on which the target is reached; 0: it never started."""
        return self.started_at - self.started_at % DAY_MS + (self.days - 1) * DAY_MS if self.started_at else 0

    def day(self, now: int) -> int:
        """The day it is on, from 1; 0 before it started. A pause holds the day on which it began."""
        if not self.started_at:
            return 0
        until = min(now, self.paused_at) if self.paused_at else now
        return max(0, until // DAY_MS - self.started_at // DAY_MS) + 1

    def volume(self, now: int) -> int:
        """How many mails it allows on the day of `now`; 0 before it started."""
        day = self.day(now)
        return min(self.target, self.start + (day - 1) * self.step) if day else 0

    def status(self, now: int) -> WarmupStatus:
        if not self.started_at:
            return WarmupStatus.NOT_STARTED
        if self.paused_at:
            return WarmupStatus.PAUSED
        return WarmupStatus.COMPLETED if now >= self.ends_at else WarmupStatus.IN_PROGRESS


class Server(msgspec.Struct, frozen=True):
    """Where a mailbox sends by or is read. Mailvane does not connect to it, and keeps no password."""

    host: str = ""
    port: int = 0
    secure: bool = False


class DnsStanding(msgspec.Struct, frozen=True):
    """What DNS said of a mailbox's domain when it was asked last."""

    at: int = 0  # 0: never
    score: int = 0  # 0 to 100
    mx: RecordStatus = RecordStatus.UNKNOWN  # likewise below: also of what was asked before these were kept
    spf: RecordStatus = RecordStatus.UNKNOWN
    dkim: RecordStatus = RecordStatus.UNKNOWN
    dmarc: RecordStatus = RecordStatus.UNKNOWN


class Mailbox(msgspec.Struct, frozen=True, kw_only=True):
    """One address that sends."""

    id: str
    workspace: int
    address: str  # in lower case
    display_name: str = ""
    status: MailboxStatus = MailboxStatus.ACTIVE
    provider: Provider = Provider.CUSTOM
    hourly_limit: int | None = None  # mails an hour (UTC); None: as many as it likes
    daily_limit: int | None = None  # mails a day, likewise
    monthly_limit: int | None = None  # mails a month, likewise
    sending_enabled: bool = True
    tags: tuple[str, ...] = ()
    signature: str = ""
    warmup: Warmup = Warmup()
    smtp: Server = Server()
    imap: Server = Server()
    tracks_opens: bool | None = None  # None: told by whether any mail of the workspace was ever opened or clicked
    dns: DnsStanding = DnsStanding()
    noticed: bool = False  # it was not created, but appeared, as the log knew it for a sender
    created_at: int = 0
    updated_at: int = 0

    @property
    def domain(self) -> str:
        return domain_of(self.address)

    def allowed_today(self, now: int) -> int | None:
        """How many mails it may send on the day of `now`, its warm-up considered; None: as many as it likes."""
        warming = self.warmup.status(now) in {WarmupStatus.IN_PROGRESS, WarmupStatus.PAUSED}
        limits = [self.daily_limit, self.warmup.volume(now) if warming else None]
        return min((limit for limit in limits if limit is not None), default=None)


class MailboxRule(msgspec.Struct, frozen=True):
    """Which senders of a workspace's mail become mailboxes by themselves."""

    domains: tuple[str, ...] = ()  # `example.com`, or `*.example.com` for all below it; none: every sender
    notice: bool = True  # False: none does


class MailboxQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which mailboxes, by address; `None` does not filter, all filters are joined by AND."""

    workspace: int
    now: int = 0
    statuses: tuple[MailboxStatus, ...] | None = None
    provider: Provider | None = None
    sending_enabled: bool | None = None
    tags: tuple[str, ...] = ()
    tag_mode: TagMode = TagMode.ANY
    untagged: bool | None = None
    search: str = ""  # a part of the address or the name, in any case
    warming: bool | None = None  # whether a warm-up was started
    warmup_statuses: tuple[WarmupStatus, ...] | None = None
    least_score: int | None = None  # of DNS
    most_score: int | None = None
    addresses: tuple[str, ...] | None = None  # one of these
    but: tuple[str, ...] = ()  # none of these
    after: str | None = None  # id of the mailbox that the page begins behind
    skip: int = 0
    limit: int = 100


class MailboxPage(msgspec.Struct, frozen=True):
    """A part of them, and how many there are in all."""

    mailboxes: list[Mailbox]
    total: int
    more: bool  # there are some behind this page


def mailbox_id(workspace: int, address: str) -> str:
    """24 hexadecimal digits, always the same for this address in this workspace."""
    return _derived("mailbox", workspace, address)


def campaign_id(workspace: int, name: str) -> str:
    """24 hexadecimal digits; a name that looks like one is its own id."""
    return name if _ID.fullmatch(name) else _derived("campaign", workspace, name)


def _derived(kind: str, workspace: int, name: str) -> str:
    told = f"{kind}\0{workspace}\0{name}".encode("utf-8", "surrogatepass")
    return blake2b(told, digest_size=_ID_BYTES).hexdigest()


def lower(address: str) -> str:
    """As the mail log has senders: the letters of ASCII in lower case."""
    return address.translate(_UPPER)


def read_address(text: str) -> str:
    """The address of a mailbox as it is kept. Raises InvalidInput."""
    return lower(read_mailbox(text).address)


def read_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Each once, in the order given. Raises InvalidInput."""
    found = tuple(dict.fromkeys(tag.strip() for tag in tags))
    if len(found) > _MOST_TAGS or not all(tag and tag.isprintable() and len(tag) <= _LONGEST_TAG for tag in found):
        raise InvalidInput(f"at most {_MOST_TAGS} tags of 1 to {_LONGEST_TAG} characters that can be shown")
    return found


def read_domains(domains: Iterable[str]) -> tuple[str, ...]:
    """Of a rule: names, or all names below one. Raises InvalidInput."""
    found = tuple(dict.fromkeys(_read_domain(domain.strip()) for domain in domains))
    if len(found) > _MOST_DOMAINS:
        raise InvalidInput(f"a rule names at most {_MOST_DOMAINS} domains")
    return found


def _read_domain(text: str) -> str:
    star, name = ("*.", text[2:]) if text.startswith("*.") else ("", text)
    try:
        canonical = canonical_name(name)
    except ValueError:
        canonical = ""
    if not canonical:
        raise InvalidInput(f"{text[:80]!r} is no domain: expected one such as example.com or *.example.com")
    return star + canonical


def passes(mailbox: Mailbox, part: str, tag: str) -> bool:
    """Whether a part stands in its address or name, in any case, and it has the tag; an empty one asks for none."""
    shown = f"{mailbox.address} {mailbox.display_name}".lower()
    return part.lower() in shown and (not tag or tag in mailbox.tags)


def falls_under(rule: MailboxRule, address: str) -> bool:
    """Whether a sender becomes a mailbox by itself."""
    if not rule.notice or "@" not in address:
        return False
    domain = domain_of(address)
    return not rule.domains or any(
        domain.endswith(name[1:]) if name.startswith("*.") else domain == name for name in rule.domains
    )
