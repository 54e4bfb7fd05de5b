"""Sending domains, what they may send, and the verdict on one mail. Values only; the rules are in `admission`.

Days, months and hours are UTC keys stored with the counters, so a counter of another day is simply zero today.
Times are milliseconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated

import msgspec

DEFAULT_WORKSPACE = "default"  # where a domain belongs that belongs to nobody in particular


class Tier(StrEnum):
    """Which pool of addresses a domain sends from. Recorded for billing; decides nothing here."""

    SHARED = "shared"
    DEDICATED = "dedicated"


class OutboundStatus(StrEnum):
    """Whether a domain may send at all."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


class Enforcement(StrEnum):
    """What passing a limit means: refused, or allowed and marked."""

    SOFT = "soft"
    HARD = "hard"


class Counting(StrEnum):
    """What a limit counts."""

    MESSAGES = "messages"
    RECIPIENTS = "recipients"


class Verification(StrEnum):
    """How far a domain has proved that it may be sent from. NONE: nobody asked."""

    NONE = "none"
    PENDING = "pending"
    VERIFIED = "verified"


class WarmupProfile(StrEnum):
    """How fast the daily cap of a new domain grows."""

    OFF = "off"
    FAST = "fast"
    STANDARD = "standard"
    CONSERVATIVE = "conservative"


class Warmup(msgspec.Struct, frozen=True):
    """A schedule: so many on the first day, and on each later day so many times as many."""

    first: int
    growth: float


# ours: the vendor names the profiles and publishes no schedule.
WARMUPS: Mapping[WarmupProfile, Warmup] = MappingProxyType(
    {
        WarmupProfile.FAST: Warmup(50, 2.0),
        WarmupProfile.STANDARD: Warmup(20, 1.5),
        WarmupProfile.CONSERVATIVE: Warmup(10, 1.3),
    }
)


_Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]
_Volume = Annotated[int, msgspec.Meta(ge=0, le=10**15)]


class Guillotine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When bounces or complaints stop a domain. The defaults are the vendor's rule, to the letter."""

    bounce_percent: _Percent = 3.0  # suspended above it; 0 turns the line off
    complaint_percent: _Percent = 0.0  # likewise; off by default
    minimum_volume: _Volume = 0  # sent in the period before the rule acts
    confident: bool = False  # compare Wilson's lower bound (95 %) instead of the bare rate
    warn_only: bool = False  # an audit entry instead of a suspension
    probation_daily: _Volume = 0  # a suspended domain may send so many a day; 0: none


class Domain(msgspec.Struct, frozen=True, kw_only=True):
    """A sending domain with its limits, status and verification. The workspace is the vendor's partner."""

    id: int
    workspace: int
    name: str  # lower case
    created_at: int
    tier: Tier = Tier.SHARED
    status: OutboundStatus = OutboundStatus.ACTIVE
    enforcement: Enforcement = Enforcement.HARD
    daily_limit: int = 0  # 0: unlimited, likewise below
    monthly_limit: int = 0
    hourly_fraction: float = 0.0  # hourly cap as a share of the daily limit; 0: off
    warmup_profile: WarmupProfile = WarmupProfile.OFF
    spike_max_multiplier: float = 0.0  # today against the mean of the last 7 days; 0: off
    counting: Counting = Counting.MESSAGES
    verification: Verification = Verification.NONE
    verification_token: str = ""
    dkim_tokens: tuple[str, ...] = ()
    closed: bool = False  # the whole domain is suspended, not only its sending
    guillotine: Guillotine | None = None  # None: the installation's
    removed_at: int | None = None  # when it was removed; it is kept until its period is billed
    approved: bool = True  # holds for mail servers and feedback; else it is a claim, for its own workspace only
    own_proof: bool = False  # its verification proves that it is this workspace's: it began with nothing published

    @property
    def stopped(self) -> bool:
        """Suspended in either way."""
        return self.closed or self.status is OutboundStatus.SUSPENDED


