"""How a simulated mail leaves: one attempt at one provider, with the lines that Postfix writes about it."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from mailvane.core.mailbox import domain_of
from mailvane_demo.world import providers
from mailvane_demo.world.addresses import Recipient
from mailvane_demo.world.log import Log
from mailvane_demo.world.mail import QueuedMail, Waiting
from mailvane_demo.world.processes import Daemon
from mailvane_demo.world.providers import Provider, Refusal
from mailvane_demo.world.truth import Happening, Tally

_TLS_1_3 = (
    "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519"
    " server-signature RSA-PSS (2048 bits) server-digest SHA256"
)
_TLS_1_2 = "TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits)"
_CONNECT_TIMEOUT = 30_000
_SUSPENDED = 0.3  # share of the attempts at a dead server that are not made at all


def _short_seconds(hundredths: int) -> str:
    if hundredths < 100:
        text = f"{hundredths / 100:.2f}"
    elif hundredths < 1000:
        text = f"{hundredths / 100:.1f}"
    else:
        return str(hundredths // 100)
    return text.rstrip("0").rstrip(".") or "0"


_SECONDS = tuple(_short_seconds(hundredths) for hundredths in range(1000))


def seconds(milliseconds: int) -> str:
    """A delay as Postfix writes it: two digits that matter, no trailing zeros."""
    return _SECONDS[milliseconds // 10] if milliseconds < 10_000 else str(milliseconds // 1000)


class Transaction(NamedTuple):
    """One conversation with one server."""

    ended_at: int
    start: str  # what its lines start with, up to the queue id
    mx: str
    ip: str
    delays: str
    token: str  # what the other side calls the message
    suspended: bool  # the queue manager did not even try: the server was dead a moment ago


class Outcome:
    """What an attempt left behind."""

    __slots__ = ("bounced", "ended_at", "waiting")

    def __init__(self, at: int) -> None:
        self.ended_at = at
        self.waiting: list[Waiting] = []
        self.bounced = False


class Courier:
    """Delivers from one server."""

    def __init__(self, log: Log, random: Random, tally: Tally, daemons: dict[str, Daemon]) -> None:
        self._log = log
        self._random = random
        self._tally = tally
        self._daemons = daemons

    def attempt(self, mail: QueuedMail, at: int) -> Outcome:
        """Try every recipient that waits."""
        outcome = Outcome(at)
        waiting = mail.waiting
        if len(waiting) == 1:
            self._at_provider(mail, waiting[0].recipient.provider, waiting, at, outcome)
            return outcome
        groups: dict[int, list[Waiting]] = {}
        for one in waiting:
            groups.setdefault(id(one.recipient.provider), []).append(one)
        for group in groups.values():
            self._at_provider(mail, group[0].recipient.provider, group, at, outcome)
        return outcome

    def ask(self, mail: QueuedMail, at: int) -> int:
        """Talk to the server up to the recipient; returns when that ended."""
        recipient = mail.waiting[0].recipient
        flaw = recipient.flaw if recipient.flaw and recipient.flaw.phase != "end of DATA" else None
        attempt = self._transaction(mail, recipient.provider, flaw, at)
        verdict, enhanced = ("undeliverable", flaw.enhanced) if flaw else ("deliverable", "2.1.5")
        relay, reply = f"{attempt.mx}[{attempt.ip}]:25", "250 2.1.5 Ok"
        if flaw:
            relay, reply = self._explained(flaw, recipient, attempt)
        self._log.write(
            attempt.ended_at,
            f"{attempt.start}: to=<{recipient.address}>, relay={relay}, {attempt.delays}, dsn={enhanced},"
            f" status={verdict} ({reply})",
        )
        return attempt.ended_at

    def _at_provider(
        self, mail: QueuedMail, provider: Provider, group: list[Waiting], at: int, outcome: Outcome
    ) -> None:
        draw = self._random.random
        mishap = None if group[0].refusal else self._mishap(mail, provider, group)
        refusals: list[Refusal | None] = []
        for one in group:
            refusal = one.refusal or one.recipient.flaw
            if one.refusal and draw() < one.refusal.recovery:
                refusal = None
            refusals.append(refusal or mishap)
        first = next(filter(None, refusals), None)
        attempt = self._transaction(mail, provider, first, at)
        for one, refusal in zip(group, refusals, strict=True):
            if refusal is None:
                self._delivered(mail, one.recipient.address, provider, attempt)
            else:
                self._refused(mail, one, refusal, attempt, outcome)
        outcome.ended_at = max(outcome.ended_at, attempt.ended_at)

    def _mishap(self, mail: QueuedMail, provider: Provider, group: list[Waiting]) -> Refusal | None:
        """What befalls the whole transaction, if anything."""
        for one in group:
            flaw = one.recipient.flaw
            if flaw and flaw.phase != "RCPT TO":
                return flaw
        draw, letter = self._random.random(), mail.letter
        if draw < letter.spammy:
            return provider.spam if draw < letter.spammy * 0.7 else self._reputation(draw)
        draw = self._random.random()
        odds = min(0.85, provider.puts_off * letter.strange) if provider.puts_off < 0.2 else provider.puts_off
        if draw < odds:
            return provider.putting_off
        if draw > 0.996 and provider.transport == "smtp":
            return (providers.TIMED_OUT, providers.LOST, providers.DNS_TROUBLE)[int(draw * 1e6) % 3]
        return None

    def _reputation(self, draw: float) -> Refusal:
        return (providers.LISTED, providers.UNAUTHENTICATED)[int(draw * 1e7) % 2]

    def _transaction(self, mail: QueuedMail, provider: Provider, refusal: Refusal | None, at: int) -> Transaction:
        """Connect and talk, until the end that the refusal, if any, puts to it."""
        random = self._random
        draw = random.random
        waited = int(4 + 30 * draw())
        connecting = int(provider.latency * (0.1 + 0.5 * draw()))
        sending = int(provider.latency * (0.5 + draw()))
        if refusal and refusal.phase == "connect":
            connecting, sending = (_CONNECT_TIMEOUT if refusal is providers.TIMED_OUT else connecting), 0
        start = at + waited
        end = start + connecting + sending
        suspended = refusal is providers.DEAD_SERVER and draw() < _SUSPENDED
        daemon = self._daemons["error" if suspended else provider.transport]
        uses, label = daemon.take(start)
        daemon.give_back(end, uses, label)
        mx, ip = provider.hosts[int(draw() * 1.3) % len(provider.hosts)]
        reused = self._opening(
            provider, f"{label}{provider.tls} TLS connection established to {mx}[{ip}]:25: ", start, refusal
        )
        delays = (
            f"{reused}delay={seconds(end - mail.accepted_at)},"
            f" delays={seconds(at - mail.accepted_at)}/{seconds(waited)}/{seconds(connecting)}/{seconds(sending)}"
        )
        token = f"{random.getrandbits(52):013x}"
        return Transaction(end, label + mail.queue_id, mx, ip, delays, token, suspended)

    def _opening(self, provider: Provider, line: str, at: int, refusal: Refusal | None) -> str:
        """The line of a new connection; for one in use already, what says so."""
        if not provider.tls or (refusal and refusal.phase in {"connect", "greeting"}):
            return ""
        draw = self._random.random()
        if draw < 0.25:
            return f"conn_use={2 + int(draw * 40)}, "
        self._log.write(at, line + (_TLS_1_2 if provider.tls == "Untrusted" else _TLS_1_3))
        return ""

    def _delivered(self, mail: QueuedMail, address: str, provider: Provider, attempt: Transaction) -> None:
        prefix, suffix = provider.accepts
        port = ":25"
        if provider.transport == "lmtp":
            prefix, port = prefix.format(rcpt=address), ""
        self._log.write(
            attempt.ended_at,
            f"{attempt.start}: to=<{address}>, relay={attempt.mx}[{attempt.ip}]{port}, {attempt.delays},"
            f" dsn=2.0.0, status=sent ({prefix}{attempt.token}{suffix})",
        )
        if not mail.notification:
            self._tally.add(attempt.ended_at, Happening.DELIVERED)

    def _refused(
        self, mail: QueuedMail, one: Waiting, refusal: Refusal, attempt: Transaction, outcome: Outcome
    ) -> None:
        relay, reason = self._explained(refusal, one.recipient, attempt)
        status = "deferred" if refusal.temporary else "bounced"
        self._log.write(
            attempt.ended_at,
            f"{attempt.start}: to=<{one.recipient.address}>, relay={relay}, {attempt.delays},"
            f" dsn={refusal.enhanced}, status={status} ({reason})",
        )
        self._count(mail, refusal, attempt.ended_at)
        if refusal.temporary:
            outcome.waiting.append(Waiting(one.recipient, refusal))
        else:
            outcome.bounced = True

    def _explained(self, refusal: Refusal, recipient: Recipient, attempt: Transaction) -> tuple[str, str]:
        """The relay that gave an answer, and the answer, as Postfix words them."""
        host = f"{attempt.mx}[{attempt.ip}]"
        relay = host if recipient.provider.transport == "lmtp" else f"{host}:25"
        reason = refusal.text.format(
            rcpt=recipient.address,
            mx=attempt.mx,
            ip=attempt.ip,
            token=attempt.token,
            domain=domain_of(recipient.address),
        )
        if attempt.suspended:
            return "none", f"delivery temporarily suspended: {reason}"
        if refusal.phase == "connect":
            if reason.startswith("connect to "):
                self._log.write(attempt.ended_at, f"{attempt.start.rpartition(' ')[0]} {reason}")
            return (relay if refusal is providers.LOST else "none"), reason
        if refusal.phase == "greeting":
            return relay, f"host {host} refused to talk to me: {reason}"
        return relay, f"host {host} said: {reason} (in reply to {refusal.phase} command)"

    def _count(self, mail: QueuedMail, refusal: Refusal, at: int) -> None:
        if mail.notification:
            return
        if refusal.temporary:
            self._tally.add(at, Happening.DEFERRED)
        else:
            self._tally.add(at, Happening.BOUNCED, refusal.family)
