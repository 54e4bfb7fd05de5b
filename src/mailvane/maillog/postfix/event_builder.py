"""Mail events out of what is known of a mail: the one place that fills `MailEvent` for this source."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypedDict, Unpack

from mailvane.core.mailbox import canonical_address
from mailvane.maillog.model import EventType, MailEvent, MailKind, ReasonFamily, mail_number
from mailvane.maillog.postfix.lines import Tag
from mailvane.maillog.postfix.records import Attempt, Client, Refusal
from mailvane.maillog.postfix.state import LONGEST_EVIDENCE, Connection, Mail, QueueEntry, Start, Trouble, Withheld
from mailvane.maillog.reasons import Reasons

OUTCOMES = {
    "sent": EventType.DELIVERED,
    "deferred": EventType.DEFERRED,
    "SOFTBOUNCE": EventType.DEFERRED,
    "bounced": EventType.BOUNCED,
    "expired": EventType.EXPIRED,
    "deliverable": EventType.DELIVERED,
    "undeliverable": EventType.BOUNCED,
    "undeliverable-but-not-cached": EventType.BOUNCED,
}
PROBES = frozenset({"deliverable", "undeliverable", "undeliverable-but-not-cached"})
# ours: a pipe(8) service of such a name delivers; any other one that is followed by the same mail is a filter.
DELIVERY_PIPES = frozenset({"dovecot", "maildrop", "procmail", "cyrus", "uucp", "mailman", "bsmtp", "ifmail"})
# IPv4 and IPv6 of this machine, and of networks that no route leads to from elsewhere (RFC 1122, 1918, 3927, 4193,
# 4291, 6598).
LOOPBACK = ("127.", "::1", "::ffff:127.")
PRIVATE = (
    "10.", "192.168.", "169.254.", "fc", "fd", "fe8", "fe9", "fea", "feb",
    *(f"172.{n}." for n in range(16, 32)), *(f"100.{n}." for n in range(64, 128)),
)  # fmt: skip
_NEAR = (*LOOPBACK, *PRIVATE)
# amavis: "250 2.7.0 Ok, discarded, id=1-01 - INFECTED: Eicar", "250 2.5.0 Ok, id=1-01, DISCARD(bounce.suppressed)";
# clamsmtp and proxsmtp: "250 Virus Detected; Discarded Email"; Proxmox: "250 2.7.0 BLOCKED (4A2B)".
_SWALLOWED = re.compile(
    r"\bdiscard(?:ed|ing|s)?\b|\bvirus (?:detected|found)\b|\binfected\b|\bbanned\b|\bquarantin(?:ed?|ing)\b"
    r"|\bblocked\b|\b(?:message|mail|email) (?:was )?(?:dropped|deleted|removed)\b",
    re.IGNORECASE,
)
# amavis, when it has written to the sender itself: "250 2.5.0 Ok, id=1-01, BOUNCE".
_RETURNED = re.compile(r"\bBOUNCED?\b")
_ADDRESS = re.compile(r"<[^<>]*>")
# ours: how LMTP servers say that a mail is in its mailbox: Dovecot, Cyrus, Zimbra, DBMail.
_IN_MAILBOX = re.compile(r"\bSaved\b|SESSIONID=|\bDelivery OK\b|\b(?:delivered|stored)\b", re.IGNORECASE)


def is_near(address: str) -> bool:
    """Whether an IP address, or the path of a socket, is of this machine or of its own networks."""
    return address.startswith(_NEAR) or "/" in address


def start_of(tag: Tag, client: Client) -> int:
    """How a mail came to be that this client handed to the smtpd of this tag, as `Start` has it."""
    ip, name = client.ip, client.name
    if ip.startswith(LOOPBACK) or name in (tag.host, "localhost"):
        return Start.LOOPBACK
    if "." not in tag.host and name.partition(".")[0] == tag.host:
        return Start.LOOPBACK
    return Start.NEIGHBOUR if ip.startswith(PRIVATE) else Start.CLIENT


def swallowed(attempt: Attempt, transport: str) -> EventType | None:
    """What a content filter of this relay did with a mail that it took and will not give back."""
    if transport != "pipe" and not is_near(attempt.address):
        return None
    if "queued as " in attempt.reply:
        return None
    reply = _ADDRESS.sub("", attempt.reply)
    if _SWALLOWED.search(reply):
        return EventType.DISCARDED
    return EventType.BOUNCED if _RETURNED.search(reply) else None


def may_be_filter(attempt: Attempt, transport: str) -> bool:
    """Whether what took the mail, and named no new queue id, may be a filter that gives it back."""
    if transport == "pipe":
        return attempt.relay not in DELIVERY_PIPES
    if transport == "lmtp":
        return is_near(attempt.address) and "/" not in attempt.address and not _IN_MAILBOX.search(attempt.reply)
    return transport not in ("local", "virtual") and is_near(attempt.address)


_FAILURES = frozenset({EventType.DEFERRED, EventType.BOUNCED, EventType.EXPIRED, EventType.REJECTED})
_UNDECIDED = frozenset({EventType.DEFERRED, EventType.HELD})


class Details(TypedDict, total=False):
    """What an event says beyond the mail itself."""

    waiting: int
    recipient: str
    original_recipient: str
    recipient_number: int
    transport: str
    mx_host: str
    mx_ip: str
    code: int
    enhanced_code: str
    reply: str
    delay: int
    tls: str
    family: ReasonFamily
    hard: bool


class WithheldDetails(TypedDict, total=False):
    """Likewise, while it is not known which mail that is."""

    attempt: Attempt
    transport: str
    tls: str
    everyone: bool
    recipient: str
    reply: str


class EventBuilder:
    """Collects events. `source`, `line` and `raw` are where the reading stands."""

    def __init__(self, relay: int, reasons: Reasons) -> None:
        self.relay = relay
        self.source = ""
        self.line = 0
        self.raw = ""
        self.repetition = 0  # which of the lines that one line stands for, from 1; 0: it stands for itself
        self.events: list[MailEvent] = []
        self._reasons = reasons

    def take(self) -> list[MailEvent]:
        events, self.events = self.events, []
        return events

    def add_raw_line(self, entry: QueueEntry) -> None:
        """Keep the present line until the life's next event."""
        line = f"{self.line}\t{self.raw}"
        size = entry.evidence_size + len(line) + 1
        if size < LONGEST_EVIDENCE:
            entry.evidence_size = size
            entry.evidence.append(line)

    def accepted(self, entry: QueueEntry, at: int) -> None:
        """Tell of the acceptance, once in the life of a mail."""
        mail = entry.mail
        if mail.counted:
            return
        if mail.doubt is not None:
            if not mail.doubt.accepted:
                mail.doubt.accepted = self._withheld(entry, EventType.ACCEPTED, at)
            return
        mail.counted = True
        mail.waiting = not mail.recipients
        self._tell(entry, EventType.ACCEPTED, at, {"waiting": int(mail.waiting)})

    def probe(self, entry: QueueEntry, at: int) -> None:
        """It is no mail but asks whether an address exists. If its acceptance was told as a mail's, it is told anew."""
        mail = entry.mail
        told, mail.kind = mail.kind is MailKind.MAIL and mail.counted and entry.active, MailKind.PROBE
        if told:
            self._tell(entry, EventType.ACCEPTED, at, {})

    def discarded(self, entry: QueueEntry, at: int, recipient: str, reply: str) -> None:
        """Taken in, then thrown away by a rule before it reached the queue."""
        if self._withheld(entry, EventType.DISCARDED, at, recipient=recipient, reply=reply):
            return
        mail = entry.mail
        more: Details = {"recipient": recipient, "reply": reply}
        if recipient:
            more["recipient_number"] = mail.number_of(recipient)
            more["waiting"] = self._first_recipient(mail)
        self._tell(entry, EventType.DISCARDED, at, more)

    def attempt(
        self, entry: QueueEntry, kind: EventType, at: int, attempt: Attempt, *, transport: str, tls: str
    ) -> None:
        mail = entry.mail
        if mail.doubt is not None and self._withheld(entry, kind, at, attempt=attempt, transport=transport, tls=tls):
            return
        recipient = attempt.recipient
        if not recipient.islower():
            recipient = canonical_address(recipient)
        original = canonical_address(attempt.original_recipient) if attempt.original_recipient else ""
        family, hard = ReasonFamily.NONE, False
        if kind in _FAILURES:
            family, hard = self._reasons.sort(attempt.reply, attempt.code, attempt.enhanced_code)
        number = mail.number_of(recipient)
        if kind is EventType.REINJECTED and transport == "local" and recipient in mail.undecided:
            kind = EventType.DELIVERED  # forwarded to another address: nothing else will end what was told of this one
        # A hand-over to a content filter leaves the mail waiting for its first real attempt.
        handed_over = kind is EventType.REINJECTED and entry.children
        waiting = 0 if handed_over else self._first_recipient(mail)
        if kind in _UNDECIDED:
            mail.undecided[recipient] = Trouble(original, attempt.code, attempt.enhanced_code, attempt.reply)
        elif mail.undecided and kind is not EventType.REINJECTED:
            mail.undecided.pop(recipient, None)
        self._tell(
            entry,
            kind,
            at,
            {
                "waiting": waiting,
                "recipient": recipient,
                "original_recipient": original,
                "recipient_number": number,
                "transport": transport,
                "mx_host": attempt.relay,
                "mx_ip": attempt.address,
                "code": attempt.code,
                "enhanced_code": attempt.enhanced_code,
                "reply": attempt.reply,
                "delay": attempt.delay,
                "tls": tls,
                "family": family,
                "hard": hard,
            },
        )

    def undecided(self, entry: QueueEntry, kind: EventType, at: int, reply: str = "") -> None:
        """One event for every recipient that is not decided yet; one for the mail if none was ever tried."""
        mail = entry.mail
        if self._withheld(entry, kind, at, everyone=True, reply=reply):
            return
        final = kind is not EventType.HELD
        raw = entry.take_raw_lines()
        for recipient, trouble in list(mail.undecided.items()):
            entry.evidence = [raw]
            self._tell(entry, kind, at, self._last_trouble(mail, recipient, trouble, reply, judged=kind in _FAILURES))
            if final:
                del mail.undecided[recipient]
        if mail.waiting and not mail.recipients:
            entry.evidence = [raw]
            mail.waiting = not final
            self._tell(entry, kind, at, {"reply": reply, "waiting": -1 if final else 0})

    def _withheld(self, entry: QueueEntry, kind: EventType, at: int, **more: Unpack[WithheldDetails]) -> bool:
        """Keep what happens to a mail whose identity is in doubt."""
        doubt = entry.mail.doubt
        if doubt is None:
            return False
        raw = entry.take_raw_lines()
        kept = Withheld(kind, at, self.source, self.line, raw, entry.children, queue_id=entry.queue_id, **more)
        doubt.withheld.append(kept)
        return True

    def release(self, mail: Mail, withheld: Iterable[Withheld]) -> str:
        """Tell what was kept, of this mail. Returns the evidence that no event carries."""
        here = self.source, self.line
        entry = QueueEntry("", 0, mail, mail.queue_id, 0, 0)
        for kept in withheld:
            self.source, self.line = kept.source, kept.line
            entry.children, entry.queue_id = kept.children, kept.queue_id or mail.queue_id
            if kept.raw:
                entry.evidence.append(kept.raw)
            if kept.attempt is not None:
                self.attempt(entry, kept.type, kept.at, kept.attempt, transport=kept.transport, tls=kept.tls)
            elif kept.everyone:
                self.undecided(entry, kept.type, kept.at, kept.reply)
            elif kept.type is EventType.ACCEPTED:
                self.accepted(entry, kept.at)
            else:
                self.discarded(entry, kept.at, kept.recipient, kept.reply)
        self.source, self.line = here
        return entry.take_raw_lines()

    def _last_trouble(self, mail: Mail, recipient: str, trouble: Trouble, reply: str, *, judged: bool) -> Details:
        known: Details = {
            "recipient": recipient,
            "original_recipient": trouble.original_recipient,
            "recipient_number": mail.number_of(recipient),
            "reply": reply or trouble.reply,
        }
        if judged:
            family, hard = self._reasons.sort(trouble.reply, trouble.code, trouble.enhanced_code)
            known |= {"code": trouble.code, "enhanced_code": trouble.enhanced_code, "family": family, "hard": hard}
        return known

    def refused_mail(self, entry: QueueEntry, at: int, refusal: Refusal) -> None:
        """A rejection of a mail that has a queue id."""
        mail = entry.mail
        mail.sender = mail.sender or canonical_address(refusal.sender or "")
        mail.protocol = mail.protocol or refusal.protocol
        if not mail.origin:
            mail.origin, mail.client_name = (
                refusal.client_ip,
                "" if refusal.client_name == "unknown" else refusal.client_name,
            )
        more = self._refusal(refusal)
        if refusal.recipient:
            more["recipient_number"] = mail.number_of(more["recipient"])
        self._tell(entry, EventType.REJECTED, at, more)

    def refused(self, tag: Tag, process: str, at: int, refusal: Refusal, connection: Connection | None) -> None:
        """A rejection before there was a queue id: a mail of its own, identified by the position of its line."""
        login = refusal.login or (connection.login if connection else "")
        secured = connection is not None and bool(connection.tls)
        place = [str(self.line), self.raw, *([str(self.repetition)] if self.repetition else [])]
        number = mail_number(tag.host, tag.instance, process, *place)
        self.events.append(
            MailEvent(
                relay=self.relay,
                accepted_at=at,
                number=number,
                type=EventType.REJECTED,
                at=at,
                sender=canonical_address(refusal.sender or ""),
                origin=refusal.client_ip,
                client_name="" if refusal.client_name == "unknown" else refusal.client_name,
                login=login,
                protocol=protocol_of(refusal.protocol, secured=secured, login=login),
                interface=tag.service,
                host=tag.host,
                source=self.source,
                line=self.line,
                raw=f"{self.line}\t{self.raw}",
                **self._refusal(refusal),
            )
        )

    def _refusal(self, refusal: Refusal) -> Details:
        family, hard = self._reasons.sort(refusal.reply, refusal.code, refusal.enhanced_code)
        return {
            "recipient": canonical_address(refusal.recipient),
            "recipient_number": 1 if refusal.recipient else 0,
            "code": refusal.code,
            "enhanced_code": refusal.enhanced_code,
            "reply": refusal.reply,
            "family": family,
            "hard": hard,
        }

    def _first_recipient(self, mail: Mail) -> int:
        if not mail.waiting:
            return 0
        mail.waiting = False
        return -1

    def _tell(self, entry: QueueEntry, kind: EventType, at: int, more: Details) -> None:
        mail = entry.mail
        self.events.append(
            MailEvent(
                relay=self.relay,
                accepted_at=mail.accepted_at,
                number=mail.number,
                type=kind,
                at=max(at, mail.accepted_at),
                kind=mail.kind,
                sender=mail.sender,
                subject=mail.subject,
                message_id=mail.message_id,
                header_from=mail.header_from,
                reply_to=mail.reply_to,
                in_reply_to=mail.in_reply_to,
                references=mail.references,
                origin=mail.origin,
                client_name=mail.client_name,
                login=mail.login,
                protocol=protocol_of(mail.protocol, secured=mail.secured, login=mail.login),
                interface=mail.interface,
                size=mail.size,
                recipients=mail.nrcpt,
                queue_id=mail.queue_id,
                host=mail.host,
                automatic=mail.automatic,
                campaign=mail.campaign,
                source=self.source,
                line=self.line,
                raw=entry.take_raw_lines(),
                current_queue_id="" if entry.queue_id == mail.queue_id else entry.queue_id,
                **more,
            )
        )


def protocol_of(named: str, *, secured: bool, login: str) -> str:
    """The transmission type of RFC 3848, from what the log tells apart."""
    if named in ("LOCAL", "SMTP"):
        return named
    protected = ("S" if secured else "") + ("A" if login else "")
    return (named or "ESMTP") + protected if named or protected else ""
