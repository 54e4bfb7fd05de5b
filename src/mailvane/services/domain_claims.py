"""Who holds the name of a domain: making one and removing one. Pure; what is to be kept of it is stored elsewhere.

A domain that was removed keeps its status, limits, counters and bill until its period is billed, so that nobody gets
rid of them by removing it: whoever makes it anew goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from mailvane.domain.outbound import AuditEntry, Domain, Usage
from mailvane.errors import AlreadyExists, NotAllowed, NotFound
from mailvane.storage.domains import HeldDomain, Revision

# The audit entry of something that was done to a domain, with its evidence.
Note = Callable[[Domain, str, dict[str, object]], AuditEntry]


def made(held: Sequence[HeldDomain], new: Domain, note: Note) -> Revision:
    """A new domain, or one that was removed and goes on. Raises AlreadyExists."""
    if not held:
        return Revision(kept=(HeldDomain(domain=new),), entries=(note(new, "created", {}),))
    (former,) = held
    if former.domain.removed_at is None:
        raise AlreadyExists(f"there is a domain {new.name} already")
    again = msgspec.structs.replace(former.domain, workspace=new.workspace, removed_at=None)
    evidence: dict[str, object] = {
        "removed_at": former.domain.removed_at,
        "status": former.domain.status,
        "sent_month": former.usage.sent_month,
    }
    entry = note(again, "created", evidence)
    return Revision(kept=(HeldDomain(domain=again, usage=former.usage),), entries=(entry,))


def removed(held: Sequence[HeldDomain], now: int, note: Note, *, stopped_too: bool) -> Revision:
    """The domain is there no more; what it owes or was forbidden is kept. Raises NotFound, NotAllowed.

    `stopped_too`: whoever may not lift a suspension may not remove a suspended domain either.
    """
    there = [each for each in held if each.domain.removed_at is None]
    if not there:
        raise NotFound
    (found,) = there
    if found.domain.stopped and not stopped_too:
        raise NotAllowed(f"{found.domain.name} is suspended, and whoever may not lift that may not remove it")
    usage = found.usage
    evidence: dict[str, object] = {
        "status": found.domain.status,
        "sent_month": usage.sent_month,
        "daily_limit": found.domain.daily_limit,
        "monthly_limit": found.domain.monthly_limit,
    }
    entry = note(found.domain, "removed", evidence)
    if _is_blank(found):
        return Revision(dropped=(found.domain.id,), entries=(entry,))
    gone = msgspec.structs.replace(found.domain, removed_at=now)
    return Revision(kept=(HeldDomain(domain=gone, usage=usage),), entries=(entry,))


def _is_blank(held: HeldDomain) -> bool:
    """As it was made: nothing was ever counted, and nobody set anything."""
    domain = held.domain
    fresh = Domain(id=domain.id, workspace=domain.workspace, name=domain.name, created_at=domain.created_at)
    keys = {field: getattr(held.usage, field) for field in ("day", "hour", "month")}
    return domain == fresh and held.usage == Usage(**keys)
