"""Evaluating an alert: what satisfies its rules, whether that is news, and what is logged of it. Pure.

Nothing is said twice within a day. A rule that fails is shown as failing, and stops no other. What is not known does
not satisfy: it neither fires an alert nor makes it forget.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from mailvane.core.errors import InvalidFields
from mailvane.reputation.alerts.model import WINDOW_MS, Alert, AlertState, FiredRule, LogEntry, Match, RuleState
from mailvane.reputation.alerts.rules import read_rule
from mailvane.reputation.alerts.view import View

_TOKEN = re.compile(r"\s*(?:([A-Za-z0-9_.-]+)|([()]))")
_LONGEST = 2000
_MOST_PARENTHESES = 100
_WORDS = frozenset({"AND", "OR", "NOT"})


class Key(msgspec.Struct, frozen=True):
    name: str

    def holds(self, truth: Mapping[str, bool]) -> bool:
        return truth[self.name]


class All(msgspec.Struct, frozen=True):
    parts: tuple[Formula, ...]

    def holds(self, truth: Mapping[str, bool]) -> bool:
        return all(part.holds(truth) for part in self.parts)


class AnyOf(msgspec.Struct, frozen=True):
    parts: tuple[Formula, ...]

    def holds(self, truth: Mapping[str, bool]) -> bool:
        return any(part.holds(truth) for part in self.parts)


Formula = Key | All | AnyOf


def read_formula(text: str, keys: Collection[str]) -> Formula:
    """The formula; every key must be a rule's, and every rule must be in it. Raises InvalidFields."""
    tokens = _tokens(text)
    if tokens.count("(") > _MOST_PARENTHESES:
        raise _wrong(f"more than {_MOST_PARENTHESES} parentheses")
    parser = _Parser(tokens)
    formula = parser.read()
    used = set(parser.names)
    if unknown := sorted(used - set(keys)):
        raise _wrong(f"there is no rule with the key {unknown[0]}")
    if unused := sorted(set(keys) - used):
        raise _wrong(f"the rule {unused[0]} is not in it")
    return formula


