"""Mail that comes in and what became of messages share transactions, and neither is lost for the other's sake."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from mailvane.core.errors import InvalidInput
from mailvane.inbound import events
from mailvane.inbound.content import ContentStore, content_id
from mailvane.inbound.gateway.arrival import Arrival, Arrivals, Judged
from mailvane.inbound.headers import read_headers
from mailvane.inbound.judging import Outcome
from mailvane.inbound.keeping import Coming, Heard, Keeping, Reply
from mailvane.inbound.model import InboundDomain, Message, MessageStatus, NextHop
from mailvane.inbound.routing import Route
from mailvane.inbound.scores import UNKNOWN
from mailvane.inbound.settings import InboundSettings
from mailvane.inbound.store.rows import Change, NewMail
from mailvane.server.ledger import Ledger
from tests.ledgers import fresh_ledger
from tests.wire.inbound import message

NOW = 1_790_000_000_000
SMALL, LARGE = b"Subject: small\r\n\r\nhello\r\n", b"Subject: large\r\n\r\n" + b"x" * 100_000 + b"\r\n"


class Office(NamedTuple):
    """A ledger with a workspace, and where content is kept."""

    ledger: Ledger
    workspace: int
    contents: ContentStore

    def keeping(self, replied: Callable[[Sequence[Reply]], None] = lambda _replies: None) -> Keeping:
        return Keeping(self.ledger.inbound.messages, self.contents, lambda: NOW, Heard(replied=replied))

    def message(self, **values: Any) -> Message:
        given = {"status": MessageStatus.PENDING, "content": content_id(SMALL), "next_at": NOW, **values}
        return message(self.workspace, NOW, **given)

    def coming(self, one: Message, reply: Reply | None = None) -> Coming:
        told = (events.accepted(one, "mx.example", read_headers(SMALL)),)
        return Coming(NewMail(workspace=self.workspace, messages=(one,), events=told, week=0), SMALL, reply)

    def status(self, one: Message) -> MessageStatus | None:
        found = self.ledger.inbound.messages.message(self.workspace, one.id)
        return None if found is None else found.status

    def batches(self) -> list[int]:
        """Of the journal, how many events each has."""
        return [len(each.batch.events) for each in self.ledger.journal.pending(99)]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with closing(fresh_ledger(tmp_path / "ledger.sqlite")) as ledger:
        contents = ContentStore(tmp_path / "content")
        contents.open()
        yield Office(ledger, ledger.tenants.add_workspace("acme", NOW).id, contents)
        contents.close()


def delivered(one: Message) -> Change:
    after = msgspec.structs.replace(one, status=MessageStatus.DELIVERED, next_at=None, content=None)
    return Change(before=one, after=after, events=(events.tried(after, NOW, events.Answered(code=250)),))


def run(steps: Coroutine[Any, Any, None]) -> None:
    asyncio.run(steps)


def test_what_waits_of_either_is_one_transaction(office: Office) -> None:
    first, second = office.message(), office.message()
    event = events.accepted(second, "mx.example", read_headers(SMALL))
    replies: list[Reply] = []

    async def steps() -> None:
        keeping = office.keeping(replies.extend)
        assert await keeping.take_in([office.coming(first)]) == [None]
        reply = Reply(office.workspace, event, SMALL)
        answers = await asyncio.gather(
            keeping.take_in([office.coming(second, reply)]), keeping.change(delivered(first))
        )
        assert answers[0] == [None]
        assert answers[1] is True
        assert await keeping.change(delivered(first)) is False, "somebody else has changed it"

    run(steps())
    assert (office.status(first), office.status(second)) == (MessageStatus.DELIVERED, MessageStatus.PENDING)
    assert office.batches() == [1, 2]
    assert [one.content for one in replies] == [SMALL]
    assert office.ledger.inbound.spool.packed(content_id(SMALL)) is not None


def test_a_mail_that_cannot_be_kept_does_not_make_another_be_handed_on_again(office: Office) -> None:
    known, impossible = office.message(), office.message(attempts=2**70)

    async def steps() -> None:
        keeping = office.keeping()
        await keeping.take_in([office.coming(known)])
        taken, changed = await asyncio.gather(
            keeping.take_in([office.coming(impossible)]), keeping.change(delivered(known)), return_exceptions=True
        )
        assert isinstance(taken, InvalidInput)
        assert changed is True

    run(steps())
    assert (office.status(known), office.status(impossible)) == (MessageStatus.DELIVERED, None)


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["in the ledger", "in a file"])
def test_a_mail_whose_client_leaves_as_it_is_stored_goes_on_at_once(office: Office, content: bytes) -> None:
    domain = InboundDomain(id="d", workspace=office.workspace, name="in.example", hop=NextHop("127.0.0.1"))
    route = Route(recipient="a@in.example", domain=domain, address=None, target="a@in.example", week=0, limits=())
    arrival = Arrival(
        received_at=NOW, content=content, headers=read_headers(content), sender="s@x.example", routes=(route,),
        client="192.0.2.1", helo="x", protocol="ESMTP", is_trusted=False,
    )  # fmt: skip
    judged = Judged(score=UNKNOWN, authentication={}, outcomes=(Outcome(status=MessageStatus.PENDING),))
    going: list[Message] = []

    async def steps() -> None:
        arrived = asyncio.Event()

        def taken(messages: Sequence[Message], _content: bytes, _hops: Sequence[NextHop]) -> None:
            going.extend(messages)
            arrived.set()

        arrivals = Arrivals(office.keeping(), office.contents, InboundSettings(), ("me", 1000), taken)
        client = asyncio.create_task(arrivals.store(arrival, judged))
        await asyncio.sleep(0)
        client.cancel()
        await asyncio.wait_for(arrived.wait(), 60)

    run(steps())
    assert [office.status(one) for one in going] == [MessageStatus.PENDING]
    assert office.contents.remove([content_id(content)], lambda _ids: set()) == (content is LARGE), "nothing is pinned"
