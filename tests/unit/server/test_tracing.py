"""Where traces go by the settings file: what is refused, and what is said where the extra is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from opentelemetry.trace import get_current_span

from mailvane.core.errors import InvalidSetting, NotPossible
from mailvane.core.tracing_settings import TracingSettings
from mailvane.server.settings import load, shown
from mailvane.server.tracing import tracing_of
from mailvane.web.opentelemetry_tracing import OpenTelemetryTracing
from mailvane.web.tracing import UNTRACED


def read(data: Path, table: str) -> TracingSettings:
    (data / "mailvane.toml").write_text(f"[tracing]\n{table}\n")
    return load({"data": str(data)}, {}).tracing


def test_nothing_is_traced_unless_somebody_says_where_to() -> None:
    assert tracing_of(TracingSettings()) is UNTRACED


def test_an_endpoint_and_a_ratio_are_read_and_shown(tmp_path: Path) -> None:
    given = read(tmp_path, 'endpoint = "http://[::1]:4318/v1/traces"\nsample_ratio = 0.25')
    assert given == TracingSettings(endpoint="http://[::1]:4318/v1/traces", sample_ratio=0.25)
    assert shown(load({"data": str(tmp_path)}, {}))["tracing.sample_ratio"] == "0.25"


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_below_a_request_that_is_not_sent_no_spans_are_made(ratio: float) -> None:
    tracing = OpenTelemetryTracing("http://127.0.0.1:9/v1/traces", ratio, "1")
    outside = get_current_span()
    with tracing.request("GET", []):
        request = get_current_span()
        assert request.get_span_context().is_valid
        with tracing.waiting("quick"):
            assert (get_current_span() is request) == (ratio == 0)
            assert (tracing.working("quick", int) is int) == (ratio == 0)
    assert get_current_span() is outside


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ('endpoint = "127.0.0.1:4318"', "expected an address that begins with http:// or https://"),
        ('endpoint = "grpc://127.0.0.1:4317"', "expected an address that begins with http:// or https://"),
        ('endpoint = "http://[::1/v1/traces"', "expected an address that begins with http:// or https://"),
        ('endpoint = "http://x.example:99999/v1/traces"', "expected an address that begins with http:// or https://"),
        ('endpoint = "https://ann:secret@x.example/v1/traces"', "no password, query or fragment"),
        ('endpoint = "https://x.example/v1/traces?key=secret"', "no password, query or fragment"),
        ("sample_ratio = 1.5", "sample_ratio"),
        ("sample_ratio = -0.1", "sample_ratio"),
        ("sample_ratio = nan", "sample_ratio"),
        ("ratio = 0.5", "there is no such key"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(table: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting) as error:
        read(tmp_path, table)
    assert complaint in error.value.message
    assert "secret" not in error.value.message


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in sys.modules if each.partition(".")[0] == "opentelemetry"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "mailvane.web.opentelemetry_tracing", raising=False)
    monkeypatch.setattr(sys, "path", [each for each in sys.path if "site-packages" not in each])
    sys.path_importer_cache.clear()
    with pytest.raises(NotPossible, match=r"opentelemetry is not installed.*extra 'otel'"):
        tracing_of(TracingSettings(endpoint="http://127.0.0.1:4318/v1/traces"))