class Figures(msgspec.Struct, frozen=True):
    """What rates are made of."""

    sent: int
    bounces: int
    complaints: int

    @property
    def bounce_rate(self) -> float:
        """Percent of the mail, two decimals; 0.0 when nothing was sent."""
        return percent(self.bounces, self.sent)

    @property
    def complaint_rate(self) -> float:
        return percent(self.complaints, self.sent)


class Baseline(msgspec.Struct, frozen=True, array_like=True):
    """What stood in a month's counters when the domain was restored: rates are of what came after it."""

    at: int = 0  # 0: it was not restored
    sent: int = 0
    bounces: int = 0
    complaints: int = 0


class MonthTally(msgspec.Struct, frozen=True, array_like=True):
    """What was counted in one month; or up to a freeze, in all the time since the one before."""

    month: int = 0  # its key
    since: int = 0  # of mail sent from then on; 0: from the beginning of the month
    until: int = 0  # and before then; 0: to the end of the month. Set, it was frozen, and counts no mail any more
    sent: int = 0
    bounces: int = 0
    complaints: int = 0
    baseline: Baseline = Baseline()

    @property
    def frozen(self) -> bool:
        return bool(self.until)

    @property
    def figures(self) -> Figures:
        """Since the domain was restored."""
        base = self.baseline
        return Figures(
            max(0, self.sent - base.sent),
            max(0, self.bounces - base.bounces),
            max(0, self.complaints - base.complaints),
        )


class DayTally(msgspec.Struct, frozen=True, array_like=True):
    """What was counted on one day, and on those before it."""

    day: int
    sent: int
    last_days: tuple[int, ...]


class HourTally(msgspec.Struct, frozen=True, array_like=True):
    """What was counted in one hour."""

    hour: int
    sent: int


class OtherTimes(msgspec.Struct, frozen=True, array_like=True):
    """Counters of hours, days and months that are not now, the last left first.

    A clock that goes back finds them again, and feedback on mail of an earlier month is counted there.
    """

    months: tuple[MonthTally, ...] = ()
    days: tuple[DayTally, ...] = ()
    hours: tuple[HourTally, ...] = ()


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """A domain's counters, each with the key of the time it belongs to."""

    day: int = 0  # days since the epoch
    hour: int = 0  # hours since the epoch
    month: int = 0  # 12 * year + month - 1
    sent_today: int = 0
    sent_this_hour: int = 0
    sent_month: int = 0
    bounces: int = 0  # of the month, likewise complaints
    complaints: int = 0
    first_day: int = 0  # the day of the first mail ever; 0: none yet
    last_days: tuple[int, ...] = ()  # sent on each of the up to 7 days before `day`, the newest first
    # Of months before `month` that no freeze has taken yet; less than none when part of the month is billed elsewhere.
    unbilled_sent: int = 0
    unbilled_bounces: int = 0
    unbilled_complaints: int = 0
    month_since: int = 0  # the month's counters are of mail sent from then on; 0: from its beginning
    baseline: Baseline = Baseline()  # of the month
    other: OtherTimes = OtherTimes()

    def billed_elsewhere(self) -> Usage:
        """Nothing to bill, while the month's counters stay as they are: limits and rates go on from them."""
        return msgspec.structs.replace(
            self, unbilled_sent=-self.sent_month, unbilled_bounces=-self.bounces, unbilled_complaints=-self.complaints
        )

    @property
    def tally(self) -> MonthTally:
        """Of the month."""
        return MonthTally(
            month=self.month,
            since=self.month_since,
            sent=self.sent_month,
            bounces=self.bounces,
            complaints=self.complaints,
            baseline=self.baseline,
        )

    @property
    def figures(self) -> Figures:
        """Of the month, or since the domain was restored in it: what the guillotine judges."""
        return self.tally.figures


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """What came back about a mail of a domain."""

    bounces: int = 0
    complaints: int = 0
    message_id: str  # feedback of one id counts once for a domain
    mail_at: int | None = None  # when the mail was sent; None: nobody says
    evidence: Mapping[str, object] = {}  # kept with what the feedback brings about


