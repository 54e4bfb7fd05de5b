"""Which mails continue others: what a content filter, an alias or a program gives back under another queue id.

The proof is that the first queue id's delivery names the second ("queued as", "forwarded as"), which Postfix logs after
the second has begun, and sometimes after it has ended. So a mail that may be such a continuation is in doubt at first,
and all that happens to it is withheld, until

- a queue id that was in progress at its birth names it: they are one mail;
- all of those named others, or ended: it is a mail of its own. If one of them went to something that named nothing, or
  was split, the recipients of its first attempt decide: a filter keeps them, a redirection changes them;
- too much time has passed.

A redirection by a program behind the queue (Sieve, procmail) is a mail of its own: it is submitted anew.
"""

from __future__ import annotations

from mailvane.core.mailbox import canonical_address
from mailvane.core.moments import MINUTE_MS
from mailvane.maillog.model import EventType
from mailvane.maillog.postfix.event_builder import DELIVERY_PIPES, EventBuilder, is_near, may_be_filter, swallowed
from mailvane.maillog.postfix.lines import Tag
from mailvane.maillog.postfix.queue_entries import QueueEntries
from mailvane.maillog.postfix.records import Attempt, named_queue_id
from mailvane.maillog.postfix.state import Birth, Connections, Doubt, Mail, QueueEntry

LONGEST_DOUBT = 5 * MINUTE_MS  # ours: a filter that has given a mail back has nothing left to do but to answer
_CONNECTION = "c:"
_NEAR_BIRTHS = (Birth.LOOPBACK, Birth.NEIGHBOUR, Birth.PICKUP, Birth.WITHIN)


