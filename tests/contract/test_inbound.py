"""What the ledger holds of inbound mail: messages, contacts, addresses, filters, weeks; on every ledger."""

from __future__ import annotations

import msgspec
import pytest

from mailvane.core.errors import AlreadyExists, InvalidInput, NotFound
from mailvane.core.identifiers import ordered_uuid
from mailvane.inbound.model import (
    Address,
    AddressType,
    AuditEntry,
    ContactState,
    Filter,
    FilterAction,
    InboundDomain,
    Message,
    MessageStatus,
    NextHop,
    Team,
)
from mailvane.inbound.questions import AddressQuestion, ContactQuestion, MessageQuestion
from mailvane.inbound.store.contacts import Seen
from mailvane.inbound.store.queue import DomainKey
from mailvane.inbound.store.rows import Change, NewMail
from mailvane.maillog.model import EventType, MailEvent
from mailvane.server.ledger import Ledger

NOW = 1_790_000_000_000
HOUR = 3_600_000
WEEK = NOW - NOW % (7 * 24 * HOUR)


@pytest.fixture
def workspace(ledger: Ledger) -> int:
    return ledger.tenants.add_workspace("acme", NOW).id


def message(workspace: int, at: int, **values: object) -> Message:
    common = {
        "id": ordered_uuid(at), "workspace": workspace, "number": at % 1000, "received_at": at,
        "status": MessageStatus.DELIVERED, "address": None, "recipient": "a@x.example", "recipient_number": 1,
        "target": "a@x.example", "contact": "", "sender": "s@y.example", "from_address": "s@y.example",
        "from_name": "",
        "subject": "hello", "message_id": "<1@y.example>", "client": "192.0.2.1", "client_name": "", "size": 100,
        "protocol": "ESMTP",
    }  # fmt: skip
    return msgspec.convert({**common, **values}, Message)


def mail(*messages: Message, limits: tuple[tuple[str, int], ...] = (), events: tuple[MailEvent, ...] = ()) -> NewMail:
    return NewMail(workspace=messages[0].workspace, messages=messages, events=events, week=WEEK, limits=limits)


def test_content_beside_a_message_is_there_until_the_message_needs_it_no_more(ledger: Ledger, workspace: int) -> None:
    """Whoever else has the same content, in the ledger or as a file, keeps it."""
    one, other, gone = (
        message(workspace, NOW + number, status=MessageStatus.PENDING, content="c" * 64) for number in range(3)
    )
    packed = b"packed \x00\xff"
    ledger.inbound.messages.take_in([msgspec.structs.replace(mail(each), packed=packed) for each in (one, other)], NOW)
    over = msgspec.structs.replace(mail(gone, limits=(("", 1),)), packed=packed)
    assert ledger.inbound.messages.take_in([over], NOW) == [""], "nor is that of a refused mail kept"
    for each, left in ((one, packed), (other, None)):
        assert ledger.inbound.spool.packed("c" * 64) == packed
        waits = msgspec.structs.replace(each, attempts=1, contact=known(ledger, each).contact)
        assert ledger.inbound.messages.change([Change(before=known(ledger, each), after=waits)], NOW) == {each.id}
        assert ledger.inbound.spool.packed("c" * 64) == packed, "it is tried again"
        after = msgspec.structs.replace(waits, status=MessageStatus.DELIVERED, content=None)
        assert ledger.inbound.messages.change([Change(before=waits, after=after)], NOW) == {each.id}
        assert ledger.inbound.spool.packed("c" * 64) == left
    ledger.inbound.messages.take_in([msgspec.structs.replace(mail(gone), packed=packed)], NOW)
    assert ledger.inbound.messages.remove([known(ledger, gone)]) == {gone.id}
    assert ledger.inbound.spool.packed("c" * 64) is None


