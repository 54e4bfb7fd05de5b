"""The one door for who is bound to domains: services that know these domains only, put in the place of all others.

A page that is shown to such a person asks what it always asks, and is told of these domains. What cannot be cut to
domains is not there: whoever asks it is refused, so that a page that forgot to think of it shows nothing rather than
too much. Mail is of the domain that its envelope sender is in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, NoReturn, TypeVar

import msgspec

from mailvane.core.errors import NotFound
from mailvane.core.mailbox import domain_of
from mailvane.core.tenants.model import Relay
from mailvane.core.tenants.service import Tenancy
from mailvane.dashboard.people.model import Reach
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.views.store import SavedView, ViewStore
from mailvane.maillog.figure_questions import Figure, FigureQuestion
from mailvane.maillog.interface import MailLog
from mailvane.maillog.model import MailEvent, MailKey
from mailvane.maillog.outcomes import OutcomeQuestion, Outcomes
from mailvane.maillog.queries import (
    DelayQuestion,
    Delays,
    HourlyCounts,
    HourlyQuestion,
    LogPage,
    LogQuestion,
    Match,
    Pattern,
    RefusedPage,
    RefusedQuestion,
    Tally,
    TallyQuestion,
    Term,
    TimeTally,
    TimeTallyQuestion,
)
from mailvane.maillog.refused_questions import RefusedTallyQuestion, RefusedTime, RefusedTimeQuestion
from mailvane.outbound.admission.replay import Limits, Replay
from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.domain_changes import Author
from mailvane.outbound.governance import Governance
from mailvane.outbound.holds import Hold, HoldKind, Holds
from mailvane.outbound.model import AuditEntry, Domain, MinuteOfDecisions, Usage
from mailvane.outbound.services import OutboundServices
from mailvane.reputation.assets import WatchedAssets
from mailvane.reputation.board import BoardRow, BoardService, Place
from mailvane.reputation.model import Asset, AssetKind
from mailvane.reputation.questions import ObservationPage, ObservationQuestion
from mailvane.reputation.services import ReputationServices
from mailvane.reputation.store.observations import ObservationStore

_Q = TypeVar("_Q", LogQuestion, RefusedQuestion)
_CHANGEABLE = frozenset({"status", "closed", "approved", "daily_limit", "monthly_limit", "hourly_fraction"})


def bound_services(services: DashboardServices, reach: Reach) -> DashboardServices:
    """The services of a person who is bound. A service that is not named here is refused, also one that comes later."""
    maillog: Any = MailLogOfDomains(services.maillog, reach)
    given: dict[str, Any] = {
        "tenancy": _RelaysOfWorkspace(services.tenancy, reach),
        "maillog": maillog,
        "history": services.history.over(maillog),
        "outbound": _only(
            OutboundServices,
            reach,
            governance=_GovernanceOfDomains(services.outbound.governance, reach),
            holds=_HoldsOfDomains(services.outbound.holds, reach),
            bounce_sources=services.outbound.bounce_sources,
        ),
        "reputation": _only(
            ReputationServices,
            reach,
            watched_assets=_WatchedOfDomains(services.reputation.watched_assets, reach),
            board=_BoardOfDomains(services.reputation.board, reach),
            observed=_ObservedOfDomains(services.reputation.observed, reach),
        ),
        "views": _ViewsOfPerson(services.views, reach),
        "zone": services.zone,
        "followed": None,
        "oidc": None,
        "admission": None,
        "tracing": services.tracing,
        "outages": services.outages,
    }
    return _only(DashboardServices, reach, **given)


_T = TypeVar("_T")


def _only(kind: type[_T], reach: Reach, **given: Any) -> _T:
    """All services of a kind, of which those alone that are given answer."""
    nothing = _Refusing(reach)
    values: dict[str, Any] = {each.name: given.get(each.name, nothing) for each in fields(kind)}  # type: ignore[arg-type]
    return kind(**values)


class _Refusing:
    """Stands where something is that cannot be cut to domains: whatever it is asked is refused."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    def __getattr__(self, _name: str) -> NoReturn:
        self._reach.refuse()

    def __call__(self, *_: object, **__: object) -> NoReturn:
        self._reach.refuse()


