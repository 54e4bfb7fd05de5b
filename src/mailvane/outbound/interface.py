"""The ledger's third role: sending domains, their counters, and every decision on a mail. A protocol, like `interface`.

Apart from it only because it has a life of its own; the layers above see it the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from mailvane.outbound.model import AuditEntry, Domain, SendRequest, Usage, Verdict

# What decides one passage: the domain and its counters in, the verdict and the counters after it out. Pure.
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


class Domains(Protocol):
    """Every change is one durable transaction; parallel callers, also in other processes, agree."""

    def domains(self, workspace: int | None = None, removed: bool = False) -> list[Domain]:
        """The domains of a workspace, or all; the newest first. `removed`: also those that were."""

    def domains_made_since(self, workspace: int, since: int) -> list[Domain]:
        """Those of a workspace that were created then or later; the newest first."""

    def domain_count(self, workspace: int) -> int:
        """How many a workspace has, without those that were removed."""

    def domain(self, name: str, workspace: int | None = None) -> Domain | None:
        """What a workspace has of that name; without one, the approved one, else what was claimed first."""

    def approved_domain(self, name: str) -> Domain | None:
        """The one that holds for mail servers and feedback, also one that was removed, as long as it is kept."""

    def change_domain(
        self, name: str, change: Callable[[Domain], Domain], entry: AuditEntry | None, workspace: int | None = None
    ) -> Domain:
        """Read, change and write what `domain` finds, under a lock, with the audit entry. Raises NotFound."""

    def revise(self, name: str, revise: Revise) -> tuple[Domain, ...]:
        """Hand what there is of a name to a pure function, under a lock, and do what it says; the domains it keeps.

        Removed ones are there, too. What a domain has sent and no freeze has billed stays owed by its workspace when
        it is dropped or goes to another one. Raises NotFound for a workspace that is not there.
        """

    def usage(self, domains: Sequence[int]) -> Mapping[int, Usage]:
        """The counters as stored, by id: whoever reads them brings them to today."""

    def decide(
        self, passages: Sequence[SendRequest], now: int, judge: Judge, watch: Watch | None = None
    ) -> list[Verdict]:
        """Judge them one after the other in one transaction and keep the counters; the answers in the same order.

        A passage whose instance was answered before gets that answer again and is not counted again. Decisions are
        added to the minutes that `decisions` reads. A domain that is not of the workspace that the passage names is
        not known. Mail servers know the approved one of a name, others none that was removed. What `watch` says of a
        domain holds for the passages after that one.
        """

    def audit(self, name: str, limit: int, workspace: int | None = None) -> list[AuditEntry]:
        """What was done to a domain, as long as it was of that workspace if one is named; the newest first."""


class Periods(Protocol):
    """Feedback, resets and billing."""

    def feedback(
        self,
        name: str,
        message: str,
        change: Callable[[Domain, Usage], tuple[Domain, Usage, AuditEntry | None]],
        now: int,
    ) -> bool:
        """Apply a bounce or complaint to an approved domain and its counters, once per message id.

        False when that message was applied before, or the domain is not known.
        """

    def reset_day(self, renew: Callable[[Usage], Usage]) -> int:
        """Renew every domain's counters; how many domains there are, without those that were removed."""

    def close_month(self, now: int, key: str | None, renew: Callable[[Usage], Usage]) -> BillingPeriod:
        """Freeze what every domain counted since the last freeze, then renew the counters, in one transaction.

        Domains that were removed are billed a last time and forgotten. With an idempotency key that was used before,
        the stored period comes back and nothing changes.
        """

    def periods(self, limit: int) -> list[BillingPeriod]:
        """The newest first."""

    def decisions(self, domain: int, since: int, until: int) -> list[MinuteOfDecisions]:
        """What was asked of a domain, minute by minute, oldest first."""


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
