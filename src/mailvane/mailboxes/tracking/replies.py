"""Which mails that came in are replies: by In-Reply-To and References; people and machines apart, no bounces. Pure.

A mail that answers carries the Message-IDs of its thread (RFC 5322, section 3.6.4). Whether a program wrote it is told
by its Auto-Submitted header and those of vendors (`automatic` of the event), by the null sender that RFC 3834 asks of
programs, or by its subject, after the table `replies.toml`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from importlib import resources

import msgspec

from mailvane.core.decoding import prepared
from mailvane.mailboxes.tracking.links import MailName
from mailvane.mailboxes.tracking.model import Reaction, ReactionKind
from mailvane.maillog.model import EventBatch, EventType, MailEvent, MailKind

AUTOMATIC = "automatic-answer"
_CAME_IN = frozenset({EventType.ACCEPTED, EventType.DELIVERED})
_MOST_IDS = (
    6  # of a thread, the newest: https://www.jwz.org/doc/threading.html keeps what In-Reply-To names and the last
)
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,996}>")


class _Pattern(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pattern: str
    source: str


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    automatic: tuple[_Pattern, ...]
    bounce: tuple[_Pattern, ...]
    bounce_senders: tuple[str, ...]


class _Rules:
    def __init__(self, table: _Table) -> None:
        self._automatic = _any_of(table.automatic)
        self._bounce = _any_of(table.bounce)
        self._bounce_senders = frozenset(table.bounce_senders)

    def is_bounce(self, event: MailEvent) -> bool:
        local = event.header_from.partition("@")[0].lower()
        return local in self._bounce_senders or (not event.sender and bool(self._bounce.search(event.subject)))

    def is_automatic(self, event: MailEvent) -> bool:
        # A sender that is not known is empty, too; that of a mail that came by SMTP is known.
        null_sender = not event.sender and bool(event.protocol)
        return event.automatic or null_sender or bool(self._automatic.search(event.subject))


def _any_of(patterns: Sequence[_Pattern]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{each.pattern})" for each in patterns), re.IGNORECASE)


@lru_cache(maxsize=1)
def _rules() -> _Rules:
    text = resources.files("mailvane.mailboxes.tracking").joinpath("replies.toml").read_text("utf-8")
    return _Rules(msgspec.convert(tomllib.loads(text), prepared(_Table)))


def replies_in(batch: EventBatch) -> list[Reaction]:
    """The answers among the mails of a batch, each once. The mails that they answer are still to be found."""
    found = (_reply(batch.workspace, event) for event in batch.events if event.type in _CAME_IN)
    return list({reply.digest: reply for reply in found if reply is not None}.values())


def _reply(workspace: int, event: MailEvent) -> Reaction | None:
    if event.kind is not MailKind.MAIL or not (event.in_reply_to or event.references):
        return None
    thread, author = tuple(_thread(event)), event.header_from or event.sender
    rules = _rules()
    if not thread or not author or rules.is_bounce(event):
        return None
    machine = AUTOMATIC if rules.is_automatic(event) else ""
    told = f"{workspace}\0{event.relay}\0{event.accepted_at}\0{event.number}".encode()
    return Reaction(
        digest=blake2b(told, digest_size=16, person=b"reply").digest(), workspace=workspace,
        kind=ReactionKind.REPLIED, at=event.accepted_at, made_at=event.accepted_at,
        mail=MailName(author, "", event.relay, event.accepted_at, event.number), machine=machine, thread=thread,
    )  # fmt: skip


def to_be_judged(workspace: int, event: MailEvent, text: str) -> Reaction | None:
    """The answer of a person that a mail is, with its text; None: it is none."""
    reply = _reply(workspace, event)
    if reply is None or reply.machine:
        return None
    digest = blake2b(reply.digest, digest_size=16, person=b"judged").digest()
    return msgspec.structs.replace(reply, digest=digest, kind=ReactionKind.TAGGED, subject=event.subject, text=text)


def _thread(event: MailEvent) -> Iterator[str]:
    """The Message-IDs of the thread, the newest first."""
    named = [*_MESSAGE_ID.findall(event.in_reply_to), *reversed(_MESSAGE_ID.findall(event.references))]
    yield from list(dict.fromkeys(named))[:_MOST_IDS]
