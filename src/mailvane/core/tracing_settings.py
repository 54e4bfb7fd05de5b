"""What the `[tracing]` table of the settings file says: where traces of requests go. Values only."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from mailvane.core.errors import InvalidSetting
from mailvane.core.setting_tables import Part


class TracingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where traces go, and of how many requests."""

    endpoint: Annotated[
        str,
        Meta(
            description="Where traces of requests go by OTLP over HTTP, such as `http://127.0.0.1:4318/v1/traces`; it"
            " takes the extra `otel`. None: nothing is traced."
        ),
    ] = ""
    sample_ratio: Annotated[
        Annotated[float, Meta(ge=0, le=1)],
        Meta(
            description="Share of the requests that are traced, from 0 to 1. A request with a `traceparent` header"
            " follows that header instead."
        ),
    ] = 1.0


def _check(read: TracingSettings, where: str) -> None:
    if not read.endpoint:
        return
    try:
        parts = urlsplit(read.endpoint)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise InvalidSetting(f"{where}: endpoint: expected an address that begins with http:// or https://")
    if "@" in parts.netloc or "?" in read.endpoint or "#" in read.endpoint:
        raise InvalidSetting(f"{where}: endpoint: no password, query or fragment may stand in the address")


PART = Part(TracingSettings, check=_check)
