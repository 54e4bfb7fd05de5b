"""Which life a queue id stands for, and which lives are one mail.

A mail that goes through a content filter, an alias or a requeue travels under several queue ids. They are joined by
what Postfix says outright (`orig_queue_id=`, `orig_id=`, "queued as", "forwarded as"), and otherwise by what
`continuations` makes of their Message-IDs and recipients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush

from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.maillog.model import mail_number
from mailvane.maillog.postfix.lines import Tag
from mailvane.maillog.postfix.records import creation_time
from mailvane.maillog.postfix.state import Doubt, Mail, Marks, QueueEntry, Register, Start

GRACE = 15_000  # ours: ms that a status line may come later than the removal of its queue id; syslog mixes them up
_LONG_SWEEP_EVERY = HOUR_MS
NEVER = 1 << 62
_EXPECT = HOUR_MS  # the queue id that a mail goes on under may be deferred when the log begins
_FORGET_OPEN = 30 * DAY_MS
MOST_NAMELESS = 32  # of which each mail without a Message-ID may be the continuation
_FORGET_UNACCEPTED = DAY_MS  # a client that left before the end of its message leaves nothing else behind


class QueueEntries:
    """All queue ids in flight."""

    def __init__(self) -> None:
        self.register = Register("q:", QueueEntry)
        self._marks = Register("m:", Marks)
        self.marks = Marks()
        self.due = 0  # before this time of the log no entry or doubt ends by itself
        self._closed: dict[str, int] = {}  # when each closed one is forgotten
        self._endings: list[tuple[int, str]] = []  # of these, the earliest first; also of some that are gone
        self._kept: set[str] = set()  # past that time, and still needed
        self._by_message_id: dict[str, dict[str, None]] = {}
        self._nameless: dict[str, dict[str, None]] = {}  # in progress and without a known Message-ID, by host
        self._scopes: dict[str, set[str]] = {}
        self._together: dict[int, set[str]] = {}  # lives that share a mail, by the mail's serial
        self._expected: dict[str, str] = {}  # lives by the host and queue id that they go on under
        self.awaited: dict[str, dict[str, None]] = {}  # lives in doubt, by the key that may settle it
        self.doubtful: dict[str, int] = {}  # until when each life in doubt is
        self.before_forgetting: Callable[[QueueEntry], None] = _nothing

    def restore(self, records: Iterable[tuple[str, bytes]]) -> None:
        records = list(records)
        self._marks.restore(records)
        self.marks = self._marks.values.get("", self.marks)
        self.register.restore(records)
        mails: dict[int, Mail] = {}
        for entry in sorted(self.register, key=lambda entry: entry.serial):
            entry.mail = mails.setdefault(entry.mail.serial, entry.mail)
            self._scopes.setdefault(entry.mail.host, set()).add(entry.key[: -len(entry.queue_id)])
            if entry.closed:
                self._ends(entry)
            if entry.piped or not entry.closed:
                self._index(entry)
            self.progress(entry)
            if entry.named:
                self.expect(entry, entry.named)
            if entry.mail.travels > 1:
                self._together.setdefault(entry.mail.serial, set()).add(entry.key)
            doubt = entry.mail.doubt
            if doubt is not None and doubt.entry == entry.key:
                self.note_doubt(doubt)

    def changes(self) -> tuple[list[tuple[str, bytes]], list[str]]:
        """What changed since the last call, as `(new or changed, gone)` records."""
        register = self.register
        for key in list(register.touched):
            entry = register.values.get(key)
            if entry is not None and entry.mail.travels > 1:
                self._touch_together(entry)
        opened, closed = register.changes()
        self._marks.values[""] = self.marks
        self._marks.touched.add("")
        opened += self._marks.changes()[0]
        return opened, closed

    def find(self, tag: Tag, queue_id: str) -> QueueEntry | None:
        """The queue entry that a line of this daemon names."""
        key = tag.scope + queue_id
        entry = self.register.values.get(key)
        if entry is None:
            return self._adopt(tag, queue_id)
        self.register.touched.add(key)
        return entry

    def find_on_host(self, tag: Tag, queue_id: str) -> QueueEntry | None:
        """Likewise, under whichever instance of the host."""
        return next(iter(self.all_on_host(tag, queue_id)), None)

    def all_on_host(self, tag: Tag, queue_id: str) -> Sequence[QueueEntry]:
        """Under every instance of the host that has such a queue id."""
        scopes = self._scopes.get(tag.host, ())
        ordered = scopes if len(scopes) == 1 else (tag.scope, *sorted(set(scopes) - {tag.scope}))
        values = self.register.values
        found = [values[scope + queue_id] for scope in ordered if scope + queue_id in values]
        self.register.touched.update(entry.key for entry in found)
        return found

    def begin(self, tag: Tag, queue_id: str, start: int, at: int, delay: int = 0) -> QueueEntry:
        """A new life, in place of an older one of that queue id."""
        key = tag.scope + queue_id
        previous = self.register.values.get(key)
        if previous is not None:
            self.forget(previous)
        self.marks.serial += 1
        accepted_at = _accepted_at(queue_id, start, at, delay)
        mail = Mail(self.marks.serial, accepted_at, mail_number(tag.host, tag.instance, queue_id), queue_id, tag.host)
        entry = QueueEntry(key, self.marks.serial, mail, queue_id, start, at)
        self.register.values[key] = entry
        self.register.touched.add(key)
        scopes = self._scopes.get(tag.host)
        if scopes is None:
            self._scopes[tag.host] = {tag.scope}
        elif tag.scope not in scopes:
            scopes.add(tag.scope)
        return entry

    def name(self, entry: QueueEntry, message_id: str) -> bool:
        """Cleanup logged the Message-ID. Returns whether there are others with it, or with none."""
        entry.cleaned = True
        if not entry.joined:
            entry.mail.message_id = message_id
        if entry.message_id:
            self._unindex(entry)
        entry.message_id = message_id
        return self._index(entry) or bool(self._nameless)

    def progress(self, entry: QueueEntry) -> None:
        """A queue id became active, or has got an outcome."""
        if entry.message_id:
            return
        if entry.in_progress:
            self._nameless.setdefault(entry.mail.host, {})[entry.key] = None
        elif self._nameless:
            self._leave_nameless(entry)

    def _leave_nameless(self, entry: QueueEntry) -> None:
        nameless = self._nameless.get(entry.mail.host)
        if nameless is not None:
            nameless.pop(entry.key, None)
            if not nameless:
                del self._nameless[entry.mail.host]

    def namesakes(self, entry: QueueEntry) -> list[QueueEntry]:
        """Others with this Message-ID, oldest first."""
        keys = self._by_message_id.get(_name(entry), ()) if entry.message_id else ()
        if len(keys) < 2:
            return []
        return sorted((self.register.values[key] for key in keys if key != entry.key), key=lambda other: other.serial)

    def nameless(self, entry: QueueEntry) -> list[QueueEntry]:
        """The newest others that are in progress on this host and have no Message-ID, or an unknown one."""
        keys = self._nameless.get(entry.mail.host, ())
        found = sorted((self.register.values[key] for key in keys if key != entry.key), key=lambda other: other.serial)
        return found[-MOST_NAMELESS:]

    def expect(self, entry: QueueEntry, queue_id: str) -> None:
        """A life goes on under a queue id of this host whose birth the log does not show."""
        entry.named = queue_id
        self._expected[f"{entry.mail.host}/{queue_id}"] = entry.key

    def expected(self, entry: QueueEntry) -> QueueEntry | None:
        """The one that goes on under this queue id."""
        key = self._expected.get(f"{entry.mail.host}/{entry.queue_id}") if self._expected else None
        return self.register.values.get(key) if key is not None else None

    def note_doubt(self, doubt: Doubt) -> None:
        self.doubtful[doubt.entry] = doubt.until
        self.due = min(self.due, doubt.until)
        for key in (*doubt.awaits, *doubt.candidates):
            self.awaited.setdefault(key, {})[doubt.entry] = None

    def drop_doubt(self, mail: Mail) -> Doubt | None:
        """The doubt about a mail, which has it no more."""
        doubt, mail.doubt = mail.doubt, None
        if doubt is not None:
            self.doubtful.pop(doubt.entry, None)
            self._not_needed(doubt.entry)
            for key in (*doubt.awaits, *doubt.candidates):
                self.settled(key, doubt.entry)
        return doubt

    def settled(self, key: str, entry: str) -> None:
        """A key will not settle the doubt about a life any more."""
        waiting = self.awaited.get(key)
        if waiting is not None:
            waiting.pop(entry, None)
            if not waiting:
                del self.awaited[key]
                self._not_needed(key)

    def _not_needed(self, key: str) -> None:
        """One reason less to keep a closed entry: it is looked at anew."""
        if key in self._kept and key not in self.awaited and key not in self.doubtful:
            self._kept.discard(key)
            heappush(self._endings, (self._closed[key], key))
            self.due = 0

    def join(self, entry: QueueEntry, first: QueueEntry) -> None:
        """`life` is `first` under another queue id: it takes over its identity and all that is known of it."""
        if entry.mail is first.mail:
            return
        self.share(entry, first)
        entry.joined = True
        first.children += 1

    def share(self, entry: QueueEntry, first: QueueEntry) -> None:
        """All queue ids of one life's mail are queue ids of another's."""
        given = entry.mail
        first.mail.learn(given)
        first.mail.travels += given.travels
        keys = self._together.pop(given.serial, {entry.key})
        for key in keys:
            self.register.values[key].mail = first.mail
        self._together.setdefault(first.mail.serial, set()).update((*keys, first.key))
        self._touch_together(entry)

    def close(self, entry: QueueEntry, at: int) -> None:
        entry.closed = at
        entry.take_raw_lines()
        self._ends(entry)
        self.progress(entry)
        if not entry.piped:
            self._unindex(entry)

    def _ends(self, entry: QueueEntry) -> None:
        ending = entry.closed + GRACE + (_EXPECT if entry.named else 0)
        self._closed[entry.key] = ending
        heappush(self._endings, (ending, entry.key))
        self.due = min(self.due, ending)

    def forget(self, entry: QueueEntry) -> None:
        if entry.mail.doubt is not None or self.awaited:
            self.before_forgetting(entry)
        self.register.values.pop(entry.key, None)
        self.register.touched.add(entry.key)
        self._closed.pop(entry.key, None)
        self._kept.discard(entry.key)
        if entry.piped or not entry.closed:
            self._unindex(entry)
        if entry.named:
            self._expected.pop(f"{entry.mail.host}/{entry.named}", None)
        if self._nameless:
            self._leave_nameless(entry)
        if entry.mail.travels > 1:
            self._touch_together(entry)
            self._part(entry)

    def is_new_hour(self, clock: int) -> bool:
        """Whether what was left open for long is to be looked for: once for each hour that the log comes to."""
        return not self.marks.swept <= clock < self.marks.swept + _LONG_SWEEP_EVERY

    def sweep(self, clock: int) -> None:
        """Forget what no line will speak of any more.

        Each entry ends at a time of its own, so it does not matter which lines come in between, nor how many.
        """
        while self._endings and self._endings[0][0] <= clock:
            ending, key = heappop(self._endings)
            if self._closed.get(key) != ending:
                continue
            if key in self.awaited or key in self.doubtful:
                self._kept.add(key)
            else:
                self.forget(self.register.values[key])
        if self.is_new_hour(clock):
            hour = self.marks.swept = clock // _LONG_SWEEP_EVERY * _LONG_SWEEP_EVERY
            for entry in list(self.register):
                patience = _FORGET_OPEN if entry.active or entry.mail.counted else _FORGET_UNACCEPTED
                if entry.seen < hour - patience:
                    self.forget(entry)
        doubts = min(self.doubtful.values(), default=NEVER)
        self.due = min(doubts, self._endings[0][0] if self._endings else NEVER)

    def _adopt(self, tag: Tag, queue_id: str) -> QueueEntry | None:
        """A service with a syslog name of its own (`postfix-submission`) bears mails that go on under the main one."""
        for scope in sorted(self._scopes.get(tag.host, ())):
            entry = self.register.values.get(scope + queue_id)
            if entry is not None and not entry.cleaned and not entry.closed and entry.start != Start.UNSEEN:
                del self.register.values[entry.key]
                self.register.touched.add(entry.key)
                self._leave_nameless(entry)
                if entry.mail.travels > 1:
                    self._part(entry)
                    self._together.setdefault(entry.mail.serial, set()).add(tag.scope + queue_id)
                entry.key = tag.scope + queue_id
                self.register.values[entry.key] = entry
                self.register.touched.add(entry.key)
                self._scopes[tag.host].add(tag.scope)
                self.progress(entry)
                return entry
        return None

    def _touch_together(self, entry: QueueEntry) -> None:
        """What is learnt of a mail under one queue id is to be written down under the others, too."""
        self.register.touched.update(self._together.get(entry.mail.serial, ()))

    def _part(self, entry: QueueEntry) -> None:
        others = self._together.get(entry.mail.serial)
        if others is not None:
            others.discard(entry.key)
            if not others:
                del self._together[entry.mail.serial]

    def _index(self, entry: QueueEntry) -> bool:
        """Returns whether there are others with this Message-ID."""
        if not entry.message_id:
            return False
        name = _name(entry)
        keys = self._by_message_id.get(name)
        if keys is None:
            self._by_message_id[name] = {entry.key: None}
            return False
        keys[entry.key] = None
        return len(keys) > 1

    def _unindex(self, entry: QueueEntry) -> None:
        name = _name(entry)
        keys = self._by_message_id.get(name)
        if keys is not None:
            keys.pop(entry.key, None)
            if not keys:
                del self._by_message_id[name]


def _nothing(_: QueueEntry) -> None:
    """Nobody needs to know."""


def _name(entry: QueueEntry) -> str:
    return f"{entry.mail.host}/{entry.message_id}"


def _accepted_at(queue_id: str, start: int, at: int, delay: int) -> int:
    created, fraction = creation_time(queue_id)
    if start == Start.UNSEEN:
        if created is not None and abs(at - delay - created) < DAY_MS * 60:
            return created
        if fraction is None:
            return at - delay
        if not delay:
            return at // 1000 * 1000 + fraction
        # The second that, with the fraction of the queue id, comes nearest to what the delay says. A whole-second stamp
        # was cut off, so the truth lies half a second later on average.
        guess = at - delay + (500 if at % 1000 == 0 else 0)
        return (guess - fraction + 500) // 1000 * 1000 + fraction
    return at + fraction if fraction is not None and at % 1000 == 0 else at
