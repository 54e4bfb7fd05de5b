"""What the HTTP interfaces of DMARC, TLS and abuse reports need. The composition root fills it in."""

from __future__ import annotations

from dataclasses import dataclass

from mailvane.dmarc.senders import Senders
from mailvane.dmarc.store.reports import ReportStore


@dataclass(frozen=True)
class DmarcServices:
    """The reports that were taken in, and where they are sent to."""

    reports: ReportStore
    senders: Senders
    reports_address: str  # for `rua=`; empty when there is none
