"""The paths of TLS and abuse reports in Mailvane's own interface, a row each."""

from __future__ import annotations

from collections.abc import Iterator

from mailvane.dmarc.api import reports
from mailvane.dmarc.model import AbusePage, ServiceSummary, TlsPage
from mailvane.dmarc.services import DmarcServices
from mailvane.web.dialect import NATIVE, NATIVE_PREFIX
from mailvane.web.endpoints import Endpoint, RouteTable


def _reports() -> Iterator[Endpoint]:
    yield Endpoint(
        "get", "/dmarc/tls", "tls_reports", "TLS reports (RFC 8460), with sums", reports.tls, TlsPage,
        query=reports.TLS,
    )  # fmt: skip
    yield Endpoint(
        "get", "/dmarc/senders", "dmarc_senders", "Who sends in the name of each domain, by service", reports.senders,
        list[ServiceSummary], query=reports.SENDERS,
    )  # fmt: skip
    yield Endpoint(
        "get", "/dmarc/abuse", "abuse_reports", "Abuse and authentication failure reports (ARF)", reports.abuse,
        AbusePage, query=reports.ABUSE,
    )  # fmt: skip


ROUTES = RouteTable([*_reports()], DmarcServices, NATIVE, ("Native",), NATIVE_PREFIX)
