"""What is counted of mail servers' requests, for Prometheus. Plain numbers of one event loop, put into families when
somebody looks: the library's own counters take a lock for each, several times a request."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from mailvane.outbound.model import Verdict
from mailvane.outbound.policy.protocol import END_OF_MESSAGE

_STAGES = ("RCPT", "DATA", END_OF_MESSAGE)
_OTHER = "other"
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)  # seconds
_BOUNDS = (*map(str, _BUCKETS), "+Inf")
_ALLOWED, _UNKNOWN, _EXEMPT = ("allowed", ""), ("unknown", ""), ("exempt", "")


class PolicyMetrics(Collector):
    """Requests of mail servers, by answer."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._decisions = Counter({_ALLOWED: 0, _UNKNOWN: 0, _EXEMPT: 0})  # by answer and reason
        self._stages = Counter(dict.fromkeys((*_STAGES, _OTHER), 0))
        self._suppressed: Counter[tuple[str, str]] = Counter()
        self._within = [0] * len(_BOUNDS)  # answers that took so long, and longer than the bound before
        self._seconds = 0.0
        registry.register(self)

    def decided(self, verdict: Verdict, seconds: float) -> None:
        self._took(seconds)
        if verdict.reason is None:
            self._decisions[_ALLOWED if verdict.known else _UNKNOWN] += 1
            return
        answer = "held" if verdict.held else "soft" if verdict.allowed else "refused"
        self._decisions[answer, verdict.reason.value] += 1
        if verdict.suppressed_by:
            self._suppressed["warned" if verdict.allowed else "spared", verdict.suppressed_by] += 1

    def asked(self, stage: str) -> None:
        self._stages[stage if stage in self._stages else _OTHER] += 1

    def exempted(self, seconds: float) -> None:
        self._took(seconds)
        self._decisions[_EXEMPT] += 1

    def failed(self, requests: int) -> None:
        self._decisions["failed", ""] += requests

    def collect(self) -> Iterator[Metric]:
        """As they stand now."""
        decisions = CounterMetricFamily(
            "mailvane_policy_decisions",
            "Requests of mail servers: allowed, soft, held, refused, unknown (domain), exempt, failed",
            labels=["answer", "reason"],
        )
        for labels, count in self._decisions.copy().items():
            decisions.add_metric(labels, count)
        seconds = HistogramMetricFamily(
            "mailvane_policy_seconds",
            "Time from a mail server's request to its answer",
            buckets=list(zip(_BOUNDS, accumulate(self._within), strict=True)),
            sum_value=self._seconds,
        )
        stages = CounterMetricFamily(
            "mailvane_policy_stages",
            "Requests of mail servers, by the stage of the mail: RCPT, DATA, END-OF-MESSAGE, other",
            labels=["stage"],
        )
        for stage, count in self._stages.copy().items():
            stages.add_metric([stage], count)
        suppressed = CounterMetricFamily(
            "mailvane_suppressed_recipients",
            "Answers about recipients on a suppression list: spared (the mail was refused), warned (it passed, marked)",
            labels=["answer", "reason"],
        )
        for labels, count in self._suppressed.copy().items():
            suppressed.add_metric(labels, count)
        yield from (decisions, seconds, stages, suppressed)

    def _took(self, seconds: float) -> None:
        self._within[bisect_left(_BUCKETS, seconds)] += 1
        self._seconds += seconds
