"""What people decide about messages: held ones are accepted, snoozed or rejected, failed ones tried again, any removed.

Whoever delivers is told by the queue, and may be another process; a decision waits a moment to see how it went.
Deciding twice changes nothing the second time: a message is changed only while it is what it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import StrEnum

import msgspec

from mailvane.core.errors import InvalidInput, NotFound
from mailvane.core.moments import DAY_MS, iso_text
from mailvane.inbound import events
from mailvane.inbound.filtering import kept_mail
from mailvane.inbound.judging import Circumstances, Outcome, Thresholds, released
from mailvane.inbound.model import AuditEntry, Contact, ContactState, Filter, Message, MessageStatus
from mailvane.inbound.store.queue import domain_key
from mailvane.inbound.store.rows import Change
from mailvane.inbound.stores import InboundStores

_PATIENCE = 10.0  # seconds that a decision waits for the next hop's answer
_PAUSE = 0.05
SNOOZE_DAYS = 30  # a snoozed message is delivered within these
_HELD = frozenset({MessageStatus.QUARANTINED, MessageStatus.SNOOZED})
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
        content: Callable[[str], bytes],
        learn: Callable[[bytes, bool], None],
    ) -> None:
        """`content`: of a message, by its hash; raises NotFound, StoreUnavailable. `learn`: tells the spam filter
        whether a content is spam."""
        self._stores = stores
        self._content = content
        self._learn = learn

    def accept(self, workspace: int, ids: Sequence[str], actor: str, now: int) -> list[Decided]:
        """Deliver held messages, unless a filter denies them, and let the spam filter learn that they were wanted.

        In the order of the ids.
        """
        return self._release(workspace, ids, AuditEntry(at=now, actor=actor, action="accept", subject=""), None)

    def snooze(self, workspace: int, ids: Sequence[str], until: int, actor: str, now: int) -> list[Decided]:
        """Likewise, but deliver them at a time to come. In the order of the ids. Raises InvalidInput."""
        if not now < until <= now + SNOOZE_DAYS * DAY_MS:
            raise InvalidInput(f"the time to deliver it lies within the next {SNOOZE_DAYS} days")
        return self._release(workspace, ids, AuditEntry(at=now, actor=actor, action="snooze", subject=""), until)

    def _release(self, workspace: int, ids: Sequence[str], entry: AuditEntry, until: int | None) -> list[Decided]:
        now = entry.at
        found = self._stores.messages.by_id(workspace, ids)
        filters = self._stores.filters.filters(workspace)
        contacts = self._stores.contacts.by_id(workspace, sorted({one.contact for one in found.values()}))
        refused: dict[str, Decided] = {}
        steps, contents = [], {}
        for each in ids:
            message = found.get(each)
            if message is None:
                refused[each] = _missing(each)
                continue
            if (unfit := _unfit(message, now)) is not None:
                refused[each] = unfit
                continue
            try:
                contents[each] = self._content(message.content or "")
            except NotFound:
                refused[each] = _expired(message)
                continue
            known = _circumstances(message, contents[each], contacts.get(message.contact), filters)
            steps.append(self._bound(_released(message, released(known), now, until)))
        taken = self._change(steps, entry, now)
        for step in steps:
            if step.before.id in taken and not step.before.trained:
                self._learn(contents[step.before.id], False)
        after = self._settled(workspace, [each for each in ids if each in taken])
        return [refused.get(each) or _outcome(each, after.get(each), each in taken) for each in ids]

    def reject(self, workspace: int, ids: Sequence[str], actor: str, now: int) -> list[Decided]:
        """Deny held messages, and let the spam filter learn that they were not wanted. In the order of the ids."""
        found = self._stores.messages.by_id(workspace, ids)
        refused: dict[str, Decided] = {}
        steps = {}
        for each in ids:
            message = found.get(each)
            if message is None:
                refused[each] = _missing(each)
            elif message.status not in _HELD:
                refused[each] = _not_held(message)
            else:
                steps[each] = _denied(message, "rejected by a person", now)
        contents = {each: self._kept(step.before) for each, step in steps.items() if not step.before.trained}
        taken = self._change(list(steps.values()), AuditEntry(at=now, actor=actor, action="reject", subject=""), now)
        for each, content in contents.items():
            if each in taken and content is not None:
                self._learn(content, True)
        return [refused.get(each) or _outcome(each, steps[each].after, each in taken) for each in ids]

    def _bound(self, step: Change) -> Change:
        """For the next hop that its domain has now."""
        key = domain_key(step.before.workspace, step.before.recipient)
        domain = self._stores.domains.named(key.name)
        if domain is None or domain.workspace != key.workspace:
            return step
        return msgspec.structs.replace(step, after=msgspec.structs.replace(step.after, hop=domain.hop.name))

    def _kept(self, message: Message) -> bytes | None:
        try:
            return self._content(message.content) if message.content else None
        except NotFound:
            return None

    def redeliver(self, workspace: int, ids: Sequence[str], actor: str, now: int) -> list[Decided]:
        """Try failed and bounced messages again, as long as their content is kept. In the order of the ids."""
        found = self._stores.messages.by_id(workspace, ids)
        refused: dict[str, Decided] = {}
        steps = []
        for each in ids:
            message = found.get(each)
            if message is None:
                refused[each] = _missing(each)
                continue
            if (unfit := _not_failed(message)) is not None:
                refused[each] = unfit
                continue
            again = msgspec.structs.replace(
                message, status=MessageStatus.PENDING, attempts=0, next_at=now, changed_at=now, reason="", reply=""
            )
            steps.append(self._bound(Change(before=message, after=again)))
        taken = self._change(steps, AuditEntry(at=now, actor=actor, action="redeliver", subject=""), now)
        after = self._settled(workspace, [each for each in ids if each in taken])
        return [refused.get(each) or _outcome(each, after.get(each), each in taken) for each in ids]

    def remove(self, workspace: int, ids: Sequence[str], actor: str, now: int) -> set[str]:
        """Forget messages, unless they are on their way just now; the ids of those that are gone."""
        found = [one for one in self._stores.messages.by_id(workspace, ids).values() if not one.holder]
        entries = {workspace: [AuditEntry(at=now, actor=actor, action="delete", subject=one.id) for one in found]}
        return self._stores.messages.remove(found, entries)

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


def _circumstances(
    message: Message, content: bytes, contact: Contact | None, filters: Sequence[Filter]
) -> Circumstances:
    """What is known of a held message, for the filters."""
    return Circumstances(
        mail=kept_mail(message, content, contact),
        state=ContactState.UNSET if contact is None else contact.state,
        authentication=msgspec.json.decode(message.authentication, type=dict[str, str]),
        thresholds=Thresholds(0, 0),  # scores were looked at when it came
        address=message.address,
        filters=filters,
    )


def _released(message: Message, outcome: Outcome, now: int, until: int | None) -> Change:
    if outcome.status is MessageStatus.DENIED:
        denied = _denied(message, outcome.reason, now)
        return msgspec.structs.replace(denied, after=msgspec.structs.replace(denied.after, filter=outcome.filter))
    if until is not None:
        after = msgspec.structs.replace(
            message, status=MessageStatus.SNOOZED, reason=f"until {iso_text(until)}", filter=outcome.filter,
            marks=outcome.marks, next_at=None, expires_at=until, changed_at=now, attempts=0, trained="ham",
        )  # fmt: skip
        event = events.decided(after, now)
        return Change(before=message, after=after, events=() if event is None else (event,))
    after = msgspec.structs.replace(
        message, status=MessageStatus.PENDING, reason=outcome.reason, filter=outcome.filter, marks=outcome.marks,
        next_at=now, expires_at=None, changed_at=now, attempts=0, trained="ham",
    )  # fmt: skip
    return Change(before=message, after=after)


def _denied(message: Message, reason: str, now: int) -> Change:
    after = msgspec.structs.replace(
        message, status=MessageStatus.DENIED, reason=reason, content=None, expires_at=None, changed_at=now
    )
    event = events.decided(after, now)
    return Change(before=message, after=after, events=() if event is None else (event,))


def _outcome(message_id: str, after: Message | None, taken: bool) -> Decided:
    if not taken or after is None:
        return Decided(message_id, None, Refusal.NOT_HELD, "Somebody else decided about it at the same time.")
    if after.status in _GONE_WRONG:
        return Decided(message_id, after.status, Refusal.DELIVERY_FAILED, after.reply or after.reason)
    return Decided(message_id, after.status)


def _unfit(message: Message, now: int) -> Decided | None:
    if message.status not in _HELD:
        return _not_held(message)
    ends = message.expires_at if message.status is MessageStatus.QUARANTINED else None
    is_over = message.content is None or (ends is not None and ends <= now)
    return _expired(message) if is_over else None


def _not_failed(message: Message) -> Decided | None:
    if message.status not in _GONE_WRONG:
        return Decided(message.id, message.status, Refusal.NOT_HELD, "Message has not failed.")
    return _expired(message) if message.content is None else None


def _missing(message_id: str) -> Decided:
    return Decided(message_id, None, Refusal.NOT_FOUND, "There is no such message.")


def _not_held(message: Message) -> Decided:
    return Decided(message.id, message.status, Refusal.NOT_HELD, "Message is not in quarantine.")


def _expired(message: Message) -> Decided:
    return Decided(message.id, message.status, Refusal.EXPIRED, "Its content is no longer kept.")
