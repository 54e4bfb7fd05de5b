"""What a recipient, or a machine on the way, did with a mail, until the mail log has it as an event. Values only."""

from __future__ import annotations

from enum import StrEnum
from hashlib import blake2b

import msgspec

from mailvane.mailboxes.tracking.links import Link, LinkKind, MailName, mail_digest


class ReactionKind(StrEnum):
    """What was done."""

    OPENED = "opened"
    CLICKED = "clicked"
    UNSUBSCRIBED = "unsubscribed"
    REPLIED = "replied"
    TAGGED = "tagged"  # a reply whose text is to be judged


KIND_OF = {
    LinkKind.OPEN: ReactionKind.OPENED,
    LinkKind.CLICK: ReactionKind.CLICKED,
    LinkKind.UNSUBSCRIBE: ReactionKind.UNSUBSCRIBED,
}


class Reaction(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was done with one mail, once. Times in milliseconds."""

    digest: bytes  # 16 bytes: the same for what counts once
    workspace: int
    kind: ReactionKind
    at: int
    made_at: int  # when the link was made: the mail is sent soon afterwards
    mail: MailName
    place: int = 0  # of the link that was followed, from 1
    links: int = 0  # how many links the mail has
    target: str = ""
    machine: str = ""  # by which row of the table it was told; empty: a person
    address: str = ""
    agent: str = ""
    thread: tuple[str, ...] = ()  # of a reply: Message-IDs, the newest first; `mail` is the reply and its author
    subject: str = ""  # of a reply that is to be judged, with its text
    text: str = ""

    @property
    def mail_digest(self) -> bytes:
        return mail_digest(self.workspace, self.mail)


class Waiting(msgspec.Struct, frozen=True):
    """A reaction that is not in the mail log yet, and how often its mail was looked for in vain."""

    reaction: Reaction
    tries: int = 0


def reaction_of(link: Link, at: int, machine: str, address: str, agent: str) -> Reaction:
    """Of a request of a link. The same link counts once for people and once for machines."""
    told = msgspec.msgpack.encode((link.workspace, link.kind, link.mail, link.place, bool(machine)))
    return Reaction(
        digest=blake2b(told, digest_size=16, person=b"reaction").digest(),
        workspace=link.workspace, kind=KIND_OF[link.kind], at=at, made_at=link.made_at, mail=link.mail,
        place=link.place, links=link.links, target=link.target, machine=machine, address=address, agent=agent[:500],
    )  # fmt: skip
