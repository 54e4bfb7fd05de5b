"""Complaints that arrive as abuse reports (ARF, RFC 5965): the mail is found, gets its event, and its domain's counter.

Likewise bounces that come back as mail after the mail was taken. Each step is known by the report's digest, or the mail
that bounced, so a report that comes again changes nothing. How a report is read is the reader's business.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from mailvane.core.errors import NotFound
from mailvane.core.mailbox import domain_of
from mailvane.core.moments import DAY_MS
from mailvane.core.tenants.store import TenantStore
from mailvane.maillog.complaints import Bounce, Came, Complaint, EnclosedMail
from mailvane.maillog.interface import MailLog
from mailvane.maillog.model import DeliveryStatus, EventBatch, EventType, JournalEntry, MailEvent
from mailvane.maillog.queries import Delivery, LogQuestion, Match, Pattern, Term
from mailvane.maillog.reasons import load_reasons
from mailvane.outbound.feedback import FeedbackBook
from mailvane.outbound.model import Domain, Feedback

SOURCE = "abuse report"
BOUNCE_SOURCE = "late bounce"
_SEARCHED_MS = 60 * DAY_MS  # before a report whose mail's time is not known
_AROUND_MS = 7 * DAY_MS  # before the arrival that a report names: mail may have waited in the queue
_LATER_MS = DAY_MS  # after it: clocks and zones differ
_MOST_ROWS = 500
_MAIL_ID = 18
_HEXADECIMAL = frozenset(string.hexdigits)


class _Found(msgspec.Struct, frozen=True):
    row: Delivery
    by: str
    remark: str = ""


class Complaints:
    """Safe to share between threads."""

    def __init__(
        self,
        maillog: Callable[[], MailLog],
        record: Callable[[JournalEntry, int], object],
        tenants: TenantStore,
        book: FeedbackBook | None,
    ) -> None:
        """`maillog` is called when a mail is looked for. Without a book, events are recorded and nothing is counted."""
        self._maillog = maillog
        self._record = record
        self._tenants = tenants
        self._book = book

    def take(self, workspace: int, mail: EnclosedMail, digest: str, now: int) -> Complaint:
        """Tell and count it; returns when that is durable. Raises StoreUnavailable: then it may be tried again."""
        return self._told(workspace, mail, digest, Came(at=now), now)

    def join(self, workspace: int, mail: EnclosedMail, digest: str, came: Came, now: int) -> Complaint | None:
        """The same for one that was taken without its mail; None where that is not known yet. Raises StoreUnavailable.

        The mail is looked for as at the time at which the report came: it is not about mail that was sent since.
        """
        told = self._told(workspace, mail, digest, came, now)
        return told if told.mail_id else None

    def _told(self, workspace: int, mail: EnclosedMail, digest: str, came: Came, now: int) -> Complaint:
        found = self._find(workspace, mail, came.at)
        if mail.bounce is not None:
            return self._bounced(workspace, mail, found, came, now)
        if found is not None:
            self._tell(workspace, f"arf:{digest}", _event(mail, found.row, came.at), now)
        names = [*_domains(found.row if found else None), *mail.domains]
        feedback = Feedback(
            complaints=1,
            message_id=f"arf:{digest}",
            mail_at=found.row.accepted_at if found else mail.arrived_at or None,
            evidence=_evidence(mail, found),
        )
        counted = came.counted or self._count(workspace, names, feedback, now)
        return Complaint(
            mail_id=found.row.mail_id if found else "",
            relay=found.row.relay if found else 0,
            recipient=found.row.recipient if found else "",
            found_by=found.by if found else "",
            counted=counted,
            remarks=tuple(self._remarks(found, counted, names)),
        )

    def _bounced(self, workspace: int, mail: EnclosedMail, found: _Found | None, came: Came, now: int) -> Complaint:
        if found is None or mail.bounce is None:
            # ours: anybody can send a bounce of mail that was never sent, so it counts only where the mail is known.
            return Complaint(remarks=("the mail log does not know the mail: the bounce is not counted",))
        row = found.row
        remarks = [found.remark] if found.remark else []
        event = _bounce_event(mail, mail.bounce, row, came.at)
        name = f"bounce:{row.relay}:{row.mail_id}:{row.recipient}"
        if row.status in _FAILED:
            remarks.append("the mail log has it as failed already")
        else:
            self._tell(workspace, name, event, now)
        counted = ""
        if event.hard:
            evidence = {"reply": event.reply[:500], "at": event.at, **_evidence(mail, found)}
            feedback = Feedback(bounces=1, message_id=name, mail_at=row.accepted_at, evidence=evidence)
            counted = self._count(workspace, [*_domains(row), *mail.domains], feedback, now)
        else:
            remarks.append("not counted: its reply does not say that it is permanent")
        return Complaint(
            mail_id=row.mail_id,
            relay=row.relay,
            recipient=row.recipient,
            found_by=found.by,
            counted=counted,
            remarks=tuple(remarks),
        )

    # -- the mail --------------------------------------------------------------------------------------------------

    def _find(self, workspace: int, mail: EnclosedMail, now: int) -> _Found | None:
        relays = tuple(relay.id for relay in self._tenants.relays(workspace))
        if not relays:
            return None
        for by, asked, fits in _searches(mail, now):
            question = LogQuestion(workspace=workspace, relays=relays, limit=_MOST_ROWS, **asked)
            rows = [row for row in self._maillog().search(question).deliveries if row.recipient and fits(row)]
            if rows and (found := _chosen(rows, mail, by)) is not None:
                return found
        return None

    def _tell(self, workspace: int, name: str, event: MailEvent, now: int) -> None:
        known = self._tenants.workspace(workspace)
        if known is None:
            return
        kind, _, rest = name.partition(":")
        batch = EventBatch(f"{kind}:{workspace}:{rest}", workspace, known.retention_days, [event])
        self._record(JournalEntry(batch=batch, event_ids=(name,)), now)

    # -- the counter -----------------------------------------------------------------------------------------------

    def _count(self, workspace: int, names: Iterable[str], feedback: Feedback, now: int) -> str:
        """The domain whose counter has it now, also when it had it before."""
        if self._book is None:
            return ""
        for domain in self._governed(workspace, self._book, names):
            self._book.feedback(domain.name, feedback, now)
            return domain.name
        return ""

    def _governed(self, workspace: int, book: FeedbackBook, names: Iterable[str]) -> Iterator[Domain]:
        for name in dict.fromkeys(names):
            try:
                domain = book.governed(name)
            except NotFound:
                continue
            if domain.workspace == workspace:
                yield domain

    def _remarks(self, found: _Found | None, counted: str, names: Sequence[str]) -> Iterator[str]:
        if found is not None and found.remark:
            yield found.remark
        if counted and found is None:
            yield f"the mail log does not know the mail: counted as a complaint of {counted} by what the report says"
        elif found is None:
            yield "the mail log does not know the mail"
        if not counted and self._book is not None:
            listed = ", ".join(dict.fromkeys(names)) or "no domain"
            yield f"not counted: it tells of {listed[:200]}, and no such domain is governed in this workspace"


def _searches(mail: EnclosedMail, now: int) -> Iterator[tuple[str, dict[str, Any], Callable[[Delivery], bool]]]:
    """How the mail may be found, the surest way first: its name, the filters to ask with, and what a row must be."""
    bare = mail.message_id.strip("<>")
    if bare:
        written = Term("msgid", tuple(Pattern(text, Match.WHOLE) for text in (f"<{bare}>", bare)))
        # A mail to thousands has as many rows: those of the recipient first.
        for asked in (*({"recipient": name} for name in mail.recipients), {}):
            yield "message_id", {"terms": (written,), **asked}, lambda row: row.message_id.strip("<>") == bare
    for name in mail.ids:
        if len(name) == _MAIL_ID and _HEXADECIMAL.issuperset(name):
            yield "mail_id", {"mail_id": name.lower()}, lambda _row: True
    since, until = _window(mail, now)
    window = {"since": since, "until": until}
    if mail.bounce is not None:
        for recipient in mail.recipients:
            asked = {"sender": mail.bounce.sender, "recipient": recipient}
            yield "envelope", {**window, **asked}, lambda row: not (row.message_id and mail.message_id)
        return
    if mail.ids:
        # A mail server gives its queue ids out again, and others have the same: more must agree.
        yield "queue_id", {"queue_ids": mail.ids, **window}, lambda row: _agrees(row, mail)
    if mail.arrived_at or mail.subject:
        for recipient in mail.recipients:
            yield "recipient", {"recipient": recipient, **window}, lambda row: _is_of(row, mail) and _is_same(row, mail)


def _window(mail: EnclosedMail, now: int) -> tuple[int, int]:
    if not mail.arrived_at:
        came = mail.reported_at if mail.bounce is not None and 0 < mail.reported_at < now else now
        return came - _SEARCHED_MS, came
    return mail.arrived_at - _AROUND_MS, mail.arrived_at + _LATER_MS


def _agrees(row: Delivery, mail: EnclosedMail) -> bool:
    return _is_of(row, mail) or bool(_names(row) & _lowered(mail.recipients))


def _is_of(row: Delivery, mail: EnclosedMail) -> bool:
    return bool(_lowered(_domains(row)) & _lowered(mail.domains))


def _is_same(row: Delivery, mail: EnclosedMail) -> bool:
    """Nothing that both know tells them apart. A service that sent it on may have given it another Message-ID."""
    if row.subject and mail.subject:
        return row.subject == mail.subject
    return not (row.message_id and mail.message_id)


def _domains(row: Delivery | None) -> list[str]:
    """Whose mail it is: of the envelope sender, then of From."""
    if row is None:
        return []
    return [name for address in (row.sender, row.header_from) if (name := domain_of(address))]


def _names(row: Delivery) -> set[str]:
    return _lowered((row.recipient, row.original_recipient)) - {""}


def _lowered(names: Iterable[str]) -> set[str]:
    return {name.lower() for name in names}


def _chosen(rows: Sequence[Delivery], mail: EnclosedMail, by: str) -> _Found | None:
    """The delivery to who complained; the newest mail, where several have the same name.

    None for a bounce of a mail to several of whom it names none.
    """
    wanted = _lowered(mail.recipients)
    theirs = [row for row in rows if _names(row) & wanted]
    newest = max(theirs or rows, key=lambda row: (row.accepted_at, row.number))
    same = [row for row in theirs or rows if row.mail_id == newest.mail_id and row.relay == newest.relay]
    first = min(same, key=lambda row: row.recipient_number)
    others = len({row.mail_id for row in theirs or rows}) - 1
    if by == "envelope" and others:
        return _Found(
            first, by, f"of the mails of this sender to this recipient before it, the newest: {others} more fit"
        )
    if theirs or len(same) == 1:
        return _Found(first, by)
    if mail.bounce is not None:
        return None
    # ours: as of a sending service that does not say which of several recipients it was, one complaint stays one.
    return _Found(first, by, f"which of the mail's {len(same)} recipients complained is not said: told of the first")


def _event(mail: EnclosedMail, row: Delivery, now: int) -> MailEvent:
    return MailEvent(
        **_facts(row), type=EventType.COMPLAINED, at=_at(mail, row, now), reply=mail.feedback_type, source=SOURCE,
        line=1,
        raw=f"1\t{mail.feedback_type}, reported by {mail.reporter or 'somebody who gives no name'}",
    )  # fmt: skip


def _bounce_event(mail: EnclosedMail, bounce: Bounce, row: Delivery, now: int) -> MailEvent:
    family, hard = load_reasons().sort(bounce.reply, bounce.code, bounce.enhanced_code)
    # It comes after what the other server said when it took the mail, whose time may be the more exact one.
    at = max(_at(mail, row, now), row.at + 1)
    return MailEvent(
        **_facts(row), type=EventType.BOUNCED, at=at, delay=max(0, at - row.accepted_at), mx_host=row.mx_host,
        mx_ip=row.mx_ip, transport=row.transport, code=bounce.code, enhanced_code=bounce.enhanced_code,
        reply=bounce.reply, family=family, hard=hard, source=BOUNCE_SOURCE, line=1,
        raw=f"1\t{bounce.code} {bounce.enhanced_code} {bounce.reply}, reported by {mail.reporter or 'nobody by name'}",
    )  # fmt: skip


def _facts(row: Delivery) -> dict[str, Any]:
    shared = set(MailEvent.__struct_fields__) & set(Delivery.__struct_fields__)
    return {name: getattr(row, name) for name in shared - _OF_THE_ATTEMPT}


def _at(mail: EnclosedMail, row: Delivery, now: int) -> int:
    return mail.reported_at if row.accepted_at <= mail.reported_at <= now else now


_FAILED = frozenset({DeliveryStatus.BOUNCED, DeliveryStatus.EXPIRED})
_OF_THE_ATTEMPT = frozenset(
    {"at", "transport", "mx_host", "mx_ip", "code", "enhanced_code", "reply", "delay", "tls", "family", "hard"}
)


def _evidence(mail: EnclosedMail, found: _Found | None) -> dict[str, object]:
    source = SOURCE if mail.bounce is None else BOUNCE_SOURCE
    evidence: dict[str, object] = {"source": source, "type": mail.feedback_type, "reporter": mail.reporter}
    if found is None:
        return {**evidence, "message": mail.message_id, "recipients": list(mail.recipients[:10])}
    return {**evidence, "mail": found.row.mail_id, "relay": found.row.relay, "recipient": found.row.recipient}
