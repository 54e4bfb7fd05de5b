"""What is counted of the policy service."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from mailvane.outbound.model import Reason, Verdict
from mailvane.outbound.policy.metrics import PolicyMetrics


def test_every_request_is_counted_once_by_what_was_told() -> None:
    registry = CollectorRegistry()
    metrics = PolicyMetrics(registry)
    metrics.decided(Verdict(domain="a.example", allowed=True), 0.002)
    metrics.decided(Verdict(domain="b.example", allowed=True, known=False), 0.002)
    metrics.decided(Verdict(domain="a.example", allowed=False, reason=Reason.DAILY), 0.002)
    metrics.decided(Verdict(domain="a.example", allowed=True, reason=Reason.DAILY, soft=True), 0.002)
    metrics.exempted(0.0001)
    metrics.failed(3)
    told = {
        ("allowed", ""): 1,
        ("unknown", ""): 1,
        ("refused", "daily_limit_exceeded"): 1,
        ("soft", "daily_limit_exceeded"): 1,
        ("exempt", ""): 1,
        ("failed", ""): 3,
    }
    for (answer, reason), count in told.items():
        labels = {"answer": answer, "reason": reason}
        assert registry.get_sample_value("mailvane_policy_decisions_total", labels) == count
    assert registry.get_sample_value("mailvane_policy_seconds_count") == 5
    assert registry.get_sample_value("mailvane_policy_seconds_bucket", {"le": "0.001"}) == 1
