"""What the second interface of Postmaster Tools is asked, and its answers in the words of the first one. Pure.

Rules, exports and history all speak the first one's words. Reputations are gone from the second; nothing stands in.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import msgspec

MOST_LOOPS = 50  # feedback loops of a domain whose rates are asked for
_LOOP_IDS = "feedback_loops"
_PLAIN_LOOP_ID = re.compile(r'[^"\\\x00-\x1f]{1,200}')

# metric's name in our questions -> standard metric, filter, field of the record
_RATIOS = {
    "spam": ("SPAM_RATE", "", "userReportedSpamRatio"),
    "spf": ("AUTH_SUCCESS_RATE", 'auth_type = "spf"', "spfSuccessRatio"),
    "dkim": ("AUTH_SUCCESS_RATE", 'auth_type = "dkim"', "dkimSuccessRatio"),
    "dmarc": ("AUTH_SUCCESS_RATE", 'auth_type = "dmarc"', "dmarcSuccessRatio"),
    "tls_inbound": ("TLS_ENCRYPTION_RATE", 'traffic_direction = "inbound"', "inboundEncryptionRatio"),
    "tls_outbound": ("TLS_ENCRYPTION_RATE", 'traffic_direction = "outbound"', "outboundEncryptionRatio"),
}


class _DeliveryError(NamedTuple):
    kind: str
    reason: str
    error_class: str
    error_type: str


_REJECTED, _DEFERRED = ("reject", "PERMANENT_ERROR"), ("temp_fail", "TEMPORARY_ERROR")
_UNSPECIFIED = "DELIVERY_ERROR_TYPE_UNSPECIFIED"
_ERRORS = {
    f"{kind}_{reason}": _DeliveryError(kind, reason, error_class, error_type)
    for (kind, error_class), reason, error_type in (
        (_REJECTED, "bad_attachment", "BAD_ATTACHMENT"),
        (_REJECTED, "bad_or_missing_ptr_record", "BAD_PTR_RECORD"),
        (_REJECTED, "ip_in_rbls", "IP_IN_RBL"),
        (_REJECTED, "low_domain_reputation", "LOW_DOMAIN_REPUTATION"),
        (_REJECTED, "low_ip_reputation", "LOW_IP_REPUTATION"),
        (_REJECTED, "spammy_content", "CONTENT_SPAMMY"),
        (_REJECTED, "stamp_policy_error", "BAD_DMARC_POLICY"),  # ours: no page says what became of that type
        (_REJECTED, "other", _UNSPECIFIED),
        (_DEFERRED, "anomalous_traffic_pattern", "RATE_LIMIT_EXCEEDED"),
        (_DEFERRED, "other", _UNSPECIFIED),
    )
}


class Value(msgspec.Struct, frozen=True, rename="camel"):
    """A number, or texts; Google writes whole numbers as text."""

    double_value: float | str | None = None
    float_value: float | str | None = None
    int_value: int | str | None = None
    string_list: Mapping[str, Any] | None = None

    def number(self) -> float | None:
        """None when it has none that is finite."""
        for value in (self.double_value, self.float_value, self.int_value):
            if value is not None:
                try:
                    number = float(value)
                except (ValueError, OverflowError):
                    return None
                return number if math.isfinite(number) else None
        return None

    def texts(self) -> list[str]:
        values = (self.string_list or {}).get("values")
        return [each for each in values if isinstance(each, str)] if isinstance(values, list) else []


class Day(msgspec.Struct, frozen=True):
    """A date as Google writes it."""

    year: int
    month: int
    day: int

    def moment(self) -> int:
        """Its beginning, UTC. Raises ValueError."""
        return int(datetime(self.year, self.month, self.day, tzinfo=UTC).timestamp()) * 1000


class Stat(msgspec.Struct, frozen=True):
    """One metric of one day."""

    metric: str
    date: Day
    value: Value = Value()


class Page(msgspec.Struct, frozen=True, rename="camel"):
    """An answer. A day without data is not in it."""

    domain_stats: tuple[Stat, ...] = ()
    next_page_token: str = ""


def question(days: Iterable[date], metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The body of a query; each day by itself, so nothing depends on whether an end is part of a range."""
    dates = [{"year": day.year, "month": day.month, "day": day.day} for day in days]
    return {
        "metricDefinitions": list(metrics),
        "timeQuery": {"dateList": {"dates": dates}},
        "aggregationGranularity": "DAILY",
        "pageSize": 200,
    }


def metrics() -> list[dict[str, Any]]:
    """Everything that a record can hold, except the rates of feedback loops."""
    asked = [_metric(name, standard, filter_text) for name, (standard, filter_text, _) in _RATIOS.items()]
    asked += [
        _metric(name, "DELIVERY_ERROR_RATE", f'error_type = "{each.kind}" AND error_reason = "{each.reason}"')
        for name, each in _ERRORS.items()
    ]
    return [*asked, _metric(_LOOP_IDS, "FEEDBACK_LOOP_ID", "")]


def loops(stats: Iterable[Stat]) -> list[str]:
    """The feedback loops that an answer names."""
    named = dict.fromkeys(each for stat in stats if stat.metric == _LOOP_IDS for each in stat.value.texts())
    return [each for each in named if _PLAIN_LOOP_ID.fullmatch(each)][:MOST_LOOPS]


def loop_metrics(ids: Sequence[str]) -> list[dict[str, Any]]:
    """Their spam rates; named by their place."""
    return [
        _metric(f"loop_{place}", "FEEDBACK_LOOP_SPAM_RATE", f'feedback_loop_id = "{each}"')
        for place, each in enumerate(ids)
    ]


def _metric(name: str, standard: str, filter_text: str) -> dict[str, Any]:
    return {"name": name, "baseMetric": {"standardMetric": standard}} | ({"filter": filter_text} if filter_text else {})


def records(domain: str, stats: Iterable[Stat], loop_ids: Sequence[str] = ()) -> dict[int, dict[str, Any]]:
    """A record for each day that there are data of, by its beginning. What is not understood is left out."""
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    places = {f"loop_{place}": each for place, each in enumerate(loop_ids)}
    for stat in stats:
        number = stat.value.number()
        if number is None:
            continue
        try:
            record = found[stat.date.moment()]
        except ValueError:
            continue
        if stat.metric in _RATIOS:
            record[_RATIOS[stat.metric][2]] = number
        elif stat.metric in _ERRORS:
            error = _ERRORS[stat.metric]
            delivery_error = {"errorClass": error.error_class, "errorType": error.error_type, "errorRatio": number}
            record.setdefault("deliveryErrors", []).append(delivery_error)
        elif stat.metric in places:
            loop = {"id": places[stat.metric], "spamRatio": number}
            record.setdefault("spammyFeedbackLoops", []).append(loop)
    return {
        at: {"name": f"domains/{domain}/trafficStats/{datetime.fromtimestamp(at / 1000, UTC):%Y%m%d}", **record}
        for at, record in sorted(found.items())
        if record
    }
