"""The bodies of the Emboux API: read field by field, so that one answer lists everything that is wrong.

A struct here is both the reader and what the OpenAPI document says. Unknown fields are ignored; a field that is null
counts as left out, except where null means something.

# ours: the vendor does not say how it refuses input; the form is that of the framework its pages look like.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from mailvane.core.decoding import prepared
from mailvane.core.errors import InvalidInput
from mailvane.outbound.emboux.shape import Complaint, Unprocessable, unprocessable
from mailvane.outbound.model import Enforcement, OutboundStatus, Tier, WarmupProfile
from mailvane.web.json_body import NotJson, read_json

_MOST = 2**31 - 1  # ours
_Count = Annotated[int, Meta(ge=0, le=_MOST)]
_Text = Annotated[str, Meta(min_length=1, max_length=255)]
_LATEST = 253_402_300_799_000  # the end of the year 9999


class DomainCreation(msgspec.Struct, frozen=True, kw_only=True):
    """A new domain. `partner_ref` is the master's to say, and ignored from others."""

    name: _Text
    partner_ref: str | UnsetType = UNSET


class DomainOwner(msgspec.Struct, frozen=True, kw_only=True):
    """Whose domain it shall be."""

    partner_ref: _Text


class DomainApproval(msgspec.Struct, frozen=True, kw_only=True):
    """Which partner's claim is approved, where several claim the domain. # ours"""

    partner_ref: _Text | UnsetType = UNSET


class OutboundChange(msgspec.Struct, frozen=True, kw_only=True):
    """Every field is optional; what is left out stays."""

    outbound_daily_limit: _Count | UnsetType = UNSET
    outbound_monthly_limit: _Count | UnsetType = UNSET
    outbound_tier: Tier | UnsetType = UNSET
    outbound_enforcement: Enforcement | UnsetType = UNSET
    outbound_status: OutboundStatus | UnsetType = UNSET
    warmup_profile: WarmupProfile | UnsetType = UNSET  # ours: `off`, too
    spike_max_multiplier: Annotated[float, Meta(ge=0, le=1_000_000)] | UnsetType = UNSET
    outbound_hourly_fraction: Annotated[float, Meta(ge=0, le=1)] | UnsetType = UNSET  # ours: a setting of the vendor's


class KeyTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Every field is optional; what is left out stays. `expires_at` null removes it."""

    domains_allowed: _Count | UnsetType = UNSET
    mailboxes_per_domain: _Count | UnsetType = UNSET
    aliases_per_mailbox: _Count | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    expires_at: str | UnsetType | None = UNSET


class KeyCreation(KeyTerms, frozen=True, kw_only=True):
    """A new customer's key. The caller chooses the token."""

    token: str
    partner_ref: _Text


def read(model: type[msgspec.Struct], body: bytes) -> dict[str, Any]:
    """The fields of the model that the body names, converted. Raises Unprocessable with everything that is wrong."""
    try:
        given = read_json(object, body)
    except NotJson:
        raise unprocessable(("body",), "JSON decode error", "json_invalid") from None
    if not isinstance(given, dict):
        raise unprocessable(("body",), "expected an object")
    found: dict[str, Any] = {}
    complaints = []
    for field in msgspec.structs.fields(model):
        name = field.name
        if given.get(name) is None and not (name in given and (type(None) in getattr(field.type, "__args__", ()))):
            if field.required:
                complaints.append(Complaint(("body", name), "Field required", "missing"))
            continue
        try:
            found[name] = _converted(given[name], field.type)
        except InvalidInput as error:
            complaints.append(Complaint(("body", name), error.message, "value_error"))
    if complaints:
        raise Unprocessable(complaints)
    return found


def read_terms(model: type[KeyTerms], body: bytes) -> dict[str, Any]:
    """Like `read`, with the expiry as milliseconds since the epoch."""
    found = read(model, body)
    if found.get("expires_at") is not None:
        found["expires_at"] = read_moment(found["expires_at"], "body", "expires_at")
    return found


def read_moment(text: str, *place: str) -> int:
    """An ISO 8601 time; without a zone it is UTC. Raises Unprocessable."""
    try:
        read = datetime.fromisoformat(text.strip())
        at = int((read if read.tzinfo is not None else read.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        at = -1
    if not 0 <= at <= _LATEST:
        raise unprocessable(place, "expected a time such as 2026-12-31T23:59:59")
    return at


def _converted(value: Any, expected: Any) -> Any:
    if isinstance(value, bool) and expected != bool | UnsetType:
        raise InvalidInput("expected another type than a truth value")
    try:
        return msgspec.convert(value, prepared(expected), strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(str(error)) from None
