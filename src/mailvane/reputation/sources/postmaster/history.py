"""Records of the first interface of Postmaster Tools, as users saved them: the only source of reputations.

One record, a list of them, an answer of `trafficStats`, or any of these one a line.
"""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, BinaryIO, Literal

import msgspec
from msgspec import Meta

from mailvane.core.decoding import prepared
from mailvane.core.errors import InvalidInput
from mailvane.reputation.sources.json_lines import records

MOST_BYTES = 64 * 1024 * 1024
_NAME = re.compile(r"domains/([^/\s]{1,253})/trafficStats/(\d{4})-?(\d{2})-?(\d{2})", re.ASCII)

_Ratio = Annotated[float, Meta(ge=0, le=1)]
_Reputation = Literal["REPUTATION_CATEGORY_UNSPECIFIED", "HIGH", "MEDIUM", "LOW", "BAD"]


class _IpReputation(msgspec.Struct, rename="camel", omit_defaults=True):
    reputation: _Reputation
    ip_count: str | int = ""
    sample_ips: list[str] = []


class _Loop(msgspec.Struct, rename="camel", omit_defaults=True):
    id: str = ""
    spam_ratio: _Ratio | None = None


class _DeliveryError(msgspec.Struct, rename="camel", omit_defaults=True):
    error_class: str = ""
    error_type: str = ""
    error_ratio: _Ratio | None = None


class _Record(msgspec.Struct, rename="camel", omit_defaults=True):
    name: str
    user_reported_spam_ratio: _Ratio | None = None
    user_reported_spam_ratio_lower_bound: _Ratio | None = None
    user_reported_spam_ratio_upper_bound: _Ratio | None = None
    ip_reputations: list[_IpReputation] = []
    domain_reputation: _Reputation | None = None
    spf_success_ratio: _Ratio | None = None
    dkim_success_ratio: _Ratio | None = None
    dmarc_success_ratio: _Ratio | None = None
    outbound_encryption_ratio: _Ratio | None = None
    inbound_encryption_ratio: _Ratio | None = None
    spammy_feedback_loops: list[_Loop] = []
    delivery_errors: list[_DeliveryError] = []


class _Answer(msgspec.Struct, rename="camel"):
    traffic_stats: list[_Record]


def history(file: BinaryIO, name: str) -> dict[str, dict[int, dict[str, Any]]]:
    """By domain and day. Raises InvalidInput."""
    raw = file.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise InvalidInput(f"{name}: more than {MOST_BYTES:,} bytes")
    found: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
    for place, document in _documents(raw, name):
        for record in _records(document, place):
            domain, at = _domain_and_day(record, place)
            found[domain][at] = {**msgspec.to_builtins(record), "name": record.name}
    return dict(found)


def _documents(raw: bytes, name: str) -> Iterator[tuple[str, Any]]:
    try:
        yield name, msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Not one document; one a line, then.
        yield from records(io.BytesIO(raw), name, object)


def _records(document: Any, place: str) -> list[_Record]:
    try:
        if isinstance(document, list):
            return msgspec.convert(document, prepared(list[_Record]))
        if isinstance(document, dict) and "name" not in document:
            return msgspec.convert(document, prepared(_Answer)).traffic_stats
        return [msgspec.convert(document, prepared(_Record))]
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{place}: {error}") from None


def _domain_and_day(record: _Record, place: str) -> tuple[str, int]:
    found = _NAME.fullmatch(record.name)
    if found is None:
        raise InvalidInput(f"{place}: {record.name[:80]!r} is not `domains/DOMAIN/trafficStats/YYYYMMDD`")
    try:
        day = datetime(int(found[2]), int(found[3]), int(found[4]), tzinfo=UTC)
    except ValueError:
        raise InvalidInput(f"{place}: {record.name[:80]!r} names no day") from None
    return found[1].lower(), int(day.timestamp()) * 1000