def test_lists_in_every_order_have_each_message_once(ledger: Ledger, workspace: int) -> None:
    """Pages one after the other are the whole list, whatever chooses and orders it."""
    states = (MessageStatus.DELIVERED, MessageStatus.QUARANTINED, MessageStatus.REJECTED)
    all_of_them = [
        message(
            workspace, NOW + number * 400_000, status=states[number % 3],
            score=None if number % 4 == 3 else float(number * 7 % 5), sender="env@y.example" if number % 2 else "",
            from_address="Who@Y.example" if number % 5 else "env@y.example",
        )
        for number in range(24)
    ]  # fmt: skip
    ledger.inbound.messages.take_in([mail(each) for each in all_of_them], NOW)
    for question in questions(workspace):
        wanted = [each for each in all_of_them if question.statuses is None or each.status in question.statuses]
        wanted = [each for each in wanted if question.sender in (None, each.sender, each.from_address)]
        wanted.sort(key=lambda each: each.received_at, reverse=not question.ascending)
        if question.order == "score":
            wanted.sort(key=lambda each: each.score or 0, reverse=not question.ascending)
            without = [each for each in wanted if each.score is None]
            without.sort(key=lambda each: each.received_at, reverse=not question.ascending)
            wanted = [each for each in wanted if each.score is not None] + without
        pages = [ledger.inbound.pages.page(question, offset, 4) for offset in range(0, 28, 4)]
        assert {page.total for page in pages} == {len(wanted)}
        assert [each.id for page in pages for each in page.messages] == [each.id for each in wanted], question


def questions(workspace: int) -> list[MessageQuestion]:
    two = (MessageStatus.QUARANTINED, MessageStatus.REJECTED)
    common = [
        MessageQuestion(workspace=workspace, statuses=statuses, sender=sender)
        for statuses in (None, two[:1], two)
        for sender in (None, "env@y.example", "Who@Y.example", "who@y.example")
    ]
    return [
        msgspec.structs.replace(each, order=order, ascending=ascending)
        for each in common
        for order in ("received_at", "score")
        for ascending in (False, True)
    ]


def known(ledger: Ledger, one: Message) -> Message:
    """As the ledger has it now."""
    return ledger.inbound.messages.by_id(one.workspace, [one.id])[one.id]


def alias(workspace: int, name: str, mailbox: str | None = None, **values: object) -> Address:
    kind = AddressType.MAILBOX if mailbox is None else AddressType.ALIAS
    common = {"id": ordered_uuid(NOW), "workspace": workspace, "type": kind, "address": name, "mailbox": mailbox}
    return msgspec.convert({**common, "created_at": NOW, **values}, Address)


# -- messages


def test_a_mail_is_kept_with_its_contact_its_week_and_its_events(ledger: Ledger, workspace: int) -> None:
    event = MailEvent(relay=0, accepted_at=NOW, number=1, type=EventType.ACCEPTED, at=NOW)
    one = message(workspace, NOW, from_name="Ånn", from_address="Ann@Y.example")
    two = msgspec.structs.replace(one, id=ordered_uuid(NOW), recipient="b@x.example", recipient_number=2)
    assert ledger.inbound.messages.take_in([mail(one, two, events=(event,))], NOW) == [None]
    contact = ledger.inbound.contacts.contact(workspace, "ann@y.example")
    assert contact is not None
    assert (contact.name, contact.email_count, contact.state) == ("Ånn", 1, ContactState.UNSET)
    kept = ledger.inbound.messages.message(workspace, two.id)
    assert kept == msgspec.structs.replace(two, contact=contact.id)
    assert ledger.inbound.teams.used(workspace, WEEK) == 2
    assert [batch.batch.events for batch in ledger.journal.pending(10)] == [[event]]


def test_a_mail_over_a_weekly_limit_leaves_nothing(ledger: Ledger, workspace: int) -> None:
    limits = (("", 2),)
    mails = [mail(message(workspace, NOW + each), limits=limits) for each in range(3)]
    assert ledger.inbound.messages.take_in(mails, NOW) == [None, None, ""]
    assert ledger.inbound.messages.take_in([mail(message(workspace, NOW), limits=limits)], NOW) == [""]
    assert ledger.inbound.teams.used(workspace, WEEK) == 2
    assert ledger.inbound.pages.page(MessageQuestion(workspace=workspace)).total == 2
    assert ledger.inbound.contacts.page(ContactQuestion(workspace=workspace)).contacts[0].email_count == 2


