"""Everybody who knocks at a simulated mail server without leaving a mail: scanners, spammers, guessers of passwords.

And the small talk of the servers themselves. Nothing here makes a queue id.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from mailvane_demo.world.mail_server import MailServer
from mailvane_demo.world.senders import FIRST_NAMES, LAST_NAMES
from mailvane_demo.world.stamps import dressed_second
from mailvane_demo.world.truth import Happening, Tally

_HELOS = ("ylmf-pc", "User", "mail.promo-77.example", "[127.0.0.1]", "localhost", "smtp.cheaphost.example", "WIN-8R2K")
_GUESSED_LOGINS = ("admin", "info", "test", "office", "scanner", "k.wolff@brandt-partner.example", "postmaster")
_REFUSALS = (
    ("554 5.7.1 <{to}>: Relay access denied", "someone@gemail.example"),
    ("450 4.7.25 Client host rejected: cannot find your hostname, [{ip}]", "office@brandt-partner.example"),
    (
        (
            "554 5.7.1 Service unavailable; Client host [{ip}] blocked using bl.spamwatch.example;"
            " https://check.spamwatch.example/ip/{ip}"
        ),
        "office@brandt-partner.example",
    ),
    (
        "550 5.1.1 <{to}>: Recipient address rejected: User unknown in virtual mailbox table",
        "accounting@brandt-partner.example",
    ),
    ("450 4.1.8 <{sender}>: Sender address rejected: Domain not found", "m.brandt@brandt-partner.example"),
    ("504 5.5.2 <{helo}>: Helo command rejected: need fully-qualified hostname", "office@brandt-partner.example"),
)


class Intruders:
    """The visitors of one server."""

    def __init__(self, server: MailServer, random: Random, tally: Tally) -> None:
        self._server = server
        self._random = random
        self._tally = tally
        self._postscreen = f"{server.name} postfix/postscreen[{700 + random.randrange(90)}]: "
        self._anvil = f"{server.name} postfix/anvil[{800 + random.randrange(90)}]: "
        self._kinds: tuple[tuple[float, Callable[[int], None]], ...] = (
            (0.20, self._scanned),
            (0.34, self._screened),
            (0.60, self._refused),
            (0.80, self._guessing),
            (0.92, self._reading_mail),
            (1.00, self._counting),
        )

    def visit(self, at: int) -> None:
        """Somebody comes by."""
        draw = self._random.random()
        next(kind for share, kind in self._kinds if draw < share)(at)

    def _address(self) -> str:
        random = self._random
        if random.random() < 0.1:
            return f"2001:db8:{random.randrange(1, 0xFFFF):x}::{random.randrange(1, 0xFFFF):x}"
        network = ("192.0.2", "198.51.100", "203.0.113")[random.randrange(3)]
        return f"{network}.{random.randrange(1, 255)}"

    def _scanned(self, at: int) -> None:
        ip, log = self._address(), self._server.log
        daemon = self._server.daemons["smtpd"]
        uses, label = daemon.take(at)
        who = f"unknown[{ip}]"
        end = at + self._random.randrange(200, 9000)
        log.write(at, f"{label}connect from {who}")
        verb, counts = (
            ("CONNECT", "commands=0/0"),
            ("EHLO", "ehlo=1 commands=1"),
            ("STARTTLS", "ehlo=1 starttls=0/1 commands=1/2"),
        )[self._random.randrange(3)]
        if verb == "STARTTLS":
            log.write(end, f"{label}SSL_accept error from {who}: -1")
        log.write(end, f"{label}lost connection after {verb} from {who}")
        log.write(end, f"{label}disconnect from {who} {counts}")
        daemon.give_back(end, uses, label)

    def _screened(self, at: int) -> None:
        ip, random, start = self._address(), self._random, self._postscreen
        port, log = random.randrange(1024, 65_535), self._server.log
        log.write(at, f"{start}CONNECT from [{ip}]:{port} to [192.0.2.25]:25")
        helo = random.choice(_HELOS)
        if random.random() < 0.5:
            log.write(at + 40, f"{start}PREGREET {len(helo) + 7} after 0.04 from [{ip}]:{port}: EHLO {helo}\\r\\n")
        at += 6000
        log.write(at, f"{start}DNSBL rank {random.randrange(3, 9)} for [{ip}]:{port}")
        if random.random() < 0.5:
            log.write(at + 70, f"{start}HANGUP after 0.07 from [{ip}]:{port} in tests after SMTP handshake")
        else:
            log.write(
                at + 400,
                f"{start}NOQUEUE: reject: RCPT from [{ip}]:{port}: 550 5.7.1 Service unavailable; client [{ip}] blocked"
                f" using bl.spamwatch.example; from=<promo{port}@cheaphost.example>,"
                f" to=<office@brandt-partner.example>, proto=ESMTP, helo=<{helo}>",
            )
            self._tally.add(at + 400, Happening.SCREENED)
        log.write(at + 500, f"{start}DISCONNECT [{ip}]:{port}")

    def _refused(self, at: int) -> None:
        random, log, ip = self._random, self._server.log, self._address()
        daemon = self._server.daemons["smtpd"]
        uses, label = daemon.take(at)
        helo, name = random.choice(_HELOS), random.choice(("unknown", "mail.promo-77.example"))
        text, to = random.choice(_REFUSALS)
        sender = f"{random.choice(FIRST_NAMES)}{random.randrange(99)}@{random.choice(LAST_NAMES)}-mail.example"
        reason = text.format(to=to, ip=ip, sender=sender, helo=helo)
        log.write(at, f"{label}connect from {name}[{ip}]")
        at += random.randrange(40, 900)
        log.write(
            at,
            f"{label}NOQUEUE: reject: RCPT from {name}[{ip}]: {reason}; from=<{sender}> to=<{to}> proto=ESMTP"
            f" helo=<{helo}>",
        )
        self._tally.add(at, Happening.REJECTED)
        at += random.randrange(10, 90)
        log.write(at, f"{label}disconnect from {name}[{ip}] ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4")
        daemon.give_back(at, uses, label)

    def _guessing(self, at: int) -> None:
        random, log, ip = self._random, self._server.log, self._address()
        daemon = self._server.daemons["submission/smtpd"]
        uses, label = daemon.take(at)
        who = f"unknown[{ip}]"
        log.write(at, f"{label}connect from {who}")
        at += random.randrange(300, 3000)
        login = random.choice(_GUESSED_LOGINS)
        reason = "(reason unavailable)" if random.random() < 0.5 else "UGFzc3dvcmQ6"
        log.write(at, f"{label}warning: {who}: SASL LOGIN authentication failed: {reason}, sasl_username={login}")
        log.write(at + 90, f"{label}disconnect from {who} ehlo=1 auth=0/1 rset=1 quit=1 commands=3/4")
        daemon.give_back(at + 90, uses, label)

    def _reading_mail(self, at: int) -> None:
        """Other programs log into the same file."""
        random = self._random
        login = random.choice(("m.brandt", "office", "y.tanaka"))
        self._server.log.write(
            at,
            f"{self._server.name} dovecot: imap-login: Login: user=<{login}@brandt-partner.example>, method=PLAIN,"
            f" rip={self._address()}, lip=192.0.2.25, mpid={random.randrange(2000, 90_000)}, TLS,"
            f" session=<{random.getrandbits(64):016x}>",
        )

    def _counting(self, at: int) -> None:
        ip, stamp = self._address(), dressed_second(at)
        log = self._server.log
        log.write(at, f"{self._anvil}statistics: max connection rate 2/60s for (smtp:{ip}) at {stamp}")
        log.write(at, f"{self._anvil}statistics: max connection count 1 for (smtp:{ip}) at {stamp}")
        log.write(at, f"{self._anvil}statistics: max cache size 2 at {stamp}")
