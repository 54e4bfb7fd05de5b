"""What a filter would have done: by the columns of the ledger, by the content where it is kept, or not to be told."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import msgspec
import pytest

from mailvane.core.tenants.service import Tenancy
from mailvane.inbound.contacts import decide
from mailvane.inbound.digest.links import HeldLinks
from mailvane.inbound.dry_run import dry_run, told
from mailvane.inbound.filter_words import groups_of, words
from mailvane.inbound.filtering import kept_mail
from mailvane.inbound.model import AuditEntry, ContactState, Filter, FilterAction, Message, MessageStatus
from mailvane.inbound.quarantine import Quarantine
from mailvane.inbound.received import ReceivedMail
from mailvane.inbound.services import InboundServices
from tests.ledgers import fresh_ledger
from tests.wire.inbound import DAY, addresses, message, taken_in
from tests.wire.memory_maillog import MemoryMailLog

NOW = 40 * DAY
HELD = b"From: Sue <s@y.example>\r\nSubject: hello\r\nList-Id: <news.y.example>\r\n\r\nbuy now\r\n"


def rule(action: FilterAction, *every: str, some: Sequence[str] = (), position: int = 0) -> Filter:
    return Filter(
        id=f"{action}-{every}-{some}", workspace=1, name="tried", action=action, groups=groups_of(every, some),
        position=position,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("every", "some", "without", "with_content"),
    [
        (["subject contains HELL"], [], True, True),
        (["subject contains nothing"], [], False, False),
        (["spam_score greater_than 4"], [], True, True),
        (["body contains buy"], [], None, True),
        (["header:List-Id exists"], [], None, True),
        (["header:List-Id not_exists"], [], None, False),
        (["body contains buy", "subject contains nothing"], [], False, False),
        (["body contains buy", "subject contains hell"], [], None, True),
        ([], ["body contains buy", "subject contains hell"], True, True),
        ([], ["body contains sell", "subject contains nothing"], None, False),
        (["subject contains hell"], ["body contains buy"], None, True),
        (["subject contains nothing"], ["body contains buy"], False, False),
    ],
)
def test_what_is_not_kept_is_neither_true_nor_false(
    every: list[str], some: list[str], without: bool | None, with_content: bool
) -> None:
    tried, one = rule(FilterAction.DENY, *every, some=some), message(1, NOW, score=5.0)
    assert told(tried, kept_mail(one, None, None), is_whole=False) is without
    assert told(tried, kept_mail(one, HELD, None), is_whole=True) is with_content


def test_conditions_are_written_as_they_are_read() -> None:
    tried = rule(FilterAction.DENY, "from ends-with @x.example", "header:List-Id exists", some=["subject equals a b"])
    assert words(tried) == "(from ends_with @x.example and header:List-Id exists) and (subject equals a b)"


@pytest.fixture
def services(tmp_path: Path) -> InboundServices:
    ledger = fresh_ledger(tmp_path / "ledger.sqlite")
    tenancy = Tenancy(ledger.tenants, "")
    tenancy.create_workspace("acme", NOW)
    contents = {"held": HELD}
    quarantine = Quarantine(ledger.inbound, contents.__getitem__, lambda _mail, _is_spam: None)
    links = HeldLinks(lambda _workspace, _now: (), lambda _workspace, _now: ())
    received = ReceivedMail(ledger.inbound, ledger.tenants, lambda: nullcontext(MemoryMailLog()))
    return InboundServices(tenancy, ledger.inbound, received, quarantine, 30, links=links, content=contents.get)


@pytest.fixture
def filled(services: InboundServices) -> InboundServices:
    """A message of each kind; of those that filters are looked at for, one is held with its content, two are not."""
    mailbox, alias = addresses(services.stores, 1, "in.example", NOW)

    def one(number: int, **values: object) -> Message:
        return message(1, NOW - number * DAY, **{"address": mailbox.id, "from_address": "a@y.example", **values})

    taken_in(
        services.stores, 1, NOW,
        one(1, score=3.0),
        one(2, status=MessageStatus.QUARANTINED, content="held", score=7.0),
        one(3, status=MessageStatus.REJECTED, score=20.0),
        one(4, status=MessageStatus.DENIED, from_address="blocked@z.example"),
        one(5, address=alias.id),
        one(6, address=None),
        one(31),
    )  # fmt: skip
    entry = AuditEntry(at=NOW, actor="test", action="", subject="")
    decide(services.stores, 1, "Blocked@Z.example", {"state": ContactState.BLOCKED}, entry)
    return services


@pytest.mark.parametrize(
    ("tried", "decided", "changed", "unmatched", "unknown"),
    [
        (rule(FilterAction.DENY, "from ends_with @y.example"), 3, 3, 0, 0),
        (rule(FilterAction.ALLOW, "from ends_with @y.example"), 3, 1, 0, 0),
        (rule(FilterAction.ALLOW, "spam_score greater_than 5"), 1, 1, 2, 0),
        (rule(FilterAction.DENY, "body contains buy"), 1, 1, 0, 2),
        (rule(FilterAction.DENY, "body contains sell"), 0, 0, 1, 2),
    ],
)
def test_what_a_filter_would_have_done(
    filled: InboundServices, tried: Filter, decided: int, changed: int, unmatched: int, unknown: int
) -> None:
    found = dry_run(filled, tried, NOW - 30 * DAY)
    assert (found.messages, found.earlier) == (6, 3)
    assert (found.decided, found.changed, found.unmatched, found.unknown) == (decided, changed, unmatched, unknown)
    assert len(found.examples) == changed
    assert sum(found.was.values()) == decided


def test_filters_before_it_decide_first_and_those_behind_do_not(filled: InboundServices) -> None:
    filled.stores.filters.put(rule(FilterAction.ALLOW, "spam_score less_than 5"))
    everything = rule(FilterAction.DENY, "from ends_with @y.example")
    first = msgspec.structs.replace(everything, position=1)
    assert dry_run(filled, everything, NOW - 30 * DAY).decided == 2
    assert dry_run(filled, first, NOW - 30 * DAY).decided == 3


def test_one_that_depends_on_an_unknown_one_before_it_is_not_judged(filled: InboundServices) -> None:
    filled.stores.filters.put(rule(FilterAction.DENY, "body contains sell"))
    found = dry_run(filled, rule(FilterAction.DENY, "from ends_with @y.example"), NOW - 30 * DAY)
    assert (found.decided, found.unknown, found.was) == (1, 2, {"quarantined": 1})
