"""What one transaction decides, in memory: the domains that were asked about, their counters, and the answers.

Reads and writes no store; `domains` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from mailvane.core.moments import MINUTE_MS
from mailvane.outbound.model import (
    AuditEntry,
    Domain,
    Judge,
    LimitKind,
    LimitWindow,
    Reason,
    SenderLimit,
    SendRequest,
    Usage,
    Verdict,
    Watch,
    leading,
)
from mailvane.outbound.store.rows import counters_row
from mailvane.outbound.store.senders import Refused, SenderCounters

_encoder = msgspec.msgpack.Encoder()


class Answered(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What was answered about a mail, and how much was counted for it."""

    verdict: Verdict
    units: int
    request: bytes = b""  # under a key: stands for what was asked


_decoder = msgspec.msgpack.Decoder(Answered)


def _only_sent(before: Usage, after: Usage) -> bool:
    """Of the same hour, with nothing but mails more."""
    return (
        before.hour == after.hour
        and before.day == after.day
        and before.month == after.month
        and before.first_day == after.first_day
        and before.last_days is after.last_days
        and before.baseline is after.baseline
        and before.other is after.other
        and before.month_since == after.month_since
        and before.bounces == after.bounces
        and before.complaints == after.complaints
        and before.unbilled_sent == after.unbilled_sent
        and before.unbilled_bounces == after.unbilled_bounces
        and before.unbilled_complaints == after.unbilled_complaints
    )


def digest(domain: Domain, identity: str) -> bytes:
    """Stands for a message of one domain, or for what was asked of it."""
    text = f"{domain.id}\x00{identity}".encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=16).digest()


def mail_digest(request: SendRequest, told: str, person: bytes = b"") -> bytes:
    """Stands for what is told of a mail. It begins with the time of the mail's name, where that is known.

    Digests that only look random change a page of the table for nearly every mail. Led by time, those of mails that
    come together lie together.
    """
    text = told.encode("utf-8", "surrogatepass")
    if not request.named_at:
        return blake2b(text, digest_size=16, person=person).digest()
    return request.named_at.to_bytes(7, "big") + blake2b(text, digest_size=9, person=person).digest()


def _key_digest(domain: Domain, key: str) -> bytes:
    """Stands for a key of one workspace."""
    text = f"workspace {domain.workspace}\x00{key}".encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=16, person=b"idempotency").digest()


