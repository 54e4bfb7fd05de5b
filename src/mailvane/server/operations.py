"""What keeps a server running: is it alive, is it ready, how is it doing, what does it speak. Open to all; no tenant's
data shows here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

from mailvane import __version__
from mailvane.core.errors import StoreDamaged
from mailvane.maillog.followed_logs import FollowedLogs, FollowedLogState
from mailvane.maillog.recording import Waiting
from mailvane.maillog.services import MailLogServices
from mailvane.web.dialect import PROBLEM_JSON, Dialect, Problem, render_problem
from mailvane.web.endpoints import PLAIN, Endpoint, Pool, RouteTable, threads_of
from mailvane.web.readiness import Check, all_pass

AnyRequest = Request[Any, Any, Any]

_EXPOSITION = f"{PLAIN}; version=1.0.0"

DIALECT = Dialect(name="operations", render=render_problem, refused=Problem, refusal_type=PROBLEM_JSON)


class Metrics:
    """Everything that is counted at this surface."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._requests = Counter(
            "mailvane_http_requests", "HTTP requests answered", ["surface", "route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "mailvane_http_request_seconds", "Time to answer a request", ["surface", "route"], registry=registry
        )
        self._abandoned = Counter(
            "mailvane_http_abandoned",
            "Work that was ended on its thread because the client had left",
            registry=registry,
        )
        self._recorded = Counter("mailvane_intake_events", "New mail events taken in over HTTP", registry=registry)
        self._backlog = Gauge(
            "mailvane_journal_backlog", "Batches on their way from the journal to the mail log", registry=registry
        )
        self._oldest = Gauge(
            "mailvane_journal_oldest_seconds", "Age of the oldest batch on its way to the mail log", registry=registry
        )
        self._refused = Gauge(
            "mailvane_journal_refused", "Batches that the mail log refused, to be tried again", registry=registry
        )
        self._damaged = Gauge(
            "mailvane_maillog_damaged", "1 when something of the mail log is known to be lost", registry=registry
        )
        Info("mailvane_build", "Which Mailvane this is", registry=registry).info({"version": __version__})

    def observe(self, surface: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(surface, route, str(status)).inc()
        self._seconds.labels(surface, route).observe(seconds)

    def abandoned(self) -> None:
        self._abandoned.inc()

    def recorded(self, events: int) -> None:
        self._recorded.inc(events)

    def exposed(self, waiting: Waiting, damaged: bool = False) -> bytes:
        self._damaged.set(damaged)
        self._backlog.set(waiting.batches)
        self._oldest.set(waiting.oldest_ms / 1000)
        self._refused.set(waiting.refused)
        return generate_latest(self.registry)


class Readiness(msgspec.Struct, frozen=True):
    """What is in order."""

    maillog: str
    ledger: str
    disk: str
    journal: Waiting | None  # what was acknowledged and cannot be queried yet
    postfix: list[FollowedLogState] | msgspec.UnsetType = msgspec.UNSET  # how the following of each log stands


class Checks:
    """What has to be in order for the server to be ready."""

    def __init__(self, services: MailLogServices, find_room: Callable[[], None], followed: FollowedLogs | None) -> None:
        self._services = services
        self._followed = followed
        self._find_room = find_room
        self._journal: Waiting | None = None
        self._checks = (
            Check(self._find_room, "the disk does not answer"),
            Check(self._ask_ledger, "the ledger does not answer"),
            Check(self._ask_maillog, "the mail log does not answer"),
        )

    async def passed(self) -> Readiness:
        """Raises StoreUnavailable."""
        await all_pass(self._checks)
        states = self._followed.states() if self._followed is not None else []
        return Readiness("ok", "ok", "ok", self._journal, states or msgspec.UNSET)

    def close(self) -> None:
        for check in self._checks:
            check.close()

    def _ask_ledger(self) -> None:
        self._journal = self._services.recorder.waiting(self._services.clock())

    def _ask_maillog(self) -> None:
        if damage := self._services.damage():
            raise StoreDamaged(damage)
        self._services.maillog.health(measured=False)


async def healthz(_services: MailLogServices, _request: AnyRequest) -> str:
    return "ok\n"


async def readyz(_services: MailLogServices, request: AnyRequest) -> Readiness:
    """Raises StoreUnavailable, StoreDamaged."""
    checks: Checks = request.app.state.checks
    return await checks.passed()


async def metrics(services: MailLogServices, request: AnyRequest) -> str:
    waiting = await threads_of(request).quick(services.recorder.waiting, services.clock())
    counted: Metrics = request.app.state.metrics
    return counted.exposed(waiting, bool(services.damage())).decode()


async def openapi(_services: MailLogServices, request: AnyRequest) -> bytes:
    told: bytes = request.app.state.document()
    return told


ROUTES = RouteTable(
    [
        Endpoint(
            "get", "/healthz", "HealthzHealthz", "The process is alive", healthz, str, pool=Pool.LOOP,
            answer_type=PLAIN,
        ),
        Endpoint(
            "get", "/readyz", "ReadyzReadyz",
            "Both stores answer and are whole, there is room on the disk, and the logs are followed", readyz,
            Readiness, pool=Pool.LOOP,
        ),
        Endpoint(
            "get", "/metrics", "MetricsMetrics", "Prometheus metrics", metrics, str, pool=Pool.LOOP,
            answer_type=_EXPOSITION,
        ),
        Endpoint(
            "get", "/openapi.json", "openapi", "This document", openapi, dict[str, Any], pool=Pool.LOOP,
            is_described=False,
        ),
    ],
    services=MailLogServices,
    dialect=DIALECT,
    tags=("Operations",),
)  # fmt: skip
