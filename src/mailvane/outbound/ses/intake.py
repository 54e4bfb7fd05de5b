"""Takes in what SNS sends: verified messages become mail events, and feedback on their domain.

Mail events are recorded before feedback counts, and the answer is given when both are durable. Whatever is sent again,
by SNS or by anybody, at any moment, finds each step done already and changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from threading import Lock

from mailvane.core.errors import NotFound, Transient
from mailvane.core.tenants.model import Relay, Workspace
from mailvane.core.tenants.service import Tenancy
from mailvane.maillog.model import EventBatch, JournalEntry
from mailvane.maillog.reasons import load_reasons
from mailvane.maillog.recording import Recorder
from mailvane.outbound.feedback import Answer, FeedbackBook, Outcome
from mailvane.outbound.model import Domain, Feedback
from mailvane.outbound.ses.fetching import Refused
from mailvane.outbound.ses.notifications import feedback_of, mail_events, sending_domains, sent_at
from mailvane.outbound.ses.record import Record, read_record
from mailvane.outbound.ses.sns import Envelope, EnvelopeType, Malformed, SnsGate

log = logging.getLogger(__name__)

_RELAY_COMMENT = "Amazon SES"
_LONGEST_WHY = 300


class SnsIntake:
    """Takes the body of one request. Blocking; safe to share between threads."""

    def __init__(
        self,
        gate: SnsGate,
        book: FeedbackBook,
        tenancy: Tenancy,
        recorder: Recorder,
        count_all_bounces: bool = False,
        relay: int | None = None,
    ) -> None:
        """`relay`: the relay of these events, where it belongs to the domain's workspace; else the first active one."""
        self._gate = gate
        self._book = book
        self._tenancy = tenancy
        self._recorder = recorder
        self._count_all_bounces = count_all_bounces
        self._relay = relay
        self._reasons = load_reasons()
        self._making = Lock()

    def __call__(self, body: bytes, now: int) -> Outcome:
        try:
            envelope = self._gate.admit(body, now)
            why = self._take(envelope, now)
        except Malformed as error:
            return _answered(Answer.MALFORMED, error.message)
        except Refused as error:
            return _answered(Answer.REFUSED, error.message)
        except Transient as error:
            return _answered(Answer.LATER, error.message)
        return Outcome(Answer.TAKEN, why)

    def _take(self, envelope: Envelope, now: int) -> str:
        if envelope.type is EnvelopeType.SUBSCRIPTION:
            self._gate.confirm(envelope)
            log.info("subscribed to %s", envelope.topic_arn)
            return "subscribed"
        if envelope.type is EnvelopeType.UNSUBSCRIPTION:
            log.warning("%s sends nothing more: somebody ended the subscription", envelope.topic_arn)
            return "unsubscribed"
        record = read_record(envelope.message)
        if record is None:
            # SES itself sends a line of plain text when it is connected to a topic.
            log.info("message %s is no notification of SES: %.100s", envelope.message_id, envelope.message)
            return "not a notification of SES"
        domain = self._domain(record)
        if domain is None:
            return "no domain of this server"
        self._record(record, envelope, domain, now)
        return "counted" if self._count(record, envelope, domain, now) else "recorded"

    def _domain(self, record: Record) -> Domain | None:
        for name in sending_domains(record):
            try:
                return self._book.governed(name)
            except NotFound:
                continue
        return None

    def _record(self, record: Record, envelope: Envelope, domain: Domain, now: int) -> None:
        try:
            workspace = self._tenancy.workspace_of(domain.workspace)
        except NotFound:
            return
        found = self._chosen(workspace)
        if found is None:
            with self._making:
                found = self._chosen(workspace) or self._tenancy.create_relay(workspace.id, _RELAY_COMMENT, now)
        events = mail_events(record, envelope, found.id, self._reasons)
        if not events:
            log.warning("message %s (%s) tells of no mail", envelope.message_id, record.type)
            return
        identity = _identity(record, envelope)
        batch = EventBatch(f"{identity}:{workspace.id}", workspace.id, workspace.retention_days, events)
        ids = tuple(f"{identity}:{event.recipient}" for event in events)
        self._recorder.record(JournalEntry(batch=batch, event_ids=ids), now)

    def _chosen(self, workspace: Workspace) -> Relay | None:
        relays = list(self._tenancy.active_relays(workspace.id))
        return next((each for each in relays if each.id == self._relay), relays[0] if relays else None)

    def _count(self, record: Record, envelope: Envelope, domain: Domain, now: int) -> bool:
        counted = feedback_of(record, self._count_all_bounces)
        if not (counted.bounces or counted.complaints):
            return False
        feedback = Feedback(
            bounces=counted.bounces,
            complaints=counted.complaints,
            message_id=_identity(record, envelope),
            mail_at=sent_at(record),
            evidence=_evidence(record, envelope),
        )
        return self._book.feedback(domain.name, feedback, now)


def _identity(record: Record, envelope: Envelope) -> str:
    """What a notification is known by, and its events: one bounce or complaint may come in several messages.

    An identity and a configuration set may each publish it, to one topic or to several.
    """
    report = record.bounce or record.complaint
    if record.type not in ("Bounce", "Complaint") or report is None or not report.feedback_id:
        return f"sns:{envelope.message_id}"
    mail = record.mail.message_id if record.mail else None
    return f"ses:{record.type}:{report.feedback_id}:{mail or ''}"


def _evidence(record: Record, envelope: Envelope) -> Mapping[str, object]:
    report = record.bounce or record.complaint
    found: dict[str, object] = {
        "source": "Amazon SNS",
        "message": envelope.message_id,
        "topic": envelope.topic_arn,
        "type": record.type,
        "mail": record.mail.message_id if record.mail else None,
        "feedback": report.feedback_id if report else None,
    }
    if record.bounce is not None:
        found["bounce"] = f"{record.bounce.bounce_type}/{record.bounce.bounce_sub_type}"
        named = record.bounce.bounced_recipients
    else:
        named = record.complaint.complained_recipients if record.complaint else None
    found["recipients"] = [each.email_address for each in (named or ())[:50]]
    return found


def _answered(answer: Answer, why: str) -> Outcome:
    log.warning("a message of SNS is %s: %s", answer, why[:_LONGEST_WHY])
    return Outcome(answer, why[:_LONGEST_WHY])
