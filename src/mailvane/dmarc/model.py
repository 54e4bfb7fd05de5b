"""Reports about one's mail: what is kept of them, what is asked of them, and what they come to. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from mailvane.dmarc.counts import Counts
from mailvane.reputation.model import Observation


class AggregateReport(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a DMARC aggregate report. Unique by workspace, organisation, report id, policy domain and times."""

    id: str
    organisation: str
    report_id: str
    domain: str
    begins: int
    ends: int
    received_at: int
    head: Mapping[str, Any]  # metadata and published policy as parsed
    messages: int
    rows: int


class ReportPart(msgspec.Struct, frozen=True, kw_only=True):
    """What another file of a report that was known added to it. Those that added rows are kept in the report's head."""

    digest: str  # of all rows of the file
    counts: Counts  # of the rows that were added
    rows: int
    recounted: int = 0  # rows that are kept with another count, and were not added


class RowQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows of aggregate reports are wanted; `ends` of their report decides the time."""

    workspace: int
    since: int
    until: int  # before
    domain: str | None = None
    source_ip: str | None = None
    failing_only: bool = False
    offset: int = 0
    limit: int = 100


class ReportQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which aggregate, TLS or abuse reports: those of a time from `since` to before `until`, the newest first."""

    workspace: int
    since: int
    until: int  # before
    domain: str | None = None
    failing_only: bool = False  # TLS: with a failed session
    feedback_type: str | None = None  # abuse: `abuse`, `fraud`, `auth-failure`, ... (RFC 5965 section 7.3)
    offset: int = 0
    limit: int = 100


class TlsDomain(msgspec.Struct, frozen=True, kw_only=True):
    """All TLS reports of one policy domain that a question asks for."""

    domain: str
    reports: int
    succeeded: int  # sessions
    failed: int


class TlsPage(msgspec.Struct, frozen=True):
    """A page of TLS reports, and what all of them add up to by domain, those of the most failed sessions first."""

    total: int
    domains: list[TlsDomain]
    reports: list[Observation]


class AbuseDomain(msgspec.Struct, frozen=True, kw_only=True):
    """All abuse reports of one domain and feedback type that a question asks for."""

    domain: str
    feedback_type: str
    reports: int


class AbusePage(msgspec.Struct, frozen=True):
    """A page of abuse and authentication failure reports, and how many there are by domain and type."""

    total: int
    domains: list[AbuseDomain]
    reports: list[Observation]


class DomainSummary(msgspec.Struct, frozen=True, kw_only=True):
    """All reports of one policy domain in a stretch of time."""

    domain: str
    reports: int
    organisations: tuple[str, ...]  # those that report the most messages first
    messages: int
    policy: str  # of the newest report


class SenderSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What one address sent in the name of one domain."""

    domain: str
    source_ip: str
    messages: int
    dkim_aligned: int
    spf_aligned: int
    passed: int  # either is aligned
    dispositions: Mapping[str, int]
    organisations: tuple[str, ...]


class SenderAddress(msgspec.Struct, frozen=True, kw_only=True):
    """What DNS says of an address that mail came from."""

    address: str
    service: str = ""  # "": none that is known
    by: str = ""  # "ptr" or "spf"
    name: str = ""  # of the address, as it says itself
    asked_at: int


class ServiceSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What one service sent in the name of one domain; first and last seen in all reports that are kept."""

    domain: str
    service: str  # id; "": unknown
    name: str
    first_seen: int
    last_seen: int
    messages: int  # of the stretch that was asked for
    passed: int  # of these, either is aligned
    addresses: int  # of these, how many


class HeardService(msgspec.Struct, frozen=True, kw_only=True):
    """That a service sent in the name of a domain, by some rows."""

    workspace: int
    domain: str
    service: str
    messages: int
    domain_since: int  # when the oldest report about the domain begins


class ReportSummary(msgspec.Struct, frozen=True, kw_only=True):
    domains: tuple[DomainSummary, ...]
    senders: tuple[SenderSummary, ...]  # those of the most messages first


class AggregatePage(msgspec.Struct, frozen=True):
    total: int
    reports: list[AggregateReport]