def _tokens(text: str) -> list[str]:
    if len(text) > _LONGEST:
        raise _wrong(f"longer than {_LONGEST} characters")
    tokens, at = [], 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _wrong(f"cannot be understood at {text[at : at + 20]!r}")
        tokens.append(found[1] or found[2])
        at = found.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self.names: list[str] = []

    def read(self) -> Formula:
        formula = self._any_of()
        if self._next() is not None:
            raise _wrong(f"{self._next()} is not expected there")
        return formula

    def _any_of(self) -> Formula:
        parts = [self._all()]
        while self._takes("OR"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all(self) -> Formula:
        parts = [self._one()]
        while self._takes("AND"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _one(self) -> Formula:
        if self._takes("("):
            inner = self._any_of()
            if not self._takes(")"):
                raise _wrong("a parenthesis is not closed")
            return inner
        word = self._next()
        if word is None or word == ")" or word.upper() in _WORDS:
            raise _wrong("a rule's key is missing" if word is None else f"{word} is not expected there")
        self._at += 1
        self.names.append(word)
        return Key(word)

    def _next(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _takes(self, word: str) -> bool:
        token = self._next()
        if token is None or token.upper() != word:
            return False
        self._at += 1
        return True


def _wrong(reason: str) -> InvalidFields:
    return InvalidFields(("formula", reason))


MOST_RECORDS = 100  # of a snapshot
MOST_ITEMS = 1000  # of the matchings of a rule
_NOTHING = RuleState()
_LONGEST_REASON = 500

OnError = Callable[[str, Exception], None]  # the rule's key, and what came of evaluating it


class Evaluation(NamedTuple):
    """What came of one."""

    state: AlertState
    fired: tuple[FiredRule, ...]  # empty: the alert is silent

    @property
    def failing(self) -> Mapping[str, str]:
        """Why rules could not be evaluated, by their keys."""
        return self.state.failures


class _Looked(NamedTuple):
    raw: Mapping[str, Any]
    matches: Sequence[Match]
    news: bool
    state: RuleState
    error: Exception | None = None


def keys_of(rules: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys of an alert's rules; one that has none goes by its place."""
    return [str(raw.get("key") or place) for place, raw in enumerate(rules)]


def reason_of(error: Exception) -> str:
    """What is shown of an error."""
    return str(error)[:_LONGEST_REASON] or type(error).__name__


def evaluate(alert: Alert, view: View, state: AlertState, on_error: OnError = lambda *_: None) -> Evaluation:
    """What the alert has to say at the view's moment, and what is remembered for the next time."""
    looked = {
        key: _look(raw, place, alert, view, state.rules.get(key, _NOTHING))
        for place, (key, raw) in enumerate(zip(keys_of(alert.rules), alert.rules, strict=True))
    }
    for key, one in looked.items():
        if one.error is not None:
            on_error(key, one.error)
    truth = {key: one.state.matched_at > view.now - WINDOW_MS for key, one in looked.items()}
    formula = read_formula(alert.formula, truth) if alert.formula and len(truth) > 1 else Key(next(iter(truth)))
    fires = formula.holds(truth) and any(one.news for one in looked.values())
    fired = tuple(one.state.last for key, one in looked.items() if truth[key] and one.state.last) if fires else ()
    rules = {key: _said(one, view.now) if fires else one.state for key, one in looked.items()}
    return Evaluation(msgspec.structs.replace(state, evaluated_at=view.now, rules=rules, failing=""), fired)


def entry_of(alert: Alert, fired: tuple[FiredRule, ...], now: int, entry_id: str) -> LogEntry:
    """What is logged of an alert that fired."""
    return LogEntry(
        id=entry_id,
        workspace=alert.workspace,
        alert_id=alert.id,
        profile_id=alert.profile_id,
        name=alert.name,
        at=now,
        rules=fired,
        in_daily_report=alert.is_in_daily_report,
        severity=alert.severity,
    )


def _look(raw: Mapping[str, Any], place: int, alert: Alert, view: View, before: RuleState) -> _Looked:
    before = _of(raw, before)
    said = {identity: at for identity, at in before.said.items() if at > view.now - WINDOW_MS}
    kept = msgspec.structs.replace(before, said=said, failing="")
    try:
        rule = read_rule(raw, f"rules[{place}]")
        matches = view.kept((rule, alert.profile_id), lambda: tuple(rule.matches(view, alert.profile_id)))
        news = any(_identity(match) not in said for match in matches)
        # No new struct while nothing matches: thousands of alerts are evaluated for each that fires.
        last = _frozen(raw, matches) if matches and (news or kept.last is None) else kept.last
    except Exception as error:  # noqa: BLE001 - one rule's trouble, whatever it is, is shown and stops no other
        return _Looked(raw, (), False, msgspec.structs.replace(kept, failing=reason_of(error)), error)
    if not matches:
        return _Looked(raw, (), False, kept)
    return _Looked(raw, matches, news, msgspec.structs.replace(kept, matched_at=view.now, last=last))


def _of(raw: Mapping[str, Any], before: RuleState) -> RuleState:
    """What is remembered, unless that is of a rule that a user has replaced by this one."""
    if before.last is None or before.last.snapshot.get("rule") == raw:
        return before
    # The same type names the same things, and what was said of them was said.
    return RuleState(said=before.said) if before.last.type == raw.get("type") else _NOTHING


def _said(looked: _Looked, now: int) -> RuleState:
    said = {**looked.state.said, **{_identity(match): now for match in looked.matches}}
    return msgspec.structs.replace(looked.state, said=said)


def _identity(match: Match) -> str:
    return "\x1f".join(match.identity)


def _frozen(raw: Mapping[str, Any], matches: Sequence[Match]) -> FiredRule:
    records: list[Mapping[str, Any]] = []
    seen: set[int] = set()
    for match in matches:
        # Several matches may come from one record, such as the listings of one address.
        if id(match.record) not in seen:
            seen.add(id(match.record))
            records.append(match.record)
    snapshot = {
        "rule": raw,
        "date_timestamp": max(match.at for match in matches),
        "data": records[:MOST_RECORDS],
        "truncated": len(records) > MOST_RECORDS or len(matches) > MOST_ITEMS,
    }
    matchings = {"items": [match.item for match in matches[:MOST_ITEMS]], "count": len(matches)}
    # What no encoder knows must show here, where it is one rule's trouble, and not when the whole is stored or sent.
    return FiredRule(
        type=str(raw.get("type")), snapshot=msgspec.to_builtins(snapshot), matchings=msgspec.to_builtins(matchings)
    )