class MailLogOfDomains(_Refusing):
    """Deliveries, refusals and events of mail that was sent from the domains."""

    def __init__(self, maillog: MailLog, reach: Reach) -> None:
        super().__init__(reach)
        self._maillog = maillog
        patterns = tuple(Pattern(each, Match.DOMAIN) for each in sorted(reach.domains))
        self._term = Term("from", patterns)

    def search(self, question: LogQuestion) -> LogPage:
        return self._maillog.search(self._cut(question))

    def total_and_first(self, question: LogQuestion) -> tuple[int, int | None]:
        return self._maillog.total_and_first(self._cut(question))

    def tally(self, question: TallyQuestion) -> list[Tally]:
        return self._maillog.tally(msgspec.structs.replace(question, log=self._cut(question.log)))

    def tallies(self, questions: Sequence[TallyQuestion]) -> list[list[Tally]]:
        return self._maillog.tallies([msgspec.structs.replace(each, log=self._cut(each.log)) for each in questions])

    def delays(self, question: DelayQuestion) -> list[Delays]:
        return self._maillog.delays(msgspec.structs.replace(question, log=self._cut(question.log)))

    def outcomes(self, question: OutcomeQuestion) -> Outcomes:
        return self._maillog.outcomes(msgspec.structs.replace(question, log=self._cut(question.log)))

    def over_time(self, question: TimeTallyQuestion) -> list[TimeTally]:
        return self._maillog.over_time(msgspec.structs.replace(question, log=self._cut(question.log)))

    def refused(self, question: RefusedQuestion) -> RefusedPage:
        return self._maillog.refused(self._cut(question))

    def refused_tally(self, question: RefusedTallyQuestion) -> list[Tally]:
        return self._maillog.refused_tally(msgspec.structs.replace(question, refused=self._cut(question.refused)))

    def refused_over_time(self, question: RefusedTimeQuestion) -> list[RefusedTime]:
        return self._maillog.refused_over_time(msgspec.structs.replace(question, refused=self._cut(question.refused)))

    def hourly(self, question: HourlyQuestion) -> list[HourlyCounts]:
        """Of a domain; hours of all mail cannot be cut."""
        self._reach.check(question.workspace)
        if question.sender_domain is None or not self._reach.has(question.sender_domain):
            self._reach.refuse()
        return self._maillog.hourly(question)

    def figures(self, question: FigureQuestion) -> list[Figure]:
        """Of senders' domains that are named."""
        self._reach.check(question.workspace)
        if question.by != "sender_domain" or not question.domains or not all(map(self._reach.has, question.domains)):
            self._reach.refuse()
        return self._maillog.figures(question)

    def mail_events(self, workspace: int, *mails: MailKey) -> list[MailEvent]:
        """Of mails whose every known sender is of the domains."""
        self._reach.check(workspace)
        senders: dict[int, set[str]] = {}  # a mail of each relay may have the id
        events = self._maillog.mail_events(workspace, *mails)
        for event in events:
            if event.sender:
                senders.setdefault(event.relay, set()).add(domain_of(event.sender).lower())
        own = {relay for relay, names in senders.items() if names <= self._reach.domains}
        return [event for event in events if event.relay in own]

    def _cut(self, question: _Q) -> _Q:
        self._reach.check(question.workspace)
        return msgspec.structs.replace(question, terms=(*question.terms, self._term))


class _RelaysOfWorkspace(_Refusing):
    def __init__(self, tenancy: Tenancy, reach: Reach) -> None:
        super().__init__(reach)
        self._tenancy = tenancy

    def relays(self, workspace: int) -> list[Relay]:
        self._reach.check(workspace)
        return self._tenancy.relays(workspace)


