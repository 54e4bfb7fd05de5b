"""How the mail of mailboxes fares: questions to the mail log, and their answers by mailbox, day and campaign.

Figures are of cohorts: a mail counts on the day (UTC) on which it was accepted, whenever it was opened or answered.
So a day's opens never exceed its mails, and days add up to the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from mailvane.core.errors import InvalidInput, NotFound
from mailvane.core.moments import DAY_MS
from mailvane.mailboxes.model import Mailbox, MailboxRule, campaign_id
from mailvane.maillog.ever import Ever
from mailvane.maillog.interface import EngagementLog
from mailvane.maillog.model import EngagementCount
from mailvane.maillog.queries import EngagementCounts, EngagementQuestion, ReceivedQuestion
from mailvane.maillog.ranking import RankingQuestion, SenderRanking

KINDS = (
    "delivered", "bounced", "opened", "opened_raw", "clicked", "clicked_raw", "replied", "auto_replied", "positive",
    "unsubscribed", "complained",
)  # fmt: skip
ACTIVE_DAYS = 30  # ours: a campaign is active for so long after its last mail
NOTHING = EngagementCounts()
_NEVER = Ever()
_SUMMED = tuple(
    field.name for field in msgspec.structs.fields(EngagementCounts) if field.name not in
    {"sender", "day", "campaign", "sequence", "step", "first_at", "last_at", "ever"}
)  # fmt: skip


class Window(msgspec.Struct, frozen=True):
    """When mails were accepted; both ends inclusive, None: without an end."""

    since: int | None = None
    until: int | None = None

    @property
    def is_open(self) -> bool:
        return self.since is None and self.until is None

    def check(self) -> None:
        """Raises InvalidInput when it ends before it begins."""
        if self.since is not None and self.until is not None and self.since > self.until:
            raise InvalidInput("`from` is later than `to`")


class Totals(msgspec.Struct, frozen=True):
    """A mailbox's counters, of all time."""

    sent: int = 0
    bounced: int = 0
    received: int = 0
    sent_today: int = 0


class Performance(msgspec.Struct, frozen=True):
    """A mailbox, its counters, and what became of its mails of a window."""

    mailbox: Mailbox
    totals: Totals
    counts: EngagementCounts
    known: Known


class Known(msgspec.Struct, frozen=True):
    """What is counted at all in a workspace: of what never happened to any of its mails, zero means "not known"."""

    kinds: frozenset[str] = frozenset()

    def __contains__(self, kind: str) -> bool:
        return kind in self.kinds


_OPENS = frozenset({"opened", "opened_raw", "clicked", "clicked_raw"})
_REPLIES = frozenset({"replied", "auto_replied"})


def known_of(whole: EngagementCounts) -> Known:
    """By the sum of all mails. The log of a mail server always tells what was delivered and what bounced."""
    happened = (
        any(getattr(whole, kind) for kind in _OPENS), any(getattr(whole, kind) for kind in _REPLIES),
        whole.unsubscribed, whole.complained, whole.tagged,
    )  # fmt: skip
    return _known(happened)


def known_of_senders(senders: Sequence[Ever]) -> Known:
    """Likewise, by all that sent."""
    kinds = ("opened", "replied", "unsubscribed", "complained", "tagged")
    return _known([any(getattr(one, kind) for one in senders) for kind in kinds])


def _known(happened: Sequence[object]) -> Known:
    """Whether there were opens, replies, unsubscriptions, complaints and tags."""
    together = (_OPENS, _REPLIES, {"unsubscribed"}, {"complained"}, {"positive"})
    kinds = (names for names, did in zip(together, happened, strict=True) if did)
    return Known(frozenset({"delivered", "bounced"}.union(*kinds)))


def counted(mailbox: Mailbox, known: Known, counts: EngagementCounts) -> dict[str, int | None]:
    """Each kind with its number, or None where nobody counts it for this mailbox."""
    is_known = {kind: is_counted(kind, known, mailbox.tracks_opens) for kind in KINDS}
    return {kind: getattr(counts, kind) if is_known[kind] else None for kind in KINDS}


