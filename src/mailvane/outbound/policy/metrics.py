"""What is counted of the policy service."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from mailvane.outbound.model import Verdict

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


class PolicyMetrics:
    """Requests of mail servers, by what they were told."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._decisions = Counter(
            "mailvane_policy_decisions",
            "Requests of mail servers: allowed, soft, refused, unknown (domain), exempt, failed",
            ["answer", "reason"],
            registry=registry,
        )
        self._seconds = Histogram(
            "mailvane_policy_seconds",
            "Time from a mail server's request to its answer",
            buckets=_BUCKETS,
            registry=registry,
        )
        self._known = {answer: self._decisions.labels(answer, "") for answer in ("allowed", "unknown", "exempt")}

    def decided(self, verdict: Verdict, seconds: float) -> None:
        self._seconds.observe(seconds)
        if verdict.reason is not None:
            self._decisions.labels("soft" if verdict.allowed else "refused", verdict.reason.value).inc()
        else:
            self._known["allowed" if verdict.known else "unknown"].inc()

    def exempted(self, seconds: float) -> None:
        self._seconds.observe(seconds)
        self._known["exempt"].inc()

    def failed(self, requests: int) -> None:
        self._decisions.labels("failed", "").inc(requests)
