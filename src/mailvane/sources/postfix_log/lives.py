"""Which life a queue id stands for, and which lives are one mail.

A mail that goes through a content filter, an alias or a requeue travels under several queue ids. They are joined by
what Postfix says outright (`orig_queue_id=`, `orig_id=`, "queued as", "forwarded as") or by a Message-ID that comes
back from this host while the first is still open.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailvane.domain.mail import mail_number
from mailvane.sources.postfix_log.flights import Birth, Life, Mail, Marks, Register
from mailvane.sources.postfix_log.lines import Tag
from mailvane.sources.postfix_log.records import creation_time

MINUTE = 60_000
GRACE = MINUTE  # a status line may come this much later than the removal of its queue id
_SWEEP_EVERY = MINUTE
_LONG_SWEEP_EVERY = 60 * MINUTE
_DAY = 24 * 60 * MINUTE
_FORGET_OPEN = 30 * _DAY
_FORGET_UNACCEPTED = _DAY  # a client that left before the end of its message leaves nothing else behind


class Lives:
    """All queue ids in flight."""

    def __init__(self) -> None:
        self.register = Register("q:", Life)
        self._marks = Register("m:", Marks)
        self.marks = Marks()
        self._closed: dict[str, int] = {}
        self._by_message_id: dict[str, list[str]] = {}
        self._scopes: dict[str, set[str]] = {}
        self._together: dict[int, set[str]] = {}  # lives that share a mail, by the mail's serial

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
                self._closed[life.key] = life.closed
            if life.piped or not life.closed:
                self._index(life)
            if life.mail.travels > 1:
                self._together.setdefault(life.mail.serial, set()).add(life.key)

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

    def find(self, tag: Tag, queue_id: str) -> Life | None:
        """The life that a line of this daemon speaks of."""
        key = tag.scope + queue_id
        life = self.register.values.get(key)
        if life is None:
            return self._adopt(tag, queue_id)
        self.register.touched.add(key)
        return life

    def find_on_host(self, tag: Tag, queue_id: str) -> Life | None:
        """Likewise, under whichever instance of the host."""
        scopes = self._scopes.get(tag.host)
        if scopes is None:
            return None
        for scope in scopes if len(scopes) == 1 else (tag.scope, *sorted(scopes)):
            life = self.register.values.get(scope + queue_id)
            if life is not None:
                self.register.touched.add(life.key)
                return life
        return None

    def begin(self, tag: Tag, queue_id: str, birth: int, at: int, delay: int = 0) -> Life:
        """A new life, in place of an older one of that queue id."""
        key = tag.scope + queue_id
        previous = self.register.values.get(key)
        if previous is not None:
            self.forget(previous)
        self.marks.serial += 1
        accepted_at = _accepted_at(queue_id, birth, at, delay)
        mail = Mail(self.marks.serial, accepted_at, mail_number(tag.host, tag.instance, queue_id), queue_id, tag.host)
        life = Life(key, self.marks.serial, mail, queue_id, birth, at)
        self.register.values[key] = life
        self.register.touched.add(key)
        scopes = self._scopes.get(tag.host)
        if scopes is None:
            self._scopes[tag.host] = {tag.scope}
        elif tag.scope not in scopes:
            scopes.add(tag.scope)
        return life

    def name(self, life: Life, message_id: str) -> None:
        """Cleanup told the Message-ID: perhaps this is a mail that came back."""
        life.cleaned = True
        if not life.joined:
            life.mail.message_id = message_id
        self._unindex(life)
        life.message_id = message_id
        if message_id and not life.joined and life.birth >= Birth.LOOPBACK:
            self._suspect(life)
        self._index(life)

    def join(self, life: Life, first: Life) -> None:
        """`life` is `first` under another queue id: it takes over its identity and all that is known of it."""
        if life.mail is first.mail:
            return
        first.mail.learn(life.mail)
        first.mail.travels += 1
        first.children += 1
        life.mail = first.mail
        life.joined = True
        life.suspect = ""
        self._together.setdefault(first.mail.serial, set()).update((life.key, first.key))
        self._touch_together(life)

    def close(self, life: Life, at: int) -> None:
        life.closed = at
        life.testify()
        self._closed[life.key] = at
        if not life.piped:
            self._unindex(life)

    def forget(self, life: Life) -> None:
        self.register.values.pop(life.key, None)
        self.register.touched.add(life.key)
        self._closed.pop(life.key, None)
        self._unindex(life)
        if life.mail.travels > 1:
            self._touch_together(life)
            self._part(life)

    def quiet(self) -> tuple[int, int]:
        """Between which times no sweep is due; one is due also when the log's clock went far back."""
        return self.marks.next_sweep - _DAY, self.marks.next_sweep

    def sweep(self, at: int) -> None:
        """Forget what no line will speak of any more."""
        for key in [key for key, closed in self._closed.items() if closed <= at - GRACE]:
            self.forget(self.register.values[key])
        if at // _LONG_SWEEP_EVERY != self.marks.next_sweep // _LONG_SWEEP_EVERY:
            for life in list(self.register):
                patience = _FORGET_OPEN if life.active or life.mail.counted else _FORGET_UNACCEPTED
                if life.seen < at - patience:
                    self.forget(life)
        self.marks.next_sweep = at + _SWEEP_EVERY

    def _adopt(self, tag: Tag, queue_id: str) -> Life | None:
        """A service with a syslog name of its own (`postfix-submission`) bears mails that go on under the main one."""
        for scope in sorted(self._scopes.get(tag.host, ())):
            life = self.register.values.get(scope + queue_id)
            if life is not None and not life.cleaned and not life.closed and life.birth != Birth.UNSEEN:
                del self.register.values[life.key]
                self.register.touched.add(life.key)
                if life.mail.travels > 1:
                    self._part(life)
                    self._together.setdefault(life.mail.serial, set()).add(tag.scope + queue_id)
                life.key = tag.scope + queue_id
                self.register.values[life.key] = life
                self.register.touched.add(life.key)
                self._scopes[tag.host].add(tag.scope)
                return life
        return None

    def _suspect(self, life: Life) -> None:
        keys = self._by_message_id.get(_name(life))
        if not keys:
            return
        namesakes = [self.register.values[key] for key in keys]
        # Through a chain of filters the mail comes from the last; without one, the first is the mail.
        first = max(namesakes, key=lambda other: (other.joined, other.serial if other.joined else -other.serial))
        if not (first.active or first.mail.counted):
            return
        came_from_outside = first.birth in (Birth.UNSEEN, Birth.CLIENT, Birth.NEIGHBOUR)
        if first.closed:
            # A pipe(8) filter that gives mail back by sendmail(1): the first queue id is gone before pickup sees it.
            certain = life.birth == Birth.PICKUP and first.piped
            if not certain:
                return
        else:
            # Two mails of one local program may bear one Message-ID, so those need a proof.
            certain = life.birth == Birth.WITHIN or (
                life.birth != Birth.NEIGHBOUR
                and (came_from_outside or (first.birth == Birth.PICKUP and life.birth == Birth.LOOPBACK))
            )
        if certain:
            self.join(life, first)
        else:
            life.suspect = first.key

    def _touch_together(self, life: Life) -> None:
        """What is learnt of a mail under one queue id is to be written down under the others, too."""
        self.register.touched.update(self._together.get(life.mail.serial, ()))

    def _part(self, life: Life) -> None:
        others = self._together.get(life.mail.serial)
        if others is not None:
            others.discard(life.key)
            if not others:
                del self._together[life.mail.serial]

    def _index(self, life: Life) -> None:
        if life.message_id:
            self._by_message_id.setdefault(_name(life), []).append(life.key)

    def _unindex(self, life: Life) -> None:
        name = _name(life)
        keys = self._by_message_id.get(name, [])
        if life.key in keys:
            keys.remove(life.key)
            if not keys:
                del self._by_message_id[name]


def _name(life: Life) -> str:
    return f"{life.mail.host}/{life.message_id}"


def _accepted_at(queue_id: str, birth: int, at: int, delay: int) -> int:
    created, fraction = creation_time(queue_id)
    if birth == Birth.UNSEEN:
        if created is not None and abs(at - delay - created) < _DAY * 60:
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
