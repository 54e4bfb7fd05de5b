"""Questions over HTTP, against a real server: patience, bounds, and no secret anywhere."""

from __future__ import annotations

import asyncio
import gzip
import logging
from datetime import UTC, datetime

import pytest

from mailvane import __version__
from mailvane.core.egress import retry_after_ms
from mailvane.core.errors import CollectionFailed
from mailvane.core.http_client import Answer, HttpClient, RateLimited
from tests.unit.reputation.sources.vendor_server import Asked, Said, VendorServer

SECRET = "c0ffee00-1234"


def ask(url: str, json: object = None, most_bytes: int = 1000) -> Answer:
    async def asked() -> Answer:
        async with HttpClient("Vendor", most_bytes=most_bytes, pauses=(0.01, 0.01)) as asking:
            return await asking.ask(url, params={"key": SECRET}, json=json)

    return asyncio.run(asked())


def test_a_question_says_who_asks_and_a_document_is_posted() -> None:
    with VendorServer(lambda asked: Said(asked.body or b"nothing")).running() as server:
        assert ask(server.url).body == b"nothing"
        assert ask(server.url, {"a": 1}).body == b'{"a":1}'
    assert [asked.method for asked in server.asked] == ["GET", "POST"]
    assert server.asked[1].headers["user-agent"] == f"Mailvane/{__version__}"


def test_trouble_that_passes_is_waited_for() -> None:
    troubles = [Said(status=503), Said(status=429, headers={"Retry-After": "0"})]
    with VendorServer(lambda asked: troubles.pop(0) if troubles else Said("well")).running() as server:
        assert ask(server.url).body == b"well"
    assert len(server.asked) == 3


def test_who_asks_for_hours_of_patience_is_not_asked_again() -> None:
    with (
        VendorServer(lambda asked: Said(status=429, headers={"Retry-After": "7200"})).running() as server,
        pytest.raises(RateLimited, match="7200 s") as raised,
    ):
        ask(server.url)
    assert len(server.asked) == 1
    assert raised.value.wait_ms == 7_200_000


def test_trouble_that_stays_is_an_error_with_its_status() -> None:
    with VendorServer(lambda asked: Said(status=502)).running() as server, pytest.raises(CollectionFailed, match="502"):
        ask(server.url)
    assert len(server.asked) == 3


def test_a_redirect_is_not_followed() -> None:
    def elsewhere(asked: Asked) -> Said:
        return Said(status=302, headers={"Location": "/secret"})

    with VendorServer(elsewhere).running() as server:
        assert ask(server.url).status == 302
    assert len(server.asked) == 1


def test_a_body_without_end_is_given_up() -> None:
    with (
        VendorServer(lambda asked: Said(b"x" * 1001)).running() as server,
        pytest.raises(CollectionFailed, match="1,000"),
    ):
        ask(server.url)


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with VendorServer(lambda asked: Said("well")).running() as server:
        assert ask(server.url).body == b"well"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "ftp://127.0.0.1", "http://[", "nonsense"])
def test_no_error_and_no_log_shows_the_secret(url: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(CollectionFailed) as raised:
        ask(url)
    assert SECRET not in raised.exconly() + str(raised.value.__cause__) + caplog.text
    assert raised.value.__suppress_context__


def test_an_answer_leaves_no_secret_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), VendorServer(lambda asked: Said("well")).running() as server:
        ask(server.url)
    assert SECRET not in caplog.text


def test_what_is_made_for_people_is_recognised() -> None:
    assert Answer(200, b" <!DOCTYPE html>", {}).is_page
    assert Answer(200, b"", {"content-type": "text/HTML; charset=utf-8"}).is_page
    assert not Answer(200, b"192.0.2.1,x", {"content-type": "text/plain"}).is_page


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("120", 120_000),
        ("", 0),
        ("soon", 0),
        ("-5", 0),
        ("999999999999", 604_800_000),
        ("Sat, 21 Nov 2026 10:01:00 GMT", 60_000),
        ("Sat, 21 Nov 2026 09:00:00 GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, expected: int) -> None:
    assert retry_after_ms(text, datetime(2026, 11, 21, 10, 0, tzinfo=UTC)) == expected


def packed(times: int, content: bytes) -> bytes:
    for _ in range(times):
        content = gzip.compress(content)
    return content


def test_an_answer_may_be_packed_once() -> None:
    told = Said(packed(1, b"told"), headers={"Content-Encoding": "gzip"})
    with VendorServer(lambda _: told).running() as server:
        assert ask(server.url).body == b"told"


@pytest.mark.parametrize(
    ("encoding", "body", "told"),
    [
        ("gzip", packed(1, b"x" * 50_000_000), "times its size"),
        ("gzip", packed(1, b"x" * 100_001), "more than 100,000 bytes"),
        ("gzip, gzip", packed(2, b"x"), "was not asked for"),
        ("deflate", b"x", "was not asked for"),
        ("gzip", packed(1, b"") * 20_000, "members"),
        ("gzip", b"plain", "cannot be unpacked"),
    ],
)
def test_an_answer_that_unpacks_to_too_much_or_is_packed_otherwise_is_refused(
    encoding: str, body: bytes, told: str
) -> None:
    most = 100_000 if "100,000" in told else 32 * 1024 * 1024
    server = VendorServer(lambda _: Said(body, headers={"Content-Encoding": encoding}))
    with server.running(), pytest.raises(CollectionFailed, match=told):
        ask(server.url, most_bytes=most)
