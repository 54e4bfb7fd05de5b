"""What may be said of a sending domain: the form of its name, and which fields may be set to what. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from mailvane.core.decoding import prepared
from mailvane.core.errors import ChangedMeanwhile, InvalidInput
from mailvane.core.setting_tables import plain
from mailvane.outbound.admission.charging import restored
from mailvane.outbound.admission.counters import today
from mailvane.outbound.model import (
    Counting,
    Domain,
    Enforcement,
    Guillotine,
    HeldDomain,
    OutboundStatus,
    Revise,
    Revision,
    Tier,
    Verification,
    WarmupProfile,
)


class Author(NamedTuple):
    """Who changes a domain, when, of which workspace, and what has to hold of it under the lock."""

    name: str
    now: int
    workspace: int | None = None
    expects: Callable[[Domain], bool] | None = None  # None: whatever it is by now


_Limit = Annotated[int, Meta(ge=0, le=10**15)]


class _Changes(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The fields of a domain that may be set, and to what."""

    workspace: Annotated[int, Meta(ge=1, lt=2**31)] | UnsetType = UNSET
    tier: Tier | UnsetType = UNSET
    status: OutboundStatus | UnsetType = UNSET
    enforcement: Enforcement | UnsetType = UNSET
    daily_limit: _Limit | UnsetType = UNSET
    monthly_limit: _Limit | UnsetType = UNSET
    hourly_fraction: Annotated[float, Meta(ge=0, le=1)] | UnsetType = UNSET
    warmup_profile: WarmupProfile | UnsetType = UNSET
    spike_max_multiplier: Annotated[float, Meta(ge=0, le=1_000_000)] | UnsetType = UNSET
    counting: Counting | UnsetType = UNSET
    verification: Verification | UnsetType = UNSET
    closed: bool | UnsetType = UNSET
    approved: bool | UnsetType = UNSET
    guillotine: Guillotine | UnsetType | None = UNSET


_ACTIONS = {
    "closed": ("reopened", "closed"),
    "workspace": ("moved", "moved"),
    "status": ("restored", "suspended"),
    "approved": ("approval_withdrawn", "approved"),
    "verification": ("verification_set", "verification_set"),
}


def read_changes(changes: Mapping[str, object]) -> dict[str, Any]:
    """The changes with their values checked. Raises InvalidInput."""
    try:
        given = {name: msgspec.to_builtins(value) for name, value in changes.items()}
        read = msgspec.convert(given, prepared(_Changes))
    except (msgspec.ValidationError, TypeError) as error:
        raise InvalidInput(plain(error, _Changes)) from None
    if read.verification is Verification.PENDING:
        raise InvalidInput("a proof is begun, not set: `verification` is none or verified")
    return {name: getattr(read, name) for name in given}


def changed(domain: Domain, given: Mapping[str, Any], expects: Callable[[Domain], bool] | None = None) -> Domain:
    """Raises ChangedMeanwhile."""
    if expects is not None and not expects(domain):
        raise ChangedMeanwhile
    return msgspec.structs.replace(domain, **given)


def expecting(
    held: Sequence[HeldDomain], revise: Revise, workspace: int, expects: Callable[[Domain], bool] | None
) -> Revision:
    """A revision of one that is what somebody has seen of it. Raises ChangedMeanwhile."""
    meant = [each.domain for each in held if each.domain.workspace == workspace and each.domain.removed_at is None]
    if expects is not None and not all(map(expects, meant)):
        raise ChangedMeanwhile
    return revise(held)


def with_probation(domain: Domain, usual: Guillotine, daily: int) -> Guillotine | None:
    """Its rule, by which so many mails a day pass while it is suspended. None: that is the installation's, `usual`."""
    rule = msgspec.structs.replace(domain.guillotine or usual, probation_daily=daily)
    return None if rule == usual else rule


def counting_anew(held: Sequence[HeldDomain], revise: Revise, now: int) -> Revision:
    """Where a revision of one domain lets it send again, its rates begin anew: the next bounce is not its end.

    What they were made of until then goes into the audit, with its first entry.
    """
    revision = revise(held)
    stopped = {each.domain.id for each in held if each.domain.status is OutboundStatus.SUSPENDED}
    (kept,), (entry, *others) = revision.kept, revision.entries
    if kept.domain.id not in stopped or kept.domain.status is not OutboundStatus.ACTIVE:
        return revision
    evidence = msgspec.json.decode(entry.evidence)
    evidence |= {"counted_until_now": today(kept.usage, now).figures, "counted_anew_from": now}
    entry = msgspec.structs.replace(entry, evidence=msgspec.json.encode(evidence).decode())
    anew = msgspec.structs.replace(kept, usage=restored(kept.usage, now))
    return msgspec.structs.replace(revision, kept=(anew,), entries=(entry, *others))


def action_of(differing: Sequence[str], new: Domain) -> str:
    """The word for a change: that of its most telling field."""
    for field, (off, on) in _ACTIONS.items():
        if field in differing:
            return on if getattr(new, field) in (True, OutboundStatus.SUSPENDED) else off
    return "limits_changed"
