"""One simulated Postfix server: takes mail in, tries, puts off, gives up, and tells the sender.

It writes what Postfix 3.7 to 3.10 writes with the header checks and TLS log level that Mailvane recommends. It has no
clock: whoever uses it says when a mail comes in and calls `run_queue` as time goes by.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from random import Random

import msgspec

from mailvane_demo.world.addresses import Recipient
from mailvane_demo.world.delivery import Courier, seconds
from mailvane_demo.world.log import Log
from mailvane_demo.world.mail import Letter, QueuedMail, Waiting
from mailvane_demo.world.processes import Daemon, process_ids
from mailvane_demo.world.providers import OWN_MAILBOXES, PROVIDERS
from mailvane_demo.world.queue_ids import long_queue_id, short_queue_id
from mailvane_demo.world.senders import Client
from mailvane_demo.world.truth import Happening, Tally

_MINIMAL_BACKOFF = 300_000
_MAXIMAL_BACKOFF = 4_000_000
_QUEUE_RUN = 300_000
_TLS = (
    "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519"
    " server-signature RSA-PSS (4096 bits) server-digest SHA256"
)
_REUSED, _UNUSED, _REMEMBERED = 0.02, 60_000, 500  # short queue ids come back: how often, after how long, of how many
_BOUNCE_SIZE = 2400  # bytes that a notification adds to the headers it quotes


class Host(msgspec.Struct, frozen=True):
    """How a server is set up."""

    name: str  # as it stands in the log
    long_ids: bool
    lifetime: int  # how long a mail may wait in the queue, in milliseconds


class MailServer:
    """One host, which writes to a log that it may share."""

    def __init__(self, host: Host, log: Log, random: Random, tally: Tally) -> None:
        name = self.name = host.name
        self._host = host
        self._gone: deque[tuple[int, str]] = deque(maxlen=_REMEMBERED)  # when a queue id was last used
        self.log = log
        self._random = random
        self._tally = tally
        self._queue_id = long_queue_id if host.long_ids else short_queue_id
        self._inode = 1_000_000 if host.long_ids else 0x10A000
        self._due: list[tuple[int, str, QueuedMail]] = []
        ids = process_ids(900 + random.randrange(400))
        services = (
            "smtpd",
            "submission/smtpd",
            "cleanup",
            "bounce",
            "smtp",
            "lmtp",
            "error",
            "local",
            "pickup",
            "qmgr",
        )
        self.daemons = {service: Daemon(name, f"postfix/{service}", ids) for service in services}
        self.daemons["amavis"] = Daemon(name, "amavis", ids)
        self._qmgr = self.daemons["qmgr"].label()
        self._pickup = self.daemons["pickup"].label()
        self._cleanup = self.daemons["cleanup"].label()
        self._bounce = self.daemons["bounce"].label()
        self._courier = Courier(log, random, tally, self.daemons)

    def hand_in(self, client: Client, letters: list[Letter], at: int) -> None:
        """One connection of a client, on which it hands in some letters."""
        draw, log = self._random.random, self.log
        daemon = self.daemons["submission/smtpd" if client.login else "smtpd"]
        uses, label = daemon.take(at)
        who = f"{client.name}[{client.ip}]"
        log.write(at, f"{label}connect from {who}")
        if client.tls:
            at += int(20 + 60 * draw())
            log.write(at, f"{label}Anonymous TLS connection established from {who}: {_TLS}")
        login = f", sasl_method=PLAIN, sasl_username={client.login}" if client.login else ""
        protocol = "ESMTP" + ("S" if client.tls else "") + ("A" if client.login else "")
        recipients = 0
        for letter in letters:
            at += int(15 + 80 * draw())
            recipients += len(letter.recipients)
            queue_id = self._new_queue_id(at)
            log.write(at, f"{label}{queue_id}: client={who}{login}")
            at = self._take(
                QueuedMail(queue_id, letter, at, [Waiting(one) for one in letter.recipients]),
                f"from {who}; from=<{letter.sender}> to=<{letter.recipients[-1].address}>"
                f" proto={protocol} helo=<{client.helo}>",
            )
        at += int(2 + 10 * draw())
        log.write(at, f"{label}disconnect from {who} {_commands(client, len(letters), recipients)}")
        daemon.give_back(at, uses, label)

    def submit(self, letter: Letter, at: int) -> None:
        """A program on the server itself sends a letter."""
        queue_id = self._new_queue_id(at)
        self.log.write(at, f"{self._pickup}{queue_id}: uid=0 from=<root>")
        mail = QueuedMail(queue_id, letter, at, [Waiting(one) for one in letter.recipients])
        self._take(mail, f"from local; from=<{letter.sender}>", local=True)

    def probe(self, recipient: Recipient, at: int) -> None:
        """Ask a recipient's server whether it would take a mail. That is no mail, though it looks much like one."""
        queue_id = self._new_queue_id(at)
        message_id = f"<{queue_id}@{self.name}>"
        letter = Letter(f"double-bounce@{self.name}", [recipient], (), message_id, 244)
        mail = QueuedMail(queue_id, letter, at, [Waiting(recipient)])
        self.log.write(at, f"{self._cleanup}{queue_id}: message-id={message_id}")
        self._activate(mail, at + 3)
        self._removed(queue_id, self._courier.ask(mail, at + 3))

    def run_queue(self, until: int) -> None:
        """Try everything again that is due before a time."""
        due = self._due
        while due and due[0][0] < until:
            at, _, mail = heappop(due)
            self._activate(mail, at)
            self._deliver(mail, at)

    def new_daemons(self) -> None:
        """Idle processes are replaced from time to time."""
        self._cleanup = self.daemons["cleanup"].label()
        self._bounce = self.daemons["bounce"].label()

    def _new_queue_id(self, at: int) -> str:
        gone = self._gone
        if gone and gone[0][0] + _UNUSED < at and self._random.random() < _REUSED:
            return gone.popleft()[1]
        self._inode += 1 + int(self._random.random() * 3)
        return self._queue_id(at * 1000 + self._random.randrange(1000), self._inode)

    def _take(self, mail: QueuedMail, envelope: str, *, local: bool = False) -> int:
        """Cleanup and the queue manager's first look; returns when the client got its answer."""
        letter, log = mail.letter, self.log
        self._tally.add(mail.accepted_at, Happening.ACCEPTED)
        at = mail.accepted_at + int(8 + 50 * self._random.random())
        start = f"{self._cleanup}{mail.queue_id}: "
        for header in letter.logged_headers():
            log.write(at, f"{start}info: header {header} {envelope}")
        log.write(at, f"{start}message-id={letter.message_id}")
        at += int(3 + 20 * self._random.random())
        self._activate(mail, at)
        if local:
            self._keep_locally(mail, at)
        elif letter.filtered:
            self._filter(mail, at)
        else:
            self._deliver(mail, at)
        return at

    def _activate(self, mail: QueuedMail, at: int) -> None:
        letter = mail.letter
        self.log.write(
            at,
            f"{self._qmgr}{mail.queue_id}: from=<{letter.sender}>, size={letter.size},"
            f" nrcpt={len(letter.recipients)} (queue active)",
        )

    def _deliver(self, mail: QueuedMail, at: int) -> None:
        outcome = self._courier.attempt(mail, at)
        at = outcome.ended_at
        mail.waiting = outcome.waiting
        if outcome.bounced and mail.letter.sender:
            at = self._notify(mail, at)
        if mail.waiting:
            age = at - mail.accepted_at
            if age < self._host.lifetime:
                backoff = min(max(_MINIMAL_BACKOFF, age), _MAXIMAL_BACKOFF)
                heappush(self._due, (at + backoff + self._random.randrange(_QUEUE_RUN), mail.queue_id, mail))
                return
            at = self._give_up(mail, at)
        self._removed(mail.queue_id, at)

    def _removed(self, queue_id: str, at: int) -> None:
        self.log.write(at + 1, f"{self._qmgr}{queue_id}: removed")
        if not self._host.long_ids:
            self._gone.append((at, queue_id))

    def _give_up(self, mail: QueuedMail, at: int) -> int:
        sender = mail.letter.sender
        self.log.write(at, f"{self._qmgr}{mail.queue_id}: from=<{sender}>, status=expired, returned to sender")
        if not mail.notification:
            for _ in mail.waiting:
                self._tally.add(at, Happening.EXPIRED)
        return self._notify(mail, at) if sender else at

    def _notify(self, mail: QueuedMail, at: int) -> int:
        """The mail that tells the sender what could not be delivered."""
        at += 4 + int(10 * self._random.random())
        queue_id = self._new_queue_id(at)
        message_id = f"<{queue_id}@{self.name}>"
        self.log.write(at, f"{self._cleanup}{queue_id}: message-id={message_id}")
        self.log.write(at + 1, f"{self._bounce}{mail.queue_id}: sender non-delivery notification: {queue_id}")
        # senders read their bounces at some provider, always the same one
        sender = mail.letter.sender
        provider = OWN_MAILBOXES if sender.endswith(OWN_MAILBOXES.domains) else PROVIDERS[6 + len(sender) % 2]
        letter = Letter("", [Recipient(sender, provider)], (), message_id, mail.letter.size % 1500 + _BOUNCE_SIZE)
        notification = QueuedMail(queue_id, letter, at, [Waiting(letter.recipients[0])], notification=True)
        self._tally.add(at, Happening.NOTIFIED)
        self._activate(notification, at + 2)
        self._deliver(notification, at + 2)
        return at + 3

    def _filter(self, mail: QueuedMail, at: int) -> None:
        """Through the content filter, which gives the mail back under another queue id."""
        draw, log, letter = self._random.random, self.log, mail.letter
        daemon = self.daemons["smtpd"]
        start = at + int(250 + 700 * draw())
        uses, smtpd = daemon.take(start)
        log.write(start, f"{smtpd}connect from localhost[127.0.0.1]")
        queue_id = self._new_queue_id(start + 2)
        log.write(
            start + 2,
            f"{smtpd}{queue_id}: client=localhost[127.0.0.1], orig_queue_id={mail.queue_id},"
            " orig_client=localhost[127.0.0.1]",
        )
        log.write(start + 3, f"{self._cleanup}{queue_id}: message-id={letter.message_id}")
        back = Letter(
            letter.sender,
            letter.recipients,
            letter.headers,
            letter.message_id,
            letter.size + 480,
            letter.strange,
            letter.spammy,
        )
        clean = QueuedMail(queue_id, back, start + 2, [Waiting(one) for one in letter.recipients])
        self._activate(clean, start + 6)
        commands = f"ehlo=1 xforward=2 mail=1 rcpt={len(letter.recipients)} data=1 quit=1"
        total = 6 + len(letter.recipients)
        log.write(start + 7, f"{smtpd}disconnect from localhost[127.0.0.1] {commands} commands={total}")
        daemon.give_back(start + 7, uses, smtpd)
        self._filtered(mail, queue_id, at, start + 9)
        self._deliver(clean, start + 6)

    def _filtered(self, mail: QueuedMail, queue_id: str, at: int, end: int) -> None:
        log, letter = self.log, mail.letter
        amavis = self.daemons["amavis"]
        uses, label = amavis.take(at)
        amavis.give_back(end, uses, label)
        addressees = ",".join(f"<{one.address}>" for one in letter.recipients)
        log.write(
            end - 1,
            f"{label}({at // 1000 % 90_000:05d}-{uses + 1:02d}) Passed CLEAN {{RelayedOutbound}}, LOCAL"
            f" [127.0.0.1] <{letter.sender}> -> {addressees}, Queue-ID: {mail.queue_id},"
            f" Message-ID: {letter.message_id}, Hits: -1.9, size: {letter.size}, queued_as: {queue_id}, {end - at} ms",
        )
        daemon = self.daemons["smtp"]
        uses, label = daemon.take(at)
        daemon.give_back(end, uses, label)
        delays = (
            f"delay={seconds(end - mail.accepted_at)}, delays={seconds(at - mail.accepted_at)}/0/0/{seconds(end - at)}"
        )
        for one in letter.recipients:
            log.write(
                end,
                f"{label}{mail.queue_id}: to=<{one.address}>, relay=127.0.0.1[127.0.0.1]:10024, {delays}, dsn=2.0.0,"
                f" status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as {queue_id})",
            )
        self._removed(mail.queue_id, end)

    def _keep_locally(self, mail: QueuedMail, at: int) -> None:
        daemon = self.daemons["local"]
        uses, label = daemon.take(at)
        end = at + 6
        daemon.give_back(end, uses, label)
        for one in mail.waiting:
            self.log.write(
                end,
                f"{label}{mail.queue_id}: to=<{one.recipient.address}>, orig_to=<root>, relay=local,"
                f" delay={seconds(end - mail.accepted_at)}, delays={seconds(at - mail.accepted_at)}/0/0/0,"
                " dsn=2.0.0, status=sent (delivered to mailbox)",
            )
            self._tally.add(end, Happening.DELIVERED)
        self._removed(mail.queue_id, end)


def _commands(client: Client, mails: int, recipients: int) -> str:
    commands = [f"ehlo={2 if client.tls else 1}"]
    total = 2 if client.tls else 1
    if client.tls:
        commands.append("starttls=1")
        total += 1
    if client.login:
        commands.append("auth=1")
        total += 1
    total += 2 * mails + recipients + 1
    return " ".join([*commands, f"mail={mails} rcpt={recipients} data={mails} quit=1 commands={total}"])
