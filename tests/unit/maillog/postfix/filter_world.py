"""A small model of a Postfix with content filters: it writes the log, and knows which mails there were.

A discrete-event model: every queue id is followed from its birth to its removal, each step a random time after the one
that causes it, so that the lines of mails under way at once are interleaved as they come. What Postfix does in one
step after another comes in that order; what nothing orders (the answer of a filter, and the first delivery of the mail
that it gave back) comes in any.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

START = datetime(2026, 10, 10, 12, 0, 0, tzinfo=UTC)
ADDRESSES = ("127.0.0.1", "::1", "10.0.0.9", "fd00::9", "203.0.113.50", "2001:db8::50")
OUTCOMES = ("delivered", "bounced", "deferred")


@dataclass
class TrueMail:
    """A mail as its sender sees it."""

    sender: str
    origin: str
    notification: bool = False
    recipients: dict[str, str] = field(default_factory=dict)  # what became of each in the end

    def told(self) -> tuple[str, str, bool, tuple[tuple[str, str], ...]]:
        return self.sender, self.origin, self.notification, tuple(sorted(self.recipients.items()))


@dataclass(frozen=True)
class Filter:
    """A content filter, and how it talks."""

    address: str  # where it is, and where it comes from
    transport: str = "smtp"
    named: bool = True  # it says which queue id the mail has now
    splits: bool = False
    forwards: bool = False  # by XFORWARD, with the first queue id
    pipe: bool = False  # gives the mail back by sendmail(1)


@dataclass
class Mail:
    """A queue id."""

    truth: TrueMail
    recipients: list[str]
    message_id: str
    path: list[Filter]
    scope: str
    queue_id: str = ""
    taken: tuple[str, ...] = ()  # its recipients at first


class FilterWorld:
    """Writes a log. Run it once."""

    def __init__(self, choose: random.Random) -> None:
        self.choose = choose
        self.lines: list[str] = []
        self.mails: list[TrueMail] = []
        self._numbers = itertools.count(1)
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._now = 0

    def run(self) -> str:
        while self._events:
            self._now, _, step = heapq.heappop(self._events)
            step()
        return "".join(f"{line}\n" for line in self.lines)

    def truth(self) -> list[tuple[str, str, bool, tuple[tuple[str, str], ...]]]:
        return sorted(mail.told() for mail in self.mails)

    # -- what happens ----------------------------------------------------------------------------------------------

    def mail_from(self, where: str, path: Iterable[Filter], recipients: int, message_id: str | None) -> None:
        """A mail comes in from `outside`, `lan`, `loopback` or `pickup`, or by a before-queue filter (`proxy`)."""
        number = next(self._numbers)
        origin = {"outside": "198.51.100.9", "lan": "10.9.9.9", "loopback": "127.0.0.1", "proxy": "198.51.100.7"}
        truth = TrueMail(f"s{number}@shop.example", origin.get(where, ""))
        self.mails.append(truth)
        to = [f"r{number}.{index}@dest.example" for index in range(recipients)]
        mail = Mail(truth, to, "" if message_id is None else message_id, list(path), "postfix")
        for recipient in to:
            truth.recipients[recipient] = "queued"
        self.after(self.choose.randrange(3000), lambda: self._begin(mail, where))

    def after(self, wait: int, step: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self._now + wait, len(self._events) + next(self._numbers) * 1000, step))

    def soon(self, step: Callable[[], None], longest: int = 400) -> None:
        self.after(self.choose.randrange(longest), step)

    def _begin(self, mail: Mail, where: str) -> None:
        mail.queue_id = self._queue_id()
        if where == "pickup":
            self._write(mail, "pickup", f"uid=1000 from=<{mail.truth.sender}>")
        elif where == "proxy":
            self._proxied(mail)
            return
        else:
            self._write(mail, "smtpd", f"client=app.example[{mail.truth.origin}]")
        self.soon(lambda: self._clean(mail, local=where != "outside"), 20)

    def _proxied(self, mail: Mail) -> None:
        process = 500 + next(self._numbers)
        self._log(mail.scope, "smtpd", "NOQUEUE: client=out.example[198.51.100.7]", process)

        def inner() -> None:
            self._write(mail, "smtpd", "client=localhost[127.0.0.1]")
            self.soon(lambda: self._clean(mail, local=True, then=accepted), 20)

        def accepted() -> None:
            text = f"proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as {mail.queue_id}; from=<{mail.truth.sender}>"
            self.soon(
                lambda: self._log(mail.scope, "smtpd", f"{text} to=<x@dest.example> proto=ESMTP helo=<o>", process)
            )

        self.soon(inner)

    def _clean(self, mail: Mail, *, local: bool, then: Callable[[], None] | None = None) -> None:
        # cleanup gives mail of this machine a Message-ID, unless a filter's way back is set up so that it does not
        if not mail.message_id and local and self.choose.random() < 0.7:
            mail.message_id = f"20261010120000.{mail.queue_id}@mx1.example"
        self._write(mail, "cleanup", f"message-id=<{mail.message_id}>")
        self.soon(lambda: self._activate(mail), 20)
        if then is not None:
            then()

    def _activate(self, mail: Mail) -> None:
        sender = "" if mail.truth.notification else mail.truth.sender
        self._write(mail, "qmgr", f"from=<{sender}>, size=1000, nrcpt={len(mail.recipients)} (queue active)")
        if mail.path:
            self.soon(lambda: self._to_filter(mail, mail.path[0], mail.path[1:]))
        else:
            self.soon(lambda: self._deliver(mail))

    # -- a filter --------------------------------------------------------------------------------------------------

    def _to_filter(self, mail: Mail, through: Filter, rest: list[Filter]) -> None:
        pending_verdict = self.choose.random()
        if pending_verdict < 0.1 and not through.pipe:
            said = f"connect to {through.address}[{through.address}]:10024: Connection refused"
            for recipient in mail.recipients:
                mail.truth.recipients[recipient] = "deferred"
                self._attempt(mail, through.transport, recipient, "none", "4.4.1", f"deferred ({said})")
            self.after(300_000, lambda: self._activate(mail))
            return
        if pending_verdict < 0.2 and not through.pipe and _is_near(through.address):
            for recipient in mail.recipients:
                mail.truth.recipients[recipient] = "discarded"
                said = "250 2.7.0 Ok, discarded, id=04747-01 - INFECTED: Eicar-Test-Signature"
                self._attempt(mail, through.transport, recipient, _relay(through.address), "2.7.0", f"sent ({said})")
            self._write(mail, "qmgr", "removed")
            return
        cut = len(mail.recipients) // 2 if through.splits else 0
        parts = [part for part in (mail.recipients[:cut], mail.recipients[cut:]) if part]
        given = [Mail(mail.truth, part, mail.message_id, rest, self._scope(mail), taken=tuple(part)) for part in parts]
        self._give_back(mail, given, through, [])

    def _give_back(self, mail: Mail, given: list[Mail], through: Filter, done: list[Mail]) -> None:
        """One part after another; the answer comes when all were taken."""
        if not given:
            self.soon(lambda: self._answer(mail, done, through), 900)
            return
        back = given[0]

        def begin() -> None:
            back.queue_id = self._queue_id()
            if through.pipe:
                self._write(back, "pickup", f"uid=110 from=<{mail.truth.sender}>")
            else:
                name = "localhost" if through.address in ("127.0.0.1", "::1") else "filter.example"
                more = f", orig_queue_id={mail.queue_id}" if through.forwards else ""
                self._write(back, "smtpd", f"client={name}[{through.address}]{more}")
            self.soon(clean, 20)

        def clean() -> None:
            local = through.pipe or through.address in ("127.0.0.1", "::1")
            self._clean(back, local=local)
            self._give_back(mail, given[1:], through, [*done, back])

        self.soon(begin)

    def _answer(self, mail: Mail, done: list[Mail], through: Filter) -> None:
        for recipient in mail.recipients:
            if through.pipe:
                self._attempt(mail, "pipe", recipient, "scanner", "2.0.0", "sent (delivered via scanner service)")
                continue
            back = done[-1]
            if through.transport == "lmtp":
                back = next(part for part in done if recipient in part.taken)
            said = f"250 2.0.0 Ok: queued as {back.queue_id}" if through.named else "250 2.5.0 OK (2A6F)"
            self._attempt(mail, through.transport, recipient, _relay(through.address), "2.0.0", f"sent ({said})")
        self._write(mail, "qmgr", "removed")

    # -- the end ---------------------------------------------------------------------------------------------------

    def _deliver(self, mail: Mail) -> None:
        kinds = [self.choose.choice(("remote", "remote", "mailbox", "forward")) for _ in mail.recipients]
        for recipient, kind in zip(list(mail.recipients), kinds, strict=True):
            if kind == "mailbox":
                mail.truth.recipients[recipient] = "delivered"
                said = f"250 2.0.0 <{recipient}> AbC+Def0123 Saved"
                self._attempt(mail, "lmtp", recipient, "mx1[private/dovecot-lmtp]", "2.0.0", f"sent ({said})")
            elif kind == "forward" and mail.message_id and not mail.truth.notification:
                self._forward(mail, recipient)
            else:
                self._remote(mail, recipient)
        if "mailbox" in kinds and self.choose.random() < 0.5 and mail.message_id and not mail.truth.notification:
            self._redirect(mail)
        self._end(mail)

    def _end(self, mail: Mail) -> None:
        open_ones = [to for to in mail.recipients if mail.truth.recipients.get(to) == "deferred"]
        if not open_ones:
            self._write(mail, "qmgr", "removed")
            return
        mail.recipients = open_ones
        self.after(300_000, lambda: self._again(mail))

    def _again(self, mail: Mail) -> None:
        count = len(mail.recipients)
        self._write(mail, "qmgr", f"from=<{mail.truth.sender}>, size=1000, nrcpt={count} (queue active)")
        for recipient in mail.recipients:
            mail.truth.recipients[recipient] = "delivered"
            said = "sent (250 2.0.0 Ok: queued as 99887766AA)"
            self._attempt(mail, "smtp", recipient, "mx.dest.example[192.0.2.25]:25", "2.0.0", said)
        self._write(mail, "qmgr", "removed")

    def _remote(self, mail: Mail, recipient: str) -> None:
        outcome = self.choose.choice(OUTCOMES) if not mail.truth.notification else "delivered"
        mail.truth.recipients[recipient] = outcome
        peer = "mx.dest.example[192.0.2.25]"
        dsn, said = {
            "delivered": ("2.0.0", "sent (250 2.0.0 Ok: queued as 99887766AA)"),
            "bounced": ("5.1.1", f"bounced (host {peer} said: 550 5.1.1 no such user (in reply to RCPT TO command))"),
            "deferred": ("4.2.0", f"deferred (host {peer} said: 450 4.2.0 later (in reply to RCPT TO command))"),
        }[outcome]
        self._attempt(mail, "smtp", recipient, f"{peer}:25", dsn, said)
        if outcome == "bounced":
            self._notify(mail)

    def _notify(self, mail: Mail) -> None:
        truth = TrueMail("", "", notification=True, recipients={mail.truth.sender: "queued"})
        self.mails.append(truth)
        notice = Mail(truth, [mail.truth.sender], "", [], mail.scope, self._queue_id())
        self._write(notice, "cleanup", f"message-id=<20261010120000.{notice.queue_id}@mx1.example>")
        self._write(mail, "bounce", f"sender non-delivery notification: {notice.queue_id}")
        self.soon(lambda: self._activate(notice), 20)

    def _forward(self, mail: Mail, recipient: str) -> None:
        """local(8) forwards to another address, and says so."""
        to = f"forwarded.{recipient}"
        if mail.truth.recipients[recipient] == "deferred":
            mail.truth.recipients[recipient] = "delivered"  # it had a row already
        else:
            del mail.truth.recipients[recipient]
        mail.truth.recipients[to] = "queued"
        onward = Mail(mail.truth, [to], mail.message_id, [], mail.scope, self._queue_id())
        self._write(onward, "cleanup", f"message-id=<{mail.message_id}>")
        lines: list[Callable[[], None]] = [
            lambda: self._attempt(mail, "local", recipient, "local", "2.0.0", f"sent (forwarded as {onward.queue_id})"),
            lambda: self._activate(onward),
        ]
        self.choose.shuffle(lines)
        for line in lines:
            line()

    def _redirect(self, mail: Mail) -> None:
        """Sieve submits the mail anew, under its Message-ID, to two others; each goes through the filters."""
        path = [Filter("127.0.0.1")] if self.choose.random() < 0.7 else []
        for _ in range(2):
            number = next(self._numbers)
            where = self.choose.choice(("pickup", "loopback"))
            truth = TrueMail(mail.truth.sender, "127.0.0.1" if where == "loopback" else "")
            truth.recipients[f"v{number}@else.example"] = "queued"
            self.mails.append(truth)
            anew = Mail(truth, list(truth.recipients), mail.message_id, list(path), "postfix")
            self._begin(anew, where)

    # -- the log ---------------------------------------------------------------------------------------------------

    def _scope(self, mail: Mail) -> str:
        return self.choose.choice((mail.scope, "postfix", "postfix-out"))

    def _queue_id(self) -> str:
        number = next(self._numbers)
        return f"{(number * 7919) % 1_000_000:05X}{number:07X}"

    def _attempt(self, mail: Mail, transport: str, recipient: str, relay: str, dsn: str, status: str) -> None:
        if "none" in relay:
            relay = "none"
        text = f"to=<{recipient}>, relay={relay}, delay=0.5, delays=0.1/0/0.2/0.2, dsn={dsn}, status={status}"
        self._write(mail, transport, text)

    def _write(self, mail: Mail, daemon: str, text: str) -> None:
        self._log(mail.scope, daemon, f"{mail.queue_id}: {text}", 100)

    def _log(self, scope: str, daemon: str, text: str, process: int) -> None:
        stamp = (START + timedelta(milliseconds=self._now)).isoformat(timespec="milliseconds")
        self.lines.append(f"{stamp} mx1 {scope}/{daemon}[{process}]: {text}")


def _relay(address: str) -> str:
    return f"{'127.0.0.1' if address == 'localhost' else address}[{address}]:10024"


def _is_near(address: str) -> bool:
    return address.startswith(("127.", "::1", "10.", "fd"))
