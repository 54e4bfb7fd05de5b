"""The policy server on real sockets: answers in order, silence where none is right, and an end to everything."""

from __future__ import annotations

import asyncio
import logging
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from mailvane.core.errors import InvalidSetting, StoreUnavailable
from mailvane.core.listening import Listen, UnixSocket
from mailvane.outbound.decisions import Answer, Answered
from mailvane.outbound.model import Reason, SendRequest, Verdict
from mailvane.outbound.policy.decision import PolicyRules
from mailvane.outbound.policy.metrics import PolicyMetrics
from mailvane.outbound.policy.server import Decide, Patience, PolicyServer

ANYWHERE = Listen("127.0.0.1", 0)
SECONDS = 20.0
QUICK = Patience(idle=0.2, unfinished=0.05, stopping=0.2, look=0.01)

DUNNO = b"action=DUNNO\n\n"
REFUSED = b"action=DEFER 4.7.1 shop.example has reached its daily limit (daily_limit_exceeded)\n\n"
MARKED = b"action=PREPEND X-Mailvane-Quota: daily_limit_exceeded_soft; domain=shop.example; today=7; month=9\n\n"


def question(sender: str = "ann@shop.example", instance: str = "1.2.3", **others: str) -> bytes:
    told = {"request": "smtpd_access_policy", "protocol_state": "RCPT", "sender": sender, "instance": instance}
    lines = [f"{name}={value}\n" for name, value in {**told, **others}.items()]
    return ("".join(lines) + "\n").encode()


class Judge:
    """Decides when it is told to, and remembers what it was asked."""

    def __init__(self, verdict: Verdict | None = None) -> None:
        self.asked: list[SendRequest] = []
        self.verdict = verdict
        self.waiting: dict[str, Answered] = {}

    def __call__(self, request: SendRequest, answered: Answered) -> None:
        self.asked.append(request)
        if self.verdict is None:
            self.waiting[request.domain] = answered
        else:
            answered(self.verdict)

    async def settle(self, domain: str, answer: Answer) -> None:
        while domain not in self.waiting:
            await asyncio.sleep(0.001)
        for _ in range(3):
            await asyncio.sleep(0)  # the server reads what was said before, so that nothing is lost when it closes
        self.waiting[domain](answer)


def allowed(domain: str = "shop.example") -> Verdict:
    return Verdict(domain=domain, allowed=True)


def refused(*, soft: bool = False) -> Verdict:
    return Verdict(domain="shop.example", allowed=soft, reason=Reason.DAILY, soft=soft, sent_today=7, sent_month=9)


