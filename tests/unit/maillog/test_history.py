"""Windows, billing cycles, cost, and questions that stay within a workspace."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.core.errors import InvalidInput
from mailvane.core.tenants.model import Price, Relay
from mailvane.maillog.history import WINDOWS, Charge, History, billing_cycle, cost, merged, window_start
from mailvane.maillog.model import EventBatch, EventType, MailEvent
from mailvane.maillog.queries import LogQuestion, Statistics
from mailvane.server.ledger import Ledger
from tests.ledgers import fresh_ledger
from tests.unit.maillog.watched_maillog import WatchedMailLog

NEW_YORK = ZoneInfo("America/New_York")
HOUR = 3_600_000


def at(text: str) -> int:
    """Milliseconds of a time in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


NOW = at("2026-11-21T15:30:00")


def accepted(relay: int, when: int, sender: str = "a@example.com") -> MailEvent:
    return MailEvent(relay=relay, accepted_at=when, number=when % 1000, type=EventType.ACCEPTED, at=when, sender=sender)


class Place:
    """A workspace with relays, and a mail log to fill."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.maillog = WatchedMailLog()
        self.workspace = ledger.tenants.add_workspace("acme", NOW).id
        self.history = History(self.maillog, ledger.tenants)

    def relay(self, **changed: object) -> Relay:
        relay = msgspec.structs.replace(self.ledger.tenants.add_relay(self.workspace, "", NOW), **changed)
        self.ledger.tenants.save_relay(relay)
        return relay

    def store(self, *events: MailEvent) -> None:
        token = f"t{len(self.maillog.batches)}"
        self.maillog.append(EventBatch(token, self.workspace, 0, list(events)))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    ledger = fresh_ledger(tmp_path / "ledger.sqlite")
    yield Place(ledger)
    ledger.close()


# -- windows


@pytest.mark.parametrize(
    ("window", "start"),
    [
        ("1h", "2026-11-21T14:30:00"),
        ("24h", "2026-11-20T15:30:00"),
        ("7d", "2026-11-14T15:30:00"),
        ("30d", "2026-10-22T15:30:00"),
        ("day", "2026-11-21T00:00:00"),
        ("month", "2026-11-01T00:00:00"),
    ],
)
def test_windows_begin_when_people_expect(window: str, start: str) -> None:
    assert window_start(window, NOW) == at(start)


def test_the_window_of_all_has_no_beginning() -> None:
    assert window_start("all", NOW) is None


def test_days_and_months_begin_at_midnight_where_one_lives() -> None:
    assert window_start("day", at("2026-11-21T03:00:00"), NEW_YORK) == at("2026-11-20T05:00:00")
    # November begins in summer time, two hours before the clocks went back.
    assert window_start("month", NOW, NEW_YORK) == at("2026-11-01T04:00:00")


def test_a_day_with_two_midnights_begins_with_the_first() -> None:
    azores = ZoneInfo("Atlantic/Azores")
    assert window_start("day", at("2026-10-25T01:30:00"), azores) == at("2026-10-25T00:00:00")
    assert billing_cycle(25, at("2026-10-25T01:30:00"), azores)[0] == at("2026-10-25T00:00:00")


@pytest.mark.parametrize("window", ["", "2h", "ALL", "billing"])
def test_an_unknown_window_is_refused(window: str) -> None:
    with pytest.raises(InvalidInput, match="1h, 24h, 7d"):
        window_start(window, NOW)


# -- billing cycles


@pytest.mark.parametrize(
    ("day", "now", "start", "end"),
    [
        (1, "2026-11-21T15:30:00", "2026-11-01T00:00:00", "2026-12-01T00:00:00"),
        (21, "2026-11-21T00:00:00", "2026-11-21T00:00:00", "2026-12-21T00:00:00"),
        (21, "2026-11-20T23:59:59", "2026-10-21T00:00:00", "2026-11-21T00:00:00"),
        (28, "2027-02-28T12:00:00", "2027-02-28T00:00:00", "2027-03-28T00:00:00"),
        (28, "2027-01-05T12:00:00", "2026-12-28T00:00:00", "2027-01-28T00:00:00"),
        (15, "2026-12-31T12:00:00", "2026-12-15T00:00:00", "2027-01-15T00:00:00"),
    ],
)
def test_a_cycle_begins_on_the_billing_day(day: int, now: str, start: str, end: str) -> None:
    assert billing_cycle(day, at(now)) == (at(start), at(end))


def test_a_cycle_begins_at_midnight_where_one_lives() -> None:
    start, end = billing_cycle(1, at("2026-11-01T03:59:59"), NEW_YORK)
    assert (start, end) == (at("2026-10-01T04:00:00"), at("2026-11-01T04:00:00"))
    start, end = billing_cycle(1, at("2026-11-01T04:00:00"), NEW_YORK)
    assert (start, end) == (at("2026-11-01T04:00:00"), at("2026-12-01T05:00:00"))


@given(
    st.integers(1, 28),
    st.integers(at("1990-01-01T00:00:00"), at("2090-01-01T00:00:00")),
    st.sampled_from([UTC, NEW_YORK, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kathmandu")]),
)
def test_cycles_follow_each_other_without_gap(day: int, now: int, zone: ZoneInfo) -> None:
    start, end = billing_cycle(day, now, zone)
    assert start <= now < end
    assert billing_cycle(day, end, zone)[0] == end
    assert billing_cycle(day, start - 1, zone)[1] == start


# -- cost


@pytest.mark.parametrize(
    ("mails", "amount"), [(0, "1.00"), (1, "1.01"), (50, "1.01"), (51, "1.02"), (55, "1.02"), (1_000_000, "201.00")]
)
def test_cost_is_rounded_up_to_the_cent(mails: int, amount: str) -> None:
    assert str(cost([(Price(), mails)])) == amount


def test_a_sum_is_rounded_once() -> None:
    assert cost([(Price(), 1), (Price(), 1)]) == Decimal("2.01")
    assert cost([]) == 0


def test_each_relay_counts_in_its_own_cycle_and_only_while_active(place: Place) -> None:
    first = place.relay(billing_day=1)
    late = place.relay(billing_day=28)
    gone = place.relay(active=False)
    for relay in (first, late, gone):
        place.store(
            accepted(relay.id, at("2026-10-27T00:00:00")),
            accepted(relay.id, at("2026-10-28T00:00:00")),
            accepted(relay.id, at("2026-11-01T00:00:00")),
            accepted(relay.id, NOW),
            accepted(relay.id, at("2026-12-01T00:00:00")),
        )
    assert place.history.usage(place.workspace, NOW) == 2 + 3
    assert place.history.charges(place.workspace, NOW) == [Charge("USD", 5, Decimal("2.01"))]


def test_currencies_are_not_added_up(place: Place) -> None:
    place.relay(price=Price(Decimal("2.50"), Decimal("1.00"), "EUR"))
    dollars = place.relay()
    place.store(accepted(dollars.id, NOW))
    assert place.history.charges(place.workspace, NOW) == [
        Charge("EUR", 0, Decimal("2.50")),
        Charge("USD", 1, Decimal("1.01")),
    ]


def test_relays_of_one_price_and_cycle_are_one_question(place: Place) -> None:
    for _ in range(3):
        place.store(accepted(place.relay().id, NOW))
    assert place.history.charges(place.workspace, NOW) == [Charge("USD", 3, Decimal("3.01"))]
    assert len(place.maillog.asked) == 1


def test_a_workspace_without_active_relays_owes_nothing(place: Place) -> None:
    assert place.history.charges(place.workspace, NOW) == []
    assert place.history.usage(place.workspace, NOW) == 0
    assert place.history.statistics(place.workspace, "all", NOW) == Statistics(0, 0, {}, {}, {})


# -- statistics


@pytest.mark.parametrize("window", WINDOWS)
def test_every_window_is_one_question_over_all_active_relays(place: Place, window: str) -> None:
    one, two = place.relay(billing_day=1), place.relay(billing_day=28)
    place.relay(active=False)
    place.store(accepted(one.id, NOW - HOUR // 2), accepted(two.id, NOW - HOUR // 2, "b@example.com"))
    found = place.history.statistics(place.workspace, window, NOW)
    assert found == Statistics(2, 0, {"a@example.com": 1, "b@example.com": 1}, {}, {})
    (asked,) = place.maillog.asked
    assert asked.relays == (one.id, two.id)


def test_the_billing_window_of_each_relay_is_its_own_cycle(place: Place) -> None:
    one, two = place.relay(billing_day=1), place.relay(billing_day=28)
    october = at("2026-10-30T00:00:00")
    place.store(accepted(one.id, october), accepted(two.id, october), accepted(one.id, NOW, "b@example.com"))
    found = place.history.statistics(place.workspace, "billing", NOW)
    assert found.received == 2
    assert found.senders == {"a@example.com": 1, "b@example.com": 1}


def test_tables_are_ranked_again_when_joined() -> None:
    left = Statistics(5, 4, {"a": 3, "b": 2}, {"x": 1}, {})
    right = Statistics(6, 1, {"c": 3, "b": 2}, {}, {"::1": 9})
    assert merged([left, right], top=2) == Statistics(11, 5, {"b": 4, "a": 3}, {"x": 1}, {"::1": 9})
    assert list(merged([left, right], top=3).senders) == ["b", "a", "c"]


# -- search


def test_a_search_stays_within_the_relays_of_its_workspace(place: Place) -> None:
    mine = place.relay(active=False)
    theirs = place.ledger.tenants.add_relay(place.ledger.tenants.add_workspace("theirs", NOW).id, "", NOW)
    question = LogQuestion(workspace=place.workspace, relays=(theirs.id, mine.id), sender="a@example.com")
    place.history.search(question)
    assert place.maillog.searched == [msgspec.structs.replace(question, relays=(mine.id,))]


def test_a_search_among_foreign_relays_finds_nothing_and_asks_nothing(place: Place) -> None:
    theirs = place.ledger.tenants.add_relay(place.ledger.tenants.add_workspace("theirs", NOW).id, "", NOW)
    place.store(accepted(theirs.id, NOW))
    for relays in ((theirs.id,), ()):
        page = place.history.search(LogQuestion(workspace=place.workspace, relays=relays))
        assert (page.total, page.deliveries) == (0, [])
    assert place.maillog.searched == []
