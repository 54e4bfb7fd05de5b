"""Where traces of requests go by the settings. The libraries come with an extra."""

from __future__ import annotations

from mailvane import __version__
from mailvane.core.extras import needing
from mailvane.core.tracing_settings import TracingSettings
from mailvane.web.tracing import UNTRACED, Tracing


def tracing_of(settings: TracingSettings) -> Tracing:
    """Raises NotPossible without the libraries."""
    if not settings.endpoint:
        return UNTRACED
    with needing("otel", "opentelemetry", "google"):
        from mailvane.web.opentelemetry_tracing import OpenTelemetryTracing  # noqa: PLC0415
    return OpenTelemetryTracing(settings.endpoint, settings.sample_ratio, __version__)
