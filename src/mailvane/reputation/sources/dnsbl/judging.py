"""Which answers between two probes count. Pure.

Unknown is not no: silence of a zone that failed its probe is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter

import msgspec

from mailvane.reputation.blocklists import Findings, Outcome, Verdict
from mailvane.reputation.model import ZoneHealth
from mailvane.reputation.sources.dnsbl.names import LISTS, family

_ZONE, _OUTCOME = attrgetter("zone"), attrgetter("outcome")


class Judge:
    """Knows how the zones did on both sides of the questions, by host."""

    def __init__(self, health: Mapping[str, ZoneHealth]) -> None:
        self._health = health
        # Where no test point at all was found, the resolver may be broken: a name that it does not find may exist.
        self._resolver_proven = any(one.usable and one.proven for one in health.values())
        self._proven = {
            lists: frozenset(one.host for one in health.values() if one.usable and lists in one.proven)
            for lists in LISTS
        }

    def believed(self, found: Findings) -> Findings:
        """With no verdict left that its zone, or the resolver, gives no ground for."""
        proven = self._proven[family(found.kind, found.name)]
        verdicts = found.verdicts
        if not proven.issuperset(map(_ZONE, verdicts)):
            verdicts = tuple(self._judged(verdict, proven) for verdict in verdicts)
        outcomes = list(map(_OUTCOME, verdicts))  # a set would ask each for its hash, which takes longer
        return msgspec.structs.replace(
            found,
            verdicts=verdicts,
            details=found.details if self._resolver_proven else {},
            outcome=next((one for one in (Outcome.LISTED, Outcome.CLEAR) if one in outcomes), Outcome.UNKNOWN),
        )

    def _judged(self, verdict: Verdict, proven: frozenset[str]) -> Verdict:
        """A list without its test point can list, and cannot clear."""
        health = self._health[verdict.zone]
        if verdict.outcome is Outcome.UNKNOWN or verdict.zone in proven:
            return verdict
        if verdict.outcome is Outcome.LISTED and health.usable:
            return verdict
        return Verdict(zone=verdict.zone, outcome=Outcome.UNKNOWN, codes=verdict.codes, reason=health.reason)
