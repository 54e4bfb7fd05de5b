"""Fetches are short, small, public, and go nowhere else."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator

import httpx
import pytest

from mailvane.outbound.ses.fetching import Fetcher, Refused, Unreachable, addresses_of

PUBLIC = "93.184.216.34"


def fetcher(answer: Callable[[httpx.Request], httpx.Response], address: str = PUBLIC) -> Fetcher:
    def resolve(host: str, port: int) -> Iterable[str]:
        return [PUBLIC, address]

    return Fetcher(httpx.MockTransport(answer), resolve)


def test_a_page_is_fetched() -> None:
    assert fetcher(lambda request: httpx.Response(200, content=b"page"))("https://sns.example/a") == b"page"


def test_a_redirect_is_not_followed() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(302, headers={"Location": "https://elsewhere.example/"})

    with pytest.raises(Refused, match="redirects"):
        fetcher(answer)("https://sns.example/a")
    assert asked == ["https://sns.example/a"]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "::1", "fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1", "not an address",
        "64:ff9b::7f00:1", "2002:7f00:1::1", "192.0.0.1", "64:ff9b:1::1", "::7f00:1",
    ],
)  # fmt: skip
def test_a_name_with_one_private_address_is_refused(address: str) -> None:
    with pytest.raises(Refused, match="private"):
        fetcher(lambda request: httpx.Response(200), address)("https://sns.example/a")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_trouble_over_there_asks_for_patience(status: int) -> None:
    with pytest.raises(Unreachable):
        fetcher(lambda request: httpx.Response(status))("https://sns.example/a")


@pytest.mark.parametrize("status", [204, 400, 403, 404])
def test_any_other_answer_is_refused(status: int) -> None:
    with pytest.raises(Refused):
        fetcher(lambda request: httpx.Response(status))("https://sns.example/a")


def test_a_page_without_end_is_left() -> None:
    sent = 0

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 4096

    with pytest.raises(Refused, match="more than"):
        fetcher(lambda request: httpx.Response(200, content=pieces()))("https://sns.example/a")
    assert sent < 40


@pytest.mark.parametrize("error", [httpx.ConnectError("no"), httpx.ReadTimeout("late"), httpx.RemoteProtocolError("x")])
def test_a_broken_connection_asks_for_patience(error: httpx.HTTPError) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(Unreachable, match=type(error).__name__):
        fetcher(answer)("https://sns.example/a")


def test_names_are_looked_up_where_the_machine_looks() -> None:
    assert set(addresses_of("127.0.0.1", 443)) == {"127.0.0.1"}
    with pytest.raises(Unreachable):
        addresses_of("no-such-host.invalid", 443)


def test_this_machine_is_refused_by_its_own_name() -> None:
    with pytest.raises(Refused, match="private"):
        Fetcher()("https://127.0.0.1/")


def test_a_name_is_looked_up_once_and_as_registries_know_it() -> None:
    asked: list[str] = []

    def changing(host: str, _port: int) -> Iterable[str]:
        asked.append(host)
        return [PUBLIC] if len(asked) == 1 else ["127.0.0.1"]

    page = Fetcher(httpx.MockTransport(lambda request: httpx.Response(200, content=b"page")), changing)
    assert page("https://straße.example/a") == b"page"
    assert asked == ["xn--strae-oqa.example"]
    with pytest.raises(Unreachable):
        Fetcher(resolve=lambda host, port: [])("https://sns.example/")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, gzip"])
def test_a_packed_answer_is_refused_before_it_is_unpacked(encoding: str) -> None:
    packed = gzip.compress(bytes(50_000_000))
    headers = {"Content-Encoding": encoding}
    with pytest.raises(Refused, match="packed"):
        fetcher(lambda _: httpx.Response(200, headers=headers, stream=httpx.ByteStream(packed)))(
            "https://sns.example/a"
        )
