"""A mail that has arrived, made into messages and made durable: content, then the ledger, each for many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping, Sequence

import msgspec

from mailvane.core.group_commit import CommitLimits, GroupCommit
from mailvane.core.identifiers import ordered_uuid
from mailvane.core.moments import DAY_MS
from mailvane.inbound import events
from mailvane.inbound.content import ContentStore, content_id
from mailvane.inbound.headers import Headers
from mailvane.inbound.judging import Outcome
from mailvane.inbound.keeping import Coming, Keeping, Reply
from mailvane.inbound.model import Message, MessageStatus, NextHop
from mailvane.inbound.routing import Route
from mailvane.inbound.scores import SpamScore
from mailvane.inbound.settings import InboundSettings
from mailvane.inbound.store.rows import NewMail
from mailvane.maillog.model import EventType, MailEvent, mail_number

_GROUP_BYTES = 64 * 1024 * 1024
_WAITING_BYTES = 512 * 1024 * 1024
KEPT = frozenset({MessageStatus.PENDING, MessageStatus.QUARANTINED, MessageStatus.SNOOZED})  # with their content
_SPOOLED_BYTES = 64 * 1024  # a larger content is a file
_SPOOLED_COPIES = 4  # and so is one that more messages share
_GOES_ON = frozenset({MessageStatus.PENDING, MessageStatus.SNOOZED})


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A mail and all that was said about it before its end."""

    received_at: int
    content: bytes
    headers: Headers
    sender: str
    routes: tuple[Route, ...]
    client: str
    client_name: str = ""
    helo: str
    protocol: str
    is_trusted: bool  # whether its headers about itself are believed


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided: an outcome for each route, in their order."""

    score: SpamScore
    authentication: Mapping[str, str]
    outcomes: tuple[Outcome, ...]


class _Copy(msgspec.Struct, frozen=True):
    """A mail for one of its recipients."""

    number: int  # of the mail
    place: int  # of the recipient, from 1
    route: Route
    outcome: Outcome
    content: str  # its id


class Stored(msgspec.Struct, frozen=True):
    """What one workspace's part of a mail became."""

    mail: NewMail
    id: str | None  # of the content; None where no file of it is needed
    spooled: bool = False  # whether the ledger is to keep the content beside the messages
    reply: MailEvent | None = None  # that it came in, where a person answers with it and it goes on


Taken = Callable[[Sequence[Message], bytes, Sequence[NextHop]], None]
"""Told of messages that are safe and may go on, with their content, so that it need not be read again, and where to."""


