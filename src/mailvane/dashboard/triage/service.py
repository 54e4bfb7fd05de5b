"""Carries out decisions about held mail when their ten seconds are over.

Carrying one out twice changes nothing the second time: a mail is changed only while it is held.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.core.moments import DAY_MS, MINUTE_MS
from mailvane.dashboard.triage.store import Act, Decision, DecisionStore
from mailvane.inbound.model import AuditEntry, Contact, ContactState, MessageStatus
from mailvane.inbound.quarantine import Decided, Quarantine
from mailvane.inbound.stores import InboundStores

log = logging.getLogger(__name__)

UNDO_MS = 10_000
_AGAIN_MS = 2 * MINUTE_MS  # a process that took one and has died is not waited for any longer
_FAILURES_MS = DAY_MS
_AT_ONCE = 100
_HELD = frozenset({MessageStatus.QUARANTINED, MessageStatus.SNOOZED})
_STATES = {Act.ACCEPT: ContactState.WHITELISTED, Act.REJECT: ContactState.BLOCKED}


class Verdict(NamedTuple):
    """What a person said of held mail."""

    act: Act
    remember: bool
    actor: str


class Triage:
    """Safe to share between threads."""

    def __init__(self, decisions: DecisionStore, quarantine: Quarantine, stores: InboundStores) -> None:
        self._decisions = decisions
        self._quarantine = quarantine
        self._stores = stores

    def decide(self, workspace: int, messages: Sequence[str], verdict: Verdict, now: int) -> None:
        """It is carried out in ten seconds. Raises InvalidInput for a mail that is not held."""
        found = self._stores.messages.by_id(workspace, messages)
        if any((one := found.get(each)) is None or one.status not in _HELD for each in messages):
            raise InvalidInput("a mail that was chosen is held no longer: look at the list again")
        act, remember, actor = verdict
        self._decisions.add(
            [
                Decision(
                    workspace=workspace, message=each, act=act, remember=remember, actor=actor, due_at=now + UNDO_MS
                )
                for each in messages
            ]
        )  # fmt: skip

    def waiting(self, workspace: int) -> list[Decision]:
        return self._decisions.waiting(workspace)

    def take_back(self, workspace: int, messages: Sequence[str]) -> int:
        """How many were not carried out yet, and will not be."""
        return self._decisions.take_back(workspace, messages)

    def run(self, now: int) -> bool:
        """Carry out what is due; whether there may be more. Blocking. Raises StoreUnavailable."""
        self._decisions.forget(now)
        taken = self._decisions.take(now, now + _AGAIN_MS, _AT_ONCE)
        taken.sort(key=_alike)
        for (workspace, act, remember, actor), group in groupby(taken, _alike):
            messages = [each.message for each in group]
            failures = self._carried_out(workspace, messages, Verdict(Act(act), remember, actor), now)
            self._decisions.settle(workspace, failures, now + _FAILURES_MS)
        return len(taken) == _AT_ONCE

    def _carried_out(self, workspace: int, messages: Sequence[str], verdict: Verdict, now: int) -> dict[str, str]:
        """Why not, by mail; "" where it was."""
        act, remember, actor = verdict
        if remember:
            self._remember(workspace, messages, AuditEntry(at=now, actor=actor, action="contact", subject=""), act)
        decide = self._quarantine.accept if act is Act.ACCEPT else self._quarantine.reject
        return {each.id: _failure(each) for each in decide(workspace, messages, actor, now)}

    def _remember(self, workspace: int, messages: Sequence[str], entry: AuditEntry, act: Act) -> None:
        """From now on decide so about these senders."""
        state = _STATES[act]

        def changed(contact: Contact) -> Contact:
            return msgspec.structs.replace(contact, state=state)

        for contact in {one.contact for one in self._stores.messages.by_id(workspace, messages).values()}:
            told = msgspec.structs.replace(entry, subject=contact, detail=state.value)
            self._stores.contacts.change(workspace, contact, changed, told)


def _alike(decision: Decision) -> tuple[int, str, bool, str]:
    return decision.workspace, decision.act.value, decision.remember, decision.actor


def _failure(decided: Decided) -> str:
    return "" if decided.refusal is None else decided.reason or decided.refusal.value.replace("_", " ")