def test_an_address_has_a_limit_of_its_own(ledger: Ledger, workspace: int) -> None:
    box = alias(workspace, "a@x.example")
    ledger.inbound.addresses.add(box)
    two = (message(workspace, NOW, address=box.id), message(workspace, NOW, address=box.id, recipient_number=2))
    assert ledger.inbound.messages.take_in([mail(*two, limits=((box.id, 1),))], NOW) == [box.id]
    assert ledger.inbound.messages.take_in([mail(two[0], limits=((box.id, 1),))], NOW) == [None]
    assert ledger.inbound.teams.used(workspace, WEEK, box.id) == 1


def test_every_page_of_a_list_is_exact(ledger: Ledger, workspace: int) -> None:
    statuses = [MessageStatus.DELIVERED, MessageStatus.QUARANTINED, MessageStatus.DELIVERED]
    mails = [
        mail(
            message(
                workspace,
                NOW + each // 3 * 7 * 60_000,
                status=statuses[each % 3],
                score=float(each % 5) if each % 4 else None,
            )
        )
        for each in range(60)
    ]
    ledger.inbound.messages.take_in(mails, NOW)
    everything = [one.messages[0] for one in mails]
    pages = ledger.inbound.pages
    for chosen in (None, (MessageStatus.QUARANTINED,), (MessageStatus.QUARANTINED, MessageStatus.DELIVERED)):
        for ascending in (False, True):
            ordered = [one.id for one in everything if chosen is None or one.status in chosen]
            wanted = ordered if ascending else ordered[::-1]
            question = MessageQuestion(workspace=workspace, statuses=chosen, ascending=ascending)
            found = [pages.page(question, offset, 7) for offset in range(0, len(wanted) + 7, 7)]
            assert [one.id for page in found for one in page.messages] == wanted
            assert {page.total for page in found} == {len(wanted)}
    by_score = MessageQuestion(workspace=workspace, order="score")
    scores = [one.score for offset in range(0, 60, 7) for one in pages.page(by_score, offset, 7).messages]
    known = [score for score in scores if score is not None]
    assert len(scores) == 60
    assert known == sorted(known, reverse=True)
    assert scores == known + [None] * (60 - len(known))
    assert pages.counts(workspace)[MessageStatus.QUARANTINED] == 20


def test_filters_of_a_list(ledger: Ledger, workspace: int) -> None:
    other = ledger.tenants.add_workspace("other", NOW).id
    ledger.inbound.messages.take_in(
        [
            mail(message(workspace, NOW, subject="An Invoice 100%", sender="bounce@y.example", address="a-id")),
            mail(message(workspace, NOW + 1, from_address="z@z.example", recipient="b@x.example")),
            mail(message(workspace, NOW - 9, subject="At the caf\u00e9/bar_x", recipient="c@x.example")),
            mail(message(other, NOW, subject="invoice")),
        ],
        NOW,
    )
    ledger.inbound.contacts.change(
        workspace, "z@z.example", lambda old: msgspec.structs.replace(old, state=ContactState.WHITELISTED)
    )

    def found(**values: object) -> list[str]:
        question = msgspec.convert({"workspace": workspace, **values}, MessageQuestion)
        page = ledger.inbound.pages.page(question)
        assert page.total == len(page.messages)
        return [one.recipient for one in page.messages]

    assert found(text="invoice") == ["a@x.example"]
    assert found(text="aN iNVOICE") == ["a@x.example"]
    assert found(text="Z.Example") == ["b@x.example"], "in From, too"
    assert found(text="caf\u00e9/bar_") == ["c@x.example"]
    assert found(text="caf\u00e9/barx") == found(text="/bar%") == found(text="bar\\") == []
    assert found(text="/BAR_") == ["c@x.example"]
    assert found(text="100%") == ["a@x.example"]
    assert found(text="1%0") == []
    assert found(sender="bounce@y.example") == ["a@x.example"]
    assert found(address="a-id") == ["a@x.example"]
    assert found(recipient="b@x.example") == ["b@x.example"]
    assert found(contact_state="whitelisted") == ["b@x.example"]
    assert found(since=NOW + 1) == ["b@x.example"]
    assert found(until=NOW + 1) == ["a@x.example", "c@x.example"]


