"""Traces of a real server's requests, as a collector receives them."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.acceptance.installation import HTTP, Installation
from tests.otlp_receiver import OtlpReceiver, attributes

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
UNSAMPLED = "a" * 32


def tracing(installation: Installation, endpoint: str) -> None:
    (installation.data / "mailvane.toml").write_text(f'[tracing]\nendpoint = "{endpoint}"\n')


def test_a_collector_gets_the_spans_of_each_request_and_nothing_that_a_client_wrote(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    _, key = installation.tenant("acme")
    with OtlpReceiver().running() as receiver:
        tracing(installation, receiver.address)
        with installation.serving():
            sampled = {"X-API-KEY": key, "traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=private"}
            log = HTTP.get(f"{installation.url}/mail/log?to=ann@private.example", headers=sampled)
            assert log.status_code == 200
            unsampled = {"X-API-KEY": key, "traceparent": f"00-{UNSAMPLED}-{PARENT}-00"}
            assert HTTP.get(f"{installation.url}/mail/log", headers=unsampled).status_code == 200
            heartbeats = f"{installation.url}/mailvane/v1/heartbeats"
            assert HTTP.get(heartbeats, headers={"X-API-KEY": key}).status_code == 200
            assert HTTP.get(heartbeats, headers={"X-API-KEY": "wrong-private-key"}).status_code == 401
            assert HTTP.request("PROPFIND", f"{installation.url}/ui/private-page").status_code in {404, 405}
    spans = receiver.spans  # the server's end has sent them all
    traced = {span.name: span for span in spans if span.trace_id.hex() == TRACE}
    assert set(traced) == {"GET /mail/log", "quick", "quick work", "maillog", "maillog work"}
    request = traced["GET /mail/log"]
    assert request.parent_span_id.hex() == PARENT
    assert attributes(request) == {
        "http.request.method": "GET", "http.route": "/mail/log", "http.response.status_code": 200,
        "mailvane.surface": "mailbaby", "mailvane.workspace": 1,
    }  # fmt: skip
    asked, worked = traced["maillog"], traced["maillog work"]
    assert (asked.parent_span_id, worked.parent_span_id) == (request.span_id, asked.span_id)
    assert asked.start_time_unix_nano <= worked.start_time_unix_nano
    assert worked.end_time_unix_nano <= asked.end_time_unix_nano <= request.end_time_unix_nano
    assert UNSAMPLED not in {span.trace_id.hex() for span in spans}
    begun_here = {
        (span.name, attributes(span).get("http.response.status_code")) for span in spans if not span.parent_span_id
    }
    # What has no valid key is not routed.
    assert {("GET /mailvane/v1/heartbeats", 200), ("GET unmatched", 401)} <= begun_here
    assert {"ledger", "ledger work", "HTTP unmatched"} <= {span.name for span in spans}
    sent = b"".join(receiver.bodies).lower()
    assert not [word for word in (key, "private", "ann@", "mk_", str(tmp_path)) if word.lower().encode() in sent]


def test_a_receiver_that_takes_nothing_changes_no_answer(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    _, key = installation.tenant("acme")
    silent = socket.create_server(("127.0.0.1", 0))  # connects, and never answers; then refuses
    tracing(installation, f"http://127.0.0.1:{silent.getsockname()[1]}/v1/traces")
    with installation.serving(), silent:
        for is_there in (True, False):
            if not is_there:
                silent.close()
            answer = HTTP.get(f"{installation.url}/mail/log", headers={"X-API-KEY": key})
            assert (answer.status_code, answer.json()["emails"]) == (200, [])
    assert "stopped" in installation.log.read_text()
