"""Joins Amazon SES to governance, by the settings: who verifies domains, and where feedback on their mail comes in."""

from __future__ import annotations

from pathlib import Path

from mailvane.core.extras import needing
from mailvane.core.tenants.service import Tenancy
from mailvane.outbound.feedback import FeedbackBook, NotificationIntake
from mailvane.outbound.ses.certificates import Certificates, trusted_roots
from mailvane.outbound.ses.dns_provider import DnsProvider, look_up_by
from mailvane.outbound.ses.fetching import Fetcher
from mailvane.outbound.ses.intake import SnsIntake
from mailvane.outbound.ses.sns import SnsGate
from mailvane.outbound.settings import OutboundSettings
from mailvane.outbound.verification import NoProvider, VerificationProvider
from mailvane.server.stores import Stores


def verification_provider(settings: OutboundSettings) -> VerificationProvider:
    """Raises InvalidSetting."""
    if settings.ses_provider == "aws":
        # Imported by those who verify with Amazon: boto3 costs every other start a tenth of a second and 20 MiB.
        with needing("ses", "boto3", "botocore"):
            from mailvane.outbound.ses.provider import SesProvider  # noqa: PLC0415

        return SesProvider(settings.ses_region or None, settings.ses_endpoint, settings.ses_dkim_domain)
    if settings.ses_provider == "dns":
        return DnsProvider(look_up_by(settings.dns_resolvers), settings.dkim_domain)
    return NoProvider()


def notification_intake(settings: OutboundSettings, stores: Stores, book: FeedbackBook) -> NotificationIntake:
    """Raises InvalidSetting."""
    fetch = Fetcher()
    roots = trusted_roots(Path(settings.sns_trusted_roots) if settings.sns_trusted_roots else None)
    at_hand = Path(settings.sns_certificates) if settings.sns_certificates else None
    return SnsIntake(
        SnsGate(Certificates(fetch, roots, at_hand), settings.sns_topics, fetch),
        book,
        Tenancy(stores.ledger.tenants, ""),
        stores.recorder,
        settings.count_all_bounces,
        settings.ses_relay,
    )