def test_a_change_counts_once_however_often_it_is_tried(ledger: Ledger, workspace: int) -> None:
    held = message(workspace, NOW, status=MessageStatus.QUARANTINED)
    ledger.inbound.messages.take_in([mail(held)], NOW)
    held = msgspec.structs.replace(held, contact=ledger.inbound.messages.by_id(workspace, [held.id])[held.id].contact)
    free = msgspec.structs.replace(held, status=MessageStatus.PENDING, next_at=NOW, hop="smtp:h:25")
    entry = AuditEntry(at=NOW, actor="key 1", action="accept", subject=held.id)
    step = Change(before=held, after=free)
    assert ledger.inbound.messages.change([step], NOW, {workspace: [entry]}) == {held.id}
    assert ledger.inbound.messages.change([step], NOW, {workspace: [entry]}) == set()
    counts = ledger.inbound.pages.counts(workspace)
    assert (counts[MessageStatus.QUARANTINED], counts[MessageStatus.PENDING]) == (0, 1)
    assert ledger.inbound.audit.page(workspace).total == 1
    assert ledger.inbound.messages.message(workspace, held.id) == free


@pytest.mark.parametrize("count", [1, 3, 11])
def test_changes_at_once_are_each_messages_own(ledger: Ledger, workspace: int, count: int) -> None:
    pending = [message(workspace, NOW + each, status=MessageStatus.PENDING, hop="smtp:h:25") for each in range(count)]
    other = message(workspace, NOW, status=MessageStatus.PENDING, reply="as it was")
    accepted = MailEvent(relay=0, accepted_at=NOW, number=1, type=EventType.ACCEPTED, at=NOW)
    assert ledger.inbound.messages.take_in([mail(*pending, other, events=(accepted,))], NOW) == [None]
    steps = [
        Change(
            before=one,
            after=msgspec.structs.replace(
                one, status=MessageStatus.DELIVERED, reply=f"250 {place}", attempts=place, delivered_at=NOW + place
            ),
            events=(msgspec.structs.replace(accepted, type=EventType.DELIVERED, recipient=f"{place}@x.example"),),
        )
        for place, one in enumerate(pending)
    ]
    gone = Change(before=msgspec.structs.replace(other, holder="somebody"), after=other)
    assert ledger.inbound.messages.change([*steps, gone], NOW) == {one.id for one in pending}
    found = ledger.inbound.messages.by_id(workspace, [one.id for one in (*pending, other)])
    assert [found[one.id].reply for one in (*pending, other)] == [f"250 {place}" for place in range(count)] + [
        "as it was"
    ]
    assert [found[one.id].attempts for one in pending] == list(range(count))
    assert ledger.inbound.pages.counts(workspace)[MessageStatus.PENDING] == 1
    told = [event.recipient for pending in ledger.journal.pending(9) for event in pending.batch.events]
    assert told == ["", *(f"{place}@x.example" for place in range(count))]


def test_what_is_due_is_taken_by_age_and_by_one(ledger: Ledger, workspace: int) -> None:
    late, early = (
        message(workspace, NOW + at, status=MessageStatus.PENDING, hop="smtp:h:25", next_at=NOW) for at in (5, 1)
    )
    waits = message(workspace, NOW, status=MessageStatus.PENDING, hop="smtp:h:25", next_at=NOW + 99)
    ledger.inbound.messages.take_in([mail(late), mail(early), mail(waits)], NOW)
    queue = ledger.inbound.queue
    assert queue.hops() == {"smtp:h:25": NOW}
    assert [one.id for one in queue.take("smtp:h:25", NOW, 10, "me", 1000)] == [early.id, late.id]
    assert queue.take("smtp:h:25", NOW, 10, "you", 1000) == []
    assert queue.let_go(NOW, "you") == 0
    assert queue.let_go(NOW) == 2
    assert [one.holder for one in queue.take("smtp:h:25", NOW, 1, "you", 1000)] == ["you"]


