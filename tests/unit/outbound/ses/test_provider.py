"""Asking SES: what its answers and its failures become. The whole way with a server is judged in `tests/contract`."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from mailvane.core.errors import ProviderRefused, ProviderUnavailable
from mailvane.outbound.model import Domain
from mailvane.outbound.ses.provider import SesProvider

DOMAIN = Domain(id=1, workspace=1, name="shop.example", created_at=0)


class Failing(BaseHTTPRequestHandler):
    """SES in trouble."""

    status, code, text = 500, "InternalFailure", ""

    def do_POST(self) -> None:
        error = f"<Error><Type>Sender</Type><Code>{self.code}</Code><Message>no {self.code}</Message></Error>"
        text = (self.text or f"<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>").encode()
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Quietly."""


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_MAX_ATTEMPTS": "1"}.items():
        monkeypatch.setenv(name, value)
    with HTTPServer(("127.0.0.1", 0), Failing) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "Throttling"),
        (400, "ThrottlingException"),
        (400, "TooManyRequestsException"),
        (400, "RequestLimitExceeded"),
        (400, "LimitExceeded"),
        (429, "Slow"),
        (500, "InternalFailure"),
        (503, "ServiceUnavailable"),
    ],
)
def test_what_will_pass_is_told_as_passing(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, status: int, code: str
) -> None:
    monkeypatch.setattr(Failing, "status", status)
    monkeypatch.setattr(Failing, "code", code)
    monkeypatch.setattr("mailvane.outbound.ses.provider._ATTEMPTS", 1)
    for ask in (SesProvider("eu-central-1", endpoint).begin, SesProvider("eu-central-1", endpoint).status):
        with pytest.raises(ProviderUnavailable):
            ask(DOMAIN)


@pytest.mark.parametrize("status", [200, 502])
def test_a_page_of_a_proxy_is_no_answer(endpoint: str, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setattr(Failing, "status", status)
    monkeypatch.setattr(Failing, "text", "<!DOCTYPE html><html><p>Back soon<br></html>")
    monkeypatch.setattr("mailvane.outbound.ses.provider._ATTEMPTS", 1)
    with pytest.raises(ProviderUnavailable):
        SesProvider("eu-central-1", endpoint).status(DOMAIN)


@pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (400, "InvalidParameterValue")])
def test_what_will_not_pass_is_told_with_the_reason(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, status: int, code: str
) -> None:
    monkeypatch.setattr(Failing, "status", status)
    monkeypatch.setattr(Failing, "code", code)
    with pytest.raises(ProviderRefused, match=f"no {code}"):
        SesProvider("eu-central-1", endpoint).status(DOMAIN)


def test_nobody_there_is_told_as_passing(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailvane.outbound.ses.provider._ATTEMPTS", 1)
    with pytest.raises(ProviderUnavailable):
        SesProvider("eu-central-1", "http://127.0.0.1:9").begin(DOMAIN)


def test_missing_credentials_are_said(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(ProviderRefused, match="credentials"):
        SesProvider("eu-central-1", endpoint).begin(DOMAIN)


def test_a_missing_region_is_said(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(ProviderRefused, match="region"):
        SesProvider(None, None).begin(DOMAIN)


def test_an_impossible_endpoint_is_said(endpoint: str) -> None:
    with pytest.raises(ProviderRefused):
        SesProvider("eu-central-1", "nowhere").begin(DOMAIN)