class Arrivals:
    """Belongs to one event loop."""

    def __init__(
        self,
        keeping: Keeping,
        contents: ContentStore,
        settings: InboundSettings,
        hold: tuple[str, int],
        taken: Taken,
    ) -> None:
        """`hold`: who has messages in hand from the start, and for how many ms."""
        self._keeping = keeping
        self._contents = contents
        self._settings = settings
        self._holder, self._hold_ms = hold
        self._taken = taken
        self._filing: GroupCommit[None, tuple[str, bytes], None] = GroupCommit(
            self._file, _GROUP_BYTES, _size, limits=CommitLimits(_WAITING_BYTES, _WAITING_BYTES)
        )
        self._coming: set[Hashable] = set()
        keeping.mails_coming = lambda: len(self._coming)

    def expect(self, client: Hashable) -> None:
        """It has named a recipient: its mail will come."""
        self._coming.add(client)

    def forget(self, client: Hashable) -> None:
        """Its mail has been answered, or will not come."""
        self._coming.discard(client)

    async def store(self, arrival: Arrival, judged: Judged) -> list[Message] | str:
        """The messages that it became, safe; or whose weekly limit it would go over, and nothing is kept.

        A client that leaves meanwhile ends nothing of it. Raises StoreFull, StoreUnavailable: nothing is kept.
        """
        return await asyncio.shield(asyncio.ensure_future(self._store(arrival, self._parts(arrival, judged))))

    async def _store(self, arrival: Arrival, parts: Sequence[Stored]) -> list[Message] | str:
        content = arrival.content
        filed = next((part.id for part in parts if part.id is not None), None)
        if filed is not None:
            await self._filing.add(None, (filed, content))
        try:
            answers = await self._keeping.take_in([_coming(part, content) for part in parts])
        finally:
            if filed is not None:
                self._contents.unpin([filed])
        over = next((each for each in answers if each is not None), None)
        if over is not None:
            return over
        messages = [message for part in parts for message in part.mail.messages]
        going = [message for message in messages if message.status is MessageStatus.PENDING]
        if going:
            self._taken(going, content, [route.domain.hop for route in arrival.routes])
        return messages

    def _parts(self, arrival: Arrival, judged: Judged) -> list[Stored]:
        """One for each workspace, as recipients of several may be in one mail."""
        content = content_id(arrival.content)
        from_here = list(zip(arrival.routes, judged.outcomes, strict=True))
        parts = []
        for workspace in dict.fromkeys(route.domain.workspace for route in arrival.routes):
            own = [(route, outcome) for route, outcome in from_here if route.domain.workspace == workspace]
            mail = self._mail(arrival, judged, own, content)
            spooled = _is_spooled(mail, arrival.content)
            needed = any(message.content is not None for message in mail.messages) and not spooled
            parts.append(Stored(mail, content if needed else None, spooled, _reply(mail)))
        return parts

    def _mail(self, arrival: Arrival, judged: Judged, own: Sequence[tuple[Route, Outcome]], content: str) -> NewMail:
        number = mail_number(ordered_uuid(arrival.received_at))
        messages = tuple(
            self._message(arrival, judged, _Copy(number, place, route, outcome, content))
            for place, (route, outcome) in enumerate(own, 1)
        )
        told: list[MailEvent] = []
        for message in messages:
            if message.status is not MessageStatus.REJECTED:
                told.append(events.accepted(message, self._settings.hostname, arrival.headers))
            decided = events.decided(message, arrival.received_at)
            if decided is not None:
                told.append(decided)
        first = own[0][0]
        limits = {whose: limit for route, _ in own for whose, limit in route.limits}
        return NewMail(
            workspace=first.domain.workspace,
            messages=messages,
            events=tuple(told),
            week=first.week,
            limits=tuple(limits.items()),
        )

    def _message(self, arrival: Arrival, judged: Judged, copy: _Copy) -> Message:
        route, outcome = copy.route, copy.outcome
        now, pending = arrival.received_at, outcome.status is MessageStatus.PENDING
        held = outcome.status is MessageStatus.QUARANTINED
        return Message(
            id=ordered_uuid(now), workspace=route.domain.workspace, number=copy.number, received_at=now,
            status=outcome.status,
            address=None if route.address is None else route.address.id, recipient=route.recipient,
            recipient_number=copy.place, target=route.target, contact="", sender=arrival.sender,
            from_address=arrival.headers.from_address, from_name=arrival.headers.from_name,
            subject=arrival.headers.subject, message_id=arrival.headers.message_id, client=arrival.client,
            client_name=arrival.client_name or arrival.helo, protocol=arrival.protocol, size=len(arrival.content),
            score=judged.score.value, reason=outcome.reason or judged.score.problem,
            symbols=msgspec.json.encode(judged.score.symbols).decode(),
            authentication=msgspec.json.encode(judged.authentication).decode(), filter=outcome.filter,
            content=copy.content if outcome.status in KEPT else None,
            hop=route.domain.hop.name, marks=outcome.marks, next_at=now + self._hold_ms if pending else None,
            holder=self._holder if pending else "", changed_at=now,
            reply=f"550 5.7.1 Refused: {outcome.reason}" if outcome.status is MessageStatus.REJECTED else "",
            expires_at=now + self._settings.quarantine_days * DAY_MS if held else None,
        )  # fmt: skip

    async def _file(self, _key: None, contents: Sequence[tuple[str, bytes]]) -> Sequence[None]:
        await asyncio.to_thread(self._contents.put, contents)
        return [None] * len(contents)


def _coming(part: Stored, content: bytes) -> Coming:
    reply = None if part.reply is None else Reply(part.mail.workspace, part.reply, content)
    return Coming(part.mail, content if part.spooled else None, reply)


def _reply(mail: NewMail) -> MailEvent | None:
    """That it was taken in, where it answers something, a person wrote it, and it is not held back."""
    if not any(each.status in _GOES_ON for each in mail.messages):
        return None
    told = (each for each in mail.events if each.type is EventType.ACCEPTED)
    return next((each for each in told if (each.in_reply_to or each.references) and not each.automatic), None)


def _is_spooled(mail: NewMail, content: bytes) -> bool:
    """Whether the ledger keeps it: it is small, and only until the next hop has it."""
    few = len(mail.messages) <= _SPOOLED_COPIES and len(content) <= _SPOOLED_BYTES
    return few and all(each.status is MessageStatus.PENDING for each in mail.messages)


def _size(content: tuple[str, bytes]) -> int:
    return len(content[1])
