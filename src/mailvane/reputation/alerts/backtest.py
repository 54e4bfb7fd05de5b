"""What an alert would have said: the same engine over stored observations, moment by moment. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.maillog.figure_questions import Figure
from mailvane.reputation.alerts.engine import evaluate
from mailvane.reputation.alerts.mail_questions import LATE_MS, Answers, Ask, MailQuestion, PastHours, moment_of
from mailvane.reputation.alerts.model import WINDOW_MS, Alert, AlertState, FiredRule
from mailvane.reputation.alerts.rule import Rule
from mailvane.reputation.alerts.rules import read_rule
from mailvane.reputation.alerts.view import COUNTED, LONGEST_MS, View, Watched
from mailvane.reputation.model import LOOKED_AT, SOURCE_OF, Observation, ObservationKind

# Of the mail log. A statement reads the weeks in which what it tells of was accepted, however few its moments are.
_MOST_AT_ONCE = 9_000  # a month of five minutes
_LEAST_AT_ONCE = 288  # a day of them, where there are so many domains that the answers are too many at once
_WEEK_MS = 7 * DAY_MS
_MOST_MOMENTS = (
    2_000  # of single mails there may be many: beyond so many moments, those of an hour are looked at together
)


class Firing(msgspec.Struct, frozen=True):
    """Once that it would have fired."""

    at: int
    rules: tuple[FiredRule, ...]


class Backtest(msgspec.Struct, frozen=True):
    """All that it would have said."""

    since: int
    until: int
    evaluations: int
    firings: tuple[Firing, ...]
    failing: dict[str, str]

    @property
    def per_week(self) -> float:
        return len(self.firings) * _WEEK_MS / max(_WEEK_MS, self.until - self.since)


def kinds_read(alert: Alert) -> set[ObservationKind]:
    """What an alert's rules look at. Raises InvalidFields."""
    return {read_rule(raw, f"rules[{place}]").READS for place, raw in enumerate(alert.rules)}


def backtest(
    alert: Alert,
    observations: Iterable[Observation],
    watched: Watched,
    span: tuple[int, int],
    stale_ms: int,
    check: Callable[[], None] = lambda: None,
) -> Backtest:
    """Replay a stretch of time. The observations are of the kinds that the alert reads, also from before.

    Each is known from the time on that it tells of, whenever it came in: a source that made up for a month at once told
    of each of its days. It is evaluated whenever something new was known, and once a day, as a source that is asked
    daily would have it. What is watched is taken to have been watched all the time. `check` is called before each
    evaluation, and raises when nobody wants to know any more.
    """
    since, until = span
    arriving = sorted(observations, key=lambda one: one.at)
    state = AlertState(alert_id=alert.id)
    known: dict[tuple[object, ...], Observation] = {}
    firings: list[Firing] = []
    place = evaluations = 0
    history = MailHistory(watched.ask, span, check)
    expected = _moments(arriving, since, until)
    for place, raw in enumerate(alert.rules):
        rule = read_rule(raw, f"rules[{place}]")
        expected |= _turns(rule, arriving, since, until) | history.read(rule)
    watched = msgspec.structs.replace(watched, ask=history.ask)
    moments = sorted(expected)
    looks_often = any(SOURCE_OF[kind] in LOOKED_AT for kind in kinds_read(alert))
    last = since - 1
    while moments:
        moment = heappop(moments)
        if moment <= last:
            continue
        last = moment
        check()
        while place < len(arriving) and arriving[place].at <= moment:
            one = arriving[place]
            known[_slot(one)] = one
            place += 1
        view = View((_as_known(one, moment) for one in known.values()), watched, moment, stale_ms)
        state, fired = evaluate(alert, view, state)
        evaluations += 1
        if fired:
            firings.append(Firing(moment, fired))
            if looks_often and moment + WINDOW_MS < until:
                heappush(moments, moment + WINDOW_MS)  # what still holds then is said again
        if evaluations % 50 == 0:
            known = {
                slot: one for slot, one in known.items() if one.kind not in COUNTED or one.at > moment - LONGEST_MS
            }
    return Backtest(since, until, evaluations, tuple(firings), state.failures)


def _moments(arriving: Sequence[Observation], since: int, until: int) -> set[int]:
    moments = {one.at for one in arriving if since <= one.at < until}
    if len(moments) > _MOST_MOMENTS:
        moments = {min(until - 1, -(-at // HOUR_MS) * HOUR_MS) for at in moments}
    return moments | set(range(since, until, DAY_MS))


def _turns(rule: Rule, arriving: Sequence[Observation], since: int, until: int) -> set[int]:
    """Moments at which a rule may begin to match by time alone."""
    said = [one for one in arriving if one.kind is rule.READS]
    return {moment for moment in rule.turns(said) if since <= moment < until}


class MailHistory:
    """What the mail log answers of a stretch of time: read once for each question, some moments at a time."""

    def __init__(self, ask: Ask, span: tuple[int, int], check: Callable[[], None]) -> None:
        self._ask = ask
        self._since, self._until = span
        self._check = check
        self._known: dict[MailQuestion, dict[int, Sequence[Figure | PastHours]]] = {}

    def read(self, rule: Rule) -> set[int]:
        """When alerts are evaluated to which the mail log has an answer. Raises StoreUnavailable."""
        question = rule.question()
        if question is None:
            return set()
        known = self._known.setdefault(question, {})
        first, last = moment_of(question, self._since), moment_of(question, self._until - 1)
        begins, at_once = first, _MOST_AT_ONCE
        while begins <= last:
            self._check()
            ends = min(last, begins + (at_once - 1) * question.step)
            try:
                known |= self._ask(question, begins, ends)
            except InvalidInput:
                if at_once <= _LEAST_AT_ONCE:
                    raise
                at_once //= 2
            else:
                begins = ends + question.step
        return {moment + LATE_MS for moment in known if self._since <= moment + LATE_MS < self._until}

    def ask(self, question: MailQuestion, first: int, _last: int) -> Answers:
        return {first: self._known[question].get(first, ())}


def _slot(one: Observation) -> tuple[object, ...]:
    """Of states and days the newest is known, of what is counted all."""
    return (one.kind, one.asset, one.key, one.at) if one.kind in COUNTED else (one.kind, one.asset, one.key)


def _as_known(one: Observation, moment: int) -> Observation:
    """As it stood then: what is confirmed today had been confirmed until then."""
    if max(one.confirmed_at, one.seen_at) <= moment:
        return one
    return msgspec.structs.replace(one, confirmed_at=min(one.confirmed_at, moment), seen_at=min(one.seen_at, moment))
