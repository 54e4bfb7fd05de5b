"""Which life a queue id stands for, and which lives are one mail.

A mail that goes through a content filter, an alias or a requeue travels under several queue ids. They are joined by
what Postfix says outright (`orig_queue_id=`, `orig_id=`, "queued as", "forwarded as"), and otherwise by what
`continuations` makes of their Message-IDs and recipients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from mailvane.core.moments import DAY_MS, HOUR_MS, MINUTE_MS
from mailvane.maillog.model import mail_number
from mailvane.maillog.postfix.lines import Tag
from mailvane.maillog.postfix.records import creation_time
from mailvane.maillog.postfix.state import Birth, Doubt, Mail, Marks, QueueEntry, Register

GRACE = MINUTE_MS  # a status line may come this much later than the removal of its queue id
_SWEEP_EVERY = MINUTE_MS
_LONG_SWEEP_EVERY = HOUR_MS
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
        self._closed: dict[str, int] = {}
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
        for life in sorted(self.register, key=lambda life: life.serial):
            life.mail = mails.setdefault(life.mail.serial, life.mail)
            self._scopes.setdefault(life.mail.host, set()).add(life.key[: -len(life.queue_id)])
            if life.closed:
                self._closed[life.key] = life.closed + (_EXPECT if life.named else 0)
            if life.piped or not life.closed:
                self._index(life)
            self.progress(life)
            if life.named:
                self.expect(life, life.named)
            if life.mail.travels > 1:
                self._together.setdefault(life.mail.serial, set()).add(life.key)
            doubt = life.mail.doubt
            if doubt is not None and doubt.life == life.key:
                self.note_doubt(doubt)

    def changes(self) -> tuple[list[tuple[str, bytes]], list[str]]:
        """What changed since the last call, as `(new or changed, gone)` records."""
        lives = self.register
        for key in list(lives.touched):
            life = lives.values.get(key)
            if life is not None and life.mail.travels > 1:
                self._touch_together(life)
        opened, closed = lives.changes()
        self._marks.values[""] = self.marks
        self._marks.touched.add("")
        opened += self._marks.changes()[0]
        return opened, closed

    def find(self, tag: Tag, queue_id: str) -> QueueEntry | None:
        """The life that a line of this daemon speaks of."""
        key = tag.scope + queue_id
        life = self.register.values.get(key)
        if life is None:
            return self._adopt(tag, queue_id)
        self.register.touched.add(key)
        return life

    def find_on_host(self, tag: Tag, queue_id: str) -> QueueEntry | None:
        """Likewise, under whichever instance of the host."""
        return next(iter(self.all_on_host(tag, queue_id)), None)

    def all_on_host(self, tag: Tag, queue_id: str) -> Sequence[QueueEntry]:
        """Under every instance of the host that has such a queue id."""
        scopes = self._scopes.get(tag.host, ())
        ordered = scopes if len(scopes) == 1 else (tag.scope, *sorted(set(scopes) - {tag.scope}))
        values = self.register.values
        found = [values[scope + queue_id] for scope in ordered if scope + queue_id in values]
        self.register.touched.update(life.key for life in found)
        return found

    def begin(self, tag: Tag, queue_id: str, birth: int, at: int, delay: int = 0) -> QueueEntry:
        """A new life, in place of an older one of that queue id."""
        key = tag.scope + queue_id
        previous = self.register.values.get(key)
        if previous is not None:
            self.forget(previous)
        self.marks.serial += 1
        accepted_at = _accepted_at(queue_id, birth, at, delay)
        mail = Mail(self.marks.serial, accepted_at, mail_number(tag.host, tag.instance, queue_id), queue_id, tag.host)
        life = QueueEntry(key, self.marks.serial, mail, queue_id, birth, at)
        self.register.values[key] = life
        self.register.touched.add(key)
        scopes = self._scopes.get(tag.host)
        if scopes is None:
            self._scopes[tag.host] = {tag.scope}
        elif tag.scope not in scopes:
            scopes.add(tag.scope)
        return life

    def name(self, life: QueueEntry, message_id: str) -> bool:
        """Cleanup told the Message-ID. Returns whether there are others with it, or with none."""
        life.cleaned = True
        if not life.joined:
            life.mail.message_id = message_id
        if life.message_id:
            self._unindex(life)
        life.message_id = message_id
        return self._index(life) or bool(self._nameless)

    def progress(self, life: QueueEntry) -> None:
        """A queue id became active, or has got an outcome."""
        if life.message_id:
            return
        if life.in_progress:
            self._nameless.setdefault(life.mail.host, {})[life.key] = None
        elif self._nameless:
            self._leave_nameless(life)

    def _leave_nameless(self, life: QueueEntry) -> None:
        nameless = self._nameless.get(life.mail.host)
        if nameless is not None:
            nameless.pop(life.key, None)
            if not nameless:
                del self._nameless[life.mail.host]

    def namesakes(self, life: QueueEntry) -> list[QueueEntry]:
        """Others with this Message-ID, oldest first."""
        keys = self._by_message_id.get(_name(life), ()) if life.message_id else ()
        if len(keys) < 2:
            return []
        return sorted((self.register.values[key] for key in keys if key != life.key), key=lambda other: other.serial)

    def nameless(self, life: QueueEntry) -> list[QueueEntry]:
        """The newest others that are in progress on this host and have no Message-ID, or an unknown one."""
        keys = self._nameless.get(life.mail.host, ())
        found = sorted((self.register.values[key] for key in keys if key != life.key), key=lambda other: other.serial)
        return found[-MOST_NAMELESS:]

    def expect(self, life: QueueEntry, queue_id: str) -> None:
        """A life goes on under a queue id of this host whose birth the log does not show."""
        life.named = queue_id
        self._expected[f"{life.mail.host}/{queue_id}"] = life.key

    def expected(self, life: QueueEntry) -> QueueEntry | None:
        """The one that goes on under this queue id."""
        key = self._expected.get(f"{life.mail.host}/{life.queue_id}") if self._expected else None
        return self.register.values.get(key) if key is not None else None

    def note_doubt(self, doubt: Doubt) -> None:
        self.doubtful[doubt.life] = doubt.until
        for key in (*doubt.awaits, *doubt.kin):
            self.awaited.setdefault(key, {})[doubt.life] = None

    def drop_doubt(self, mail: Mail) -> Doubt | None:
        """The doubt about a mail, which has it no more."""
        doubt, mail.doubt = mail.doubt, None
        if doubt is not None:
            self.doubtful.pop(doubt.life, None)
            for key in (*doubt.awaits, *doubt.kin):
                self.settled(key, doubt.life)
        return doubt

    def settled(self, key: str, life: str) -> None:
        """A key will not settle the doubt about a life any more."""
        waiting = self.awaited.get(key)
        if waiting is not None:
            waiting.pop(life, None)
            if not waiting:
                del self.awaited[key]

    def join(self, life: QueueEntry, first: QueueEntry) -> None:
        """`life` is `first` under another queue id: it takes over its identity and all that is known of it."""
        if life.mail is first.mail:
            return
        self.share(life, first)
        life.joined = True
        first.children += 1

    def share(self, life: QueueEntry, first: QueueEntry) -> None:
        """All queue ids of one life's mail are queue ids of another's."""
        given = life.mail
        first.mail.learn(given)
        first.mail.travels += given.travels
        keys = self._together.pop(given.serial, {life.key})
        for key in keys:
            self.register.values[key].mail = first.mail
        self._together.setdefault(first.mail.serial, set()).update((*keys, first.key))
        self._touch_together(life)

    def close(self, life: QueueEntry, at: int) -> None:
        life.closed = at
        life.take_raw_lines()
        self._closed[life.key] = at + (_EXPECT if life.named else 0)
        self.progress(life)
        if not life.piped:
            self._unindex(life)

    def forget(self, life: QueueEntry) -> None:
        if life.mail.doubt is not None or self.awaited:
            self.before_forgetting(life)
        self.register.values.pop(life.key, None)
        self.register.touched.add(life.key)
        self._closed.pop(life.key, None)
        if life.piped or not life.closed:
            self._unindex(life)
        if life.named:
            self._expected.pop(f"{life.mail.host}/{life.named}", None)
        if self._nameless:
            self._leave_nameless(life)
        if life.mail.travels > 1:
            self._touch_together(life)
            self._part(life)

    def quiet(self) -> tuple[int, int]:
        """Between which times no sweep is due; one is due also when the log's clock went far back."""
        return self.marks.next_sweep - DAY_MS, self.marks.next_sweep

    def sweep(self, at: int) -> None:
        """Forget what no line will speak of any more."""
        needed = self.awaited.keys() | self.doubtful.keys()
        for key in [key for key, closed in self._closed.items() if closed <= at - GRACE and key not in needed]:
            self.forget(self.register.values[key])
        if at // _LONG_SWEEP_EVERY != self.marks.next_sweep // _LONG_SWEEP_EVERY:
            for life in list(self.register):
                patience = _FORGET_OPEN if life.active or life.mail.counted else _FORGET_UNACCEPTED
                if life.seen < at - patience:
                    self.forget(life)
        self.marks.next_sweep = at + _SWEEP_EVERY

    def _adopt(self, tag: Tag, queue_id: str) -> QueueEntry | None:
        """A service with a syslog name of its own (`postfix-submission`) bears mails that go on under the main one."""
        for scope in sorted(self._scopes.get(tag.host, ())):
            life = self.register.values.get(scope + queue_id)
            if life is not None and not life.cleaned and not life.closed and life.birth != Birth.UNSEEN:
                del self.register.values[life.key]
                self.register.touched.add(life.key)
                self._leave_nameless(life)
                if life.mail.travels > 1:
                    self._part(life)
                    self._together.setdefault(life.mail.serial, set()).add(tag.scope + queue_id)
                life.key = tag.scope + queue_id
                self.register.values[life.key] = life
                self.register.touched.add(life.key)
                self._scopes[tag.host].add(tag.scope)
                self.progress(life)
                return life
        return None

    def _touch_together(self, life: QueueEntry) -> None:
        """What is learnt of a mail under one queue id is to be written down under the others, too."""
        self.register.touched.update(self._together.get(life.mail.serial, ()))

    def _part(self, life: QueueEntry) -> None:
        others = self._together.get(life.mail.serial)
        if others is not None:
            others.discard(life.key)
            if not others:
                del self._together[life.mail.serial]

    def _index(self, life: QueueEntry) -> bool:
        """Returns whether there are others with this Message-ID."""
        if not life.message_id:
            return False
        name = _name(life)
        keys = self._by_message_id.get(name)
        if keys is None:
            self._by_message_id[name] = {life.key: None}
            return False
        keys[life.key] = None
        return len(keys) > 1

    def _unindex(self, life: QueueEntry) -> None:
        name = _name(life)
        keys = self._by_message_id.get(name)
        if keys is not None:
            keys.pop(life.key, None)
            if not keys:
                del self._by_message_id[name]


def _nothing(_: QueueEntry) -> None:
    """Nobody needs to know."""


def _name(life: QueueEntry) -> str:
    return f"{life.mail.host}/{life.message_id}"


def _accepted_at(queue_id: str, birth: int, at: int, delay: int) -> int:
    created, fraction = creation_time(queue_id)
    if birth == Birth.UNSEEN:
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