class DecisionBatch:
    """The domains that were asked about, their counters as they change, and the answers."""

    def __init__(
        self,
        held: Sequence[tuple[Domain, Usage]],
        now: int,
        watch: Watch | None = None,
        senders: SenderCounters | None = None,
    ) -> None:
        self._named: dict[str, list[Domain]] = {}
        for domain, _ in held:
            self._named.setdefault(domain.name, []).append(domain)
        self._before = {domain.id: usage for domain, usage in held}
        self._usages = dict(self._before)
        self._now = now
        self._answers: dict[bytes, Answered] = {}
        self._fresh: dict[bytes, Answered] = {}
        self._digests: dict[tuple[int, str], bytes] = {}
        self._keyed: dict[bytes, Answered] = {}
        self._minutes: dict[int, list[int]] = {}
        self._watch = watch
        self._senders = senders or SenderCounters((), None, now, {})
        self._changes: list[tuple[Domain, Domain, AuditEntry]] = []

    def identities(self, requests: Sequence[SendRequest]) -> list[bytes]:
        """Of the mails that can be recognised when they are asked about again."""
        known = (self._identity(each, self.asked_of(each)) for each in requests if each.instance)
        return [identity for identity in known if identity]

    def keys(self, requests: Sequence[SendRequest]) -> list[bytes]:
        """Of the requests that came under a key."""
        known = ((self.asked_of(each), each.key) for each in requests if each.key)
        return [_key_digest(domain, key) for domain, key in known if domain is not None]

    def remember(self, answered: Mapping[bytes, bytes]) -> None:
        """What was answered in earlier transactions."""
        self._answers |= {identity: _decoder.decode(answer) for identity, answer in answered.items()}

    def decide(self, requests: Sequence[SendRequest], judge: Judge) -> list[Verdict]:
        return [self._answer(request, judge) for request in requests]

    def look(self, request: SendRequest, judge: Judge) -> Verdict:
        """What would be said of a mail that is not counted: the counters as they are."""
        domain = self.asked_of(request)
        if domain is None:
            return Verdict(domain=request.domain, allowed=True, known=False)
        verdict, _ = judge(domain, self._usages[domain.id], request, self._now)
        units = request.counted_in(domain) if verdict.allowed else 0
        today, month = verdict.sent_today - units, verdict.sent_month - units
        return Verdict(domain=domain.name, allowed=True, sent_today=today, sent_month=month)

    def answered_under_key(self, request: SendRequest) -> bool:
        """Whether there is an answer already, which is given again."""
        domain = self.asked_of(request)
        if domain is None or not request.key:
            return False
        identity = _key_digest(domain, request.key)
        return identity in self._keyed or identity in self._answers

    def counters(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The rows of the counters that changed: where that is only what was sent, and the others."""
        sent, others = [], []
        for number, usage in self._usages.items():
            before = self._before[number]
            if usage is before:
                continue
            if _only_sent(before, usage):
                sent.append(
                    {
                        "row_id": number,
                        "new_sent_today": usage.sent_today,
                        "new_sent_this_hour": usage.sent_this_hour,
                        "new_sent_month": usage.sent_month,
                    }
                )
            else:
                others.append({"row_id": number} | counters_row(usage, "new_"))
        return sent, others

    def by_name(self) -> dict[str, tuple[tuple[Domain, Usage], ...]]:
        """The domains that were asked about and their counters, as they are now."""
        return {
            name: tuple([(domain, self._usages[domain.id]) for domain in named]) for name, named in self._named.items()
        }

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
        return self._rows(self._fresh)

    def keyed_answers(self) -> list[dict[str, Any]]:
        return self._rows(self._keyed)

    def _rows(self, answered: Mapping[bytes, Answered]) -> list[dict[str, Any]]:
        return [
            {"digest": identity, "answered_at": self._now, "verdict": _encoder.encode(answer)}
            for identity, answer in answered.items()
        ]

    def asked_of(self, request: SendRequest) -> Domain | None:
        """The domain that answers, if any."""
        named = self._named.get(request.domain, ())
        if len(named) == 1:
            return named[0] if _answers(named[0], request) else None
        return leading(domain for domain in named if _answers(domain, request))

    def _answer(self, request: SendRequest, judge: Judge) -> Verdict:
        domain = self.asked_of(request)
        if domain is None:
            return self._answer_unknown(request)
        if request.key:
            return self._answer_keyed(domain, request, judge)
        if not request.instance:
            return self._judge(domain, request, judge)
        identity = self._digest(domain, request)
        known = self._fresh.get(identity) or self._answers.get(identity)
        units = request.counted_in(domain)
        if known is None:
            if request.is_look:
                verdict, _ = judge(domain, self._usages[domain.id], request, self._now)
                if verdict.allowed and not self._is_over(request, domain):
                    return verdict
            verdict = self._judge(domain, request, judge)
        elif known.units and units > known.units:
            verdict = self._judge(domain, request, judge, known.units)
        else:
            return known.verdict
        self._fresh[identity] = Answered(verdict, units if verdict.allowed else 0)
        return verdict

    def _identity(self, request: SendRequest, domain: Domain | None) -> bytes:
        """Of a mail; empty: it is not counted anywhere."""
        if domain is not None:
            return self._digest(domain, request)
        limits = self._senders.of(request, None)
        return _sender_digest(limits[0], request) if limits else b""

    def _digest(self, domain: Domain, request: SendRequest) -> bytes:
        known = self._digests.get((domain.id, request.instance))
        if known is None:
            known = mail_digest(request, f"{domain.id}\x00{request.instance}")
            self._digests[domain.id, request.instance] = known
        return known

    def _is_over(self, request: SendRequest, domain: Domain | None) -> bool:
        return self._senders.refuses(self._senders.of(request, domain)) is not None

    def _answer_unknown(self, request: SendRequest) -> Verdict:
        """Of a mail of no governed domain: it passes, unless its sender has a limit of its own."""
        passed = Verdict(domain=request.domain, allowed=True, known=False)
        limits = self._senders.of(request, None)
        if not limits:
            return passed
        identity = _sender_digest(limits[0], request) if request.instance else b""
        known = self._fresh.get(identity) or self._answers.get(identity)
        if known is not None:
            return known.verdict
        over = self._senders.refuses(limits)
        if request.is_look and not over:
            return passed
        if not over:
            self._senders.count(limits)
        verdict = _refused_of(passed, over, 0) if over else passed
        if identity:
            self._fresh[identity] = Answered(verdict, 0)
        return verdict

    def _answer_keyed(self, domain: Domain, request: SendRequest, judge: Judge) -> Verdict:
        identity = _key_digest(domain, request.key)
        content = digest(domain, request.content.hex())
        known = self._keyed.get(identity) or self._answers.get(identity)
        if known is None:
            known = Answered(self._judge(domain, request, judge), 0, content)
            self._keyed[identity] = known
        elif known.request != content:
            return Verdict(domain=domain.name, allowed=False, key_reused=True)
        return known.verdict

    def _judge(self, domain: Domain, request: SendRequest, judge: Judge, reserved: int = 0) -> Verdict:
        before = self._usages[domain.id]
        verdict, after = judge(domain, _without(before, reserved), request, self._now)
        # A mail that has passed at its beginning is counted for its sender already.
        limits = self._senders.of(request, domain) if verdict.allowed and not reserved else ()
        if over := self._senders.refuses(limits):
            verdict, after = _refused_of(verdict, over, request.counted_in(domain)), before
        else:
            self._senders.count(limits, domain)
            self._senders.count_domain(domain, before, after)
        self._usages[domain.id] = after
        if self._watch is not None and (after.bounces or after.complaints) and after.sent_month != before.sent_month:
            found = self._watch(domain, before, after, self._now)
            if found is not None:
                new, entry = found
                self._named[domain.name] = [new if each.id == new.id else each for each in self._named[domain.name]]
                self._changes.append((domain, new, entry))
        units = request.counted_in(domain) - reserved
        minute = self._minutes.setdefault(domain.id, [0, 0])
        minute[0] += units
        minute[1] += units if verdict.allowed else -reserved
        return verdict


_OF_DOMAIN = {LimitWindow.HOUR: Reason.HOURLY, LimitWindow.DAY: Reason.DAILY, LimitWindow.MONTH: Reason.MONTHLY}
_OF_SENDER = {LimitKind.MAILBOX: Reason.MAILBOX, LimitKind.LOGIN: Reason.LOGIN}


def _refused_of(verdict: Verdict, over: Refused, units: int) -> Verdict:
    """The verdict on a mail that passes its governed domain's limits, and not one of its sender."""
    today, month = verdict.sent_today - units, verdict.sent_month - units
    reason = _OF_SENDER.get(over.kind) or _OF_DOMAIN[over.window]
    return msgspec.structs.replace(
        verdict, allowed=False, soft=False, reason=reason, window=over.window, sent_today=today, sent_month=month
    )


def _sender_digest(limit: SenderLimit, request: SendRequest) -> bytes:
    """Stands for a mail of one sender."""
    return mail_digest(request, f"{limit.workspace}\x00{limit.name}\x00{request.instance}", b"sender mail")


def _answers(domain: Domain, request: SendRequest) -> bool:
    """Whether the domain is there for whoever asks."""
    if request.mail_server:
        return domain.approved
    return domain.removed_at is None and request.workspace in {None, domain.workspace}


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