_LEAST_AN_HOUR = 10


def hourly_cap(daily_limit: int, fraction: float) -> int:
    """Rounded down, ten at least; 0: none, because a share of no limit is no limit."""
    return max(_LEAST_AN_HOUR, int(daily_limit * fraction + 1e-9)) if daily_limit and fraction else 0


def percent(part: int, whole: int) -> float:
    """Two decimals; 0.0 of nothing."""
    return round(100 * part / whole, 2) if whole else 0.0


class Reason(StrEnum):
    """Why a mail was refused, or would have been. Softened, the word ends in `_soft`."""

    SUSPENDED = "outbound_suspended"
    UNVERIFIED = "domain_not_verified"
    MONTHLY = "monthly_limit_exceeded"
    DAILY = "daily_limit_exceeded"
    HOURLY = "hourly_limit_exceeded"
    WARMUP = "warmup_limit_exceeded"
    SPIKE = "spike_detected"
    MAILBOX = "mailbox_limit_exceeded"  # of the sender itself, or of the login where that is an address
    LOGIN = "login_limit_exceeded"
    SUPPRESSED = "recipient_suppressed"  # a recipient is on the workspace's suppression list
    HELD = "sending_held"  # the domain or login is on hold: a mail server takes the mail and keeps it
    UNGOVERNED = "domain_not_governed"  # of no domain of this server; only where the settings refuse those


class SendRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The question: may this mail pass?"""

    domain: str  # lower case
    units: int = 1  # recipients, where the domain counts those; messages are always 1
    instance: str = ""  # names one mail across repeated questions: asked again, it is counted once
    named_at: int = 0  # when, in microseconds, where the instance itself tells: answers of one time are kept together
    workspace: int | None = None  # whose domain it must be, or it is not known; None: anybody's
    mail_server: bool = False  # a mail server asks: only approved domains answer, but also those that were removed
    is_look: bool = False  # asked before the mail is complete, and again then: what may pass is not counted yet
    key: str = ""  # of whoever asks over HTTP: the same one again gets the same answer, and counts nothing
    content: bytes = b""  # what was asked under that key
    senders: tuple[str, ...] = ()  # addresses in lower case, the login first: the first that has a limit counts
    login: str = ""  # SASL login in lower case, address or not
    recipients: tuple[str, ...] = ()  # as the suppression list has them (`suppression.listed_form`); those known so far

    def counted_in(self, domain: Domain) -> int:
        """How much of the domain's limits this mail takes."""
        return max(1, self.units) if domain.counting is Counting.RECIPIENTS else 1


class LimitKind(StrEnum):
    """Whose mail a limit counts."""

    MAILBOX = "mailbox"  # of one address: of the login where that is an address, else of the envelope sender
    LOGIN = "login"  # of one SASL login, address or not
    DOMAIN = "domain"  # of all senders of a domain, whether it is governed or not


class LimitWindow(StrEnum):
    """A stretch of time (UTC) that has a counter of its own."""

    HOUR = "hourly"
    DAY = "daily"
    MONTH = "monthly"


EVERY = "*"  # the name of the limit of all of a kind that have none of their own: each of them counts for itself


