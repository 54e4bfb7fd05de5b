"""What the Emboux API looks like on the wire: objects, refusals, dates. The vendor's words stand here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec
from litestar import Response

from mailvane.core.errors import (
    AlreadyExists,
    InvalidInput,
    KeyDeactivated,
    KeyExpired,
    KeyMissing,
    NotAuthenticated,
    QuotaExceeded,
)
from mailvane.outbound.clients import ClientKey
from mailvane.outbound.model import BillingPeriod, Domain, FrozenUsage, Usage, Verification, WarmupProfile
from mailvane.outbound.verification import Challenge, Progress
from mailvane.web.dialect import JSON, Dialect, Refusal

WEBHOOK = "/webhooks/ses"
DOMAIN_NOT_FOUND = "Domain not found"
MASTER_REQUIRED = "Master token required"

# The first that fits. All are answered 403: the interface has no 401.
_KEY_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (KeyMissing, "Invalid authorization header format"),  # ours also when there is no header at all
    (KeyDeactivated, "API key is deactivated"),
    (KeyExpired, "API key has expired"),
    (NotAuthenticated, "Invalid API key"),
)


class Complaint(msgspec.Struct, frozen=True):
    """One thing that is wrong with the input."""

    loc: tuple[str, ...]
    msg: str
    type: str


class Unprocessable(InvalidInput):
    """The input is not accepted, and these are all the reasons."""

    def __init__(self, complaints: Iterable[Complaint]) -> None:
        self.complaints = tuple(complaints)
        super().__init__("; ".join(f"{'.'.join(each.loc)}: {each.msg}" for each in self.complaints))


def unprocessable(place: tuple[str, ...], message: str, kind: str = "value_error") -> Unprocessable:
    """One thing is wrong."""
    return Unprocessable([Complaint(place, message, kind)])


class Detail(msgspec.Struct, frozen=True):
    """A refusal: a sentence, or everything that is wrong with the input."""

    detail: str | tuple[Complaint, ...]


class NewDomain(msgspec.Struct, frozen=True):
    """A domain, as lists and creation show it."""

    id: int
    name: str
    created_at: str


class Owner(msgspec.Struct, frozen=True):
    """Whose domain it is now."""

    name: str
    partner_ref: str


class Lifecycle(msgspec.Struct, frozen=True):
    """Whether the whole domain is stopped."""

    name: str
    suspended: bool
    message: str


class Approval(msgspec.Struct, frozen=True):
    """The master said whose the domain is. # ours"""

    name: str
    approved: bool
    message: str


class Outbound(msgspec.Struct, frozen=True):
    """A domain's outbound configuration and metrics."""

    name: str
    outbound_tier: str
    outbound_status: str
    outbound_daily_limit: int
    outbound_monthly_limit: int
    outbound_sent_today: int
    outbound_sent_month: int
    outbound_enforcement: str
    bounce_count: int
    complaint_count: int
    bounce_rate: float
    complaint_rate: float
    ses_verified: bool
    warmup_profile: str | None  # ours: null where there is no warm-up; the vendor has no word for that
    spike_max_multiplier: float


class Increment(msgspec.Struct, frozen=True, gc=False):
    """The answer to one outgoing mail."""

    name: str
    outbound_sent_today: int
    outbound_sent_month: int
    allowed: bool
    reason: str | None


class DnsRecord(msgspec.Struct, frozen=True):
    """A record that the customer must publish."""

    type: str
    name: str
    value: str


class SesVerification(msgspec.Struct, frozen=True):
    """What begins a verification."""

    name: str
    ses_verification_token: str
    ses_dkim_tokens: list[str]
    ses_verified: bool
    dns_records: list[DnsRecord]


class SesStatus(msgspec.Struct, frozen=True):
    """How far a verification is."""

    name: str
    ses_verified: bool
    verification_status: str
    dkim_status: str


class DailyReset(msgspec.Struct, frozen=True):
    """How many domains were reset."""

    reset_count: int


class Frozen(msgspec.Struct, frozen=True):
    """A domain's month before it was reset."""

    name: str
    partner_ref: str | None
    outbound_sent_month: int
    outbound_monthly_limit: int
    bounce_count: int
    complaint_count: int
    bounce_rate: float
    complaint_rate: float


class MonthlyReset(msgspec.Struct, frozen=True):
    """The month of every domain, as it is billed."""

    frozen: list[Frozen]
    reset_count: int


class ApiKey(msgspec.Struct, frozen=True):
    """A customer's key and its terms."""

    id: int
    token: str
    partner_ref: str
    domains_allowed: int
    mailboxes_per_domain: int
    aliases_per_mailbox: int
    active: bool
    expires_at: str | None
    domains_used: int
    created_at: str
    last_used_at: str | None