def test_what_waits_moves_with_its_domain_in_hand_or_not(ledger: Ledger, workspace: int) -> None:
    waits, held, other = (
        message(workspace, NOW + at, recipient=recipient, status=MessageStatus.PENDING, hop="smtp:old:25", next_at=at_)
        for at, recipient, at_ in ((1, "a@X.example", NOW + 99), (2, "b@x.example", NOW), (3, "c@y.example", NOW + 99))
    )
    foreign = ledger.tenants.add_workspace("other", NOW).id
    theirs = msgspec.structs.replace(waits, id=ordered_uuid(NOW), workspace=foreign)
    ledger.inbound.messages.take_in([mail(each) for each in (waits, held, other, theirs)], NOW)
    queue, messages = ledger.inbound.queue, ledger.inbound.messages
    (taken,) = queue.take("smtp:old:25", NOW, 1, "me", 1000)
    assert queue.move({DomainKey(workspace, "x.example"): "smtp:new:25"}, NOW + 5) == 2
    assert queue.move({DomainKey(workspace, "x.example"): "smtp:new:25"}, NOW + 6) == 0
    found = messages.by_id(workspace, [waits.id, held.id, other.id]) | messages.by_id(foreign, [theirs.id])
    assert {one.id: (one.hop, one.next_at, one.holder) for one in found.values()} == {
        waits.id: ("smtp:new:25", NOW + 5, ""),
        held.id: ("smtp:new:25", NOW + 1000, "me"),
        other.id: ("smtp:old:25", NOW + 99, ""),
        theirs.id: ("smtp:old:25", NOW + 99, ""),
    }
    # Whoever has it in hand knows the old one, and does not bring it back.
    later = msgspec.structs.replace(taken, holder="", attempts=1, next_at=NOW + 500)
    assert messages.change([Change(before=taken, after=later)], NOW) == {held.id}
    tried = messages.by_id(workspace, [held.id])[held.id]
    assert (tried.hop, tried.attempts, tried.next_at) == ("smtp:new:25", 1, NOW + 500)


def test_a_pause_that_is_cut_short_is_not_counted(ledger: Ledger, workspace: int) -> None:
    tries = {number: message(workspace, NOW + number, attempts=number, next_at=NOW + 99) for number in (0, 1, 5)}
    waiting = [msgspec.structs.replace(each, status=MessageStatus.PENDING, hop="smtp:h:25") for each in tries.values()]
    ledger.inbound.messages.take_in([mail(each) for each in waiting], NOW)
    assert ledger.inbound.queue.wake("smtp:h:25", NOW) == 3
    assert [one.attempts for one in ledger.inbound.queue.take("smtp:h:25", NOW, 9, "me", 1000)] == [0, 0, 4]


def test_what_is_given_back_is_due(ledger: Ledger, workspace: int) -> None:
    one, two = (
        message(workspace, NOW + at, status=MessageStatus.PENDING, hop="smtp:h:25", next_at=NOW) for at in (1, 2)
    )
    ledger.inbound.messages.take_in([mail(one), mail(two)], NOW)
    queue = ledger.inbound.queue
    queue.take("smtp:h:25", NOW, 9, "me", 1000)
    queue.give_back([one.id, two.id], "you", NOW)
    assert queue.take("smtp:h:25", NOW, 9, "you", 1000) == []
    queue.give_back([two.id], "me", NOW)
    assert [each.id for each in queue.take("smtp:h:25", NOW, 9, "you", 1000)] == [two.id]


