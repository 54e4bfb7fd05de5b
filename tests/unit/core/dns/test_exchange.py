"""Many questions over one socket: what is lost, forged, cut off or never answered; of real sockets on this machine."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from mailvane.core.dns import exchange
from mailvane.core.dns.lookups import Lookups, Unanswered
from mailvane.core.dns.wire import Trouble
from tests.waiting import PATIENCE

Answering = Callable[[dns.message.Message, int], list[dns.message.Message]]


def listed(question: dns.message.Message, address: str = "127.0.0.2") -> dns.message.Message:
    told = dns.message.make_response(question)
    name = question.question[0].name
    told.answer.append(dns.rrset.from_text(name, 60, "IN", "A", address))
    return told


def refused(question: dns.message.Message) -> dns.message.Message:
    told = dns.message.make_response(question)
    told.set_rcode(dns.rcode.SERVFAIL)
    return told


class Server(asyncio.DatagramProtocol):
    """Answers as `answering` says: it is given the question, and how often that name was asked for before."""

    def __init__(self, answering: Answering) -> None:
        self.answering = answering
        self.asked: Counter[str] = Counter()
        self.clients: Counter[int] = Counter()
        self.numbers: list[int] = []
        self.address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def datagram_received(self, data: bytes, client: tuple[str, int]) -> None:
        question = dns.message.from_wire(data)
        name = question.question[0].name.to_text(omit_final_dot=True)
        for told in self.answering(question, self.asked[name]):
            self.transport.sendto(told.to_wire(), client)
        self.asked[name] += 1
        self.clients[client[1]] += 1
        self.numbers.append(question.id)


@asynccontextmanager
async def serving(answering: Answering) -> AsyncIterator[Server]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: Server(answering), ("127.0.0.1", 0))
    server.address = "127.0.0.1:{}".format(transport.get_extra_info("sockname")[1])
    try:
        yield server
    finally:
        transport.close()


def asking(
    *answerings: Answering, timeout: float = PATIENCE, at_once: int = 500, names: int = 1, below: str = "x"
) -> tuple[list[list[str] | str], list[Server]]:
    """What is learned of `names` zones from these servers, and the servers."""

    async def ask() -> tuple[list[list[str] | str], list[Server]]:
        async with AsyncExitStack() as stack:
            servers = [await stack.enter_async_context(serving(one)) for one in answerings]
            lookups = Lookups([one.address for one in servers], at_once, timeout)
            found = await lookups.addresses_below(below, [f"z{number}.example" for number in range(names)])
            return [one if isinstance(one, Trouble) else list(one) for one in found], servers

    return asyncio.run(ask())


def test_each_question_gets_its_own_answer_whatever_the_order() -> None:
    kept: list[dns.message.Message] = []

    def backwards(question: dns.message.Message, _: int) -> list[dns.message.Message]:
        zone = question.question[0].name.labels[1]
        kept.append(listed(question, f"127.0.0.{2 + int(zone[1:])}"))
        return kept[::-1] if len(kept) == 60 else []

    found, (server,) = asking(backwards, names=60)
    assert found == [[f"127.0.0.{2 + number}"] for number in range(60)]
    assert len(set(server.numbers)) == 60
    assert len(server.clients) == 1


def test_a_question_that_is_lost_is_sent_again_before_its_time_is_over() -> None:
    found, (server,) = asking(lambda question, before: [listed(question)] if before else [], names=3, timeout=5)
    assert found == [["127.0.0.2"]] * 3
    assert set(server.asked.values()) == {2}


def test_answers_to_other_questions_and_with_other_numbers_are_not_heard() -> None:
    def forging(question: dns.message.Message, _: int) -> list[dns.message.Message]:
        other = dns.message.make_query("other.example", "A", id=question.id)
        kind = dns.message.make_query(question.question[0].name, "TXT", id=question.id)
        stranger = dns.message.make_query(question.question[0].name, "A", id=question.id ^ 1)
        return [listed(other), listed(kind), listed(stranger), question]

    found, _ = asking(forging, timeout=0.2)
    assert found == [Trouble("no answer in time")]


def test_the_next_resolver_is_asked_and_kept_when_one_fails() -> None:
    async def ask() -> tuple[list[int], list[str]]:
        async with (
            serving(lambda question, _: [refused(question)]) as failing,
            serving(lambda question, _: [listed(question)]) as working,
        ):
            lookups = Lookups([failing.address, working.address])
            found = [await lookups.addresses(f"{number}.example") for number in range(3)]
            return [sum(one.asked.values()) for one in (failing, working)], [one for answer in found for one in answer]

    assert asyncio.run(ask()) == ([1, 3], ["127.0.0.2"] * 3)


def test_a_trouble_of_every_resolver_is_told_after_two_tries_each() -> None:
    found, servers = asking(lambda question, _: [refused(question)], lambda *_: [], timeout=0.5, names=2)
    assert found == [Trouble("no answer in time")] * 2
    assert set(servers[0].asked.values()) == {2}


def test_a_resolver_that_is_not_there_is_unanswered() -> None:
    async def ask() -> None:
        async with serving(lambda *_: []) as gone:
            address = gone.address
        with pytest.raises(Unanswered):
            await Lookups([address], timeout=0.2).addresses("a.example")

    asyncio.run(ask())


def test_no_more_are_under_way_than_allowed() -> None:
    waiting: list[dns.message.Message] = []
    most = 0

    def slowly(question: dns.message.Message, _: int) -> list[dns.message.Message]:
        nonlocal most
        waiting.append(listed(question))
        most = max(most, len(waiting))
        told, waiting[:] = (list(waiting), []) if len(waiting) == 5 else ([], list(waiting))
        return told

    found, _ = asking(slowly, at_once=5, names=50)
    assert found == [["127.0.0.2"]] * 50
    assert most == 5


def test_ports_change_and_none_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_QUESTIONS_OF_A_PORT", 10)
    found, (server,) = asking(lambda question, _: [listed(question)], names=100)
    assert found == [["127.0.0.2"]] * 100
    assert set(server.clients.values()) == {10}


def test_what_nobody_waits_for_any_more_is_not_asked() -> None:
    async def ask() -> int:
        async with serving(lambda *_: []) as server:
            lookups = Lookups([server.address], 1, 0.3)
            first = asyncio.create_task(lookups.addresses("first.example"))
            second = asyncio.create_task(lookups.addresses("second.example"))
            await asyncio.sleep(0.05)
            second.cancel()
            with contextlib.suppress(Unanswered):
                await first
            return server.asked["second.example"]

    assert asyncio.run(ask()) == 0


def test_a_truncated_answer_is_asked_for_over_tcp() -> None:
    def cut(question: dns.message.Message, _: int) -> list[dns.message.Message]:
        told = dns.message.make_response(question)
        told.flags |= dns.flags.TC
        return [told]

    async def whole(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = int.from_bytes(await reader.readexactly(2), "big")
        told = listed(dns.message.from_wire(await reader.readexactly(length)), "127.0.0.7").to_wire()
        writer.write(len(told).to_bytes(2, "big") + told)
        await writer.drain()
        writer.close()

    async def ask() -> list[str]:
        async with serving(cut) as server:
            host, _, port = server.address.partition(":")
            async with await asyncio.start_server(whole, host, int(port)):
                return await Lookups([server.address], timeout=PATIENCE).addresses("a.example")

    assert asyncio.run(ask()) == ["127.0.0.7"]


def test_where_tcp_is_closed_a_truncated_answer_stays_unknown() -> None:
    def cut(question: dns.message.Message, _: int) -> list[dns.message.Message]:
        told = dns.message.make_response(question)
        told.flags |= dns.flags.TC
        return [told]

    found, _ = asking(cut)
    assert isinstance(found[0], Trouble)


def test_a_name_that_cannot_be_asked_about_is_unknown_in_every_zone() -> None:
    found, (server,) = asking(lambda question, _: [listed(question)], below="x" * 64, names=2)
    assert all(isinstance(one, Trouble) for one in found)
    assert not server.asked