def is_counted(kind: str, known: Known, tracks_opens: bool | None) -> bool:
    """Whether somebody counts it for a mailbox, which may say of opens and clicks that it is tracked or not."""
    return kind in known if tracks_opens is None or not is_of_opens(kind) else tracks_opens


def is_of_opens(kind: str) -> bool:
    return kind in _OPENS


SORTS = ("address", "sent", "today", *KINDS)


def in_order(found: Sequence[Performance], name: str, backwards: bool) -> list[Performance]:
    """By one of SORTS, a kind by its share of what was sent, as it is shown; equals by address.

    Those of which it is not known, or that sent nothing, stand last either way.
    """
    if name == "address":
        return sorted(found, key=lambda one: one.mailbox.address, reverse=backwards)
    sign = -1 if backwards else 1
    by_address = sorted(found, key=lambda one: one.mailbox.address)
    values = [(_shown(one, name), one) for one in by_address]
    told = [(value, one) for value, one in values if value is not None]
    told.sort(key=lambda each: sign * each[0])
    return [one for _, one in told] + [one for value, one in values if value is None]


def _shown(one: Performance, name: str) -> float | None:
    if name in {"sent", "today"}:
        return one.counts.sent if name == "sent" else one.totals.sent_today
    count = counted(one.mailbox, one.known, one.counts)[name]
    return None if count is None or not one.counts.sent else count / one.counts.sent


class Campaign(msgspec.Struct, frozen=True):
    """Mails that were sent under one name."""

    id: str
    name: str
    active: bool
    counts: EngagementCounts


class Scope(msgspec.Struct, frozen=True):
    """Whose mail counts: senders that the rule of the workspace has, and mailboxes that were created."""

    workspace: int
    relays: tuple[int, ...]
    rule: MailboxRule
    created: tuple[str, ...] = ()

    def question(self, window: Window, **more: Any) -> EngagementQuestion:
        domains: tuple[str, ...] | None = self.rule.domains or None
        if not self.rule.notice:
            domains = ()
        return EngagementQuestion(
            workspace=self.workspace, relays=self.relays, since=window.since, until=window.until, domains=domains,
            besides=() if domains is None else self.created, **more,
        )  # fmt: skip

    def of_senders(self, addresses: Sequence[str], window: Window, **more: Any) -> EngagementQuestion:
        return EngagementQuestion(
            workspace=self.workspace, relays=self.relays, since=window.since, until=window.until,
            senders=tuple(addresses), **more,
        )  # fmt: skip