def test_recipients_are_known_in_one_look(ledger: Ledger, workspace: int) -> None:
    assert ledger.inbound.recipients.known(["x.example"], ["a@x.example"]).domains == {}
    domain = InboundDomain(id="d", workspace=workspace, name="x.example", hop=NextHop("h"))
    box = alias(workspace, "box@x.example")
    names = [alias(workspace, f"a{number}@x.example", box.id, active=number % 2 == 0) for number in range(5)]
    ledger.inbound.domains.add(domain)
    for each in (box, *names):
        ledger.inbound.addresses.add(each)
    known = ledger.inbound.recipients.known(
        iter(["x.example", "y.example", "x.example"]), (each.address for each in [*names, *names])
    )
    assert known.domains == {"x.example": domain}
    assert known.addresses == {each.address: each for each in names}
    assert known.mailboxes == {box.id: box}
    assert known.teams == {workspace: Team(workspace=workspace)}
    ledger.inbound.teams.save_team(Team(workspace=workspace, weekly_limit=7))
    assert ledger.inbound.recipients.known(["x.example"], []).teams[workspace].weekly_limit == 7


def test_a_look_that_is_repeated_sees_what_was_written_meanwhile(ledger: Ledger, workspace: int) -> None:
    known = ledger.inbound.recipients.known
    for number in range(3):
        names = [f"d{each}.example" for each in range(4)]
        assert sorted(known(names, []).domains) == names[:number]
        name = f"d{number}.example"
        ledger.inbound.domains.add(
            InboundDomain(id=ordered_uuid(NOW), workspace=workspace, name=name, hop=NextHop("127.0.0.1"))
        )


def test_a_message_that_is_removed_is_not_counted_any_more(ledger: Ledger, workspace: int) -> None:
    one = message(workspace, NOW, content="ab" * 32)
    ledger.inbound.messages.take_in([mail(one)], NOW)
    assert ledger.inbound.messages.uses(["ab" * 32, "cd" * 32]) == {"ab" * 32}
    assert ledger.inbound.messages.remove([one]) == {one.id}
    assert ledger.inbound.messages.uses(["ab" * 32]) == set()
    assert ledger.inbound.pages.page(MessageQuestion(workspace=workspace)).total == 0


# -- contacts


def test_contacts_are_listed_by_count_from_either_end(ledger: Ledger, workspace: int) -> None:
    contacts = ledger.inbound.contacts
    contacts.meet(workspace, {f"c{each}@y.example": Seen(each % 7 + 1, NOW + each, "") for each in range(30)})
    contacts.meet(workspace, {"c3@y.example": Seen(90, NOW - 1, "Cee")})
    question = ContactQuestion(workspace=workspace, order="email_count")
    found = [one for offset in range(0, 30, 4) for one in contacts.page(question, offset, 4).contacts]
    assert len({one.id for one in found}) == 30
    assert [one.email_count for one in found] == sorted((one.email_count for one in found), reverse=True)
    assert (found[0].email, found[0].email_count, found[0].name) == ("c3@y.example", 94, "Cee")
    assert found[0].last_seen_at == NOW + 3


def test_a_contacts_state_is_counted(ledger: Ledger, workspace: int) -> None:
    contacts = ledger.inbound.contacts
    contacts.meet(workspace, {f"c{each}@y.example": Seen(1, NOW, "") for each in range(3)})
    changed = contacts.change(
        workspace, "c1@y.example", lambda old: msgspec.structs.replace(old, state=ContactState.BLOCKED)
    )
    assert contacts.contact(workspace, changed.id) == changed
    assert contacts.counts(workspace)[ContactState.UNSET] == 2
    blocked = contacts.page(ContactQuestion(workspace=workspace, state=ContactState.BLOCKED))
    assert (blocked.total, blocked.contacts) == (1, [changed])
    assert contacts.states(workspace, ["c1@y.example", "nobody@y.example"]) == {"c1@y.example": ContactState.BLOCKED}
    with pytest.raises(NotFound):
        contacts.change(ledger.tenants.add_workspace("b", NOW).id, changed.id, lambda old: old)


# -- addresses, domains, filters