class SenderLimit(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How many mails of one sender may pass in an hour, a day and a month, whatever its domain may send.

    None: as many as it likes; 0: none. All windows hold side by side.
    """

    kind: LimitKind = LimitKind.MAILBOX
    name: str  # in lower case
    workspace: int = 0  # whose limit it is; 0: that of the installation
    hourly: int | None = None
    daily: int | None = None
    monthly: int | None = None

    @property
    def windows(self) -> tuple[tuple[LimitWindow, int], ...]:
        """Those that have a limit."""
        return tuple((window, most) for window in LimitWindow if (most := getattr(self, window.value)) is not None)


class LimitMark(msgspec.Struct, frozen=True, kw_only=True):
    """That so much of a limit was used up at this moment."""

    at: int
    workspace: int  # whose mail it is; 0: of nobody in particular
    kind: LimitKind
    name: str
    window: LimitWindow
    sent: int
    most: int
    until: int  # when the window ends


class Verdict(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The answer. Allowed counts, also when soft; refused does not."""

    domain: str
    allowed: bool
    reason: Reason | None = None
    soft: bool = False  # the reason was softened into a pass
    sent_today: int = 0
    sent_month: int = 0
    known: bool = True  # False: there is no such domain; allowed, and counted nowhere
    pending: bool = False  # the reason is a proof that was begun and has not succeeded yet
    window: LimitWindow | None = None  # of a limit of the sender, login or domain that refuses
    key_reused: bool = False  # nothing was decided: the key was used for another request
    suppressed_by: str = ""  # why the recipient is on the suppression list
    held: bool = False  # allowed, to be kept by the mail server until the domain or login is released
    login_held: bool = False  # it is the login

    @property
    def word(self) -> str | None:
        """The reason as the vendor spells it."""
        if self.reason is None:
            return None
        return f"{self.reason.value}_soft" if self.soft else self.reason.value


class ProofBegun(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner of a domain is asked to publish."""

    token: str
    dkim_tokens: tuple[str, ...] = ()
    own: bool = False  # nothing of it was published before: whoever publishes it now has the domain


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was done to a domain, by whom or what, and on which evidence."""

    domain: str
    workspace: int
    at: int
    action: str  # created, removed, approved, suspended, warned, restored, limits_changed, verified, ...
    actor: str  # "guillotine", "key 7", "command line", ...
    evidence: str  # JSON: the counts, the rule, the notifications


# What decides one request: the domain and its counters in, the verdict and the counters after it out. Pure.
Judge = Callable[[Domain, Usage, SendRequest, int], tuple[Verdict, Usage]]


# What becomes of a domain whose counters have changed: before and after in; the domain and what to write down of it, or
# None where nothing does. Pure.
Watch = Callable[[Domain, Usage, Usage, int], tuple[Domain, AuditEntry] | None]


class FrozenUsage(msgspec.Struct, frozen=True, kw_only=True):
    """A domain's month as it is billed."""

    name: str
    partner: str | None  # the workspace's name; None when the domain belongs to nobody in particular
    sent_month: int
    monthly_limit: int
    bounces: int
    complaints: int
    bounce_rate: float
    complaint_rate: float
    workspace: int = 0  # whose it was; names may change


class BillingPeriod(msgspec.Struct, frozen=True, kw_only=True):
    """One freeze, kept for ever."""

    id: int
    frozen_at: int
    idempotency_key: str | None
    domains: tuple[FrozenUsage, ...]


class MinuteOfDecisions(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What was asked of a domain within one minute, for replaying under other limits."""

    domain: str
    minute: int  # start, milliseconds since the epoch
    asked: int  # units asked for, whatever the answer
    allowed: int


class HeldDomain(msgspec.Struct, frozen=True, kw_only=True):
    """A domain with its counters, as it is stored or is to be stored."""

    domain: Domain
    usage: Usage = Usage()


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """What is to become of all domains of one name. Those that are not named stay as they are."""

    kept: tuple[HeldDomain, ...] = ()  # as they are to be; an id of 0: a new one
    dropped: tuple[int, ...] = ()  # ids
    entries: tuple[AuditEntry, ...] = ()


Revise = Callable[[Sequence[HeldDomain]], Revision]


def leading(found: Iterable[Domain]) -> Domain | None:
    """Which domain is meant by a name alone: the approved one, else the one that was claimed first.

    A claim that its workspace stopped comes last, so that nobody stops a name for others who claim it.
    """
    return min(found, key=lambda each: (not each.approved, each.stopped, each.id), default=None)


def there(held: Iterable[HeldDomain], workspace: int | None = None) -> list[Domain]:
    """Those that were not removed; with a workspace, its own."""
    return [
        each.domain for each in held if each.domain.removed_at is None and workspace in {None, each.domain.workspace}
    ]
