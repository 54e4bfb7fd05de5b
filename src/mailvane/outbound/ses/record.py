"""The record that SES puts into a notification, read loosely: any field may be missing, and others may come."""

from __future__ import annotations

import msgspec


class _Loose(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Fields by the names of SES; what is not known is ignored."""


class Header(_Loose, frozen=True, kw_only=True):
    """One header line."""

    name: str | None = None
    value: str | None = None


class CommonHeaders(_Loose, frozen=True, kw_only=True):
    """The headers that SES takes apart."""

    from_: list[str] | None = msgspec.field(name="from", default=None)
    reply_to: list[str] | None = None
    message_id: str | None = None
    subject: str | None = None


class Mail(_Loose, frozen=True, kw_only=True):
    """The mail that a notification is about."""

    timestamp: str | None = None
    message_id: str | None = None
    source: str | None = None
    source_arn: str | None = None
    source_ip: str | None = None
    caller_identity: str | None = None
    destination: list[str] | None = None
    headers: list[Header] | None = None
    common_headers: CommonHeaders | None = None


class Recipient(_Loose, frozen=True, kw_only=True):
    """A recipient whom a bounce, complaint or delay names."""

    email_address: str | None = None
    status: str | None = None
    diagnostic_code: str | None = None


class Bounce(_Loose, frozen=True, kw_only=True):
    """The mail, or its copy for some recipients, was given up."""

    bounce_type: str | None = None  # Permanent, Transient, Undetermined
    bounce_sub_type: str | None = None
    bounced_recipients: list[Recipient] | None = None
    timestamp: str | None = None
    feedback_id: str | None = None
    remote_mta_ip: str | None = None
    reporting_mta: str | None = msgspec.field(name="reportingMTA", default=None)


class Complaint(_Loose, frozen=True, kw_only=True):
    """A recipient called it spam."""

    complained_recipients: list[Recipient] | None = None
    timestamp: str | None = None
    feedback_id: str | None = None
    complaint_sub_type: str | None = None
    complaint_feedback_type: str | None = None
    user_agent: str | None = None


class DeliveryReport(_Loose, frozen=True, kw_only=True):
    """The recipients' server took it."""

    timestamp: str | None = None
    processing_time_millis: int | None = None
    recipients: list[str] | None = None
    smtp_response: str | None = None
    reporting_mta: str | None = msgspec.field(name="reportingMTA", default=None)
    remote_mta_ip: str | None = None


class DeliveryDelay(_Loose, frozen=True, kw_only=True):
    """Not delivered yet; SES goes on trying."""

    timestamp: str | None = None
    delay_type: str | None = None
    delayed_recipients: list[Recipient] | None = None
    reporting_mta: str | None = msgspec.field(name="reportingMTA", default=None)


class Reaction(_Loose, frozen=True, kw_only=True):
    """An open or a click."""

    timestamp: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    link: str | None = None


class Refusal(_Loose, frozen=True, kw_only=True):
    """SES took the request and then sent nothing."""

    reason: str | None = None
    error_message: str | None = None


class Preferences(_Loose, frozen=True, kw_only=True):
    """A recipient changed a subscription."""

    timestamp: str | None = None
    source: str | None = None


class Record(_Loose, frozen=True, kw_only=True):
    """The whole. Which part is there depends on the type."""

    notification_type: str | None = None  # of notifications that an identity sends
    event_type: str | None = None  # of events that a configuration set publishes
    mail: Mail | None = None
    bounce: Bounce | None = None
    complaint: Complaint | None = None
    delivery: DeliveryReport | None = None
    delivery_delay: DeliveryDelay | None = None
    open: Reaction | None = None
    click: Reaction | None = None
    reject: Refusal | None = None
    failure: Refusal | None = None
    subscription: Preferences | None = None

    @property
    def type(self) -> str:
        return (self.event_type or self.notification_type or "").replace(" ", "")


_decoder = msgspec.json.Decoder(Record)


def read_record(message: str) -> Record | None:
    """The record in the text of a message; None when the message is something else."""
    try:
        record = _decoder.decode(message)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return record if record.type and record.mail is not None else None
