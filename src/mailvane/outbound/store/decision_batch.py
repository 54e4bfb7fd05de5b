"""One transaction of decisions: what was read at its start, judged in memory, and what is to be written at its end.

It decides nothing itself: the judge does. It makes a mail that is asked about twice count once; where recipients are
what counts, and more of them are known the second time, they replace those that were counted the first time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from mailvane.core.moments import MINUTE_MS
from mailvane.outbound.model import AuditEntry, Domain, Judge, SendRequest, Usage, Verdict, Watch, leading
from mailvane.outbound.store.rows import counters_row

_encoder = msgspec.msgpack.Encoder()


class Answered(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What was answered about a mail, and how much was counted for it."""

    verdict: Verdict
    units: int


_decoder = msgspec.msgpack.Decoder(Answered)


def digest(domain: Domain, identity: str) -> bytes:
    """Stands for a mail or a message of one domain."""
    text = f"{domain.id}\x00{identity}".encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=16).digest()


class DecisionBatch:
    """The domains that were asked about, their counters as they change, and the answers."""

    def __init__(self, held: Sequence[tuple[Domain, Usage]], now: int, watch: Watch | None = None) -> None:
        self._named: dict[str, list[Domain]] = {}
        for domain, _ in held:
            self._named.setdefault(domain.name, []).append(domain)
        self._before = {domain.id: usage for domain, usage in held}
        self._usages = dict(self._before)
        self._now = now
        self._answers: dict[bytes, Answered] = {}
        self._fresh: dict[bytes, Answered] = {}
        self._minutes: dict[int, list[int]] = {}
        self._watch = watch
        self._changes: list[tuple[Domain, Domain, AuditEntry]] = []

    def identities(self, passages: Sequence[SendRequest]) -> list[bytes]:
        """Of the mails that can be recognised when they are asked about again."""
        known = ((self._asked_of(each), each.instance) for each in passages if each.instance)
        return [digest(domain, instance) for domain, instance in known if domain is not None]

    def remember(self, answered: Mapping[bytes, bytes]) -> None:
        """What was answered in earlier transactions."""
        self._answers = {identity: _decoder.decode(answer) for identity, answer in answered.items()}

    def decide(self, passages: Sequence[SendRequest], judge: Judge) -> list[Verdict]:
        return [self._answer(passage, judge) for passage in passages]

    def counters(self) -> list[dict[str, Any]]:
        """The rows of the counters that changed."""
        return [
            {"row_id": number} | counters_row(usage, "new_")
            for number, usage in self._usages.items()
            if usage is not self._before[number]
        ]

    def changes(self) -> list[tuple[Domain, Domain, AuditEntry]]:
        """The domains that changed, before and after, with what is to be written down of it."""
        return self._changes

    def minutes(self) -> list[dict[str, Any]]:
        minute = self._now // MINUTE_MS * MINUTE_MS
        return [
            {"domain": number, "minute": minute, "asked": asked, "allowed": allowed}
            for number, (asked, allowed) in self._minutes.items()
        ]

    def answers(self) -> list[dict[str, Any]]:
        return [
            {"digest": identity, "answered_at": self._now, "verdict": _encoder.encode(answer)}
            for identity, answer in self._fresh.items()
        ]

    def _asked_of(self, passage: SendRequest) -> Domain | None:
        """The domain that answers, if any."""
        named = self._named.get(passage.domain, ())
        if len(named) == 1:
            return named[0] if _answers(named[0], passage) else None
        return leading(domain for domain in named if _answers(domain, passage))

    def _answer(self, passage: SendRequest, judge: Judge) -> Verdict:
        domain = self._asked_of(passage)
        if domain is None:
            return Verdict(domain=passage.domain, allowed=True, known=False)
        if not passage.instance:
            return self._judge(domain, passage, judge)
        identity = digest(domain, passage.instance)
        known = self._fresh.get(identity) or self._answers.get(identity)
        units = passage.counted_in(domain)
        if known is None:
            verdict = self._judge(domain, passage, judge)
        elif known.units and units > known.units:
            verdict = self._judge(domain, passage, judge, known.units)
        else:
            return known.verdict
        self._fresh[identity] = Answered(verdict, units if verdict.allowed else 0)
        return verdict

    def _judge(self, domain: Domain, passage: SendRequest, judge: Judge, reserved: int = 0) -> Verdict:
        before = self._usages[domain.id]
        verdict, after = judge(domain, _without(before, reserved), passage, self._now)
        self._usages[domain.id] = after
        if self._watch is not None and (after.bounces or after.complaints) and after.sent_month != before.sent_month:
            self._change(domain, self._watch(domain, before, after, self._now))
        units = passage.counted_in(domain) - reserved
        minute = self._minutes.setdefault(domain.id, [0, 0])
        minute[0] += units
        minute[1] += units if verdict.allowed else -reserved
        return verdict

    def _change(self, old: Domain, found: tuple[Domain, AuditEntry] | None) -> None:
        if found is not None:
            new, entry = found
            self._named[old.name] = [new if each.id == new.id else each for each in self._named[old.name]]
            self._changes.append((old, new, entry))


def _answers(domain: Domain, passage: SendRequest) -> bool:
    """Whether the domain is there for whoever asks."""
    if passage.mail_server:
        return domain.approved
    return domain.removed_at is None and passage.workspace in {None, domain.workspace}


def _without(usage: Usage, units: int) -> Usage:
    """Before so much was counted. A counter that has begun anew since then has nothing to give back."""
    if not units:
        return usage
    return msgspec.structs.replace(
        usage,
        sent_today=max(0, usage.sent_today - units),
        sent_this_hour=max(0, usage.sent_this_hour - units),
        sent_month=max(0, usage.sent_month - units),
    )
