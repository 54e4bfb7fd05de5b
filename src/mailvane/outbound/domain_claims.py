"""Who holds the name of a domain: making one, removing, approving, proving and moving it. Pure.

Of a name there is one approved domain at most: mail servers and feedback know that one. Before there is one, and beside
one that was removed, any workspace may claim the name. A claim holds for its own workspace only, and gives way to the
domain that is approved, by the master or by a proof.

A domain that was removed keeps its status, limits, counters and bill until its period is billed, so that nobody gets
rid of them by removing it: whoever makes it anew goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from mailvane.core.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound
from mailvane.outbound.model import (
    AuditEntry,
    Domain,
    HeldDomain,
    OutboundStatus,
    Revision,
    Usage,
    Verification,
    leading,
    there,
)

# The audit entry of something that was done to a domain, with its evidence.
Note = Callable[[Domain, str, Mapping[str, object]], AuditEntry]

DISPLACED = "displaced"  # the action of a claim that gave way


def made(held: Sequence[HeldDomain], new: Domain, note: Note) -> Revision:
    """A new domain, approved or a claim, or one that was removed and goes on. Raises AlreadyExists."""
    if any(domain.approved or domain.workspace == new.workspace for domain in there(held)):
        raise AlreadyExists(f"there is a domain {new.name} already")
    former = _former(held, new.workspace)
    if former is None:
        again = HeldDomain(domain=new)
    elif new.approved or former.domain.workspace == new.workspace:
        again = _going_on(former, new)
    else:
        again = _inheriting(former, new)
    evidence = {"approved": again.domain.approved} | ({} if former is None else _figures(former))
    entry = note(again.domain, "created", evidence)
    gone = held if new.approved else [each for each in held if each.domain.workspace == new.workspace]
    return _revision(again, gone, note, entry)


def removed(held: Sequence[HeldDomain], workspace: int | None, now: int, note: Note, *, stopped_too: bool) -> Revision:
    """The domain is removed; its unbilled usage and its suspension are kept. Raises NotFound, NotAllowed.

    `stopped_too`: whoever may not lift a suspension may not remove a suspended domain either.
    """
    found = _found(held, workspace)
    domain, usage = found.domain, found.usage
    if domain.stopped and not stopped_too:
        raise NotAllowed(f"{domain.name} is suspended, and whoever may not lift that may not remove it")
    entry = note(domain, "removed", _figures(found))
    if domain == _as_made(domain) and usage == Usage(day=usage.day, hour=usage.hour, month=usage.month):
        return Revision(dropped=(domain.id,), entries=(entry,))
    gone = msgspec.structs.replace(domain, removed_at=now)
    return Revision(kept=(HeldDomain(domain=gone, usage=usage),), entries=(entry,))


def altered(
    held: Sequence[HeldDomain], workspace: int, given: Mapping[str, Any], note: Note, entry: AuditEntry
) -> Revision:
    """Changes that say whose domain it is: another workspace, which approves it too, or the approval.

    Raises NotFound, AlreadyExists.
    """
    found = _found(held, workspace)
    new = msgspec.structs.replace(found.domain, **{"approved": True, **given})
    if not new.approved:
        return Revision(kept=(HeldDomain(domain=new, usage=found.usage),), entries=(entry,))
    return _approving(held, found, new, note, entry)


def rewritten(held: Sequence[HeldDomain], workspace: int, given: Mapping[str, Any], entry: AuditEntry) -> Revision:
    """Any other change. Raises NotFound."""
    found = _found(held, workspace)
    new = msgspec.structs.replace(found.domain, **given)
    return Revision(kept=(HeldDomain(domain=new, usage=found.usage),), entries=(entry,))


def proven(held: Sequence[HeldDomain], workspace: int, note: Note) -> Revision:
    """The proof succeeded, which approves a claim if it is the workspace's own proof. Raises NotFound."""
    found = _found(held, workspace)
    new = msgspec.structs.replace(found.domain, verification=Verification.VERIFIED)
    entries = () if found.domain.verification is Verification.VERIFIED else (note(new, "verified", {}),)
    if not _proves(held, found.domain):
        return Revision(kept=(HeldDomain(domain=new, usage=found.usage),), entries=entries)
    entry = note(new, "approved", {"approved": [False, True], "token": new.verification_token})
    revision = _approving(held, found, msgspec.structs.replace(new, approved=True), note, entry)
    return msgspec.structs.replace(revision, entries=(*entries, *revision.entries))


