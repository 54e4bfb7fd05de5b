"""The life of mailboxes: how they appear, are created and changed, and how their mail fares. Blocking."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from mailvane.core.errors import InvalidInput, NotFound
from mailvane.core.moments import DAY_MS
from mailvane.core.tenants.service import Tenancy
from mailvane.mailboxes.health import DnsHealth
from mailvane.mailboxes.listing import Listing, ListingQuestion, Listings
from mailvane.mailboxes.model import (
    MOST_A_DAY,
    DnsStanding,
    Mailbox,
    MailboxPage,
    MailboxQuestion,
    MailboxRule,
    Warmup,
    falls_under,
    mailbox_id,
    read_address,
    read_domains,
    read_tags,
)
from mailvane.mailboxes.performance import NOTHING, Figures, Performance, Scope, Totals, Window, known_of_senders
from mailvane.mailboxes.settings import MailboxSettings
from mailvane.mailboxes.store.mailboxes import MailboxStore
from mailvane.mailboxes.warming import BounceRule, paused_for_bounces
from mailvane.maillog.queries import EngagementCounts

_LONGEST_NAME = 200  # characters
_LONGEST_SIGNATURE = 20_000


class Mailboxes:
    """Any number of threads may use one."""

    def __init__(
        self, store: MailboxStore, tenancy: Tenancy, figures: Figures, settings: MailboxSettings | None = None
    ) -> None:
        self._store = store
        self._tenancy = tenancy
        self.figures = figures
        self._listings = Listings(store, figures)
        self._settings = settings or MailboxSettings()

    def scope(self, workspace: int) -> Scope:
        """Whose mail counts."""
        relays = tuple(relay.id for relay in self._tenancy.relays(workspace))
        rule = self._store.rule(workspace)
        created = self._store.created(workspace) if rule.domains or not rule.notice else ()
        return Scope(workspace, relays, rule, created)

    def rule(self, workspace: int) -> MailboxRule:
        return self._store.rule(workspace)

    def set_rule(self, workspace: int, domains: Iterable[str], notice: bool = True) -> MailboxRule:
        """Say which senders become mailboxes by themselves. Raises InvalidInput."""
        rule = MailboxRule(read_domains(domains), notice)
        self._store.save_rule(workspace, rule)
        return rule

    def performance(self, workspace: int, window: Window, now: int) -> list[Performance]:
        """Of every mailbox, by address. Raises InvalidInput."""
        window.check()
        scope = self.scope(workspace)
        counts = self.figures.and_ever(scope, window, now)
        found = self._store.all(workspace)
        if self._notice(scope, counts, {one.address for one in found}, now):
            found = self._store.all(workspace)
        totals = self.figures.totals(scope, [one.address for one in found], counts)
        known = known_of_senders([one.ever for one in counts.values() if one.ever is not None])
        return [Performance(one, totals[one.address], counts.get(one.address, NOTHING), known) for one in found]

    def listing(self, question: ListingQuestion, now: int) -> Listing:
        """A part of the mailboxes in order, with their figures. Raises InvalidInput."""
        self.notice(question.workspace, now)
        return self._listings.page(self.scope(question.workspace), question)

    def performance_of(self, mailbox: Mailbox, window: Window, now: int) -> Performance:
        """Of one. Raises InvalidInput."""
        window.check()
        scope, address = self.scope(mailbox.workspace), mailbox.address
        counts = self.figures.and_ever_of(scope, (address,), window, now)
        totals = self.figures.totals(scope, (address,), counts)[address]
        return Performance(mailbox, totals, counts.get(address, NOTHING), self.figures.known(scope))

    def totals_of(self, workspace: int, mailboxes: Sequence[Mailbox], now: int) -> Mapping[str, Totals]:
        """By address."""
        scope, addresses = self.scope(workspace), [one.address for one in mailboxes]
        return self.figures.totals(scope, addresses, self.figures.and_ever_of(scope, addresses, Window(), now))

    def every(self, workspace: int) -> list[Mailbox]:
        """All that are known, by address."""
        return self._store.all(workspace)

    def keep_health(self, mailbox: Mailbox, health: DnsHealth, now: int) -> None:
        """Keep what DNS said, if it answered every question."""
        if health.is_known:
            standing = DnsStanding(
                now, health.score, health.mx.status, health.spf.status, health.dkim.status, health.dmarc.status
            )
            self._store.change(
                mailbox.workspace, mailbox.id, lambda before: msgspec.structs.replace(before, dns=standing)
            )

    def mailbox(self, workspace: int, ident: str, now: int) -> Mailbox:
        """By id or address. Raises NotFound."""
        wanted = mailbox_id(workspace, read_address(ident)) if "@" in ident else ident
        found = self._store.mailbox(workspace, wanted)
        if found is None:
            self.notice(workspace, now)
            found = self._store.mailbox(workspace, wanted)
        if found is None:
            raise NotFound(f"there is no mailbox {ident[:80]}")
        return found

    def page(self, question: MailboxQuestion) -> MailboxPage:
        """A part of them, by address. Raises NotFound for a page behind a mailbox that there is not."""
        self.notice(question.workspace, question.now)
        return self._store.page(question)

    def create(self, workspace: int, address: str, fields: Mapping[str, Any], now: int) -> Mailbox:
        """Raises InvalidInput, AlreadyExists."""
        canonical = read_address(address)
        blank = Mailbox(
            id=mailbox_id(workspace, canonical), workspace=workspace, address=canonical, created_at=now, updated_at=now
        )
        made = _changed(blank, fields, now)
        self._store.add(made)
        return made

    def change(self, workspace: int, ident: str, fields: Mapping[str, Any], now: int) -> Mailbox:
        """Fields of Mailbox by name. Raises InvalidInput, NotFound."""
        found = self.mailbox(workspace, ident, now)
        return self._store.change(
            workspace, found.id, lambda before: _changed(msgspec.structs.replace(before, noticed=False), fields, now)
        )

    def warm(self, workspace: int, ident: str, change: Callable[[Warmup], Warmup], now: int) -> Mailbox:
        """Change a mailbox's warm-up. Raises InvalidInput, NotFound."""
        found = self.mailbox(workspace, ident, now)
        return self._store.change(
            workspace, found.id, lambda before: _changed(
                msgspec.structs.replace(before, noticed=False), {"warmup": change(before.warmup)}, now
            ),
        )  # fmt: skip

    def pause_bouncing(self, now: int) -> list[Mailbox]:
        """Pause the warm-ups of all workspaces whose mails of today and yesterday bounce too much; those it paused."""
        rule = BounceRule(self._settings.warmup_pause_percent, self._settings.warmup_pause_least)
        asked: dict[tuple[int, int], list[Mailbox]] = {}
        for one in self._store.warming(now) if rule.percent else ():
            since = max(now // DAY_MS * DAY_MS - DAY_MS, one.warmup.judged_from)
            asked.setdefault((one.workspace, since), []).append(one)
        found = []
        for (workspace, since), warming in asked.items():
            counts = self.figures.of_senders(self.scope(workspace), [one.address for one in warming], Window(since))
            bouncing = (one for one in warming if rule.is_broken(*_sent_and_bounced(counts, one.address)))
            found += [self._store.change(workspace, one.id, lambda before: _paused(before, now)) for one in bouncing]
        return found

    def notice(self, workspace: int, now: int) -> None:
        """Let senders that the log knows become mailboxes, as long as there is room for any."""
        scope = self.scope(workspace)
        if scope.rule.notice and self._room(workspace):
            ever = self.figures.by_sender(scope, Window(), brief=True)
            self._notice(scope, ever, self._store.addresses(workspace), now)

    def _notice(self, scope: Scope, counts: Mapping[str, EngagementCounts], known: Collection[str], now: int) -> bool:
        """Whether any is new; the busiest come first."""
        unknown = [row for address, row in counts.items() if address not in known and falls_under(scope.rule, address)]
        room = self._room(scope.workspace) if unknown else 0
        new = [_noticed(scope.workspace, row, now) for row in unknown[:room]]
        if new:
            self._store.notice(new)
        return bool(new)

    def _room(self, workspace: int) -> int:
        """How many more may appear by themselves."""
        return max(0, self._settings.most_noticed - self._store.count(workspace, noticed=True))


def _sent_and_bounced(counts: Mapping[str, EngagementCounts], address: str) -> tuple[int, int]:
    one = counts.get(address, NOTHING)
    return one.sent, one.bounced


def _paused(before: Mailbox, now: int) -> Mailbox:
    return msgspec.structs.replace(before, warmup=paused_for_bounces(before.warmup, now), updated_at=now)


def _noticed(workspace: int, row: EngagementCounts, now: int) -> Mailbox:
    first_at = row.first_at if row.ever is None else row.ever.first_at
    return Mailbox(
        id=mailbox_id(workspace, row.sender), workspace=workspace, address=row.sender, noticed=True,
        created_at=first_at, updated_at=now,
    )  # fmt: skip


def _changed(before: Mailbox, fields: Mapping[str, Any], now: int) -> Mailbox:
    """Raises InvalidInput."""
    changed = msgspec.structs.replace(before, **dict(fields), updated_at=now)
    for name, longest in (("display_name", _LONGEST_NAME), ("signature", _LONGEST_SIGNATURE)):
        if len(getattr(changed, name)) > longest:
            raise InvalidInput(f"{name}: at most {longest} characters")
    if not changed.display_name.isprintable():
        raise InvalidInput("display_name: it holds a character that cannot be shown")
    for name in ("hourly_limit", "daily_limit", "monthly_limit"):
        limit = getattr(changed, name)
        if limit is not None and not 0 <= limit <= MOST_A_DAY:
            raise InvalidInput(f"{name}: expected a number from 0 to {MOST_A_DAY}")
    warmup = changed.warmup
    if not (0 <= warmup.start <= MOST_A_DAY and 0 <= warmup.step <= MOST_A_DAY and 0 <= warmup.target <= MOST_A_DAY):
        raise InvalidInput(f"warmup: expected numbers from 0 to {MOST_A_DAY}")
    if warmup.step == 0 and warmup.target > warmup.start:
        raise InvalidInput("warmup: with a step of 0 it would never reach its target")
    return msgspec.structs.replace(changed, tags=read_tags(changed.tags))
