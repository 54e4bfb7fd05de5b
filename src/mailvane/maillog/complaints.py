"""Complaints about mail, as abuse reports tell of them (ARF, RFC 5965), and bounces that came back as mail.

Values, and who takes them in.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

# The opposite of a complaint (RFC 6430), and reports on authentication (RFC 6591), which nobody complained by.
# ours: every other type counts, as those of sending services do, also one that is not registered.
_NO_COMPLAINT = frozenset({"", "not-spam", "auth-failure", "dmarc"})


LATE_BOUNCE = "bounce"  # ours: in the place of a feedback type


class Bounce(msgspec.Struct, frozen=True, kw_only=True):
    """Why a mail came back after it had been taken."""

    sender: str  # of the envelope
    code: int = 0
    enhanced_code: str = ""
    reply: str = ""


class EnclosedMail(msgspec.Struct, frozen=True, kw_only=True):
    """What a report tells of the mail it encloses, as far as it helps to find that mail. All of it may be forged."""

    feedback_type: str  # in lower case: RFC 5965 section 7.3
    reported_at: int = 0  # ms; when the report was written; 0: not said
    arrived_at: int = 0  # ms; when the mail came to the reporter; 0: not said
    message_id: str = ""  # with angle brackets
    ids: tuple[str, ...] = ()  # queue ids and ids of ours, the likeliest first
    recipients: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()  # that the mail may be of: From, DKIM, Reported-Domain, envelope sender
    subject: str = ""
    reporter: str = ""
    bounce: Bounce | None = None  # none: somebody complained


class Complaint(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a complaint."""

    mail_id: str = ""  # empty: the mail log does not know the mail
    relay: int = 0
    recipient: str = ""
    found_by: str = ""  # "message_id", "mail_id", "queue_id", "recipient" or "envelope"
    counted: str = ""  # the domain; empty: none of this workspace
    remarks: tuple[str, ...] = ()


class Came(msgspec.Struct, frozen=True, kw_only=True):
    """How a report came whose mail was not known."""

    at: int  # ms
    counted: str = ""  # the domain that has it counted


class ComplaintIntake(Protocol):
    """Whoever finds the mail that a complaint is about, and counts it."""

    def take(self, workspace: int, mail: EnclosedMail, digest: str, now: int) -> Complaint:
        """Tell and count it; returns when that is durable. Raises StoreUnavailable: then it may be tried again."""

    def join(self, workspace: int, mail: EnclosedMail, digest: str, came: Came, now: int) -> Complaint | None:
        """The same for one that was taken without its mail; None where that is not known yet."""


def is_complaint(feedback_type: str) -> bool:
    return feedback_type.lower() not in _NO_COMPLAINT