def approved(held: Sequence[HeldDomain], workspace: int | None, note: Note) -> Revision:
    """The master says that it is that workspace's. Raises NotFound, AlreadyExists; InvalidInput when several claim it.

    Without a workspace it is the one that claims it.
    """
    found = _found(held, workspace)
    if found.domain.approved:
        return Revision(kept=(found,))
    claims = there(held, workspace)
    if len(claims) > 1:
        raise InvalidInput(f"{len(claims)} workspaces claim {found.domain.name}: say which of them is to have it")
    entry = note(found.domain, "approved", {"approved": [False, True]})
    return _approving(held, found, msgspec.structs.replace(found.domain, approved=True), note, entry)


def _approving(held: Sequence[HeldDomain], found: HeldDomain, new: Domain, note: Note, entry: AuditEntry) -> Revision:
    """It is the domain of that name from now on, and what else there is of the name gives way."""
    former = next((each.domain for each in held if each.domain.approved), None)
    if former is not None and former is not found.domain:
        if former.removed_at is None:
            raise AlreadyExists(f"{new.name} is another workspace's domain")
        # Late bounces may have stopped the former domain after it was removed.
        status = OutboundStatus.SUSPENDED if former.status is OutboundStatus.SUSPENDED else new.status
        new = msgspec.structs.replace(new, closed=new.closed or former.closed, status=status)
    gone = held if not found.domain.approved else [each for each in held if each.domain.workspace == new.workspace]
    return _revision(HeldDomain(domain=new, usage=found.usage), gone, note, entry)


def _revision(kept: HeldDomain, gone: Iterable[HeldDomain], note: Note, entry: AuditEntry) -> Revision:
    """One is kept and others are dropped; the audit of a claim that was there says so."""
    dropped = [each.domain for each in gone if each.domain.id != kept.domain.id]
    displaced = [note(each, DISPLACED, {}) for each in dropped if each.removed_at is None]
    return Revision(kept=(kept,), dropped=tuple(each.id for each in dropped), entries=(entry, *displaced))


def _found(held: Sequence[HeldDomain], workspace: int | None) -> HeldDomain:
    domain = leading(there(held, workspace))
    if domain is None:
        raise NotFound("there is no such domain")
    return next(each for each in held if each.domain is domain)


def _former(held: Sequence[HeldDomain], workspace: int) -> HeldDomain | None:
    """The removed one that a new one goes on from.

    Of a mere claim of others only what somebody else than they can have set is taken over, so that nobody spoils a
    name for its owner by claiming it, counting mail and leaving it.
    """
    gone = [each for each in held if each.domain.removed_at is not None]
    standing = [each for each in gone if each.domain.approved]
    own = [each for each in gone if each.domain.workspace == workspace]
    # Those of which anything but the proof was set.
    ruled = [each for each in reversed(gone) if _without_proof(each.domain) != _as_made(each.domain)]
    return next(iter((*standing, *own, *ruled)), None)


def _going_on(former: HeldDomain, new: Domain) -> HeldDomain:
    again = msgspec.structs.replace(
        former.domain,
        workspace=new.workspace,
        removed_at=None,
        approved=former.domain.approved or new.approved,
    )
    return HeldDomain(domain=again, usage=former.usage)


def _inheriting(former: HeldDomain, new: Domain) -> HeldDomain:
    """A claim beside a domain that was removed: it is ruled as that was, and owes nothing of what that sent."""
    pending = former.domain.approved and former.domain.verification is Verification.PENDING
    domain = msgspec.structs.replace(
        _without_proof(former.domain),
        id=new.id,
        workspace=new.workspace,
        created_at=new.created_at,
        removed_at=None,
        approved=new.approved,
        verification=Verification.PENDING if pending else Verification.NONE,
    )
    return HeldDomain(domain=domain, usage=former.usage.billed_elsewhere())


def _proves(held: Sequence[HeldDomain], domain: Domain) -> bool:
    """Whether the proof tells whose the domain is: not where two wait for the same records, or somebody has it."""
    if domain.approved or not domain.own_proof:
        return False
    others = [each for each in there(held) if each.workspace != domain.workspace]
    return not any(each.approved or each.verification_token == domain.verification_token for each in others)


def _without_proof(domain: Domain) -> Domain:
    return msgspec.structs.replace(
        domain, verification=Verification.NONE, verification_token="", dkim_tokens=(), own_proof=False
    )


def _as_made(domain: Domain) -> Domain:
    return Domain(
        id=domain.id,
        workspace=domain.workspace,
        name=domain.name,
        created_at=domain.created_at,
        removed_at=domain.removed_at,
        approved=domain.approved,
    )


def _figures(held: HeldDomain) -> dict[str, object]:
    domain, usage = held.domain, held.usage
    return {
        "status": domain.status,
        "daily_limit": domain.daily_limit,
        "monthly_limit": domain.monthly_limit,
        "sent_month": usage.sent_month,
    }
