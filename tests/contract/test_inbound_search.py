"""Messages and contacts by a part of their texts: the same ones whether they are indexed or read through; what is
counted for lists of messages; on every ledger."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from sqlalchemy import delete, func, select, text

from mailvane.core.identifiers import ordered_uuid
from mailvane.core.ledger.migrations.versions.v0037_inbound_search import BY_DAY, by_score
from mailvane.inbound.model import ContactState, Message, MessageStatus
from mailvane.inbound.questions import ContactQuestion, MessageQuestion
from mailvane.inbound.store.contacts import Seen
from mailvane.inbound.store.rows import Change, NewMail
from mailvane.inbound.store.searching import Matches, TextSearch
from mailvane.inbound.store.tables import search_blocks, search_postings, tallies
from mailvane.inbound.text_index import SIZE, fold
from mailvane.server.ledger import Ledger

NOW = 1_790_000_000_000
STATUSES = (MessageStatus.DELIVERED, MessageStatus.QUARANTINED, MessageStatus.DELIVERED, MessageStatus.FAILED)
SUBJECTS = (
    "Invoice {number}", "your INVOICE for {number}", "Caf\u00e9 100% {number}_x", "\u03a3\u03bf\u03c6\u03af {number}",
    "in voi ice, nvo oic", "a\\b", "", "Re: Stra\u00dfe {number}",
)  # fmt: skip
PARTS = (
    "invoice", "InVoIcE 1", "voice", "e 7", "i", "77", "7", "x.exam", "sender12", "@y", "CAF\u00c9", "\u00e9 1", "100%",
    "%", "_x", "\\", "a\\B", "\u03c3\u03bf\u03c6", "box3@x.example", "nobody@", "Re: ", "STRA\u00dfE", "\n",
    "invoice 16",
)  # fmt: skip


def take_in(ledger: Ledger, workspace: int, first: int, count: int) -> list[Message]:
    """So many, of which no two came at one time, and whose numbers are not in the order in which they came."""
    messages = [
        Message(
            id=ordered_uuid(NOW), workspace=workspace, number=each, received_at=NOW + each * 7919 % 1_000_003 * 60,
            status=STATUSES[each % 4], address=None, recipient=f"box{each % 7}@x.example", recipient_number=1,
            target="", contact="", sender="", from_address=_sender(each), from_name="Who" if each % 9 else "",
            subject=SUBJECTS[each % 8].format(number=each), message_id="", client="", client_name="", size=1,
            protocol="ESMTP", score=each * 31 % 101 / 8 if each % 5 else None,
        )
        for each in range(first, first + count)
    ]  # fmt: skip
    by_sender: dict[str, list[Message]] = {}
    for one in messages:
        by_sender.setdefault(one.from_address, []).append(one)
    mails = [NewMail(workspace=workspace, messages=tuple(each), events=(), week=0) for each in by_sender.values()]
    ledger.inbound.messages.take_in(mails, NOW)
    return messages


def _sender(number: int) -> str:
    return f"{'sender' if number % 7 else 'who'}{number % 300}@y{number % 3}.example"


def indexed(ledger: Ledger) -> int:
    """All that can be; how many blocks there are."""
    while ledger.inbound.search_index.advance():
        pass
    with ledger.database.read() as connection:
        blocks = select(func.count()).select_from(search_blocks).where(search_blocks.c.ready)
        return connection.execute(blocks).scalar_one()


def texts(everything: Sequence[Message]) -> list[tuple[Message, str]]:
    """With what they are found by, the newest first."""
    ordered = sorted(everything, key=lambda one: one.received_at, reverse=True)
    return [(one, fold(f"{one.subject}\0{one.from_address}\0{one.from_name}\0{one.recipient}")) for one in ordered]


def assert_found(ledger: Ledger, workspace: int, everything: Sequence[Message], parts: Sequence[str] = PARTS) -> None:
    known = texts(everything)
    for part in parts:
        wanted = [one for one, text in known if fold(part) in text]
        question = MessageQuestion(workspace=workspace, text=part)
        for offset in sorted({0, len(wanted) // 2, max(0, len(wanted) - 3)}):
            page = ledger.inbound.pages.page(question, offset, 5)
            assert page.total == len(wanted), part
            assert [one.id for one in page.messages] == [one.id for one in wanted[offset : offset + 5]], part


@pytest.fixture
def workspace(ledger: Ledger) -> int:
    return ledger.tenants.add_workspace("acme", NOW).id


def test_what_is_indexed_is_found_as_it_was_before(ledger: Ledger, workspace: int) -> None:
    other = ledger.tenants.add_workspace("other", NOW).id
    everything = take_in(ledger, workspace, 0, SIZE // 2)
    take_in(ledger, other, 0, 100)
    everything += take_in(ledger, workspace, SIZE // 2, SIZE // 2)
    assert indexed(ledger) == 2, "one block, of two workspaces"
    everything += take_in(ledger, workspace, SIZE, 50)
    assert_found(ledger, workspace, everything)

    gone = [one for one in everything[:5000] if one.number % 3 == 0] + everything[-5:]
    assert len(ledger.inbound.messages.remove(gone)) == len(gone)
    removed = {one.id for one in gone}
    left = [one for one in everything if one.id not in removed]
    assert_found(ledger, workspace, left, PARTS[::3])
    assert_orders_and_filters(ledger, workspace, left)


def assert_orders_and_filters(ledger: Ledger, workspace: int, everything: Sequence[Message]) -> None:
    """Of what few, many and all have, by each order and with other filters."""
    two = (MessageStatus.QUARANTINED, MessageStatus.FAILED)
    known = texts(everything)
    for part in ("invoice 16", "sender", "example"):  # few, many, all
        for statuses in (None, two):
            for recipient in (None, "box3@x.example"):
                wanted = [one for one, text in known if part in text and one.status in (statuses or STATUSES)]
                wanted = [one for one in wanted if recipient in (None, one.recipient)]
                for ascending in (False, True):
                    common = MessageQuestion(
                        workspace=workspace, text=part, statuses=statuses, recipient=recipient, ascending=ascending
                    )
                    for order in ("received_at", "score"):
                        assert_pages(ledger, msgspec.structs.replace(common, order=order), wanted)


def assert_pages(ledger: Ledger, question: MessageQuestion, wanted: Sequence[Message]) -> None:
    """At the beginning, in the middle and at the end."""
    ordered = sorted(wanted, key=lambda one: one.received_at, reverse=not question.ascending)
    for offset in (0, len(wanted) // 2, max(0, len(wanted) - 4)):
        page = ledger.inbound.pages.page(question, offset, 4)
        assert page.total == len(wanted), question
        if question.order == "received_at":
            assert [one.id for one in page.messages] == [one.id for one in ordered[offset : offset + 4]], question
        else:
            scores = sorted((one.score for one in wanted if one.score is not None), reverse=not question.ascending)
            places = [*scores, *([None] * (len(wanted) - len(scores)))]
            assert [one.score for one in page.messages] == places[offset : offset + 4], question


def test_a_block_that_is_gone_leaves_nothing(ledger: Ledger, workspace: int) -> None:
    everything = take_in(ledger, workspace, 0, SIZE - 1)  # the numbers begin with 1
    later = take_in(ledger, workspace, SIZE, 10)
    assert indexed(ledger) == 1
    ledger.inbound.messages.remove(everything)
    assert_found(ledger, workspace, later, ("invoice", "x"))
    with ledger.database.read() as connection:
        for table in (search_blocks, search_postings):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 0
    assert not ledger.inbound.search_index.advance(), "there is nothing left to index"


def test_what_is_removed_while_a_block_is_read_is_not_found(ledger: Ledger, workspace: int) -> None:
    everything = take_in(ledger, workspace, 0, SIZE + 10)
    begun = ledger.inbound.search_index.begin()
    gone, left = everything[:100], everything[100:]
    ledger.inbound.messages.remove(gone)
    assert_found(ledger, workspace, left, ("invoice", "x"))
    for own, block in begun:
        ledger.inbound.search_index.read(own, block)
    assert indexed(ledger) == 1
    assert_found(ledger, workspace, left, ("invoice", "x"))


def test_a_message_before_the_first_block_that_is_meant_is_none_of_it(ledger: Ledger, workspace: int) -> None:
    take_in(ledger, workspace, 0, 10)
    second = Matches({1: (1 << SIZE) - 1}, {})
    with ledger.database.read() as connection:
        counted = select(func.count()).where(TextSearch(ledger.database).among(second))
        assert connection.execute(counted).scalar_one() == 0


def test_numbers_that_are_kept_are_those_that_an_upgrade_counts(ledger: Ledger, workspace: int) -> None:
    everything = take_in(ledger, workspace, 0, 600)
    extremes = (-0.0, -0.01, -7.999999999999999, 1e9, -1e9, 4.999999999999999, 5.0, -3.125)
    steps = [
        Change(before=one, after=msgspec.structs.replace(one, score=score, status=MessageStatus.DENIED))
        for one, score in zip(known(ledger, everything[:8]), extremes, strict=True)
    ]
    assert len(ledger.inbound.messages.change(steps, NOW)) == 8
    ledger.inbound.messages.remove(everything[100:110])

    kept = numbers(ledger)
    assert {what for what, _ in kept} >= {"message/day", "message/score", "message:denied/day", "message:denied/score"}
    derived = tallies.c.what.like("%/day") | tallies.c.what.like("%/score")
    with ledger.database.write() as connection:
        connection.execute(delete(tallies).where(derived))
        for statement in (BY_DAY, *by_score(connection.dialect.name)):
            connection.execute(text(statement))
    assert numbers(ledger) == kept


def known(ledger: Ledger, some: Sequence[Message]) -> list[Message]:
    found = ledger.inbound.messages.by_id(some[0].workspace, [one.id for one in some])
    return [found[one.id] for one in some]


def numbers(ledger: Ledger) -> dict[tuple[str, int], int]:
    with ledger.database.read() as connection:
        wanted = select(tallies.c.what, tallies.c.stretch, tallies.c.count).where(tallies.c.count != 0)
        return {(what, stretch): count for what, stretch, count in connection.execute(wanted)}


def test_a_sender_with_the_longest_of_names_is_met(ledger: Ledger, workspace: int) -> None:
    """Of characters that cannot be packed into the row of an index."""
    name = "".join(chr(0x4E00 + each * 7919 % 20_000) for each in range(998))
    contacts, email = ledger.inbound.contacts, f"{name[:300]}@y.example"
    contacts.meet(workspace, {email: Seen(1, NOW, name)})
    contacts.meet(workspace, {"b@y.example": Seen(1, NOW, "")})
    contacts.meet(workspace, {"b@y.example": Seen(1, NOW, name)})
    assert {each.name for each in contacts.known(workspace).values()} == {name[:255]}
    changed = contacts.change(workspace, email, lambda old: msgspec.structs.replace(old, name=name[::-1]))
    assert changed.name == name[::-1][:255]


def test_contacts_with_a_text_are_listed_in_every_order(ledger: Ledger, workspace: int) -> None:
    """Few, many and all of them have it; some are in another state."""
    names = {f"{'ann' if each % 9 else 'bob'}{each}@y.example": f"Who {each * 7 % 2300}" for each in range(2300)}
    ledger.inbound.contacts.meet(workspace, {email: Seen(1, NOW, name) for email, name in names.items()})
    for email in ("ann1@y.example", "bob9@y.example"):
        ledger.inbound.contacts.change(
            workspace, email, lambda old: msgspec.structs.replace(old, state=ContactState.BLOCKED)
        )
    known = ledger.inbound.contacts.known(workspace)
    for part in ("ANN22", "who 17", "ann", "y.example", "nobody"):
        for state in (None, ContactState.BLOCKED, ContactState.UNSET):
            wanted = [each for each in known.values() if part.lower() in f"{each.email}\n{each.name}".lower()]
            wanted = [each for each in wanted if state in (None, each.state)]
            for order in ("email", "name"):
                wanted.sort(key=lambda each: getattr(each, order))
                question = ContactQuestion(workspace=workspace, text=part, state=state, order=order, ascending=True)
                for offset in (0, len(wanted) // 2, max(0, len(wanted) - 3)):
                    page = ledger.inbound.contacts.page(question, offset, 5)
                    assert page.total == len(wanted)
                    assert page.contacts == wanted[offset : offset + 5]
