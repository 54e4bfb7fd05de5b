"""What the Cleanbox API looks like on the wire: objects, lists, refusals, dates. The vendor's words stand here.

The vendor publishes `usage` and `limits` of the team, `data` and `total_pages` of lists, `email`, `email_count` and
`state` of contacts, and `error.message`. # ours: the other fields, in the same style.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

import msgspec
from litestar import Response

from mailvane.core.errors import InvalidFields
from mailvane.core.moments import iso_text
from mailvane.core.tenants.model import KeyKind
from mailvane.inbound.model import Address, Contact, ContactState, InboundDomain, Message, MessageStatus
from mailvane.web.dialect import JSON, Dialect, Refusal
from mailvane.web.json_body import InvalidBody

PREFIX = "/v1"
_TEAMS = UUID("6d61696c-7661-4e65-8000-7465616d7300")  # ours: any that no other program takes

_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    413: "too_large",
    422: "validation_failed",
    429: "rate_limited",
}


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a request was not served; `fields` names what is wrong with the input."""

    code: str
    message: str
    fields: Mapping[str, str] | None = None


class Failure(msgspec.Struct, frozen=True):
    """A refusal."""

    error: Fault


class Listing(msgspec.Struct, frozen=True):
    """A page of a list, counted from 1. `total_pages` is 0 when nothing matches."""

    data: Sequence[Any]
    page: int
    per_page: int
    total: int
    total_pages: int


class HeldListing(Listing, frozen=True):
    """As any list; an empty one says why nothing can be held, where mail does not come in through the gateway."""

    why_nothing_is_held: str | msgspec.UnsetType = msgspec.UNSET


class WeeklyUsage(msgspec.Struct, frozen=True):
    """Mails taken in since the week began. A limit of 0 is none."""

    weekly_used: int
    weekly_limit: int
    week_started_at: str


class Limit(msgspec.Struct, frozen=True):
    """How many there are, and how many there may be; 0 is no limit."""

    used: int
    limit: int


class TeamLimits(msgspec.Struct, frozen=True):
    aliases: Limit
    mailboxes: Limit
    domains: Limit


class Team(msgspec.Struct, frozen=True):
    """A workspace."""

    uuid: str
    name: str
    usage: WeeklyUsage
    limits: TeamLimits


class PlanPrice(msgspec.Struct, frozen=True):
    amount: int
    currency: str
    interval: str


class Specifications(msgspec.Struct, frozen=True):
    weekly_limit: int
    aliases: int
    mailboxes: int
    domains: int
    retention_days: int
    cloud_bytes: int


class Subscription(msgspec.Struct, frozen=True):
    """What the team may use: one plan, without a price, on a server of one's own."""

    plan: str
    status: str
    price: PlanPrice
    specifications: Specifications


class ContactOfMessage(msgspec.Struct, frozen=True):
    uuid: str | None
    email: str
    state: str


class MessageObject(msgspec.Struct, frozen=True, kw_only=True):
    """One mail to one address."""

    uuid: str
    status: str
    from_: str = msgspec.field(name="from")
    from_name: str
    subject: str
    address: str
    contact: ContactOfMessage
    spam_score: float | None  # null: not scored
    size: int
    received_at: str
    delivered_at: str | None
    error: str | None


class QuarantineObject(MessageObject, frozen=True, kw_only=True):
    """A mail that is held for a decision."""

    reason: str
    symbols: Sequence[str]
    expires_at: str | None