class Client:
    """One connection of a mail server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def say(self, data: bytes) -> None:
        self._writer.write(data)

    def close_own_side(self) -> None:
        self._writer.write_eof()

    async def hear(self, count: int = 1) -> bytes:
        """So many answers, or all until the end when the connection ends before."""
        heard = b""
        for _ in range(count):
            try:
                heard += await asyncio.wait_for(self._reader.readuntil(b"\n\n"), SECONDS)
            except asyncio.IncompleteReadError as error:
                return heard + error.partial
        return heard

    async def ask(self, data: bytes) -> bytes:
        self.say(data)
        return await self.hear()

    async def rest(self) -> bytes:
        """What comes until the server ends the connection."""
        try:
            return await asyncio.wait_for(self._reader.read(), SECONDS)
        except ConnectionResetError:
            return b""

    async def close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


class Room:
    """A server, and who talks to it."""

    def __init__(self, server: PolicyServer) -> None:
        self.server = server
        self.clients: list[Client] = []

    async def client(self) -> Client:
        self.clients.append(Client(*await asyncio.open_connection(*self.server.addresses[0])))
        return self.clients[-1]

    async def connected(self, count: int) -> None:
        while len(self.server.connections) != count:
            await asyncio.sleep(0.001)


@asynccontextmanager
async def serving(decide: Decide, patience: Patience | None = None, **rules: object) -> AsyncIterator[Room]:
    chosen = PolicyRules(**rules)  # type: ignore[arg-type]
    server = PolicyServer(decide, chosen, PolicyMetrics(CollectorRegistry()), patience)
    await server.listen(ANYWHERE)
    room = Room(server)
    try:
        yield room
    finally:
        await asyncio.wait_for(server.stop(), SECONDS)
        for client in room.clients:
            await client.close()


def run(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), 2 * SECONDS))


def test_many_requests_are_answered_on_one_connection() -> None:
    async def story() -> None:
        judge = Judge(refused())
        async with serving(judge) as room:
            client = await room.client()
            for number in range(5):
                assert await client.ask(question(instance=str(number))) == REFUSED
            assert [each.instance for each in judge.asked] == [f"127.0.0.1/{number}" for number in range(5)]
            assert len(room.server.connections) == 1

    run(story)


def test_requests_sent_at_once_are_answered_in_their_order() -> None:
    async def story() -> None:
        judge = Judge()
        async with serving(judge) as room:
            client = await room.client()
            client.say(question("a@one.example") + question("") + question("a@two.example"))
            await judge.settle("two.example", allowed())
            await judge.settle("one.example", refused())
            assert await client.hear(3) == REFUSED + DUNNO + DUNNO

    run(story)


def test_mail_that_does_not_count_is_not_asked_about() -> None:
    async def story() -> None:
        judge = Judge()
        async with serving(judge, internal_domains=frozenset({"office.example"})) as room:
            client = await room.client()
            assert await client.ask(question("")) == DUNNO
            assert await client.ask(question(recipient="bob@office.example")) == DUNNO
            assert judge.asked == []

    run(story)


def test_a_mail_is_marked_once_though_it_is_asked_about_for_each_recipient() -> None:
    async def story() -> None:
        async with serving(Judge(refused(soft=True)), quota_header=True) as room:
            client = await room.client()
            assert await client.ask(question(instance="1")) == MARKED
            assert await client.ask(question(instance="1", recipient="bob@inbox.example")) == DUNNO
            assert await client.ask(question(instance="2")) == MARKED

    run(story)


def test_of_a_mail_server_that_asks_at_the_end_recipients_are_looks_until_many_mails_come_to_none() -> None:
    async def story() -> None:
        judge = Judge(allowed())
        async with serving(judge) as room:
            client = await room.client()
            await client.ask(question(instance="first", server_port="25"))
            await client.ask(question(instance="first", server_port="25", protocol_state="END-OF-MESSAGE"))
            for number in range(18):
                await client.ask(question(instance=str(number), server_port="25"))
            await client.ask(question(instance="last", server_port="25", protocol_state="END-OF-MESSAGE"))
            await client.close()
            await room.connected(0)
            another = await room.client()
            await another.ask(question(instance="next", server_port="25"))
            await another.ask(question(instance="", server_port="25"))
            await another.ask(question(instance="elsewhere", server_port="587"))
        looks = [passage.is_look for passage in judge.asked]
        assert looks == [False, False, *[True] * 17, False, False, True, False, False]

    run(story)


def test_what_a_mail_server_asks_that_does_not_tell_its_service_holds_for_its_connection() -> None:
    async def story() -> None:
        judge = Judge(allowed())
        async with serving(judge) as room:
            client, another = await room.client(), await room.client()
            await client.ask(question(instance="first", protocol_state="END-OF-MESSAGE"))
            await client.ask(question(instance="second"))
            await another.ask(question(instance="third"))
        assert [passage.is_look for passage in judge.asked] == [False, True, False]

    run(story)


def test_a_refused_mail_comes_to_no_end_and_says_nothing_of_the_mail_server() -> None:
    async def story() -> None:
        judge = Judge(refused())
        async with serving(judge) as room:
            client = await room.client()
            await client.ask(question(instance="first", protocol_state="END-OF-MESSAGE"))
            for number in range(20):
                assert await client.ask(question(instance=str(number))) == REFUSED
        assert [passage.is_look for passage in judge.asked] == [False, *[True] * 20]

    run(story)


def test_a_decision_that_fails_is_answered_by_silence(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        judge = Judge()
        async with serving(judge) as room:
            client, other = await room.client(), await room.client()
            client.say(question("a@one.example") + question("a@two.example") + question("a@three.example"))
            other.say(question("a@four.example"))
            await judge.settle("one.example", refused())
            await judge.settle("two.example", StoreUnavailable())
            assert await client.rest() == REFUSED
            await judge.settle("three.example", allowed())
            await judge.settle("four.example", allowed())
            assert await other.hear() == DUNNO, "it is nobody else's trouble"

    run(story)
    assert "ended without an answer" in caplog.text


@pytest.mark.parametrize("data", [b"EHLO there\r\n\n\n", b"request=junk\n\n", b"x=" + b"y" * 200_000])
def test_what_is_no_request_ends_the_connection(data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        judge = Judge(allowed())
        async with serving(judge) as room:
            client = await room.client()
            client.say(data)
            assert await client.rest() == b""
            assert await (await room.client()).ask(question()) == DUNNO

    run(story)
    assert "ended without an answer" in caplog.text


def test_whoever_closes_its_side_still_hears_the_answers() -> None:
    async def story() -> None:
        judge = Judge()
        async with serving(judge) as room:
            client = await room.client()
            client.say(question())
            client.close_own_side()
            await judge.settle("shop.example", refused())
            assert await client.rest() == REFUSED
            quiet = await room.client()
            quiet.close_own_side()
            assert await quiet.rest() == b""

    run(story)


def test_a_client_that_leaves_before_its_answer_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        judge = Judge()
        async with serving(judge) as room:
            leaving, staying = await room.client(), await room.client()
            leaving.say(question("a@one.example") + question("a@three.example"))
            staying.say(question("a@two.example"))
            await judge.settle("two.example", allowed())
            await judge.settle("one.example", refused())
            await leaving.close()
            await judge.settle("three.example", StoreUnavailable())
            assert await staying.hear() == DUNNO
            await room.connected(1)

    run(story)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_more_requests_than_can_be_in_hand_are_all_answered() -> None:
    async def story() -> None:
        async with serving(Judge(refused())) as room:
            client = await room.client()
            client.say(question() * 3000)
            assert await client.hear(3000) == REFUSED * 3000

    run(story)


def test_idle_and_unfinished_connections_come_to_an_end() -> None:
    async def story() -> None:
        async with serving(Judge(allowed()), QUICK) as room:
            idle, unfinished = await room.client(), await room.client()
            unfinished.say(question()[:-10])
            assert await idle.rest() == b""
            assert await unfinished.rest() == b""
            await room.connected(0)

    run(story)


def test_who_waits_for_an_answer_is_not_idle() -> None:
    async def story() -> None:
        judge = Judge()
        async with serving(judge, QUICK) as room:
            client, idle = await room.client(), await room.client()
            client.say(question())
            assert await idle.rest() == b""
            await asyncio.sleep(QUICK.idle)
            await judge.settle("shop.example", refused())
            assert await client.hear() == REFUSED

    run(story)


def test_stopping_gives_the_answers_that_are_awaited_and_takes_no_more() -> None:
    async def story() -> None:
        judge = Judge()
        async with serving(judge) as room:
            waiting, idle = await room.client(), await room.client()
            waiting.say(question("a@one.example"))
            await room.connected(2)
            while not judge.asked:
                await asyncio.sleep(0.001)
            stopping = asyncio.create_task(room.server.stop())
            assert await idle.rest() == b""
            waiting.say(question("a@two.example"))
            await judge.settle("one.example", refused())
            assert await waiting.rest() == REFUSED
            await stopping
            assert [request.domain for request in judge.asked] == ["one.example"]

    run(story)


def test_stopping_does_not_wait_for_ever() -> None:
    async def story() -> None:
        judge = Judge()
        async with serving(judge, QUICK) as room:
            client = await room.client()
            client.say(question())
            while not judge.asked:
                await asyncio.sleep(0.001)
            await room.server.stop()
            assert await client.rest() == b""
            await judge.settle("shop.example", allowed())
            await asyncio.sleep(0)

    run(story)


def test_it_answers_on_a_unix_socket_and_takes_it_away_at_the_end(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "policy"
        async with serving(Judge(refused())) as room:
            await room.server.listen(UnixSocket(path))
            assert stat.S_IMODE(path.stat().st_mode) == 0o666
            client = Client(*await asyncio.open_unix_connection(path))
            assert await client.ask(question()) == REFUSED
            await client.close()
        assert not path.exists()

    run(story)


def test_a_socket_that_was_left_behind_is_replaced_and_a_living_one_is_not(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "policy"
        async with serving(Judge(refused())) as room:
            with socket.socket(socket.AF_UNIX) as living:
                living.bind(str(path))
                living.listen()
                with pytest.raises(InvalidSetting, match=f"cannot listen on unix:{path}: another program does"):
                    await room.server.listen(UnixSocket(path))
            await room.server.listen(UnixSocket(path))
            client = Client(*await asyncio.open_unix_connection(path))
            assert await client.ask(question()) == REFUSED
            await client.close()

    run(story)


def test_a_busy_or_impossible_address_is_refused(tmp_path: Path) -> None:
    async def story() -> None:
        (tmp_path / "file").write_text("mine")
        async with serving(Judge()) as room:
            host, port = room.server.addresses[0]
            for where in (Listen(host, port), UnixSocket(tmp_path / "file"), UnixSocket(tmp_path / "no" / "place")):
                with pytest.raises(InvalidSetting, match="cannot listen on"):
                    await room.server.listen(where)
        assert (tmp_path / "file").read_text() == "mine"

    run(story)
