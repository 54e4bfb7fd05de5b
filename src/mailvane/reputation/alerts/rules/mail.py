"""Types about the mail of this server, asked of its mail log: what waits, rates, sudden changes. None is the vendor's.

What they take for certain, and what they cannot tell, is in docs/why/native-rules.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from statistics import median
from typing import Annotated, ClassVar, Literal, cast

import msgspec
from msgspec import Meta

from mailvane.core.moments import MINUTE_MS
from mailvane.maillog.figure_questions import Figure
from mailvane.maillog.shares import share_of
from mailvane.reputation.alerts.mail_questions import Figures, PastHours, SameHours, Within
from mailvane.reputation.alerts.model import Match
from mailvane.reputation.alerts.rule import DomainNames, Rule, stands_for_all
from mailvane.reputation.alerts.view import View
from mailvane.reputation.model import ObservationKind

LEAST_WEEKS = 4  # of which the same hour must be known
_OF_NORMAL = 1.4826  # times the median absolute deviation: the standard deviation of a normal distribution


class By(StrEnum):
    """Whether mail is taken together, or each destination by itself."""

    TOTAL = "TOTAL"
    DESTINATION = "DESTINATION"


class DomainsAre(StrEnum):
    """Which end of a mail the domains are."""

    SENDING = "SENDING"
    RECEIVING = "RECEIVING"


class MailKind(StrEnum):
    """What is counted in an hour."""

    DELIVERED = "DELIVERED"
    DEFERRED = "DEFERRED"
    BOUNCED = "BOUNCED"
    REFUSED = "REFUSED"


class Direction(StrEnum):
    """Which way a number changed."""

    MORE = "MORE"
    LESS = "LESS"
    EITHER = "EITHER"


_COLUMNS: dict[MailKind, Literal["delivered", "deferred", "bounced", "rejected"]] = {
    MailKind.DELIVERED: "delivered",
    MailKind.DEFERRED: "deferred",
    MailKind.BOUNCED: "bounced",
    MailKind.REFUSED: "rejected",
}


def _domains(given: DomainNames) -> tuple[str, ...]:
    return () if stands_for_all(given) else tuple(given)


def _waiting(view: View, question: Figures) -> Iterator[tuple[Figure, int, dict[str, object]]]:
    """What waits, for how many minutes the oldest of it has, and what a snapshot keeps."""
    moment, found = view.asked(question)
    for one in cast(tuple[Figure, ...], found):
        minutes = (moment - one.oldest) // MINUTE_MS
        name = one.value or "all"
        yield one, minutes, {"destination": name, "waiting": one.count, "minutes": minutes, "oldest_at": one.oldest}


class WaitingMail(Rule, frozen=True, kw_only=True):
    """So many deliveries were deferred and wait."""

    TYPE: ClassVar[str] = "MV_WAITING_MAIL"
    READS: ClassVar[ObservationKind] = ObservationKind.MAIL

    by: By
    domains: DomainNames
    mails: Annotated[int, Meta(ge=1, le=10**9)]

    def question(self) -> Figures:
        by: Literal["", "recipient_domain"] = "" if self.by is By.TOTAL else "recipient_domain"
        return Figures(what="waiting", by=by, domains=_domains(self.domains), least=self.mails)

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:  # noqa: ARG002 - of no profile
        for one, _, record in _waiting(view, self.question()):
            item = {"destination": record["destination"], "value": one.count}
            yield Match(item=item, record=record, identity=(one.value,), at=one.at)


class WaitingAge(Rule, frozen=True, kw_only=True):
    """The oldest mail that was deferred and waits has waited for so many minutes."""

    TYPE: ClassVar[str] = "MV_WAITING_AGE"
    READS: ClassVar[ObservationKind] = ObservationKind.MAIL

    by: By
    domains: DomainNames
    minutes: Annotated[int, Meta(ge=5, le=14 * 24 * 60)]

    def question(self) -> Figures:
        by: Literal["", "recipient_domain"] = "" if self.by is By.TOTAL else "recipient_domain"
        return Figures(what="waiting", by=by, domains=_domains(self.domains), age=self.minutes * MINUTE_MS)

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:  # noqa: ARG002 - of no profile
        for one, minutes, record in _waiting(view, self.question()):
            item = {"destination": record["destination"], "value": minutes}
            yield Match(item=item, record=record, identity=(one.value,), at=one.at)


class RateAbove(msgspec.Struct, frozen=True, kw_only=True):
    """A share of the deliveries of a window is above a value, and that is no chance (Wilson's lower bound, 95 %)."""

    value: Annotated[float, Meta(ge=0, le=1)]
    time_range: Within
    minimum: Annotated[int, Meta(ge=1, le=10**9)]  # of deliveries


def _rate(name: str, what: Literal["bounces", "deferrals", "complaints"]) -> type[Rule]:
    field = name.lower()

    def question(rule: Rule) -> Figures:
        above: RateAbove = getattr(rule, field)
        by: Literal["sender_domain", "recipient_domain"]
        by = "sender_domain" if getattr(rule, "domains_are") is DomainsAre.SENDING else "recipient_domain"  # noqa: B009
        return Figures(
            what=what, by=by, domains=_domains(getattr(rule, "domains")), step=above.time_range.step,  # noqa: B009
            window=above.time_range.milliseconds, least=above.minimum, above=above.value,
        )  # fmt: skip

    def matches(rule: Rule, view: View, profile_id: str | None) -> Iterator[Match]:  # noqa: ARG001 - of no profile
        asked = question(rule)
        moment, found = view.asked(asked)
        for one in cast(tuple[Figure, ...], found):
            share = share_of(one.count, one.whole)
            named = {"domain": one.value, "time_range": getattr(rule, field).time_range.value}
            yield Match(
                item={**named, "value": round(one.count / one.whole, 6)},
                record={
                    **named, "count": one.count, "deliveries": one.whole, "at_least": round(share.low, 6),
                    "at_most": round(share.high, 6), "period_from": moment - asked.window, "period_to": moment,
                },
                identity=(one.value,),
                at=moment,
            )  # fmt: skip

    body = {"TYPE": name, "READS": ObservationKind.MAIL, "question": question, "matches": matches}
    fields = [("domains_are", DomainsAre), ("domains", DomainNames), (field, RateAbove)]
    title = name.title().replace("_", "")
    made = msgspec.defstruct(title, fields, bases=(Rule,), namespace=body, frozen=True, kw_only=True)
    return cast(type[Rule], made)


class SuddenChange(Rule, frozen=True, kw_only=True):
    """The last whole hour is far from the same hour of past weeks: so many deviations, and so many mails."""

    TYPE: ClassVar[str] = "MV_SUDDEN_CHANGE"
    READS: ClassVar[ObservationKind] = ObservationKind.MAIL

    mail: MailKind
    direction: Direction
    deviations: Annotated[float, Meta(ge=2, le=1000)]
    difference: Annotated[int, Meta(ge=1, le=10**9)]

    def question(self) -> SameHours:
        return SameHours(_COLUMNS[self.mail])

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:  # noqa: ARG002 - of no profile
        moment, found = view.asked(self.question())
        for one in cast(tuple[PastHours, ...], found):
            if len(one.before) < LEAST_WEEKS:
                continue
            usual, deviation = usual_of(one.before)
            far = (one.count - usual) / deviation
            way = Direction.MORE if far > 0 else Direction.LESS
            if self.direction not in (way, Direction.EITHER):
                continue
            if abs(far) < self.deviations or abs(one.count - usual) < self.difference:
                continue
            named = {"mail": self.mail.value, "direction": way.value}
            yield Match(
                item={**named, "value": one.count},
                record={**named, "usual": usual, "deviations": round(far, 1), "before": list(one.before),
                        "period_from": one.hour, "period_to": moment},
                identity=(self.mail.value, way.value),
                at=moment,
            )  # fmt: skip


def usual_of(before: tuple[int, ...]) -> tuple[float, float]:
    """The median, and what deviations from it are measured by: the median absolute deviation, scaled.

    No less than what chance alone does to a count of that size (Poisson), and than one mail.
    """
    usual = float(median(before))
    spread = _OF_NORMAL * float(median(abs(each - usual) for each in before))
    return usual, max(spread, usual**0.5, 1.0)


RULES = (
    WaitingMail,
    WaitingAge,
    _rate("MV_BOUNCE_RATE", "bounces"),
    _rate("MV_DEFERRAL_RATE", "deferrals"),
    _rate("MV_COMPLAINT_RATE", "complaints"),
    SuddenChange,
)