class ContactObject(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who writes."""

    uuid: str
    email: str
    name: str
    state: str
    category: str | None
    email_count: int
    first_seen_at: str | None
    last_seen_at: str | None
    subscriptions: Sequence[Any] = ()


class AddressObject(msgspec.Struct, frozen=True, kw_only=True):
    """An address that mail may be sent to."""

    uuid: str
    type: str
    email: str
    label: str
    active: bool
    mailbox: str | None  # uuid of the mailbox that an alias leads to
    quarantine_threshold: float | None
    reject_threshold: float | None
    weekly_limit: int
    created_at: str


class InboundDomainObject(msgspec.Struct, frozen=True):
    uuid: str
    name: str
    verified: bool
    active: bool


class RelayObject(msgspec.Struct, frozen=True):
    """A domain whose mail is passed on to a server, and its addresses."""

    domain: str
    active: bool
    host: str
    port: int
    addresses: Sequence[str]


class Cloud(msgspec.Struct, frozen=True):
    """Room taken by the content of mails that is kept. A limit of 0 is none."""

    used_bytes: int
    limit_bytes: int


class Settled(msgspec.Struct, frozen=True):
    """An item that was decided, and what became of it."""

    uuid: str
    status: str


class Unsettled(msgspec.Struct, frozen=True):
    """An item that could not be decided: `not_found`, `not_quarantined`, `expired` or `delivery_failed`."""

    uuid: str
    code: str
    message: str


class Accepted(msgspec.Struct, frozen=True):
    accepted: int
    data: Sequence[Settled]
    failed: Sequence[Unsettled]


class Rejected(msgspec.Struct, frozen=True):
    rejected: int
    data: Sequence[Settled]
    failed: Sequence[Unsettled]


date = iso_text


def optional_date(ms: int) -> str | None:
    """0 is not known."""
    return date(ms) if ms else None


def team_id(workspace: int) -> str:
    """A UUID that stays the same: of the workspace's number."""
    return str(uuid5(_TEAMS, str(workspace)))


def message(found: Message, contact: Contact | None) -> MessageObject:
    return MessageObject(**_message(found, contact))


def quarantined(found: Message, contact: Contact | None) -> QuarantineObject:
    symbols = [str(each.get("name", "")) for each in msgspec.json.decode(found.symbols, type=list[dict[str, Any]])]
    return QuarantineObject(
        **_message(found, contact),
        reason=found.reason,
        symbols=symbols,
        expires_at=optional_date(found.expires_at or 0),
    )


def _message(found: Message, contact: Contact | None) -> dict[str, Any]:
    email = found.from_address or found.sender
    known = ContactOfMessage(contact.id, contact.email, contact.state.value) if contact else None
    has_failed = found.status in {MessageStatus.FAILED, MessageStatus.BOUNCED, MessageStatus.PENDING}
    return {
        "uuid": found.id,
        "status": found.status.value,
        "from_": email,
        "from_name": found.from_name,
        "subject": found.subject,
        "address": found.recipient,
        "contact": known or ContactOfMessage(None, email, ContactState.UNSET.value),
        "spam_score": found.score,
        "size": found.size,
        "received_at": date(found.received_at),
        "delivered_at": optional_date(found.delivered_at),
        "error": (found.reply or found.reason or None) if has_failed else None,
    }


def contact(found: Contact) -> ContactObject:
    return ContactObject(
        uuid=found.id,
        email=found.email,
        name=found.name,
        state=found.state.value,
        category=found.category or None,
        email_count=found.email_count,
        first_seen_at=optional_date(found.first_seen_at),
        last_seen_at=optional_date(found.last_seen_at),
    )


def address(found: Address) -> AddressObject:
    return AddressObject(
        uuid=found.id,
        type=found.type.value,
        email=found.address,
        label=found.label,
        active=found.active,
        mailbox=found.mailbox,
        quarantine_threshold=found.quarantine_at,
        reject_threshold=found.reject_at,
        weekly_limit=found.weekly_limit,
        created_at=date(found.created_at),
    )


def domain(found: InboundDomain) -> InboundDomainObject:
    return InboundDomainObject(found.id, found.name, found.verified, found.active)


def relay(found: InboundDomain, addresses: Sequence[str]) -> RelayObject:
    return RelayObject(found.name, found.active, found.hop.host, found.hop.port, addresses)


def page(rows: Sequence[Any], number: int, per_page: int, total: int) -> Listing:
    return Listing(rows, number, per_page, total, -(-total // per_page))


def held_page(rows: Sequence[Any], number: int, per_page: int, total: int, why_nothing: str) -> HeldListing:
    return HeldListing(rows, number, per_page, total, -(-total // per_page), why_nothing or msgspec.UNSET)


def render(refusal: Refusal) -> Response[bytes]:
    status, cause = refusal.status, refusal.cause
    fields = None
    if isinstance(cause, InvalidFields):
        status, fields = 422, dict(cause.fields)
    elif isinstance(cause, InvalidBody):
        status, fields = 422, {cause.field: cause.complaint} if cause.field else None
    code = _CODES.get(status, "server_error" if status >= 500 else "bad_request")
    content = msgspec.json.encode(Failure(Fault(code, refusal.message, fields)))
    return Response(content, status_code=status, media_type=JSON, headers=dict(refusal.headers))


DIALECT = Dialect(
    name="cleanbox",
    render=render,
    prefixes=tuple(
        f"{PREFIX}/{path}"
        for path in ("team", "quarantine", "messages", "contacts", "addresses", "domains", "relay", "cloud")
    ),
    kinds=frozenset({KeyKind.WORKSPACE, KeyKind.PLATFORM, KeyKind.MASTER}),
    refusals=frozenset({400, 401, 403, 404, 422, 500, 503}),
    refused=Failure,
)
