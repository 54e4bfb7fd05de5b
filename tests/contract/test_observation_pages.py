"""Pages, counts and sums of observations, asked of SQLite and of PostgreSQL; and of a hundred thousand of them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import msgspec
import pytest

from mailvane.core.moments import DAY_MS
from mailvane.reputation.model import Observation, ObservationKind
from mailvane.reputation.questions import ObservationQuestion
from mailvane.server.ledger import Ledger
from tests.ledgers import fresh_ledger

NOW = 1_790_000_000_000
MANY = 100_000
TRAP = ObservationKind.TRAP_HIT


def hit(key: str, at: int = NOW, asset: str = "192.0.2.1", **data: object) -> Observation:
    return Observation(kind=TRAP, asset=asset, key=key, at=at, seen_at=NOW, data={"ip": "192.0.2.1"} | data)


def question(workspace: int, **more: object) -> ObservationQuestion:
    asked = ObservationQuestion(workspace=workspace, kind=TRAP, since=NOW - 30 * DAY_MS, until=NOW + DAY_MS)
    return msgspec.structs.replace(asked, **more)


@pytest.fixture
def one(ledger: Ledger) -> int:
    return ledger.tenants.add_workspace("one", NOW).id


def keys(
    ledger: Ledger, asked: ObservationQuestion, offset: int = 0, limit: int = 10, newest_first: bool = True
) -> list[str]:
    return [each.key for each in ledger.observations.observation_page(asked, offset, limit, newest_first).observations]


def test_a_page_is_a_part_of_all_hits_in_order(ledger: Ledger, one: int) -> None:
    other = ledger.tenants.add_workspace("other", NOW).id
    ledger.observations.observe(one, [hit(f"{number:02}", NOW + number) for number in range(30)])
    ledger.observations.observe(other, [hit("foreign", NOW)])
    assert ledger.observations.observation_page(question(one), 0, 10).total == 30
    assert keys(ledger, question(one), 0, 3) == ["29", "28", "27"]
    assert keys(ledger, question(one), 28, 10) == ["01", "00"]
    assert keys(ledger, question(one), 0, 2, newest_first=False) == ["00", "01"]
    assert keys(ledger, question(one, since=NOW + 5, until=NOW + 7)) == ["06", "05"]
    assert ledger.observations.observation_page(question(one), 100, 10).observations == []


@pytest.mark.parametrize("at_once", [True, False])
def test_a_mail_that_concerns_two_names_is_one_hit(ledger: Ledger, one: int, at_once: bool) -> None:
    twins = [hit("a", asset="192.0.2.1"), hit("a", asset="shop.example")]
    for told in [twins] if at_once else [[twin] for twin in twins]:
        ledger.observations.observe(one, told)
    assert ledger.observations.observation_page(question(one), 0, 10).total == 1
    ledger.observations.observe(one, [msgspec.structs.replace(twins[0], confirmed_at=NOW + 9)])
    assert ledger.observations.observation_page(question(one), 0, 10).observations[0].confirmed_at == NOW + 9


def test_fields_are_searched_as_they_are_written(ledger: Ledger, one: int) -> None:
    ledger.observations.observe(
        one, [hit("a", subject="ÜBER 100% sure_thing"), hit("b", subject="other"), hit("c", subject=None)]
    )
    for part in ("über", "100%", "SURE_"):
        assert keys(ledger, question(one, contains={"subject": part})) == ["a"], part
    assert keys(ledger, question(one, contains={"subject": "100_"})) == []
    assert keys(ledger, question(one, contains={"subject": ""})) == ["c", "b", "a"]
    assert keys(ledger, question(one, contains={"absent": "x"})) == []
    assert keys(ledger, question(one, one_of={"subject": {"other", "else"}})) == ["b"]


def test_hits_are_counted_by_field_and_by_day(ledger: Ledger, one: int) -> None:
    ledger.observations.observe(
        one, [hit("a", colour="black"), hit("b", NOW - DAY_MS, colour="black"), hit("c"), hit("d", colour="grey")]
    )
    assert ledger.observations.counts_by(question(one), "colour") == [("black", 2), ("", 1), ("grey", 1)]
    assert ledger.observations.counts_by_day(question(one)) == {NOW // DAY_MS: 3, NOW // DAY_MS - 1: 1}


def test_of_each_asset_the_newest_can_be_asked_for(ledger: Ledger, one: int) -> None:
    ledger.observations.observe(
        one, [hit("", NOW - 2, "192.0.2.1"), hit("", NOW - 1, "192.0.2.1"), hit("", NOW - 3, "192.0.2.22")]
    )
    page = ledger.observations.observation_page(question(one, newest_only=True), 0, 10)
    assert [(each.asset, each.at) for each in page.observations] == [("192.0.2.1", NOW - 1), ("192.0.2.22", NOW - 3)]
    page = ledger.observations.observation_page(question(one, newest_only=True, asset_part="2.2"), 0, 10)
    assert (page.total, page.observations[0].asset) == (1, "192.0.2.22")


def test_numbers_add_up_asset_by_asset(ledger: Ledger, one: int) -> None:
    ledger.observations.observe(
        one,
        [
            hit("a", asset="192.0.2.1", count=3, rate=0.25, colour="RED"),
            hit("b", asset="192.0.2.1", count=4, rate=None, colour="RED"),
            hit("c", asset="192.0.2.2"),
        ],
    )
    first, second = ledger.observations.sums_by_asset(question(one), ["count", "rate"], counted="colour")
    assert (first.asset, first.count, first.sums, first.values) == (
        "192.0.2.1", 2, {"count": 7, "rate": 0.25}, {"RED": 2},
    )  # fmt: skip
    assert (second.count, second.sums, second.values) == (1, {"count": 0, "rate": 0}, {"": 1})
    assert ledger.observations.sums_by_asset(question(one), [])[0].values == {}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    ledger = fresh_ledger(tmp_path_factory.mktemp("many") / "ledger.sqlite")
    workspace = ledger.tenants.add_workspace("one", NOW).id
    told = (hit(f"{number:06}", NOW - number * 1000, ip=f"192.0.2.{number % 250}") for number in range(MANY))
    ledger.observations.observe(workspace, told)
    yield ledger
    ledger.close()


def test_questions_about_many_hits_do_not_bring_them_into_memory(many: Ledger) -> None:
    asked = question(many.tenants.workspaces()[0].id)
    tracemalloc.start()
    try:
        assert many.observations.observation_page(asked, 50_000, 20).total == MANY
        assert len(many.observations.counts_by(asked, "ip")) == 250
        assert sum(many.observations.counts_by_day(asked).values()) == MANY
        assert many.observations.sums_by_asset(asked, ["count"])[0].count == MANY
        assert (
            many.observations.observation_page(msgspec.structs.replace(asked, contains={"ip": "2.249"}), 0, 20).total
            == MANY // 250
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 << 20
