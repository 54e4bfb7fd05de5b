"""Lines to queue entries: which mail a line is about, and what happened to it.

A state machine over the order of lines alone: no clock, no reading ahead, so the result does not depend on where the
log is cut. A queue id is an identity only between its birth and its removal: Postfix hands short ones out again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from mailvane.core.mailbox import canonical_address
from mailvane.core.moments import DAY_MS
from mailvane.maillog.model import EventType, MailKind
from mailvane.maillog.postfix.connections import Connections
from mailvane.maillog.postfix.continuations import Continuations
from mailvane.maillog.postfix.event_builder import OUTCOMES, PROBES, EventBuilder, start_of
from mailvane.maillog.postfix.headers import header_address, header_ids, header_text, read_header
from mailvane.maillog.postfix.ignored_lines import is_ignored, is_remark
from mailvane.maillog.postfix.in_flight import InFlight, in_flight
from mailvane.maillog.postfix.lines import Tag
from mailvane.maillog.postfix.queue_entries import QueueEntries
from mailvane.maillog.postfix.records import (
    Attempt,
    Client,
    Refusal,
    named_queue_id,
    read_active,
    read_attempt,
    read_client,
    read_notification,
    read_refusal,
    read_submission,
    read_tls,
)
from mailvane.maillog.postfix.repetitions import repeated
from mailvane.maillog.postfix.state import QueueEntry, Start
from mailvane.maillog.queue_id import is_queue_id
from mailvane.maillog.reasons import Reasons

_LATE_STAGES = frozenset({"DATA", "DATA content", "END-OF-MESSAGE", "BDAT", "header", "body", "mime-error", "milter"})
_SMTPS = frozenset({"smtps", "submissions", "465"})

Handler = Callable[[int, Tag, str, str], bool]


class Correlation:
    """The life of every mail, line by line. Set `teller.source`, `teller.line` and `teller.raw` before each line."""

    def __init__(self, relay: int, reasons: Reasons) -> None:
        self.builder = EventBuilder(relay, reasons)
        self._entries = QueueEntries()
        self._connections = Connections()
        self._continuations = Continuations(self._entries, self._connections, self.builder)
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
        self._entries.restore(records)
        self._connections.restore(records)

    def changes(self) -> tuple[list[tuple[str, bytes]], list[str]]:
        """State that changed since the last call: `(new or changed, gone)`."""
        opened, closed = self._entries.changes()
        also_opened, also_closed = self._connections.register.changes()
        return opened + also_opened, closed + also_closed

    def in_flight(self) -> InFlight:
        """What a mail that is not fed may have to do with."""
        return in_flight(self._entries, self._connections)

    def feed(self, at: int, tag: Tag, process: str, text: str) -> bool:
        """Take in one line; False if it is not understood."""
        if at != self._entries.marks.clock:
            self.pass_time(at)
        handler = self._handlers.get(tag.daemon) or self._delivery
        return handler(at, tag, process, text) or repeated(self.builder, partial(handler, at, tag, process), text)

    def pass_time(self, at: int) -> None:
        """A line was written then: what ends by itself has ended. Lines may stand a little out of order."""
        marks = self._entries.marks
        if marks.clock - DAY_MS <= at <= marks.clock:
            return
        marks.clock = at
        if at >= self._entries.due or at >= self._connections.due or self._entries.is_new_hour(at):
            self._continuations.sweep(at)
            self._entries.sweep(at)
            self._connections.sweep(at)

    # -- in --------------------------------------------------------------------------------------------------------

    def _smtpd(self, at: int, tag: Tag, process: str, text: str) -> bool:
        queue_id, colon, rest = text.partition(": ")
        if not colon:
            if text.startswith(("connect from ", "disconnect from ")):
                if self._connections.in_filter:
                    self._continuations.answered(tag.host, process)
                self._connections.end(tag.host, process)
                return True
            return is_ignored(text)
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
        return self._remark(at, tag, queue_id, rest) or is_ignored(text)

    def _client(self, at: int, tag: Tag, process: str, queue_id: str, client: Client) -> bool:
        connection = self._connections.of(tag.host, process)
        if queue_id == "NOQUEUE":
            connection = self._connections.proxy(tag.host, process, at)
            connection.name, connection.ip, connection.login = client.name, client.ip, client.login
            return True
        entry = self._entries.begin(tag, queue_id, start_of(tag, client), at)
        self.builder.add_raw_line(entry)
        entry.client = client.ip
        mail = entry.mail
        mail.origin = client.original_ip or client.ip
        mail.client_name = client.original_name or client.name
        if mail.client_name == "unknown":
            mail.client_name = ""
        mail.login = client.login
        mail.interface = tag.service
        mail.secured = tag.service in _SMTPS
        if connection is not None:
            mail.secured = mail.secured or bool(connection.tls)
            if connection.pending_verdict:
                # HOLD or DISCARD was logged before the queue id: it applies to the next mail of this connection.
                connection = self._connections.note(tag.host, process, at)
                entry.pending_verdict, entry.pending_reply = connection.pending_verdict, connection.pending_reply
                entry.pending_recipient = connection.pending_recipient
                entry.mail.sender = connection.pending_sender
                connection.pending_verdict = connection.pending_recipient = connection.pending_sender = ""
                connection.pending_reply = ""
        if client.original_queue_id:
            first = self._entries.find_on_host(tag, client.original_queue_id)
            if first is not None and first is not entry:
                self._entries.join(entry, first)
        if entry.pending_verdict == "discard":
            self._apply_pending_verdict(at, entry)
        return True

    def _proxied(self, tag: Tag, process: str, text: str) -> None:
        """A before-queue filter answered: the client of the outer smtpd is the mail's real one."""
        connection = self._connections.of(tag.host, process)
        entry = self._entries.find_on_host(tag, named_queue_id(text))
        if connection is None or entry is None or entry.start not in (Start.LOOPBACK, Start.NEIGHBOUR) or entry.joined:
            return
        mail = entry.mail
        mail.origin = connection.ip or mail.origin
        mail.client_name = "" if connection.name == "unknown" else connection.name
        mail.login = mail.login or connection.login
        mail.interface = tag.service
        mail.secured = mail.secured or bool(connection.tls)
        self.builder.add_raw_line(entry)
        self._continuations.own(entry)

    def _refused(self, at: int, tag: Tag, process: str, queue_id: str, refusal: Refusal) -> None:
        entry = self._entries.find(tag, queue_id) if queue_id != "NOQUEUE" else None
        connection = self._connections.of(tag.host, process)
        if refusal.verdict != "reject":
            if entry is not None:
                self.builder.add_raw_line(entry)
                self._apply_verdict(at, entry, refusal)
            elif queue_id == "NOQUEUE":
                connection = self._connections.note(tag.host, process, at)
                connection.pending_verdict, connection.pending_reply = refusal.verdict, refusal.reply
                connection.pending_sender = canonical_address(refusal.sender or "")
                connection.pending_recipient = canonical_address(refusal.recipient)
            return
        if entry is None or (entry.closed and not entry.refused):
            self.builder.refused(tag, process, at, refusal, connection)
            return
        self.builder.add_raw_line(entry)
        self.builder.refused_mail(entry, at, refusal)
        if refusal.stage in _LATE_STAGES and not entry.active:
            self._refuse(entry, at)

    def _refuse(self, entry: QueueEntry, at: int) -> None:
        """It ends here. It is remembered for a while: there may be a verdict for each of its recipients."""
        self._continuations.drop(entry)
        if entry.mail.travels > 1:
            self._entries.forget(entry)
            return
        entry.refused = True
        self._close(entry, at)

    def _close(self, entry: QueueEntry, at: int) -> None:
        self._entries.close(entry, at)
        if self._entries.awaited:
            self._continuations.closed(entry)

    def _apply_verdict(self, at: int, entry: QueueEntry, refusal: Refusal) -> None:
        mail = entry.mail
        mail.sender = mail.sender or canonical_address(refusal.sender or "")
        mail.protocol = mail.protocol or refusal.protocol
        entry.pending_verdict, entry.pending_reply = refusal.verdict, refusal.reply
        entry.pending_recipient = canonical_address(refusal.recipient)
        if entry.cleaned or entry.pending_verdict == "discard":
            # Nothing more is logged of a mail that is thrown away; one that is held still gets its Message-ID.
            self._apply_pending_verdict(at, entry)

    def _apply_pending_verdict(self, at: int, entry: QueueEntry) -> None:
        """Held and discarded mails never become active, so their acceptance is emitted here."""
        pending_verdict, entry.pending_verdict = entry.pending_verdict, ""
        self.builder.accepted(entry, at)
        if pending_verdict == "hold":
            self.builder.undecided(entry, EventType.HELD, at, entry.pending_reply)
        else:
            self.builder.discarded(entry, at, entry.pending_recipient, "discarded by a rule of this relay")
            self._close(entry, at)

    def _pickup(self, at: int, tag: Tag, _process: str, text: str) -> bool:
        queue_id, _, rest = text.partition(": ")
        submission = read_submission(rest)
        if submission is None or not is_queue_id(queue_id):
            return self._remark(at, tag, queue_id, rest) or is_ignored(text)
        user, sender, requeued = submission
        entry = self._entries.begin(tag, queue_id, Start.PICKUP, at)
        self.builder.add_raw_line(entry)
        mail = entry.mail
        mail.login, mail.protocol, mail.interface = f"uid={user}", "LOCAL", tag.service
        mail.sender = canonical_address(sender)
        first = self._entries.find_on_host(tag, requeued) if requeued else None
        if first is not None and first is not entry:
            self._entries.join(entry, first)
            self._close(first, at)
        return True

    def _cleanup(self, at: int, tag: Tag, _process: str, text: str) -> bool:
        queue_id, _, rest = text.partition(": ")
        entry = self._entries.find(tag, queue_id)
        if entry is None and not is_queue_id(queue_id):
            return self._cleanup_refused(at, tag, rest) or is_ignored(text)
        named = rest.startswith("message-id=")
        if entry is not None and entry.refused and not named:
            return self._cleanup_judged(at, entry, rest)
        if entry is None or entry.closed or (named and entry.active):
            if rest.startswith("to="):
                return self._cleanup_bounced(at, tag, queue_id, rest)
            entry = self._entries.begin(tag, queue_id, Start.WITHIN, at)
        entry.seen = at
        if named:
            self.builder.add_raw_line(entry)
            value = rest[11:]
            if self._entries.name(entry, "" if value == "<>" else value) or self._connections.in_filter:
                self._continuations.named(entry, at)
            if entry.pending_verdict:
                self._apply_pending_verdict(at, entry)
            return True
        if rest.startswith(("info: header ", "warning: header ")):
            self.builder.add_raw_line(entry)
            return self._header(entry, rest)
        if rest.startswith("to="):
            return self._cleanup_bounced(at, tag, queue_id, rest)
        return self._cleanup_judged(at, entry, rest)

    def _cleanup_judged(self, at: int, entry: QueueEntry, text: str) -> bool:
        """A verdict of header_checks or a milter, or a remark."""
        self.builder.add_raw_line(entry)
        refusal = read_refusal(text)
        if refusal is None:
            return text.startswith("resent-message-id=") or is_remark(text)
        if refusal.verdict != "reject":
            self._apply_verdict(at, entry, refusal)
        elif entry.start != Start.PICKUP or refusal.enhanced_code[:1] == "4":
            self.builder.refused_mail(entry, at, refusal)
            self._refuse(entry, at)
        # else nobody is there to be refused: the mail will be bounced
        return True

    def _cleanup_bounced(self, at: int, tag: Tag, queue_id: str, text: str) -> bool:
        """A mail that was submitted on this host and may not pass: it ends here, before it was ever active."""
        entry = self._entries.find(tag, queue_id)
        if entry is None:
            entry = self._entries.begin(tag, queue_id, Start.UNSEEN, at)
        self.builder.accepted(entry, at)
        found = self._attempted(at, tag, "", queue_id, text)
        if not entry.closed:
            self._close(entry, at)
        return found

    def _cleanup_refused(self, at: int, tag: Tag, text: str) -> bool:
        """`warning: QUEUE_ID: message rejected: REASON` is all that is logged of a client's mail with too many hops."""
        queue_id, _, reason = text.partition(": message rejected: ")
        entry = self._entries.find(tag, queue_id) if reason else None
        if entry is None:
            return False
        self.builder.add_raw_line(entry)
        if entry.start != Start.PICKUP and not entry.active:
            refusal = Refusal("reject", "END-OF-MESSAGE", "", "", 0, "5.4.0", reason, None, "", "", "")
            self.builder.refused_mail(entry, at, refusal)
            self._refuse(entry, at)
        return True

    def _header(self, entry: QueueEntry, text: str) -> bool:
        header = read_header(text.partition(": ")[2])
        if header is None:
            return False
        name, value, sender, protocol = header.name, header.value, header.sender, header.protocol
        mail = entry.mail
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
        else:
            mail.mark(name, value)
        return True

    # -- through ---------------------------------------------------------------------------------------------------

    def _qmgr(self, at: int, tag: Tag, process: str, text: str) -> bool:
        queue_id, _, rest = text.partition(": ")
        entry = self._entries.find(tag, queue_id)
        if rest == "removed":
            if entry is not None and not entry.closed:
                self._settle_acceptance(entry)
                self._close(entry, at)
            return True
        if rest.startswith("from=<") and (entry is not None or is_queue_id(queue_id)):
            active = read_active(rest)
            if active is not None:
                self._active(at, tag, queue_id, entry, active)
                return True
            status = rest.rpartition(">, status=")[2]
            if entry is not None and status.endswith("expired, returned to sender"):
                self.builder.add_raw_line(entry)
                self._settle_acceptance(entry)
                self.builder.undecided(entry, EventType.EXPIRED, at)
                entry.seen = at
            return ">, status=" in rest
        if rest.startswith("to="):
            return self._attempted(at, tag, process, queue_id, rest)
        return self._remark(at, tag, queue_id, rest) or is_ignored(text)

    def _active(self, at: int, tag: Tag, queue_id: str, entry: QueueEntry | None, active: tuple[str, int, int]) -> None:
        if entry is None or entry.closed:
            entry = self._entries.begin(tag, queue_id, Start.UNSEEN, at)
            self._continuations.unseen(entry)
        self.builder.add_raw_line(entry)
        entry.seen = at
        sender, size, recipients = active
        entry.recipients = entry.pending = recipients
        if not entry.message_id:
            self._entries.progress(entry)
        if entry.active:
            return
        entry.active = at
        entry.pending_verdict = ""
        mail = entry.mail
        if not entry.joined:
            mail.sender, mail.size, mail.nrcpt = canonical_address(sender), size, recipients
        if mail.counted:
            return
        if entry.start == Start.WITHIN and not entry.joined and self._is_unsettled_notice(entry, sender):
            return
        if mail.doubt is not None:
            self._continuations.active(entry)
        self.builder.accepted(entry, at)

    def _is_unsettled_notice(self, entry: QueueEntry, sender: str) -> bool:
        """Postfix itself wrote it: a notification, or else a probe or a notice to the postmaster, as the next tells."""
        probe = sender.startswith("double-bounce@")
        if probe or not sender:
            entry.mail.kind = MailKind.NOTIFICATION
            if entry.queue_id in entry.message_id:
                self._continuations.own(entry)
        return probe

    def _settle_acceptance(self, entry: QueueEntry) -> None:
        """Tell of an acceptance that waited for a proof which did not come."""
        if entry.active and not entry.mail.counted:
            self.builder.accepted(entry, entry.active)

    def _bounce(self, at: int, tag: Tag, process: str, text: str) -> bool:
        queue_id, _, rest = text.partition(": ")
        if rest.startswith("to="):
            return self._attempted(at, tag, process, queue_id, rest)
        named = read_notification(rest)
        if not named:
            return self._remark(at, tag, queue_id, rest) or is_ignored(text)
        self._remark(at, tag, queue_id, rest)
        notice = self._entries.find(tag, named)
        if notice is not None and notice.start == Start.WITHIN and not notice.joined:
            notice.mail.kind = MailKind.NOTIFICATION
            self._continuations.own(notice)
            self._settle_acceptance(notice)
        return True

    def _postsuper(self, at: int, tag: Tag, _process: str, text: str) -> bool:
        queue_id, _, rest = text.partition(": ")
        entry = self._entries.find(tag, queue_id)
        if entry is None or entry.closed:
            return is_queue_id(queue_id) or is_ignored(text)
        self.builder.add_raw_line(entry)
        entry.seen = at
        if rest == "placed on hold":
            self._settle_acceptance(entry)
            self.builder.accepted(entry, at)
            self.builder.undecided(entry, EventType.HELD, at)
        elif rest == "removed":
            self._settle_acceptance(entry)
            self.builder.undecided(entry, EventType.DISCARDED, at, "deleted by the operator of this relay")
            self._close(entry, at)
        return True

    # -- out -------------------------------------------------------------------------------------------------------

    def _delivery(self, at: int, tag: Tag, process: str, text: str) -> bool:
        queue_id, colon, rest = text.partition(": ")
        if not colon:
            return is_ignored(text)
        if not rest.startswith("to="):
            if " TLS connection " in queue_id:
                tls = read_tls(text)
                if tls:
                    connection = self._connections.note(tag.host, process, at)
                    connection.peer, connection.tls = tls
                return True
            return self._remark(at, tag, queue_id, rest) or is_ignored(text)
        return self._attempted(at, tag, process, queue_id, rest)

    def _attempted(self, at: int, tag: Tag, process: str, queue_id: str, text: str) -> bool:
        """The outcome of a delivery attempt, from whichever daemon."""
        attempt = read_attempt(text)
        outcome = OUTCOMES.get(attempt.status) if attempt is not None else None
        if attempt is None or outcome is None:
            return False
        entry = self._entries.find(tag, queue_id)
        fresh = entry is None
        if entry is None:
            if not is_queue_id(queue_id):
                return False
            entry = self._entries.begin(tag, queue_id, Start.UNSEEN, at, attempt.delay)
            entry.mail.counted = True
            self._continuations.unseen(entry)
        self.builder.add_raw_line(entry)
        entry.seen = at
        if attempt.status in PROBES and entry.mail.kind is not MailKind.PROBE:
            self.builder.probe(entry, at)
        self._settle_acceptance(entry)
        if outcome is EventType.DELIVERED:
            outcome = self._continuations.outcome(tag, entry, attempt, fresh=fresh)
        tls = attempt.tls or self._encryption(tag, process, attempt)
        self.builder.attempt(entry, outcome, at, attempt, transport=tag.daemon, tls=tls)
        self._continuations.attempted(entry, outcome, attempt, tag.daemon)
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
        entry = self._entries.find(tag, queue_id)
        if entry is not None and not entry.closed:
            entry.seen = at
            self.builder.add_raw_line(entry)
        return is_remark(rest)
