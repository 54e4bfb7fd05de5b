"""Governance as the settings say; apart from what serves it, so that a command need not load a server's libraries."""

from __future__ import annotations

from collections.abc import Callable

from mailvane.maillog.interface import MailLog
from mailvane.maillog.model import JournalEntry
from mailvane.outbound.admission.rules import rules_of
from mailvane.outbound.complaints import Complaints
from mailvane.outbound.feedback import FeedbackBook, PostfixFeedback
from mailvane.outbound.governance import Governance
from mailvane.outbound.settings import OutboundSettings
from mailvane.server.ledger import Ledger


def governance_of(settings: OutboundSettings, ledger: Ledger) -> Governance:
    return Governance(ledger.domains, ledger.billing, ledger.tenants, rules_of(settings))


def postfix_feedback(settings: OutboundSettings, book: FeedbackBook) -> PostfixFeedback | None:
    """None where bounces in Postfix logs do not count."""
    return PostfixFeedback(book) if settings.count_postfix_bounces else None


def complaints_of(
    settings: OutboundSettings,
    ledger: Ledger,
    maillog: Callable[[], MailLog],
    record: Callable[[JournalEntry, int], object],
) -> Complaints:
    book = governance_of(settings, ledger) if settings.count_abuse_reports else None
    return Complaints(maillog, record, ledger.tenants, book)
