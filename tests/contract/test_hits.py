"""Mail to traps and honeytokens, asked of SQLite and of PostgreSQL; and of a hundred thousand of them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from mailvane.domain.alerts import DAY_MS
from mailvane.domain.reputation import Observation, ObservationKind
from mailvane.storage.ledger import SqlLedger, open_ledger
from mailvane.storage.reputation import HitQuestion

NOW = 1_790_000_000_000
MANY = 100_000
TRAP = ObservationKind.TRAP_HIT


def hit(key: str, at: int = NOW, asset: str = "192.0.2.1", **data: object) -> Observation:
    return Observation(kind=TRAP, asset=asset, key=key, at=at, seen_at=NOW, data={"ip": "192.0.2.1"} | data)


def question(workspace: int, **more: object) -> HitQuestion:
    asked = HitQuestion(workspace=workspace, kind=TRAP, since=NOW - 30 * DAY_MS, until=NOW + DAY_MS)
    return msgspec.structs.replace(asked, **more)


@pytest.fixture
def one(ledger: SqlLedger) -> int:
    return ledger.add_workspace("one", NOW).id


def keys(
    ledger: SqlLedger, asked: HitQuestion, offset: int = 0, limit: int = 10, newest_first: bool = True
) -> list[str]:
    return [each.key for each in ledger.hits(asked, offset, limit, newest_first).observations]


def test_a_page_is_a_part_of_all_hits_in_order(ledger: SqlLedger, one: int) -> None:
    other = ledger.add_workspace("other", NOW).id
    ledger.observe(one, [hit(f"{number:02}", NOW + number) for number in range(30)])
    ledger.observe(other, [hit("foreign", NOW)])
    assert ledger.hits(question(one), 0, 10).total == 30
    assert keys(ledger, question(one), 0, 3) == ["29", "28", "27"]
    assert keys(ledger, question(one), 28, 10) == ["01", "00"]
    assert keys(ledger, question(one), 0, 2, newest_first=False) == ["00", "01"]
    assert keys(ledger, question(one, since=NOW + 5, until=NOW + 7)) == ["06", "05"]
    assert ledger.hits(question(one), 100, 10).observations == []


@pytest.mark.parametrize("at_once", [True, False])
def test_a_mail_that_concerns_two_names_is_one_hit(ledger: SqlLedger, one: int, at_once: bool) -> None:
    twins = [hit("a", asset="192.0.2.1"), hit("a", asset="shop.example")]
    for told in [twins] if at_once else [[twin] for twin in twins]:
        ledger.observe(one, told)
    assert ledger.hits(question(one), 0, 10).total == 1
    ledger.observe(one, [msgspec.structs.replace(twins[0], confirmed_at=NOW + 9)])
    assert ledger.hits(question(one), 0, 10).observations[0].confirmed_at == NOW + 9


def test_fields_are_searched_as_they_are_written(ledger: SqlLedger, one: int) -> None:
    ledger.observe(one, [hit("a", subject="ÜBER 100% sure_thing"), hit("b", subject="other"), hit("c", subject=None)])
    for part in ("über", "100%", "SURE_"):
        assert keys(ledger, question(one, contains={"subject": part})) == ["a"], part
    assert keys(ledger, question(one, contains={"subject": "100_"})) == []
    assert keys(ledger, question(one, contains={"subject": ""})) == ["c", "b", "a"]
    assert keys(ledger, question(one, contains={"absent": "x"})) == []
    assert keys(ledger, question(one, one_of={"subject": {"other", "else"}})) == ["b"]


def test_hits_are_counted_by_field_and_by_day(ledger: SqlLedger, one: int) -> None:
    ledger.observe(
        one, [hit("a", colour="black"), hit("b", NOW - DAY_MS, colour="black"), hit("c"), hit("d", colour="grey")]
    )
    assert ledger.hits_by(question(one), "colour") == [("black", 2), ("", 1), ("grey", 1)]
    assert ledger.hits_by_day(question(one)) == {NOW // DAY_MS: 3, NOW // DAY_MS - 1: 1}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlLedger]:
    ledger = open_ledger(f"sqlite:///{Path(tmp_path_factory.mktemp('many')) / 'ledger.sqlite'}")
    workspace = ledger.add_workspace("one", NOW).id
    told = (hit(f"{number:06}", NOW - number * 1000, ip=f"192.0.2.{number % 250}") for number in range(MANY))
    ledger.observe(workspace, told)
    yield ledger
    ledger.close()


def test_questions_about_many_hits_do_not_bring_them_into_memory(many: SqlLedger) -> None:
    asked = question(many.workspaces()[0].id)
    tracemalloc.start()
    try:
        assert many.hits(asked, 50_000, 20).total == MANY
        assert len(many.hits_by(asked, "ip")) == 250
        assert sum(many.hits_by_day(asked).values()) == MANY
        assert many.hits(msgspec.structs.replace(asked, contains={"ip": "2.249"}), 0, 20).total == MANY // 250
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 << 20
