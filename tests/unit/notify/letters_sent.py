"""Notifications as alerting and the daily report make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mailvane.core.daily import Day
from mailvane.notify.model import Channel, Notification
from mailvane.reputation.alerts.daily_report import (
    AlertLine,
    DailyReport,
    ProfileLines,
    RuleLine,
    SourceLine,
    UnjudgedLine,
)
from mailvane.reputation.alerts.model import FiredRule, LogEntry
from mailvane.reputation.model import Source

NOW = 1_790_000_000_000  # 2026-09-21 14:13:20 UTC
HOUR = 3_600_000
DAY = Day("2026-09-20", "UTC", NOW - 38 * HOUR - 800_000, NOW - 14 * HOUR - 800_000)


def fired(
    kind: str, items: Sequence[Mapping[str, Any]], records: Sequence[Mapping[str, Any]] = (), **rule: Any
) -> FiredRule:
    return FiredRule(
        type=kind,
        snapshot={
            "rule": {"type": kind, "key": "r1", **rule},
            "date_timestamp": NOW - HOUR,
            "data": list(records),
            "truncated": False,
        },
        matchings={"items": list(items), "count": len(items)},
    )


LISTED = fired(
    "IP_IN_RBL",
    [{"ip": "203.0.113.7", "rbl": "zen.spamhaus.org"}, {"ip": "203.0.113.9", "rbl": "bl.spamcop.net"}],
    [{"ip": "203.0.113.7", "blacklisted": True}],
    ips=["ALL_IPS"],
    rbls=["HIGH_REPUTATION"],
)
FORGED = fired(
    "DMARC_DMARC_FAIL",
    [{"domain": "shop.example", "time_range": "ONE_DAY", "value": 12345}],
    [{"domain": "shop.example", "time_range": "ONE_DAY", "messages": 98765, "failed": 12345}],
    dmarc_dmarc_fail={"value": 100, "operator": "gte", "time_range": "ONE_DAY"},
)


def entry(*rules: FiredRule, name: str = "Addresses of the shop") -> LogEntry:
    return LogEntry(
        id="65f0c0ffee0123456789abcd",
        workspace=1,
        alert_id="65f0decade0123456789abcd",
        profile_id=None,
        name=name,
        at=NOW,
        rules=rules or (LISTED, FORGED),
    )


def notification(told: LogEntry | DailyReport, to: str = "ops@example.org") -> Notification:
    of_alert = isinstance(told, LogEntry)
    return Notification(
        id="msg_65f0c0ffee0123456789abcde",
        workspace=1,
        channel=Channel.EMAIL,
        target=to,
        subject="",
        body=msgspec.to_builtins(told),
        created_at=NOW,
        alert_id="65f0decade0123456789abcd" if of_alert else None,
    )


QUIET = DailyReport(
    workspace="default",
    day=DAY,
    watching=12,
    alerts=0,
    firings=0,
    profiles=(),
    left_out=0,
    sources=(),
    unjudged=(),
)
UNKNOWN = msgspec.structs.replace(
    QUIET,
    sources=(
        SourceLine(
            source=Source.BLOCKLISTS,
            assets=120,
            unknown=3,
            succeeded_at=NOW - 60 * HOUR,
            error="the resolver does not answer",
        ),
        SourceLine(source=Source.POSTMASTER, assets=4, unknown=4, error="403 access was withdrawn"),
    ),
    unjudged=(UnjudgedLine("Microsoft's colours", "snds_filter_result: no such colour"),),
)
BUSY = msgspec.structs.replace(
    UNKNOWN,
    alerts=3,
    firings=5,
    profiles=(
        ProfileLines(
            "",
            (
                AlertLine(
                    alert_id="65f0decade0123456789abcd", name="Addresses of the shop", fired=3, unattended=2,
                    first_at=DAY.since + 2 * HOUR, last_at=DAY.since + 9 * HOUR,
                    rules=(RuleLine("IP_IN_RBL", tuple(LISTED.matchings["items"]), 9),),
                ),
            ),
        ),
        ProfileLines(
            "Newsletters & offers",
            (
                AlertLine(
                    alert_id="65f0decade0123456789abce", name="Forged mail", fired=1, unattended=0,
                    first_at=DAY.since + 5 * HOUR, last_at=DAY.since + 5 * HOUR,
                    rules=(RuleLine("DMARC_DMARC_FAIL", tuple(FORGED.matchings["items"]), 1),),
                ),
                AlertLine(
                    alert_id="65f0decade0123456789abcf", name="Who looks like us", fired=1, unattended=1,
                    first_at=DAY.since + 4 * HOUR, last_at=DAY.since + 4 * HOUR,
                    rules=(
                        RuleLine(
                            "LOOKALIKE_REG_CREATED_DATE",
                            ({"domain": "shop.example", "lookalike": "sh0p.example", "value": NOW - 90 * HOUR},),
                            1,
                        ),
                    ),
                ),
            ),
        ),
    ),
)  # fmt: skip
