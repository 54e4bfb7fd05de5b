"""What people decide about messages: held ones are accepted or rejected, failed ones are tried again, any are removed.

Whoever delivers is told by the queue, and may be another process; a decision waits a moment to see how it went.
Deciding twice changes nothing the second time: a message is changed only while it is what it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import StrEnum

import msgspec

from mailvane.inbound.model import AuditEntry, Filter, FilterAction, Message, MessageStatus
from mailvane.inbound.store.rows import Change
from mailvane.inbound.stores import InboundStores
from mailvane.maillog.model import MailEvent

_PATIENCE = 10.0  # seconds that a decision waits for the next hop's answer
_PAUSE = 0.05
_GONE_WRONG = frozenset({MessageStatus.FAILED, MessageStatus.BOUNCED})


class Refusal(StrEnum):
    """Why an item could not be decided."""

    NOT_FOUND = "not_found"
    NOT_HELD = "not_quarantined"
    EXPIRED = "expired"
    DELIVERY_FAILED = "delivery_failed"


class Decided(msgspec.Struct, frozen=True):
    """What became of one item."""

    id: str
    status: MessageStatus | None  # as it is now; None: there is none of that id
    refusal: Refusal | None = None
    reason: str = ""


class Quarantine:
    """Decisions on the messages of workspaces."""

    def __init__(
        self,
        stores: InboundStores,
        denied_by: Callable[[Message], Filter | None],
        tell: Callable[[Message, Message], tuple[MailEvent, ...]],
        wake: Callable[[], None],
        learn: Callable[[Message, bool], None],
    ) -> None:
        """`denied_by`: the filter that decides about a message now. `tell`: the events of a change. `wake`: something
        is due for delivery. `learn`: whether it was wanted, for the spam filter."""
        self._stores = stores
        self._denied_by = denied_by
        self._tell = tell
        self._wake = wake
        self._learn = learn

    def accept(self, workspace: int, ids: Sequence[str], actor: str, now: int) -> list[Decided]:
        """Deliver held messages, unless a filter denies them. In the order of the ids."""
        found = self._stores.messages.by_id(workspace, ids)
        refused = {each: _unfit(found.get(each), each, now) for each in ids}
        steps = [self._released(found[each], now) for each in ids if refused[each] is None]
        taken = self._change(steps, AuditEntry(at=now, actor=actor, action="accept", subject=""), now)
        for step in steps:
            if step.before.id in taken:
                self._learn(step.before, True)
        self._wake()
        after = self._settled(workspace, [each for each in ids if each in taken])
        return [refused[each] or self._outcome(each, after.get(each), each in taken) for each in ids]

    def reject(self, workspace: int, ids: Sequence[str], actor: str, now: int) -> list[Decided]:
        """Deny held messages. Nothing is learned from it. In the order of the ids."""
        found = self._stores.messages.by_id(workspace, ids)
        refused = {each: _unfit(found.get(each), each, now, expired_is_unfit=False) for each in ids}
        steps = [self._denied(found[each], "rejected by a person", now) for each in ids if refused[each] is None]
        taken = self._change(steps, AuditEntry(at=now, actor=actor, action="reject", subject=""), now)
        return [refused[each] or self._outcome(each, steps_after(steps, each), each in taken) for each in ids]

    def redeliver(self, workspace: int, ids: Sequence[str], actor: str, now: int) -> list[Decided]:
        """Try failed and bounced messages again, as long as their content is kept."""
        found = self._stores.messages.by_id(workspace, ids)
        refused = {each: _not_failed(found.get(each), each) for each in ids}
        steps = []
        for each in ids:
            if refused[each] is None:
                again = msgspec.structs.replace(
                    found[each], status=MessageStatus.PENDING, attempts=0, next_at=now, changed_at=now, reason=""
                )
                steps.append(Change(before=found[each], after=again, events=self._tell(found[each], again)))
        taken = self._change(steps, AuditEntry(at=now, actor=actor, action="redeliver", subject=""), now)
        self._wake()
        after = self._settled(workspace, [each for each in ids if each in taken])
        return [refused[each] or self._outcome(each, after.get(each), each in taken) for each in ids]

    def remove(self, workspace: int, ids: Sequence[str], actor: str, now: int) -> set[str]:
        """Forget messages, unless they are on their way just now; the ids of those that are gone."""
        found = [one for one in self._stores.messages.by_id(workspace, ids).values() if not one.holder]
        entries = {workspace: [AuditEntry(at=now, actor=actor, action="delete", subject=one.id) for one in found]}
        return self._stores.messages.remove(found, entries)

    def _released(self, message: Message, now: int) -> Change:
        rule = self._denied_by(message)
        if rule is not None and rule.action is FilterAction.DENY:
            denied = self._denied(message, f"filter: {rule.name}", now)
            return msgspec.structs.replace(denied, after=msgspec.structs.replace(denied.after, filter=rule.id))
        after = msgspec.structs.replace(
            message, status=MessageStatus.PENDING, next_at=now, expires_at=None, changed_at=now, attempts=0
        )
        return Change(before=message, after=after, events=self._tell(message, after))

    def _denied(self, message: Message, reason: str, now: int) -> Change:
        after = msgspec.structs.replace(
            message, status=MessageStatus.DENIED, reason=reason, content=None, expires_at=None, changed_at=now
        )
        return Change(before=message, after=after, events=self._tell(message, after))

    def _change(self, steps: Sequence[Change], entry: AuditEntry, now: int) -> set[str]:
        entries: dict[int, list[AuditEntry]] = {}
        for step in steps:
            own = msgspec.structs.replace(entry, subject=step.before.id)
            entries.setdefault(step.before.workspace, []).append(own)
        return self._stores.messages.change(steps, now, entries) if steps else set()

    def _settled(self, workspace: int, ids: Sequence[str]) -> dict[str, Message]:
        """The messages, once each was tried, or after a while."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            found = self._stores.messages.by_id(workspace, ids) if ids else {}
            waits = [one for one in found.values() if one.status is MessageStatus.PENDING and not one.attempts]
            if not waits or time.monotonic() > deadline:
                return found
            time.sleep(_PAUSE)

    @staticmethod
    def _outcome(message_id: str, after: Message | None, taken: bool) -> Decided:
        if not taken or after is None:
            return Decided(message_id, None, Refusal.NOT_HELD, "somebody else decided about it at the same time")
        if after.status in _GONE_WRONG:
            return Decided(message_id, after.status, Refusal.DELIVERY_FAILED, after.reply or after.reason)
        return Decided(message_id, after.status)


def steps_after(steps: Sequence[Change], message_id: str) -> Message | None:
    return next((step.after for step in steps if step.after.id == message_id), None)


def _unfit(message: Message | None, message_id: str, now: int, *, expired_is_unfit: bool = True) -> Decided | None:
    if message is None:
        return Decided(message_id, None, Refusal.NOT_FOUND, "There is no such message.")
    if message.status is not MessageStatus.QUARANTINED:
        return Decided(message_id, message.status, Refusal.NOT_HELD, "Message is not in quarantine.")
    is_over = message.content is None or (message.expires_at is not None and message.expires_at <= now)
    if expired_is_unfit and is_over:
        return Decided(message_id, message.status, Refusal.EXPIRED, "Its content is no longer kept.")
    return None


def _not_failed(message: Message | None, message_id: str) -> Decided | None:
    if message is None:
        return Decided(message_id, None, Refusal.NOT_FOUND, "There is no such message.")
    if message.status not in _GONE_WRONG:
        return Decided(message_id, message.status, Refusal.NOT_HELD, "Message has not failed.")
    if message.content is None:
        return Decided(message_id, message.status, Refusal.EXPIRED, "Its content is no longer kept.")
    return None
