"""What the HTTP interfaces of DMARC, TLS and abuse reports need. The composition root fills it in."""

from __future__ import annotations

from dataclasses import dataclass

from mailvane.dmarc.interface import Reports


@dataclass(frozen=True)
class DmarcServices:
    """The reports that were taken in, and where they are sent to."""

    reports: Reports
    reports_address: str  # for `rua=`; empty when there is none