class Continuations:
    """The doubts about mails in flight."""

    def __init__(self, lives: QueueEntries, connections: Connections, teller: EventBuilder) -> None:
        self._lives = lives
        self._connections = connections
        self._teller = teller
        lives.before_forgetting = self._forgotten

    # -- doubt -----------------------------------------------------------------------------------------------------

    def named(self, life: QueueEntry, at: int) -> None:
        """Cleanup told the Message-ID, or that there is none: perhaps this mail came back from a filter."""
        if life.joined or life.active or life.birth == Birth.UNSEEN or life.mail.doubt is not None:
            return
        awaits, kin = [], []
        for other in self._lives.namesakes(life):
            if other.mail is life.mail or other.serial > life.serial:
                continue
            if other.closed:
                # A pipe(8) filter that gives mail back by sendmail(1): the first queue id is gone by then.
                if other.piped and not other.children and life.birth == Birth.PICKUP:
                    self._join(life, other)
                    return
            elif other.in_progress:
                awaits.append(other.key)
            elif other.unnamed:
                kin.append(other.key)
        awaits += self._nameless(life)
        if life.birth in (Birth.LOOPBACK, Birth.NEIGHBOUR):
            awaits += [_CONNECTION + key for key in self._connections.proxied(life.mail.host)]
        if awaits or kin:
            life.mail.doubt = Doubt(life.key, at + LONGEST_DOUBT, awaits, kin)
            self._lives.note_doubt(life.mail.doubt)

    def _nameless(self, life: QueueEntry) -> list[str]:
        """Mails without a Message-ID in progress: a filter, or this host's cleanup, may have given them one."""
        foreign = life.message_id and life.queue_id not in life.message_id and life.birth not in _NEAR_BIRTHS
        return [
            other.key
            for other in self._lives.nameless(life)
            if other.serial < life.serial and other.mail is not life.mail and not (foreign and other.cleaned)
        ]

    def unseen(self, life: QueueEntry) -> None:
        """A queue id that was born before the log began: perhaps a filter's answer named it."""
        first = self._lives.expected(life)
        if first is not None:
            self._lives.join(life, first)

    def active(self, life: QueueEntry) -> None:
        """The envelope sender is known now: no filter changes the part of it that stands for the recipient (VERP)."""
        doubt = life.mail.doubt
        if doubt is None or doubt.life != life.key:
            return
        for key in list(doubt.awaits):
            other = self._lives.register.values.get(key)
            if other is not None and _are_variants(other.mail.sender, life.mail.sender):
                doubt.awaits.remove(key)
                self._lives.settled(key, doubt.life)
        if not doubt.awaits:
            self._settle(doubt)

    def own(self, life: QueueEntry) -> None:
        """It is known to be a mail of its own."""
        doubt = self._lives.drop_doubt(life.mail)
        if doubt is not None:
            self._release(self._lives.register.values.get(doubt.life, life), life.mail, doubt)

    def drop(self, life: QueueEntry) -> None:
        """It was refused: nothing of it was told, and nothing will be."""
        if life.mail.doubt is not None and life.mail.doubt.life == life.key:
            self._lives.drop_doubt(life.mail)

    def answered(self, host: str, process: str) -> None:
        """A before-queue filter is done with a mail, or its client has left."""
        if self._connections.answered(host, process):
            self._ended(f"{_CONNECTION}{host}/{process}", None)

    def sweep(self, at: int) -> None:
        for key in [key for key, until in self._lives.doubtful.items() if until <= at]:
            life = self._lives.register.values.get(key)
            if life is None:
                del self._lives.doubtful[key]
            else:
                self.own(life)

    # -- proof -----------------------------------------------------------------------------------------------------

    def outcome(self, tag: Tag, life: QueueEntry, attempt: Attempt, *, fresh: bool) -> EventType:
        """Who took the mail: its recipient, a filter that gives it back, or one that does not.

        `fresh` says that this line is the first that is seen of this queue id.
        """
        if tag.daemon == "discard":
            return EventType.DISCARDED
        if tag.daemon == "pipe" and not life.closed:
            life.piped = attempt.relay not in DELIVERY_PIPES
        named = named_queue_id(attempt.reply) if " as " in attempt.reply else ""
        if named:
            for other in self._lives.all_on_host(tag, named):
                if self._continues(other, life, attempt, fresh=fresh):
                    self._prove(other, life, fresh=fresh)
                    return EventType.REINJECTED
            if fresh:
                self._lives.expect(life, named)
            return EventType.DELIVERED
        gone = swallowed(attempt, tag.daemon)
        if gone is not None:
            return gone
        return self._unnamed(life, attempt, tag.daemon)

    def _unnamed(self, life: QueueEntry, attempt: Attempt, transport: str) -> EventType:
        if not may_be_filter(attempt, transport):
            life.unnamed = life.unnamed or is_near(attempt.address)
            return EventType.DELIVERED
        if life.children:
            return EventType.REINJECTED
        follower = self._follower(life, attempt)
        if follower is None:
            life.unnamed = True
            return EventType.DELIVERED
        self._join(follower, life)
        return EventType.REINJECTED

    def _follower(self, life: QueueEntry, attempt: Attempt) -> QueueEntry | None:
        """The first mail in doubt that may be this one given back, if its recipients do not say otherwise."""
        keys = self._lives.awaited.get(life.key, ())
        recipients = {canonical_address(attempt.recipient), canonical_address(attempt.original_recipient)}
        found = sorted((self._lives.register.values[key] for key in keys), key=lambda other: other.serial)
        for other in found:
            doubt = other.mail.doubt
            if doubt is None or not _are_namesakes(life, other):
                continue
            if not life.message_id and len(doubt.awaits) > 1:
                continue
            tried = doubt.recipients()
            if not tried or tried & recipients:
                return other
        return None

    def _continues(self, other: QueueEntry, life: QueueEntry, attempt: Attempt, *, fresh: bool) -> bool:
        """Whether `other`, of which an answer to `life` gave the queue id, is what became of it.

        A relay elsewhere gives queue ids of its own, and may say anything.
        """
        if other is life:
            return False
        if other.mail is life.mail or other.birth in (Birth.PICKUP, Birth.WITHIN):
            return True
        if other.birth == Birth.UNSEEN:
            return fresh or is_near(attempt.address)
        if other.client == attempt.address:
            return True
        if other.birth != Birth.CLIENT and (is_near(attempt.address) or not attempt.address):
            return True
        return bool(life.message_id) and life.message_id == other.message_id

    def _prove(self, other: QueueEntry, life: QueueEntry, *, fresh: bool) -> None:
        if other.mail is life.mail:
            return
        if not other.mail.counted:
            self._join(other, life)
        elif fresh:
            # The log begins between the two: what was told of the second queue id is all there is of the mail.
            self._lives.share(life, other)
            life.joined = True
            life.children += 1
            if other.mail.origin == other.client:
                other.mail.origin = other.mail.client_name = other.mail.login = ""

    def attempted(self, life: QueueEntry, kind: EventType, attempt: Attempt, transport: str) -> None:
        """An outcome was told, or withheld: it may be the last that others waited for."""
        life.pending -= life.pending > 0 and (transport != "local" or kind is EventType.DEFERRED)
        if kind is EventType.DEFERRED and is_near(attempt.address):
            life.unnamed = True  # an answer that came too late, for a mail that was given back meanwhile
        if not life.pending:
            if not life.message_id:
                self._lives.progress(life)
            if self._lives.awaited:
                self._ended(life.key, life)
        doubt = life.mail.doubt
        if doubt is not None and not doubt.awaits:
            self._settle(doubt)

    def closed(self, life: QueueEntry) -> None:
        """Its last outcome was told."""
        self._ended(life.key, life)

    # -- the end of doubt ------------------------------------------------------------------------------------------

    def _ended(self, key: str, life: QueueEntry | None) -> None:
        """What others waited for will name none of them any more."""
        roots = [self._lives.register.values.get(root) for root in self._lives.awaited.get(key, ())]
        for root in sorted((root for root in roots if root is not None), key=lambda root: root.serial):
            doubt = root.mail.doubt
            if doubt is None or key not in doubt.awaits:
                continue
            self._lives.register.touched.add(root.key)
            doubt.awaits.remove(key)
            if life is not None and _is_kin(life, root):
                doubt.kin.append(key)
            else:
                self._lives.settled(key, doubt.life)
            if not doubt.awaits:
                self._settle(doubt)

    def _settle(self, doubt: Doubt) -> None:
        """None will name it. What it may have been is told by the recipients of its first attempt."""
        root = self._lives.register.values[doubt.life]
        tried = doubt.recipients()
        if doubt.kin and not tried:
            return
        for key in doubt.kin:
            first = self._lives.register.values.get(key)
            if first is not None and first.serial < root.serial and tried & _recipients(first.mail):
                self._join(root, first)
                return
        self.own(root)

    def _join(self, life: QueueEntry, first: QueueEntry) -> None:
        mail = life.mail
        doubt = self._lives.drop_doubt(mail)
        self._lives.join(life, first)
        if doubt is not None:
            self._release(self._lives.register.values.get(doubt.life, life), first.mail, doubt)

    def _release(self, root: QueueEntry, mail: Mail, doubt: Doubt) -> None:
        self._lives.register.touched.add(root.key)
        if mail.doubt is not None:
            mail.doubt.withheld += doubt.withheld
            self._lives.register.touched.add(mail.doubt.life)
            return
        rest = self._teller.release(mail, doubt.withheld)
        if rest:
            root.evidence.insert(0, rest)

    def _forgotten(self, life: QueueEntry) -> None:
        if life.mail.doubt is not None and life.mail.doubt.life == life.key:
            self.own(life)
        self._ended(life.key, life)


def _are_variants(one: str, other: str) -> bool:
    """Whether two senders are one address with different extensions, as mailing lists write them."""
    if one == other:
        return False
    (local, _, domain), (others, _, others_domain) = one.rpartition("@"), other.rpartition("@")
    first, mark, _ = local.partition("+")
    return bool(mark) and domain == others_domain and others.partition("+")[0] == first and "+" in others


def _are_namesakes(first: QueueEntry, later: QueueEntry) -> bool:
    """Whether one Message-ID is the other's; what cleanup puts into a mail without one contains the queue id."""
    if first.birth == Birth.UNSEEN and not first.cleaned:
        return True  # it cannot be told: the log begins behind it
    if not first.cleaned or not later.cleaned:
        return False
    return first.message_id == later.message_id or (not first.message_id and later.queue_id in later.message_id)


def _recipients(mail: Mail) -> set[str]:
    return mail.doubt.recipients() | mail.recipients.keys() if mail.doubt else set(mail.recipients)


def _is_kin(first: QueueEntry, life: QueueEntry) -> bool:
    """Whether a mail may be the continuation of one that did not name it."""
    return _are_namesakes(first, life) and (first.unnamed or (first.children > 0 and first.recipients > 1))
