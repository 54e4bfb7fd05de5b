"""What keeps a server running: is it alive, is it ready, how is it doing, what does it speak. Open to all; no tenant's
data shows here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from litestar import MediaType, Request, Response, Router, get
from litestar.openapi.datastructures import ResponseSpec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

from mailvane import __version__
from mailvane.core.errors import StoreDamaged
from mailvane.maillog.followed_logs import FollowedLogs, FollowedLogState
from mailvane.maillog.recording import Waiting
from mailvane.maillog.services import MailLogServices
from mailvane.web.dialect import Dialect
from mailvane.web.problem import MEDIA_TYPE, Problem, render
from mailvane.web.readiness import Check
from mailvane.web.services import services_of, threads_of

AnyRequest = Request[Any, Any, Any]

_EXPOSITION = "text/plain; version=1.0.0"  # the framework adds the charset

DIALECT = Dialect(name="operations", render=render)

_REFUSED = {400: ResponseSpec(Problem, generate_examples=False, description="Refused", media_type=MEDIA_TYPE)}


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


@get("/healthz", media_type=MediaType.TEXT, summary="The process is alive", responses=_REFUSED)
async def healthz() -> str:
    return "ok\n"


_READY = {
    200: ResponseSpec(Readiness, generate_examples=False, description="OK", media_type="application/json"),
    **_REFUSED,
}


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
        if waiting := [check for check in self._checks if not check.holds()]:
            await asyncio.gather(*(check.passed() for check in waiting))
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


@get(
    "/readyz",
    summary="Both stores answer and are whole, there is room on the disk, and the logs are followed",
    responses=_READY,
)
async def readyz(request: AnyRequest) -> Response[bytes]:
    checks: Checks = request.app.state.checks
    return Response(msgspec.json.encode(await checks.passed()), media_type="application/json")


@get("/metrics", media_type=MediaType.TEXT, summary="Prometheus metrics", responses=_REFUSED)
async def metrics(request: AnyRequest) -> Response[bytes]:
    services = services_of(request, MailLogServices)
    waiting = await threads_of(request).quick(services.recorder.waiting, services.clock())
    counted: Metrics = request.app.state.metrics
    return Response(counted.exposed(waiting, bool(services.damage())), media_type=_EXPOSITION)


@get("/openapi.json", summary="This document", include_in_schema=False)
async def openapi(request: AnyRequest) -> Response[bytes]:
    return Response(request.app.state.document(), media_type="application/json")


ROUTER = Router(path="/", route_handlers=[healthz, readyz, metrics, openapi], tags=["Operations"], security=[{}])
