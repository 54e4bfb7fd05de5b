"""Which alerts follow from metrics: the vendor's guide, word for word. Pure.

A metric that is unknown raises no alert, and is no reason to call a team healthy: see `TeamReport.status`.
"""

from __future__ import annotations

from mailvane.inbound.health.model import Metrics
from mailvane.inbound.health.settings import Thresholds


def usage_pct(used: int, limit: int) -> int:
    """Rounded as the guide does, half to even; 0 where there is no limit."""
    return round((used / limit) * 100) if limit > 0 else 0


def analyse(metrics: Metrics, thresholds: Thresholds) -> tuple[str, ...]:
    """The alerts, in the guide's order and words."""
    alerts = []
    if metrics.usage_pct is not None and metrics.usage_pct >= thresholds.usage_pct:
        alerts.append(f":warning: Weekly quota at {metrics.usage_pct}% ({metrics.weekly_used}/{metrics.weekly_limit})")
    if metrics.quarantine_pending is not None and metrics.quarantine_pending > thresholds.quarantine:
        alerts.append(f":email: {metrics.quarantine_pending}+ messages in quarantine awaiting review")
    if metrics.failed_count is not None and metrics.failed_count > thresholds.failed:
        alerts.append(f":x: {metrics.failed_count}+ delivery failures detected - check mailbox connectivity")
    alerts.extend(
        f":mag: High-volume unset contact: {sender.email} ({sender.count} emails)"
        for sender in metrics.top_senders or ()
        if sender.state == "unset" and sender.count > thresholds.sender
    )
    return tuple(alerts)