def test_a_name_of_a_domain_or_an_address_belongs_to_one_workspace(ledger: Ledger, workspace: int) -> None:
    other = ledger.tenants.add_workspace("other", NOW).id
    domain = InboundDomain(id=ordered_uuid(NOW), workspace=workspace, name="x.example", hop=NextHop("127.0.0.1", 25))
    ledger.inbound.domains.add(domain)
    with pytest.raises(AlreadyExists):
        ledger.inbound.domains.add(msgspec.structs.replace(domain, id=ordered_uuid(NOW), workspace=other))
    assert ledger.inbound.domains.named("x.example") == domain
    assert ledger.inbound.domains.domain(other, domain.id) is None
    box = alias(workspace, "a@x.example")
    ledger.inbound.addresses.add(box)
    with pytest.raises(AlreadyExists):
        ledger.inbound.addresses.add(alias(other, "a@x.example"))
    with pytest.raises(InvalidInput):
        ledger.inbound.domains.remove(workspace, domain.id)


def test_a_mailbox_is_not_removed_below_its_aliases(ledger: Ledger, workspace: int) -> None:
    addresses = ledger.inbound.addresses
    box = alias(workspace, "a@x.example")
    addresses.add(box)
    fresh = alias(workspace, "b@x.example", box.id, label="shop", quarantine_at=3.0)
    addresses.add(fresh)
    assert addresses.named(["b@x.example", "c@x.example"]) == {"b@x.example": fresh}
    with pytest.raises(InvalidInput):
        addresses.add(alias(ledger.tenants.add_workspace("o", NOW).id, "c@x.example", box.id))
    with pytest.raises(InvalidInput):
        addresses.remove(workspace, box.id)
    changed = msgspec.structs.replace(fresh, active=False, reject_at=9.5)
    addresses.save(changed)
    page = addresses.page(AddressQuestion(workspace=workspace, type=AddressType.ALIAS))
    assert (page.total, page.addresses) == (1, [changed])
    assert addresses.remove(workspace, fresh.id) == changed
    addresses.remove(workspace, box.id)
    with pytest.raises(NotFound):
        addresses.remove(workspace, box.id)


def test_filters_keep_their_order(ledger: Ledger, workspace: int) -> None:
    filters = ledger.inbound.filters

    def rule(name: str, position: int = 0) -> Filter:
        return Filter(
            id=ordered_uuid(NOW), workspace=workspace, name=name, action=FilterAction.DENY, groups=(), position=position
        )

    a, b = filters.put(rule("a")), filters.put(rule("b"))
    c = filters.put(rule("c", 1))
    assert [(each.name, each.position) for each in filters.filters(workspace)] == [("c", 1), ("a", 2), ("b", 3)]
    filters.reorder(workspace, [a.id, b.id, c.id])
    filters.remove(workspace, a.id)
    assert [(each.name, each.position) for each in filters.filters(workspace)] == [("b", 1), ("c", 2)]
    with pytest.raises(InvalidInput):
        filters.reorder(workspace, [b.id])


def test_a_team_has_no_limits_until_some_are_saved(ledger: Ledger, workspace: int) -> None:
    assert ledger.inbound.teams.team(workspace) == Team(workspace=workspace)
    team = Team(workspace=workspace, weekly_limit=9, zone="Europe/Berlin")
    ledger.inbound.teams.save_team(team)
    assert ledger.inbound.teams.team(workspace) == team


def test_messages_are_gone_through_in_parts_each_once(ledger: Ledger, workspace: int) -> None:
    other = ledger.tenants.add_workspace("other", NOW).id
    mine = [message(workspace, NOW + hour // 2 * HOUR) for hour in range(7)]
    ledger.inbound.messages.take_in([mail(one) for one in [*mine, message(other, NOW + HOUR)]], NOW)
    parts = list(ledger.inbound.pages.walk(workspace, NOW + HOUR, 2))
    assert [[one.id for one in part] for part in parts] == [[a.id for a in mine[n : n + 2]] for n in (2, 4, 6)]


def test_a_sender_without_a_name_has_the_first_that_comes(ledger: Ledger, workspace: int) -> None:
    for name in ("", "Ann", "", "Bob"):
        ledger.inbound.contacts.meet(workspace, {"a@y.example": Seen(1, NOW, name), "b@y.example": Seen(1, NOW, "")})
    found = ledger.inbound.contacts.known(workspace)
    assert {each.email: (each.name, each.email_count) for each in found.values()} == {
        "a@y.example": ("Ann", 4), "b@y.example": ("", 4),
    }  # fmt: skip
