"""No address of one's own network is reached, however it is written, unless it is allowed."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

import httpx
import pytest

from mailvane.core.egress import EgressGuard, GuardedTransport, HostUnknown, PinnedTransport
from mailvane.core.errors import NotAllowed
from tests.unit.notify.receiver import Receiver


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{}/", "http://localhost:{}/", "http://127.1:{}/", "http://2130706433:{}/",
        "http://0x7f000001:{}/", "http://0177.0.0.1:{}/", "http://[::ffff:127.0.0.1]:{}/", "http://0:{}/",
    ],
)  # fmt: skip
def test_no_spelling_of_this_machine_is_reached(url: str) -> None:
    async def post(port: int) -> None:
        async with httpx.AsyncClient(transport=GuardedTransport(EgressGuard()), trust_env=False) as client:
            with pytest.raises((NotAllowed, HostUnknown, httpx.InvalidURL)):
                await client.post(url.format(port))

    with Receiver().running() as receiver:
        asyncio.run(post(receiver.port))
        assert receiver.received == []


def test_a_host_of_which_one_address_is_private_is_refused() -> None:
    async def both(_host: str, _port: int) -> Collection[str]:
        return ["93.184.215.14", "10.0.0.1"]

    with pytest.raises(NotAllowed, match=r"10\.0\.0\.1"):
        asyncio.run(EgressGuard(resolve=both).address_of("h.example", 443))


def test_a_name_is_looked_up_as_registries_know_it() -> None:
    asked: list[str] = []

    async def private(host: str, _port: int) -> Collection[str]:
        asked.append(host)
        return ["10.0.0.1"]

    async def post(url: str, allowed: Sequence[str] = ()) -> None:
        outside = EgressGuard(allowed, private)
        async with httpx.AsyncClient(transport=GuardedTransport(outside), trust_env=False) as client:
            await client.post(url)

    for url in ("http://straße.example/x", "http://xn--strae-oqa.example/x"):
        with pytest.raises(NotAllowed):
            asyncio.run(post(url))
    assert asked == ["xn--strae-oqa.example"] * 2
    EgressGuard(["Straße.example"]).check_written("xn--strae-oqa.example")
    with pytest.raises(NotAllowed):
        EgressGuard().check_written("\uff11\uff12\uff17.0.0.1")


def test_the_connection_goes_to_the_address_that_was_judged() -> None:
    """A name server that says something else a moment later changes nothing: the name is asked once."""
    answers = [["127.0.0.1"], ["10.9.9.9"]]

    async def changing(_host: str, _port: int) -> Collection[str]:
        return answers.pop(0)

    async def post(port: int) -> int:
        outside = EgressGuard(["127.0.0.0/8"], changing)
        async with httpx.AsyncClient(transport=GuardedTransport(outside), trust_env=False) as client:
            return (await client.post(f"http://hooks.example:{port}/x")).status_code

    with Receiver().running() as receiver:
        assert asyncio.run(post(receiver.port)) == 204
        (received,) = receiver.received
    assert received.headers["host"] == f"hooks.example:{receiver.port}"
    assert answers == [["10.9.9.9"]]


@pytest.mark.parametrize("allowed", ["10.0.0.0/8", "10.0.0.1", "intern.example"])
def test_what_the_settings_name_is_reached(allowed: str) -> None:
    async def private(_host: str, _port: int) -> Collection[str]:
        return ["10.0.0.1"]

    assert asyncio.run(EgressGuard([allowed], private).address_of("Intern.example", 80)) == "10.0.0.1"
    with pytest.raises(NotAllowed):
        asyncio.run(EgressGuard(["10.1.0.0/16", "other.example"], private).address_of("intern.example", 80))


def test_a_name_that_does_not_resolve_may_do_so_later() -> None:
    with pytest.raises(HostUnknown):
        asyncio.run(EgressGuard().address_of("no-such-host.invalid", 80))

    async def nothing(_host: str, _port: int) -> Collection[str]:
        return []

    with pytest.raises(HostUnknown):
        asyncio.run(EgressGuard(resolve=nothing).address_of("h.example", 80))


def test_a_pinned_request_goes_to_its_address_under_the_name_of_its_host() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    with httpx.Client(transport=PinnedTransport("2001:db8::5", httpx.MockTransport(answer)), trust_env=False) as client:
        client.get("https://straße.example:8443/a?b")
    (request,) = asked
    assert str(request.url) == "https://[2001:db8::5]:8443/a?b"
    assert request.headers["host"] == "xn--strae-oqa.example:8443"
    assert request.extensions["sni_hostname"] == "xn--strae-oqa.example"
