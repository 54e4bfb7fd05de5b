"""Traces of requests by OpenTelemetry, sent by OTLP over HTTP. Loaded only where the settings name a receiver.

Spans hold methods, templates of routes, statuses and numbers of workspaces: never a path, a query, a key or an
address, nor the words of an error. Sending is done by a thread of its own from a bounded queue: when the receiver is
slow or gone, spans are dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import TypeVar

from opentelemetry.context import Context, get_current
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from mailvane.core.errors import Permanent
from mailvane.web.tracing import RequestSpan

T = TypeVar("T")
log = logging.getLogger(__name__)

_QUEUE = 2_048  # spans that wait to be sent; older ones are dropped
_BATCH = 512
_DELAY_MS = 1_000.0
_SEND_SECONDS = 5.0
_FLUSH_SECONDS = 3.0
# What stands for a method is one of these (OpenTelemetry's conventions for HTTP spans): a client may write any word.
_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
_OTHER = "_OTHER"


class OpenTelemetryTracing:
    """Makes spans and sends them."""

    def __init__(self, endpoint: str, sample_ratio: float, version: str) -> None:
        self._exporter = OTLPSpanExporter(endpoint=endpoint, timeout=_SEND_SECONDS)
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(sample_ratio)),
            resource=Resource({"service.name": "mailvane", "service.version": version}),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter, _QUEUE, _DELAY_MS, _BATCH))
        self._tracer = self._provider.get_tracer("mailvane", version)
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def request(self, method: str, headers: Iterable[tuple[bytes, bytes]]) -> Iterator[RequestSpan]:
        told = method if method in _METHODS else _OTHER
        with self._span(told, self._parent(headers), SpanKind.SERVER) as span:
            span.set_attribute("http.request.method", told)
            yield _Request(span, "HTTP" if told == _OTHER else told)

    @contextmanager
    def waiting(self, pool: str) -> Iterator[None]:
        if not _is_recorded(get_current()):
            yield
            return
        with self._span(pool, get_current()):
            yield

    def working(self, pool: str, function: Callable[[], T]) -> Callable[[], T]:
        asked_in = get_current()
        if not _is_recorded(asked_in):
            return function

        def traced() -> T:
            with self._span(f"{pool} work", asked_in):
                return function()

        return traced

    def close(self) -> None:
        # The provider itself would wait for half a minute.
        ending = Thread(target=self._provider.shutdown, name="last traces", daemon=True)
        ending.start()
        ending.join(_FLUSH_SECONDS)
        if ending.is_alive():
            log.warning("some traces were not sent: the receiver did not take them within %g s", _FLUSH_SECONDS)

    @contextmanager
    def _span(self, name: str, within: Context, kind: SpanKind = SpanKind.INTERNAL) -> Iterator[Span]:
        """The words of an exception are not recorded: they may hold what a client gave."""
        with self._tracer.start_as_current_span(
            name, within, kind, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except BaseException as error:
                span.set_attribute("error.type", type(error).__name__)
                if isinstance(error, Exception) and not isinstance(error, Permanent):
                    span.set_status(StatusCode.ERROR)
                raise

    def _parent(self, headers: Iterable[tuple[bytes, bytes]]) -> Context:
        """What `traceparent` names (W3C Trace Context, section 3.2), where there is one. `tracestate` is not taken: it
        may hold anything, and nobody is asked on behalf of a request who would have to be told."""
        given = [value for name, value in headers if name == b"traceparent"]
        carrier = {"traceparent": given[0].decode("latin-1")} if len(given) == 1 else {}
        return self._propagator.extract(carrier, Context())


def _is_recorded(context: Context) -> bool:
    """Whether it belongs to a request whose spans are sent: of others none are made below the first."""
    return get_current_span(context).is_recording()


class _Request:
    def __init__(self, span: Span, method: str) -> None:
        self._span = span
        self._method = method

    def answered(self, surface: str, route: str, status: int, workspace: int | None) -> None:
        self._span.update_name(f"{self._method} {route}")
        self._span.set_attribute("http.route", route)
        self._span.set_attribute("http.response.status_code", status)
        self._span.set_attribute("mailvane.surface", surface)
        if workspace is not None:
            self._span.set_attribute("mailvane.workspace", workspace)
        if status >= 500:
            self._span.set_status(StatusCode.ERROR)
