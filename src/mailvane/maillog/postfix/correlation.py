"""Lines into lives: which mail a line speaks of, and what happened to it.

A state machine over the order of lines alone: no clock, no reading ahead, so the result does not depend on where the
log is cut. A queue id is an identity only between its birth and its removal: Postfix hands short ones out again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mailvane.core.mailbox import canonical_address
from mailvane.maillog.model import EventType, MailKind
from mailvane.maillog.postfix.continuations import Continuations
from mailvane.maillog.postfix.event_builder import LOOPBACK, OUTCOMES, PRIVATE, PROBES, EventBuilder
from mailvane.maillog.postfix.headers import header_address, header_ids, header_text, read_header
from mailvane.maillog.postfix.lines import Tag
from mailvane.maillog.postfix.queue_entries import QueueEntries
from mailvane.maillog.postfix.records import (
    REMARKS,
    Attempt,
    Client,
    Refusal,
    is_aside,
    is_queue_id,
    named_queue_id,
    read_active,
    read_attempt,
    read_client,
    read_notification,
    read_refusal,
    read_submission,
    read_tls,
)
from mailvane.maillog.postfix.state import Birth, Connections, QueueEntry
from mailvane.maillog.reasons import Reasons

_LATE_STAGES = frozenset({"DATA", "DATA content", "END-OF-MESSAGE", "BDAT", "header", "body", "mime-error", "milter"})
_SMTPS = frozenset({"smtps", "submissions", "465"})

Handler = Callable[[int, Tag, str, str], bool]


class Correlation:
    """The life of every mail, line by line. Set `teller.source`, `teller.line` and `teller.raw` before each line."""

    def __init__(self, relay: int, reasons: Reasons) -> None:
        self.teller = EventBuilder(relay, reasons)
        self._lives = QueueEntries()
        self._connections = Connections()
        self._continuations = Continuations(self._lives, self._connections, self.teller)
        self._quiet_from, self._quiet_until = self._lives.quiet()
        self._handlers: dict[str, Handler] = {
            "smtpd": self._smtpd,
            "submission": self._smtpd,
            "postscreen": self._smtpd,
            "qmqpd": self._smtpd,
            "cleanup": self._cleanup,
            "qmgr": self._qmgr,
            "oqmgr": self._qmgr,
            "pickup": self._pickup,
            "bounce": self._bounce,
            "defer": self._bounce,
            "trace": self._bounce,
            "postsuper": self._postsuper,
        }

    def restore(self, records: Iterable[tuple[str, bytes]]) -> None:
        records = list(records)
        self._lives.restore(records)
        self._connections.restore(records)
        self._quiet_from, self._quiet_until = self._lives.quiet()

    def changes(self) -> tuple[list[tuple[str, bytes]], list[str]]:
        """State that changed since the last call: `(new or changed, gone)`."""
        opened, closed = self._lives.changes()
        also_opened, also_closed = self._connections.register.changes()
        return opened + also_opened, closed + also_closed

    def feed(self, at: int, tag: Tag, process: str, text: str) -> bool:
        """Take in one line; False if it is not understood."""
        if not self._quiet_from <= at < self._quiet_until:
            self._continuations.sweep(at)
            self._lives.sweep(at)
            self._connections.sweep(at)
            self._quiet_from, self._quiet_until = self._lives.quiet()
        handler = self._handlers.get(tag.daemon) or self._delivery
        return handler(at, tag, process, text)

    # -- in --------------------------------------------------------------------------------------------------------

    def _smtpd(self, at: int, tag: Tag, process: str, text: str) -> bool:
        queue_id, colon, rest = text.partition(": ")
        if not colon:
            if text.startswith(("connect from ", "disconnect from ")):
                if self._connections.in_filter:
                    self._continuations.answered(tag.host, process)
                self._connections.end(tag.host, process)
                return True
            return is_aside(text)
        if rest.startswith("client="):
            client = read_client(rest)
            return client is not None and self._client(at, tag, process, queue_id, client)
        refusal = read_refusal(rest if queue_id == "NOQUEUE" or is_queue_id(queue_id) else text)
        if refusal is not None:
            self._refused(at, tag, process, queue_id, refusal)
            if "proxy-" in text[:15]:
                self._continuations.answered(tag.host, process)
            return True
        if " TLS connection " in queue_id:
            tls = read_tls(text)
            if tls:
                self._connections.note(tag.host, process, at).tls = tls[1]
            return True
        if text.startswith(("proxy-accept", "NOQUEUE: proxy-accept")):
            self._proxied(tag, process, text)
            self._continuations.answered(tag.host, process)
            return True
        return self._remark(at, tag, queue_id, rest) or is_aside(text)

    def _client(self, at: int, tag: Tag, process: str, queue_id: str, client: Client) -> bool:
        connection = self._connections.of(tag.host, process)
        if queue_id == "NOQUEUE":
            connection = self._connections.proxy(tag.host, process, at)
            connection.name, connection.ip, connection.login = client.name, client.ip, client.login
            return True
        life = self._lives.begin(tag, queue_id, _birth(tag, client), at)
        self.teller.add_raw_line(life)
        life.client = client.ip
        mail = life.mail
        mail.origin = client.original_ip or client.ip
        mail.client_name = client.original_name or client.name
        if mail.client_name == "unknown":
            mail.client_name = ""
        mail.login = client.login
        mail.interface = tag.service
        mail.secured = tag.service in _SMTPS
        if connection is not None:
            mail.secured = mail.secured or bool(connection.tls)
            if connection.fate:
                # What was decided of a recipient before there was a queue id befalls the mail that comes next.
                connection = self._connections.note(tag.host, process, at)
                life.fate, life.fate_recipient = connection.fate, connection.fate_recipient
                life.mail.sender = connection.fate_sender
                connection.fate = connection.fate_recipient = connection.fate_sender = ""
        if client.original_queue_id:
            first = self._lives.find_on_host(tag, client.original_queue_id)
            if first is not None and first is not life:
                self._lives.join(life, first)
        if life.fate == "discard":
            self._meet_fate(at, life)
        return True

    def _proxied(self, tag: Tag, process: str, text: str) -> None:
        """A before-queue filter answered: the client of the outer smtpd is the mail's real one."""
        connection = self._connections.of(tag.host, process)
        life = self._lives.find_on_host(tag, named_queue_id(text))
        if connection is None or life is None or life.birth not in (Birth.LOOPBACK, Birth.NEIGHBOUR) or life.joined:
            return
        mail = life.mail
        mail.origin = connection.ip or mail.origin
        mail.client_name = "" if connection.name == "unknown" else connection.name
        mail.login = mail.login or connection.login
        mail.interface = tag.service
        mail.secured = mail.secured or bool(connection.tls)
        self.teller.add_raw_line(life)
        self._continuations.own(life)

    def _refused(self, at: int, tag: Tag, process: str, queue_id: str, refusal: Refusal) -> None:
        life = self._lives.find(tag, queue_id) if queue_id != "NOQUEUE" else None
        connection = self._connections.of(tag.host, process)
        if refusal.verdict != "reject":
            if life is not None:
                self.teller.add_raw_line(life)
                self._apply_verdict(at, life, refusal)
            elif queue_id == "NOQUEUE":
                connection = self._connections.note(tag.host, process, at)
                connection.fate = refusal.verdict
                connection.fate_sender = canonical_address(refusal.sender or "")
                connection.fate_recipient = canonical_address(refusal.recipient)
            return
        if life is None or life.closed:
            self.teller.refused(tag, process, at, refusal, connection)
            return
        self.teller.add_raw_line(life)
        self.teller.refused_mail(life, at, refusal)
        if refusal.stage in _LATE_STAGES and not life.active:
            self._refuse(life)

    def _refuse(self, life: QueueEntry) -> None:
        self._continuations.drop(life)
        self._lives.forget(life)

    def _close(self, life: QueueEntry, at: int) -> None:
        self._lives.close(life, at)
        if self._lives.awaited:
            self._continuations.closed(life)

    def _apply_verdict(self, at: int, life: QueueEntry, refusal: Refusal) -> None:
        mail = life.mail
        mail.sender = mail.sender or canonical_address(refusal.sender or "")
        mail.protocol = mail.protocol or refusal.protocol
        life.fate = refusal.verdict
        life.fate_recipient = canonical_address(refusal.recipient)
        if life.cleaned or life.fate == "discard":
            # Nothing more is logged of a mail that is thrown away; one that is held still gets its Message-ID.
            self._meet_fate(at, life)

    def _meet_fate(self, at: int, life: QueueEntry) -> None:
        """Held and discarded mails never become active, so their acceptance is told here."""
        fate, life.fate = life.fate, ""
        self.teller.accepted(life, at)
        if fate == "hold":
            self.teller.undecided(life, EventType.HELD, at)
        else:
            self.teller.discarded(life, at, life.fate_recipient, "discarded by a rule of this relay")
            self._close(life, at)

    def _pickup(self, at: int, tag: Tag, _process: str, text: str) -> bool:
        queue_id, _, rest = text.partition(": ")
        submission = read_submission(rest)
        if submission is None or not is_queue_id(queue_id):
            return self._remark(at, tag, queue_id, rest) or is_aside(text)
        user, sender, requeued = submission
        life = self._lives.begin(tag, queue_id, Birth.PICKUP, at)
        self.teller.add_raw_line(life)
        mail = life.mail
        mail.login, mail.protocol, mail.interface = f"uid={user}", "LOCAL", tag.service
        mail.sender = canonical_address(sender)
        first = self._lives.find_on_host(tag, requeued) if requeued else None
        if first is not None and first is not life:
            self._lives.join(life, first)
            self._close(first, at)
        return True

    def _cleanup(self, at: int, tag: Tag, _process: str, text: str) -> bool:
        queue_id, _, rest = text.partition(": ")
        life = self._lives.find(tag, queue_id)
        if life is None and not is_queue_id(queue_id):
            return self._cleanup_refused(at, tag, rest) or is_aside(text)
        named = rest.startswith("message-id=")
        if life is None or life.closed or (named and life.active):
            if rest.startswith("to="):
                return self._cleanup_bounced(at, tag, queue_id, rest)
            life = self._lives.begin(tag, queue_id, Birth.WITHIN, at)
        life.seen = at
        if named:
            self.teller.add_raw_line(life)
            value = rest[11:]
            if self._lives.name(life, "" if value == "<>" else value) or self._connections.in_filter:
                self._continuations.named(life, at)
            if life.fate:
                self._meet_fate(at, life)
            return True
        if rest.startswith(("info: header ", "warning: header ")):
            self.teller.add_raw_line(life)
            return self._header(life, rest)
        if rest.startswith("to="):
            return self._cleanup_bounced(at, tag, queue_id, rest)
        return self._cleanup_judged(at, life, rest)

    def _cleanup_judged(self, at: int, life: QueueEntry, text: str) -> bool:
        """A verdict of header_checks or a milter, or a remark."""
        self.teller.add_raw_line(life)
        refusal = read_refusal(text)
        if refusal is None:
            return text.startswith("resent-message-id=") or _is_remark(text)
        if refusal.verdict != "reject":
            self._apply_verdict(at, life, refusal)
        elif life.birth != Birth.PICKUP or refusal.enhanced_code[:1] == "4":
            self.teller.refused_mail(life, at, refusal)
            self._refuse(life)
        # else nobody is there to be refused: the mail will be bounced
        return True

    def _cleanup_bounced(self, at: int, tag: Tag, queue_id: str, text: str) -> bool:
        """A mail that was submitted on this host and may not pass: it ends here, before it was ever active."""
        life = self._lives.find(tag, queue_id)
        if life is None:
            life = self._lives.begin(tag, queue_id, Birth.UNSEEN, at)
        self.teller.accepted(life, at)
        found = self._attempted(at, tag, "", queue_id, text)
        if not life.closed:
            self._close(life, at)
        return found

    def _cleanup_refused(self, at: int, tag: Tag, text: str) -> bool:
        """`warning: QUEUE_ID: message rejected: REASON` is all that is logged of a client's mail with too many hops."""
        queue_id, _, reason = text.partition(": message rejected: ")
        life = self._lives.find(tag, queue_id) if reason else None
        if life is None:
            return False
        self.teller.add_raw_line(life)
        if life.birth != Birth.PICKUP and not life.active:
            refusal = Refusal("reject", "END-OF-MESSAGE", "", "", 0, "5.4.0", reason, None, "", "", "")
            self.teller.refused_mail(life, at, refusal)
            self._refuse(life)
        return True

    def _header(self, life: QueueEntry, text: str) -> bool:
        header = read_header(text.partition(": ")[2])
        if header is None:
            return False
        name, value, sender, protocol = header.name, header.value, header.sender, header.protocol
        mail = life.mail
        if protocol and not mail.protocol:
            mail.protocol = protocol
        if not mail.sender:
            mail.sender = canonical_address(sender)
        if name == "subject":
            mail.subject = mail.subject or header_text(value)
        elif name == "from":
            mail.header_from = mail.header_from or header_address(value)
        elif name == "reply-to":
            mail.reply_to = mail.reply_to or header_address(value)
        elif name == "in-reply-to":
            mail.in_reply_to = mail.in_reply_to or header_ids(value)
        elif name == "references":
            mail.references = mail.references or header_ids(value)
        return True

    # -- through ---------------------------------------------------------------------------------------------------

    def _qmgr(self, at: int, tag: Tag, process: str, text: str) -> bool:
        queue_id, _, rest = text.partition(": ")
        life = self._lives.find(tag, queue_id)
        if rest == "removed":
            if life is not None and not life.closed:
                self._settle_acceptance(life)
                self._close(life, at)
            return True
        if rest.startswith("from=<") and (life is not None or is_queue_id(queue_id)):
            active = read_active(rest)
            if active is not None:
                self._active(at, tag, queue_id, life, active)
                return True
            status = rest.rpartition(">, status=")[2]
            if life is not None and status.endswith("expired, returned to sender"):
                self.teller.add_raw_line(life)
                self._settle_acceptance(life)
                self.teller.undecided(life, EventType.EXPIRED, at)
                life.seen = at
            return ">, status=" in rest
        if rest.startswith("to="):
            return self._attempted(at, tag, process, queue_id, rest)
        return self._remark(at, tag, queue_id, rest) or is_aside(text)

    def _active(self, at: int, tag: Tag, queue_id: str, life: QueueEntry | None, active: tuple[str, int, int]) -> None:
        if life is None or life.closed:
            life = self._lives.begin(tag, queue_id, Birth.UNSEEN, at)
            self._continuations.unseen(life)
        self.teller.add_raw_line(life)
        life.seen = at
        sender, size, recipients = active
        life.recipients = life.pending = recipients
        if not life.message_id:
            self._lives.progress(life)
        if life.active:
            return
        life.active = at
        life.fate = ""
        mail = life.mail
        if not life.joined:
            mail.sender, mail.size, mail.nrcpt = canonical_address(sender), size, recipients
        if mail.counted:
            return
        if life.birth == Birth.WITHIN and not life.joined and self._is_unsettled_notice(life, sender):
            return
        if mail.doubt is not None:
            self._continuations.active(life)
        self.teller.accepted(life, at)

    def _is_unsettled_notice(self, life: QueueEntry, sender: str) -> bool:
        """Postfix itself wrote it: a notification, or else a probe or a notice to the postmaster, as the next tells."""
        probe = sender.startswith("double-bounce@")
        if probe or not sender:
            life.mail.kind = MailKind.NOTIFICATION
            if life.queue_id in life.message_id:
                self._continuations.own(life)
        return probe

    def _settle_acceptance(self, life: QueueEntry) -> None:
        """Tell of an acceptance that waited for a proof which did not come."""
        if life.active and not life.mail.counted:
            self.teller.accepted(life, life.active)

    def _bounce(self, at: int, tag: Tag, process: str, text: str) -> bool:
        queue_id, _, rest = text.partition(": ")
        if rest.startswith("to="):
            return self._attempted(at, tag, process, queue_id, rest)
        named = read_notification(rest)
        if not named:
            return self._remark(at, tag, queue_id, rest) or is_aside(text)
        self._remark(at, tag, queue_id, rest)
        notice = self._lives.find(tag, named)
        if notice is not None and notice.birth == Birth.WITHIN and not notice.joined:
            notice.mail.kind = MailKind.NOTIFICATION
            self._continuations.own(notice)
            self._settle_acceptance(notice)
        return True

    def _postsuper(self, at: int, tag: Tag, _process: str, text: str) -> bool:
        queue_id, _, rest = text.partition(": ")
        life = self._lives.find(tag, queue_id)
        if life is None or life.closed:
            return is_queue_id(queue_id) or is_aside(text)
        self.teller.add_raw_line(life)
        life.seen = at
        if rest == "placed on hold":
            self._settle_acceptance(life)
            self.teller.accepted(life, at)
            self.teller.undecided(life, EventType.HELD, at)
        elif rest == "removed":
            self._settle_acceptance(life)
            self.teller.undecided(life, EventType.DISCARDED, at, "deleted by the operator of this relay")
            self._close(life, at)
        return True

    # -- out -------------------------------------------------------------------------------------------------------

    def _delivery(self, at: int, tag: Tag, process: str, text: str) -> bool:
        queue_id, colon, rest = text.partition(": ")
        if not colon:
            return is_aside(text)
        if not rest.startswith("to="):
            if " TLS connection " in queue_id:
                tls = read_tls(text)
                if tls:
                    connection = self._connections.note(tag.host, process, at)
                    connection.peer, connection.tls = tls
                return True
            return self._remark(at, tag, queue_id, rest) or is_aside(text)
        return self._attempted(at, tag, process, queue_id, rest)

    def _attempted(self, at: int, tag: Tag, process: str, queue_id: str, text: str) -> bool:
        """What became of a recipient, whichever daemon says so."""
        attempt = read_attempt(text)
        outcome = OUTCOMES.get(attempt.status) if attempt is not None else None
        if attempt is None or outcome is None:
            return False
        life = self._lives.find(tag, queue_id)
        fresh = life is None
        if life is None:
            if not is_queue_id(queue_id):
                return False
            life = self._lives.begin(tag, queue_id, Birth.UNSEEN, at, attempt.delay)
            life.mail.counted = True
            self._continuations.unseen(life)
        self.teller.add_raw_line(life)
        life.seen = at
        if attempt.status in PROBES:
            life.mail.kind = MailKind.PROBE
        self._settle_acceptance(life)
        if outcome is EventType.DELIVERED:
            outcome = self._continuations.outcome(tag, life, attempt, fresh=fresh)
        tls = attempt.tls or self._encryption(tag, process, attempt)
        self.teller.attempt(life, outcome, at, attempt, transport=tag.daemon, tls=tls)
        self._continuations.attempted(life, outcome, attempt, tag.daemon)
        return True

    def _encryption(self, tag: Tag, process: str, attempt: Attempt) -> str:
        connection = self._connections.of(tag.host, process)
        if connection is None or not attempt.address:
            return ""
        return connection.tls if connection.peer.startswith(f"{attempt.relay}[{attempt.address}]") else ""

    def _remark(self, at: int, tag: Tag, queue_id: str, rest: str) -> bool:
        """A line that belongs to a mail's evidence but changes nothing."""
        if not is_queue_id(queue_id):
            return False
        life = self._lives.find(tag, queue_id)
        if life is not None and not life.closed:
            life.seen = at
            self.teller.add_raw_line(life)
        return _is_remark(rest)


def _is_remark(text: str) -> bool:
    return text.partition(": ")[0] in REMARKS or is_aside(text)


def _birth(tag: Tag, client: Client) -> int:
    ip, name = client.ip, client.name
    if ip.startswith(LOOPBACK) or name in (tag.host, "localhost"):
        return Birth.LOOPBACK
    if "." not in tag.host and name.partition(".")[0] == tag.host:
        return Birth.LOOPBACK
    return Birth.NEIGHBOUR if ip.startswith(PRIVATE) else Birth.CLIENT
