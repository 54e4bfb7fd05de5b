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
from mailvane.maillog.postfix.connections import Connections
from mailvane.maillog.postfix.event_builder import DELIVERY_PIPES, EventBuilder, is_near, may_be_filter, swallowed
from mailvane.maillog.postfix.lines import Tag
from mailvane.maillog.postfix.queue_entries import QueueEntries
from mailvane.maillog.postfix.records import Attempt, named_queue_id
from mailvane.maillog.postfix.state import Doubt, Mail, QueueEntry, Start

LONGEST_DOUBT = 5 * MINUTE_MS  # ours: a filter that has given a mail back has nothing left to do but to answer
_CONNECTION = "c:"
_NEAR_BIRTHS = (Start.LOOPBACK, Start.NEIGHBOUR, Start.PICKUP, Start.WITHIN)


class Continuations:
    """The doubts about mails in flight."""

    def __init__(self, entries: QueueEntries, connections: Connections, builder: EventBuilder) -> None:
        self._entries = entries
        self._connections = connections
        self._builder = builder
        entries.before_forgetting = self._forgotten

    # -- doubt -----------------------------------------------------------------------------------------------------

    def named(self, entry: QueueEntry, at: int) -> None:
        """Cleanup logged the Message-ID, or that there is none: perhaps this mail came back from a filter."""
        if entry.joined or entry.active or entry.start == Start.UNSEEN or entry.mail.doubt is not None:
            return
        awaits, candidates = [], []
        for other in self._entries.namesakes(entry):
            if other.mail is entry.mail or other.serial > entry.serial:
                continue
            if other.closed:
                # A pipe(8) filter that gives mail back by sendmail(1): the first queue id is gone by then.
                if other.piped and not other.children and entry.start == Start.PICKUP:
                    self._join(entry, other)
                    return
            elif other.in_progress:
                awaits.append(other.key)
            elif other.unnamed:
                candidates.append(other.key)
        awaits += self._nameless(entry)
        if entry.start in (Start.LOOPBACK, Start.NEIGHBOUR):
            awaits += [_CONNECTION + key for key in self._connections.proxied(entry.mail.host)]
        if awaits or candidates:
            entry.mail.doubt = Doubt(entry.key, at + LONGEST_DOUBT, awaits, candidates)
            self._entries.note_doubt(entry.mail.doubt)

    def _nameless(self, entry: QueueEntry) -> list[str]:
        """Mails without a Message-ID in progress: a filter, or this host's cleanup, may have given them one."""
        foreign = entry.message_id and entry.queue_id not in entry.message_id and entry.start not in _NEAR_BIRTHS
        return [
            other.key
            for other in self._entries.nameless(entry)
            if other.serial < entry.serial and other.mail is not entry.mail and not (foreign and other.cleaned)
        ]

    def unseen(self, entry: QueueEntry) -> None:
        """A queue id that was born before the log began: perhaps a filter's answer named it."""
        first = self._entries.expected(entry)
        if first is not None:
            self._entries.join(entry, first)

    def active(self, entry: QueueEntry) -> None:
        """The envelope sender is known now: no filter changes the part of it that stands for the recipient (VERP)."""
        doubt = entry.mail.doubt
        if doubt is None or doubt.entry != entry.key:
            return
        for key in list(doubt.awaits):
            other = self._entries.register.values.get(key)
            if other is not None and _are_variants(other.mail.sender, entry.mail.sender):
                doubt.awaits.remove(key)
                self._entries.settled(key, doubt.entry)
        if not doubt.awaits:
            self._settle(doubt)

    def own(self, entry: QueueEntry) -> None:
        """It is known to be a mail of its own."""
        doubt = self._entries.drop_doubt(entry.mail)
        if doubt is not None:
            self._release(self._entries.register.values.get(doubt.entry, entry), entry.mail, doubt)

    def drop(self, entry: QueueEntry) -> None:
        """It was refused: its withheld events are dropped."""
        if entry.mail.doubt is not None and entry.mail.doubt.entry == entry.key:
            self._entries.drop_doubt(entry.mail)

    def answered(self, host: str, process: str) -> None:
        """A before-queue filter is done with a mail, or its client has left."""
        if self._connections.answered(host, process):
            self._ended(f"{_CONNECTION}{host}/{process}", None)

    def sweep(self, at: int) -> None:
        ended = [(until, key) for key, until in self._entries.doubtful.items() if until <= at]
        for _, key in sorted(ended, key=lambda pair: pair[0]):
            entry = self._entries.register.values.get(key)
            if entry is None:
                del self._entries.doubtful[key]
            else:
                self.own(entry)

    # -- proof -----------------------------------------------------------------------------------------------------

    def outcome(self, tag: Tag, entry: QueueEntry, attempt: Attempt, *, fresh: bool) -> EventType:
        """Who took the mail: its recipient, a filter that gives it back, or one that does not.

        `fresh` says that this line is the first that is seen of this queue id.
        """
        if tag.daemon == "discard":
            return EventType.DISCARDED
        if tag.daemon == "pipe" and not entry.closed:
            entry.piped = attempt.relay not in DELIVERY_PIPES
        named = named_queue_id(attempt.reply) if " as " in attempt.reply else ""
        if named:
            for other in self._entries.all_on_host(tag, named):
                if self._continues(other, entry, attempt, fresh=fresh):
                    self._prove(other, entry, fresh=fresh)
                    return EventType.REINJECTED
            if fresh:
                self._entries.expect(entry, named)
            return EventType.DELIVERED
        gone = swallowed(attempt, tag.daemon)
        if gone is not None:
            return gone
        return self._unnamed(entry, attempt, tag.daemon)

    def _unnamed(self, entry: QueueEntry, attempt: Attempt, transport: str) -> EventType:
        if not may_be_filter(attempt, transport):
            entry.unnamed = entry.unnamed or is_near(attempt.address)
            return EventType.DELIVERED
        if entry.children:
            return EventType.REINJECTED
        follower = self._follower(entry, attempt)
        if follower is None:
            entry.unnamed = True
            return EventType.DELIVERED
        self._join(follower, entry)
        return EventType.REINJECTED

    def _follower(self, entry: QueueEntry, attempt: Attempt) -> QueueEntry | None:
        """The first mail in doubt that may be this one given back, if its recipients do not say otherwise."""
        keys = self._entries.awaited.get(entry.key, ())
        recipients = {canonical_address(attempt.recipient), canonical_address(attempt.original_recipient)}
        found = sorted((self._entries.register.values[key] for key in keys), key=lambda other: other.serial)
        for other in found:
            doubt = other.mail.doubt
            if doubt is None or not _are_namesakes(entry, other):
                continue
            if not entry.message_id and len(doubt.awaits) > 1:
                continue
            tried = doubt.recipients()
            if not tried or tried & recipients:
                return other
        return None

    def _continues(self, other: QueueEntry, entry: QueueEntry, attempt: Attempt, *, fresh: bool) -> bool:
        """Whether `other`, of which an answer to `life` gave the queue id, is what became of it.

        A relay elsewhere gives queue ids of its own, and may say anything.
        """
        if other is entry:
            return False
        if other.mail is entry.mail or other.start in (Start.PICKUP, Start.WITHIN):
            return True
        if other.start == Start.UNSEEN:
            return fresh or is_near(attempt.address)
        if other.client == attempt.address:
            return True
        if other.start != Start.CLIENT and (is_near(attempt.address) or not attempt.address):
            return True
        return bool(entry.message_id) and entry.message_id == other.message_id

    def _prove(self, other: QueueEntry, entry: QueueEntry, *, fresh: bool) -> None:
        if other.mail is entry.mail:
            return
        if not other.mail.counted:
            self._join(other, entry)
        elif fresh:
            # The log begins between the two: the events of the second queue id are all there is of the mail.
            self._entries.share(entry, other)
            entry.joined = True
            entry.children += 1
            if other.mail.origin == other.client:
                other.mail.origin = other.mail.client_name = other.mail.login = ""

    def attempted(self, entry: QueueEntry, kind: EventType, attempt: Attempt, transport: str) -> None:
        """An outcome was recorded or withheld: it may be the last that others waited for."""
        entry.pending -= entry.pending > 0 and (transport != "local" or kind is EventType.DEFERRED)
        if kind is EventType.DEFERRED and is_near(attempt.address):
            entry.unnamed = True  # an answer that came too late, for a mail that was given back meanwhile
        if not entry.pending:
            if not entry.message_id:
                self._entries.progress(entry)
            if self._entries.awaited:
                self._ended(entry.key, entry)
        doubt = entry.mail.doubt
        if doubt is not None and not doubt.awaits:
            self._settle(doubt)

    def closed(self, entry: QueueEntry) -> None:
        """Its last outcome was recorded."""
        self._ended(entry.key, entry)

    # -- the end of doubt ------------------------------------------------------------------------------------------

    def _ended(self, key: str, entry: QueueEntry | None) -> None:
        """What others waited for will name none of them any more."""
        roots = [self._entries.register.values.get(root) for root in self._entries.awaited.get(key, ())]
        for root in sorted((root for root in roots if root is not None), key=lambda root: root.serial):
            doubt = root.mail.doubt
            if doubt is None or key not in doubt.awaits:
                continue
            self._entries.register.touched.add(root.key)
            doubt.awaits.remove(key)
            if entry is not None and _may_continue(entry, root):
                doubt.candidates.append(key)
            else:
                self._entries.settled(key, doubt.entry)
            if not doubt.awaits:
                self._settle(doubt)

    def _settle(self, doubt: Doubt) -> None:
        """No line will name its parent: the recipients of its first attempt decide."""
        root = self._entries.register.values[doubt.entry]
        tried = doubt.recipients()
        if doubt.candidates and not tried:
            return
        for key in doubt.candidates:
            first = self._entries.register.values.get(key)
            if first is not None and first.serial < root.serial and tried & _recipients(first.mail):
                self._join(root, first)
                return
        self.own(root)

    def _join(self, entry: QueueEntry, first: QueueEntry) -> None:
        mail = entry.mail
        doubt = self._entries.drop_doubt(mail)
        self._entries.join(entry, first)
        if doubt is not None:
            self._release(self._entries.register.values.get(doubt.entry, entry), first.mail, doubt)

    def _release(self, root: QueueEntry, mail: Mail, doubt: Doubt) -> None:
        self._entries.register.touched.add(root.key)
        if mail.doubt is not None:
            mail.doubt.withheld += doubt.withheld
            self._entries.register.touched.add(mail.doubt.entry)
            return
        rest = self._builder.release(mail, doubt.withheld)
        if rest:
            root.evidence.insert(0, rest)

    def _forgotten(self, entry: QueueEntry) -> None:
        if entry.mail.doubt is not None and entry.mail.doubt.entry == entry.key:
            self.own(entry)
        self._ended(entry.key, entry)


def _are_variants(one: str, other: str) -> bool:
    """Whether two senders are one address with different extensions, as mailing lists write them."""
    if one == other:
        return False
    (local, _, domain), (others, _, others_domain) = one.rpartition("@"), other.rpartition("@")
    first, mark, _ = local.partition("+")
    return bool(mark) and domain == others_domain and others.partition("+")[0] == first and "+" in others


def _are_namesakes(first: QueueEntry, later: QueueEntry) -> bool:
    """Whether one Message-ID is the other's; what cleanup puts into a mail without one contains the queue id."""
    if first.start == Start.UNSEEN and not first.cleaned:
        return True  # it cannot be told: the log begins behind it
    if not first.cleaned or not later.cleaned:
        return False
    return first.message_id == later.message_id or (not first.message_id and later.queue_id in later.message_id)


def _recipients(mail: Mail) -> set[str]:
    return mail.doubt.recipients() | mail.recipients.keys() if mail.doubt else set(mail.recipients)


def _may_continue(first: QueueEntry, entry: QueueEntry) -> bool:
    """Whether a mail may be the continuation of one that did not name it."""
    return _are_namesakes(first, entry) and (first.unnamed or (first.children > 0 and first.recipients > 1))