class _GovernanceOfDomains(_Refusing):
    """Limits, counts and the audit of the domains; another one looks like none."""

    def __init__(self, governance: Governance, reach: Reach) -> None:
        super().__init__(reach)
        self._governance = governance

    @property
    def rules(self) -> GovernanceRules:
        return self._governance.rules

    def domain(self, name: str, workspace: int | None = None) -> Domain:
        self._check(name, workspace)
        return self._governance.domain(name, workspace)

    def domains(self, workspace: int | None = None) -> list[Domain]:
        self._reach.check(workspace)
        return [each for each in self._governance.domains(workspace) if each.name in self._reach.domains]

    def usage_today(self, name: str, now: int, workspace: int | None = None) -> Usage:
        self._check(name, workspace)
        return self._governance.usage_today(name, now, workspace)

    def usages_today(self, domains: Sequence[Domain], now: int) -> dict[int, Usage]:
        for each in domains:
            self._check(each.name, each.workspace)
        return self._governance.usages_today(domains, now)

    def audit(self, name: str, limit: int, workspace: int | None = None) -> list[AuditEntry]:
        self._check(name, workspace)
        return self._governance.audit(name, limit, workspace)

    def decided(self, domain: Domain, since: int, until: int) -> list[MinuteOfDecisions]:
        self._check(domain.name, domain.workspace)
        return self._governance.decided(domain, since, until)

    def decided_days(self, domain: Domain, since: int, until: int) -> dict[int, int]:
        self._check(domain.name, domain.workspace)
        return self._governance.decided_days(domain, since, until)

    def what_if(
        self,
        name: str,
        since: int,
        until: int,
        limits: Limits,
        logged: Iterable[MinuteOfDecisions] = (),
        workspace: int | None = None,
    ) -> Replay:
        self._check(name, workspace)
        return self._governance.what_if(name, since, until, limits, logged, workspace)

    def probation(self, name: str, daily: int, by: Author) -> Domain:
        self._check(name, by.workspace)
        return self._governance.probation(name, daily, by)

    def stopping(self, domain: Domain, changes: Mapping[str, object]) -> dict[str, object]:
        self._check(domain.name, domain.workspace)
        return self._governance.stopping(domain, changes)

    def change_by(self, name: str, changes: Mapping[str, object], by: Author) -> Domain:
        self._check(name, by.workspace)
        if not changes.keys() <= _CHANGEABLE:
            self._reach.refuse()
        return self._governance.change_by(name, changes, by)

    def _check(self, name: str, workspace: int | None) -> None:
        self._reach.check(workspace)
        if not self._reach.has(name):
            raise NotFound(f"there is no domain {name[:80]!r}")


class _HoldsOfDomains(_Refusing):
    def __init__(self, holds: Holds, reach: Reach) -> None:
        super().__init__(reach)
        self._holds = holds

    def all(self) -> list[Hold]:
        return [each for each in self._holds.all() if self._is_ours(each.kind, each.name)]

    def hold(self, kind: HoldKind, name: str, actor: str, now: int) -> Hold:
        self._check(kind, name)
        return self._holds.hold(kind, name, actor, now)

    def release(self, kind: HoldKind, name: str) -> str:
        self._check(kind, name)
        return self._holds.release(kind, name)

    def _is_ours(self, kind: HoldKind, name: str) -> bool:
        return kind is HoldKind.DOMAIN and self._reach.has(name)

    def _check(self, kind: HoldKind, name: str) -> None:
        if not self._is_ours(kind, name):
            self._reach.refuse()


class _WatchedOfDomains(_Refusing):
    def __init__(self, watched: WatchedAssets, reach: Reach) -> None:
        super().__init__(reach)
        self._watched = watched

    def named(self, workspace: int, kind: AssetKind, names: Collection[str]) -> list[Asset]:
        self._reach.check(workspace)
        return self._watched.named(workspace, kind, [each for each in names if self._reach.has(each)])


class _BoardOfDomains(_Refusing):
    def __init__(self, board: BoardService, reach: Reach) -> None:
        super().__init__(reach)
        self._board = board

    def row(self, workspace: int, place: Place, name: str, now: int) -> BoardRow | None:
        """None also of what is another's."""
        self._reach.check(workspace)
        is_ours = place is Place.DOMAIN and self._reach.has(name)
        return self._board.row(workspace, place, name, now) if is_ours else None


class _ObservedOfDomains(_Refusing):
    def __init__(self, observed: ObservationStore, reach: Reach) -> None:
        super().__init__(reach)
        self._observed = observed

    def observation_page(self, question: ObservationQuestion, offset: int, limit: int) -> ObservationPage:
        self._reach.check(question.workspace)
        if not question.assets or not all(map(self._reach.has, question.assets)):
            self._reach.refuse()
        return self._observed.observation_page(question, offset, limit)


class _ViewsOfPerson(_Refusing):
    """Not those of all: their queries name what others look for."""

    def __init__(self, views: ViewStore, reach: Reach) -> None:
        super().__init__(reach)
        self._views = views

    def views(self, workspace: int, user: int) -> list[SavedView]:
        self._reach.check(workspace)
        return [each for each in self._views.views(workspace, user) if each.user is not None]

    def add(self, view: SavedView) -> None:
        self._check(view.workspace, view.user)
        self._views.add(view)

    def remove(self, workspace: int, user: int | None, view: str) -> None:
        self._check(workspace, user)
        self._views.remove(workspace, user, view)

    def _check(self, workspace: int, user: int | None) -> None:
        self._reach.check(workspace)
        if user is None:
            self._reach.refuse()