class Figures:
    """Asks the mail log. Any number of threads may use one."""

    def __init__(self, maillog: Callable[[], EngagementLog]) -> None:
        self._maillog = maillog

    def by_sender(self, scope: Scope, window: Window, **more: Any) -> Mapping[str, EngagementCounts]:
        """`brief`, `counts`: as in the question."""
        return _by_sender(self._ask(scope.question(window, **more)))

    def ranking(self, scope: Scope, window: Window, kind: EngagementCount | None = None) -> SenderRanking:
        """All senders by what they sent, with how many of it are of a kind."""
        if not scope.relays:
            return SenderRanking({}, {}, NOTHING)
        return self._maillog().ranking(RankingQuestion(scope.question(window), kind))

    def of_senders(self, scope: Scope, addresses: Sequence[str], window: Window) -> Mapping[str, EngagementCounts]:
        return _by_sender(self._ask(scope.of_senders(addresses, window)))

    def and_ever(self, scope: Scope, window: Window, now: int) -> Mapping[str, EngagementCounts]:
        """Of all that ever sent, those that sent most first: with `ever`, in which what was sent today is recent."""
        return _by_sender(self._ask(scope.question(window, recent=now - now % DAY_MS)))

    def and_ever_of(
        self, scope: Scope, addresses: Sequence[str], window: Window, now: int
    ) -> Mapping[str, EngagementCounts]:
        """Likewise, of these."""
        if not addresses:
            return {}
        return _by_sender(self._ask(scope.of_senders(addresses, window, recent=now - now % DAY_MS)))

    def totals(
        self, scope: Scope, addresses: Sequence[str], counts: Mapping[str, EngagementCounts]
    ) -> Mapping[str, Totals]:
        """Of these addresses, by counts with `ever`."""
        received = self.received(scope, addresses)
        found = {}
        for address in addresses:
            ever = counts.get(address, NOTHING).ever or _NEVER
            found[address] = Totals(ever.sent, ever.bounced, received.get(address, 0), ever.recent)
        return found

    def received(self, scope: Scope, addresses: Sequence[str]) -> Mapping[str, int]:
        if not addresses or not scope.relays:
            return {}
        return self._maillog().received(
            ReceivedQuestion(workspace=scope.workspace, relays=scope.relays, addresses=tuple(addresses))
        )

    def whole(self, scope: Scope, window: Window, **filters: Any) -> EngagementCounts:
        """One sum of everything."""
        return next(iter(self._ask(scope.question(window, by=(), **filters))), NOTHING)

    def daily(self, scope: Scope, window: Window, address: str | None = None, **filters: Any) -> list[EngagementCounts]:
        """Day by day, oldest first; days without mails are left out."""
        if address is None:
            question = scope.question(window, by=("day",), **filters)
        else:
            question = scope.of_senders((address,), window, by=("day",), **filters)
        return sorted(self._ask(question), key=lambda row: row.day)

    def daily_by_sender(
        self, scope: Scope, window: Window, senders: Sequence[str] | None = None, **more: Any
    ) -> list[EngagementCounts]:
        """Of these senders, or of all, in no order; `counts`: as in the question."""
        how: dict[str, Any] = {"by": ("sender", "day"), "most": 2**31 - 1, **more}
        if senders is None:
            return self._ask(scope.question(window, **how))
        return self._ask(scope.of_senders(senders, window, **how)) if senders else []

    def by_sequence(self, scope: Scope, window: Window, **filters: Any) -> list[EngagementCounts]:
        """By sequence and step, in their order."""
        rows = self._ask(scope.question(window, by=("sequence", "step"), **filters))
        return sorted(rows, key=lambda row: (row.sequence, row.step))

    def known(self, scope: Scope) -> Known:
        """Of all mail of the workspace, whoever sent it."""
        everything = EngagementQuestion(workspace=scope.workspace, relays=scope.relays, by=(), brief=True)
        return known_of(next(iter(self._ask(everything)), NOTHING))

    def campaigns(self, scope: Scope, now: int) -> list[Campaign]:
        """Those that ever sent, by name."""
        rows = self._ask(scope.question(Window(), by=("campaign",)))
        return [
            Campaign(
                campaign_id(scope.workspace, row.campaign),
                row.campaign,
                now - row.last_at < ACTIVE_DAYS * DAY_MS,
                row,
            )
            for row in sorted(rows, key=lambda row: row.campaign)
            if row.campaign
        ]

    def campaign(self, scope: Scope, ident: str, now: int) -> Campaign:
        """By its id or its name. Raises NotFound."""
        for found in self.campaigns(scope, now):
            if ident in (found.id, found.name):
                return found
        raise NotFound(f"there is no campaign {ident[:80]}")

    def sequence(self, scope: Scope, ident: str) -> str:
        """The name of the sequence of this id. Raises NotFound."""
        rows = self._ask(scope.question(Window(), by=("sequence",)))
        for row in rows:
            if row.sequence and ident in (campaign_id(scope.workspace, row.sequence), row.sequence):
                return row.sequence
        raise NotFound(f"there is no subsequence {ident[:80]}")

    def senders_of(self, scope: Scope, campaign: str) -> tuple[str, ...]:
        return tuple(row.sender for row in self._ask(scope.question(Window(), campaign=campaign)))

    def _ask(self, question: EngagementQuestion) -> list[EngagementCounts]:
        return self._maillog().engagement(question) if question.relays else []


def total(rows: Sequence[EngagementCounts]) -> EngagementCounts:
    """The sum of disjoint rows."""
    return EngagementCounts(**{name: sum(getattr(row, name) for row in rows) for name in _SUMMED})


def _by_sender(rows: Sequence[EngagementCounts]) -> dict[str, EngagementCounts]:
    return {row.sender: row for row in rows}
