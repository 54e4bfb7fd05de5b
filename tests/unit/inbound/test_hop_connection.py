"""What a next hop says to a mail, whether it takes commands one by one or several at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from mailvane.inbound.delivery.connection import HopConnection, HopDown
from mailvane.inbound.events import Answered
from mailvane.inbound.model import NextHop
from mailvane.maillog.reasons import load_reasons

CONTENT = b"Subject: dots\r\n\r\n.\r\n..two\r\nlast\r\n"
REASONS = load_reasons()


class Hop:
    """Answers each command as a table says, as many lines at once as come; keeps what it was sent."""

    def __init__(self, answers: dict[str, str], *, pipelining: bool) -> None:
        self.answers = {
            "EHLO": f"250-hop\r\n250-8BITMIME\r\n250 {'PIPELINING' if pipelining else 'HELP'}",
            "MAIL": "250 2.1.0 Ok",
            "RCPT": "250 2.1.5 Ok",
            "DATA": "354 go on",
            ".": "250 2.0.0 taken",
            "RSET": "250 Ok",
            **answers,
        }
        self.pieces: list[bytes] = []
        self.mails: list[bytes] = []
        self.ended = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._converse(reader, writer)
            writer.close()
            await writer.wait_closed()
        finally:
            self.ended.set()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hop\r\n")
        buffer, mail = b"", False
        while piece := await reader.read(65536):
            self.pieces.append(piece)
            buffer += piece
            while (end := buffer.find(b"\r\n.\r\n" if mail else b"\r\n")) >= 0:
                line, buffer = buffer[:end], buffer[end + (5 if mail else 2) :]
                word = "." if mail else line[:4].decode().upper().strip()
                if mail:
                    self.mails.append(line[2:])
                said = self.answers.get(word, "502 what")
                mail = said.startswith("354")
                if mail:
                    buffer = b"\r\n" + buffer  # an empty mail ends at once
                for part in said.split("|"):  # in pieces
                    writer.write(part.encode())
                    await writer.drain()
                    await asyncio.sleep(0)
                writer.write(b"\r\n")
                if said.startswith("421"):
                    return


async def with_hop(hop: Hop, use: Callable[[HopConnection], Awaitable[Answered]]) -> Answered:
    server = await asyncio.start_server(hop.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connection = HopConnection(NextHop("127.0.0.1", port, "smtp", "none"), "mx.office.example", 30, REASONS)
    await connection.open()
    try:
        return await use(connection)
    finally:
        await connection.close()
        await hop.ended.wait()
        server.close()
        await server.wait_closed()


async def send(connection: HopConnection) -> Answered:
    return await connection.send("a@x.example", "b@y.example", CONTENT, utf8=False)


@pytest.mark.parametrize("pipelining", [True, False])
def test_a_mail_arrives_as_it_is(pipelining: bool) -> None:
    hop = Hop({".": "250-2.0.0 it|\r\n250 2.0.0 is taken"}, pipelining=pipelining)

    async def twice(connection: HopConnection) -> Answered:
        await send(connection)
        return await send(connection)

    answered = asyncio.run(with_hop(hop, twice))
    assert (answered.code, answered.enhanced, answered.reply) == (250, "2.0.0", "250 2.0.0 it 2.0.0 is taken")
    assert [mail + b"\r\n" for mail in hop.mails] == [CONTENT.replace(b"\r\n.", b"\r\n..")] * 2
    together = [piece for piece in hop.pieces if piece.startswith(b"MAIL") and piece.endswith(b"DATA\r\n")]
    assert len(together) == (2 if pipelining else 0)


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(("answers", "code", "enhanced", "mails"), [
    ({"MAIL": "550-5.7.1 not you|\r\n550 5.7.1 ever", "RCPT": "503 no", "DATA": "503 no"}, 550, "5.7.1", 0),
    ({"RCPT": "450 4.2.1 busy", "DATA": "554 no recipient"}, 450, "4.2.1", 0),
    ({"DATA": "451 4.3.0 later"}, 451, "4.3.0", 0),
    ({".": "552 5.2.2 full"}, 552, "5.2.2", 1),
])  # fmt: skip
def test_the_first_refusal_counts_and_the_connection_goes_on(
    answers: dict[str, str], code: int, enhanced: str, mails: int, pipelining: bool
) -> None:
    hop = Hop(answers, pipelining=pipelining)

    async def then_another(connection: HopConnection) -> Answered:
        refused = await send(connection)
        assert connection.is_open
        hop.answers |= {"MAIL": "250 Ok", "RCPT": "250 Ok", "DATA": "354 go on", ".": "250 2.0.0 taken"}
        assert (await send(connection)).code == 250
        return refused

    refused = asyncio.run(with_hop(hop, then_another))
    assert (refused.code, refused.enhanced) == (code, enhanced)
    assert len(hop.mails) == mails + 1


def test_nobody_gets_a_mail_whose_recipient_was_refused_though_data_was_taken() -> None:
    hop = Hop({"RCPT": "550 5.1.1 who", ".": "554 5.5.1 no recipient"}, pipelining=True)
    answered = asyncio.run(with_hop(hop, send))
    assert (answered.code, hop.mails) == (550, [b""])


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(("answers", "told"), [
    ({"MAIL": "421 4.3.2 closing"}, "421 4.3.2 closing"),
    ({"RCPT": "421 4.3.2 closing"}, "421 4.3.2 closing"),
    ({".": "421 4.3.2 closing"}, "421 4.3.2 closing"),
])  # fmt: skip
def test_a_hop_that_closes_says_nothing_about_the_mail(answers: dict[str, str], told: str, pipelining: bool) -> None:
    with pytest.raises(HopDown, match=told):
        asyncio.run(with_hop(Hop(answers, pipelining=pipelining), send))


@pytest.mark.parametrize("answers", [{"DATA": "250 what"}, {"RCPT": "hello"}])
def test_an_answer_that_is_none_says_nothing_about_the_mail(answers: dict[str, str]) -> None:
    with pytest.raises(HopDown):
        asyncio.run(with_hop(Hop(answers, pipelining=True), send))