class KeyUsage(msgspec.Struct, frozen=True):
    """What a customer has used of a key's terms. # ours: the vendor's answer is not published."""

    partner_ref: str
    since: str | None
    domains_allowed: int
    domains_used: int
    domains: list[NewDomain]  # made since then


class Taken(msgspec.Struct, frozen=True):
    """A notification was taken in."""

    status: str


def moment(at: int) -> str:
    """UTC without saying so, to the second: as the vendor writes times."""
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def optional_moment(at: int | None) -> str | None:
    return None if at is None else moment(at)


def new_domain(domain: Domain) -> NewDomain:
    return NewDomain(domain.id, domain.name, moment(domain.created_at))


def outbound(domain: Domain, usage: Usage) -> Outbound:
    figures = usage.figures  # ours: of a domain that was restored, what came after that
    return Outbound(
        name=domain.name,
        outbound_tier=domain.tier.value,
        outbound_status=domain.status.value,
        outbound_daily_limit=domain.daily_limit,
        outbound_monthly_limit=domain.monthly_limit,
        outbound_sent_today=usage.sent_today,
        outbound_sent_month=usage.sent_month,
        outbound_enforcement=domain.enforcement.value,
        bounce_count=figures.bounces,
        complaint_count=figures.complaints,
        bounce_rate=figures.bounce_rate,
        complaint_rate=figures.complaint_rate,
        ses_verified=domain.verification is Verification.VERIFIED,
        warmup_profile=None if domain.warmup_profile is WarmupProfile.OFF else domain.warmup_profile.value,
        spike_max_multiplier=domain.spike_max_multiplier,
    )


def ses_verification(name: str, challenge: Challenge) -> SesVerification:
    records = [DnsRecord(each.type, each.name, each.value) for each in challenge.records]
    return SesVerification(name, challenge.token, list(challenge.dkim_tokens), ses_verified=False, dns_records=records)


def ses_status(domain: Domain, progress: Progress) -> SesStatus:
    verified = domain.verification is Verification.VERIFIED
    return SesStatus(domain.name, verified, progress.identity.value, progress.dkim.value)


def monthly_reset(period: BillingPeriod) -> MonthlyReset:
    # A domain that changed hands within the month is frozen for each owner, and was reset once.
    return MonthlyReset([_frozen(each) for each in period.domains], len({each.name for each in period.domains}))


def _frozen(usage: FrozenUsage) -> Frozen:
    return Frozen(
        name=usage.name,
        partner_ref=usage.partner,
        outbound_sent_month=usage.sent_month,
        outbound_monthly_limit=usage.monthly_limit,
        bounce_count=usage.bounces,
        complaint_count=usage.complaints,
        bounce_rate=usage.bounce_rate,
        complaint_rate=usage.complaint_rate,
    )


def api_key(client: ClientKey, token: str, partner: str, domains_used: int) -> ApiKey:
    return ApiKey(
        id=client.id,
        token=token,
        partner_ref=partner,
        domains_allowed=client.terms.domains_allowed,
        mailboxes_per_domain=client.terms.mailboxes_per_domain,
        aliases_per_mailbox=client.terms.aliases_per_mailbox,
        active=client.terms.active,
        expires_at=optional_moment(client.terms.expires_at),
        domains_used=domains_used,
        created_at=moment(client.created_at),
        last_used_at=optional_moment(client.last_used_at),
    )


def _render(refusal: Refusal) -> Response[bytes]:
    status, detail = _worded(refusal)
    content = msgspec.json.encode(Detail(detail))
    return Response(content, status_code=status, media_type=JSON, headers=dict(refusal.headers))


def _worded(refusal: Refusal) -> tuple[int, str | tuple[Complaint, ...]]:
    cause = refusal.cause
    if isinstance(cause, NotAuthenticated):
        return 403, next(words for kind, words in _KEY_WORDS if isinstance(cause, kind))
    if isinstance(cause, QuotaExceeded):
        return 403, f"Domain quota exceeded: {cause.used}/{cause.allowed}"
    if isinstance(cause, AlreadyExists):
        return 400, refusal.message
    if isinstance(cause, Unprocessable):
        return 422, cause.complaints
    if isinstance(cause, InvalidInput):
        return 422, (Complaint(("body",), refusal.message, "value_error"),)
    return refusal.status, refusal.message


DIALECT = Dialect(
    name="emboux",
    render=_render,
    prefixes=("/domains", "/outbound", "/api-keys"),
    open_paths=frozenset({WEBHOOK}),
    refusals=frozenset({400, 403, 404, 422, 500, 503}),
    refused=Detail,
)
