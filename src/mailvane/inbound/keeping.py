"""What each mail changes in the ledger, in few transactions: mail that comes in, and what became of messages.

Both come all the time and each needs a sync: what waits of either is kept by the next transaction.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

import msgspec

from mailvane.core.errors import MailvaneError, StoreUnavailable
from mailvane.core.group_commit import CommitLimits, GroupCommit, gather
from mailvane.inbound.content import ContentStore, pack
from mailvane.inbound.store.messages import MessageStore
from mailvane.inbound.store.rows import Change, NewMail
from mailvane.maillog.model import MailEvent

log = logging.getLogger(__name__)

_GROUP_BYTES = 64 * 1024 * 1024
_WAITING_BYTES = 512 * 1024 * 1024


class Reply(NamedTuple):
    """A mail that was taken in, in which a person answers."""

    workspace: int
    event: MailEvent
    content: bytes


class Coming(NamedTuple):
    """One workspace's part of a mail that comes in."""

    mail: NewMail
    content: bytes | None  # where it is to be kept beside the messages
    reply: Reply | None = None


class Heard(NamedTuple):
    """Who is told of what is safe; raises nothing."""

    noticed: Callable[[], None] = lambda: None  # events are in the journal
    replied: Callable[[Sequence[Reply]], None] = lambda _replies: None  # replies came in; told on a thread


_Mail = Sequence[Coming]
_Answer = list[str | None] | bool | Exception


class Keeping:
    """Belongs to one event loop."""

    def __init__(
        self, messages: MessageStore, contents: ContentStore, clock: Callable[[], int], heard: Heard | None = None
    ) -> None:
        self._messages = messages
        self._contents = contents
        self._clock = clock
        self._heard = heard or Heard()
        self._waiting: Counter[type] = Counter()
        self.mails_coming: Callable[[], int] = lambda: 0
        self.steps_coming: Callable[[], int] = lambda: 0
        """How many are about to be given, those that wait among them: a commit waits for half of either."""
        self._grouping: GroupCommit[None, _Mail | Change, _Answer] = GroupCommit(
            self._commit, _GROUP_BYTES, _size, self._gather, CommitLimits(_WAITING_BYTES, _WAITING_BYTES)
        )

    async def take_in(self, parts: _Mail) -> list[str | None]:
        """Of each part None, or whose weekly limit it would go over: it is not kept then. Raises StoreUnavailable."""
        return cast("list[str | None]", await self._add(parts, NewMail))

    async def change(self, step: Change) -> bool:
        """Whether the message still was what it was before. Raises StoreUnavailable."""
        return cast("bool", await self._add(step, Change))

    async def drain(self) -> None:
        """Return when everybody who waits now has an answer."""
        await self._grouping.drain()

    async def _add(self, request: _Mail | Change, kind: type) -> list[str | None] | bool:
        answer = self._grouping.add(None, request)
        self._waiting[kind] += 1
        found = await answer
        if isinstance(found, Exception):
            raise found
        return found

    async def _gather(self) -> None:
        await gather(self._are_enough)

    def _are_enough(self) -> bool:
        mails, steps = self._waiting[NewMail], self._waiting[Change]
        return bool(mails and 2 * mails >= self.mails_coming()) or bool(steps and 2 * steps >= self.steps_coming())

    async def _commit(self, _key: None, group: Sequence[_Mail | Change]) -> Sequence[_Answer]:
        self._waiting.clear()  # all that waited is in it, but for what is more than a group may have
        answers = await asyncio.to_thread(self._write, group)
        self._heard.noticed()
        return answers

    def _write(self, group: Sequence[_Mail | Change]) -> list[_Answer]:
        steps = [each for each in group if isinstance(each, Change)]
        mails = [_packed(part) for each in group if not isinstance(each, Change) for part in each]
        now = self._clock()
        failure: Exception | None = None
        refused: Sequence[str | None] = ()
        try:
            refused, changed = self._messages.keep(mails, steps, now)
        except StoreUnavailable:
            raise
        except Exception as error:
            if not mails or not steps:
                raise
            # What became of messages does not depend on mail that cannot be kept: they would be handed on again.
            log.warning("%d mail(s) cannot be kept: %s", len(mails), error)
            failure, changed = error, self._messages.keep((), steps, now).changed
        answers = iter(refused)
        found = [
            each.before.id in changed if isinstance(each, Change) else failure or [next(answers) for _ in each]
            for each in group
        ]
        self._hear(group, found)
        self._forget({step.before.content for step in steps if step.after.content is None} - {None})
        return found

    def _hear(self, group: Sequence[_Mail | Change], found: Sequence[_Answer]) -> None:
        replies = [
            part.reply
            for each, answers in zip(group, found, strict=True)
            if not isinstance(each, Change) and isinstance(answers, list)
            for part, refusal in zip(each, answers, strict=True)
            if part.reply is not None and refusal is None
        ]
        if replies:
            self._heard.replied(replies)

    def _forget(self, contents: set[str | None]) -> None:
        """Files of these that no message needs any more."""
        try:
            self._contents.remove([one for one in contents if one], self._messages.uses)
        except MailvaneError as error:
            log.warning("content that nobody needs is kept for now: %s", error)


def _packed(part: Coming) -> NewMail:
    return part.mail if part.content is None else msgspec.structs.replace(part.mail, packed=pack(part.content))


def _size(request: _Mail | Change) -> int:
    if isinstance(request, Change):
        return 0
    return sum(len(part.content or b"") for part in request) + 1
