"""What is gone of a mail log, and what only looks as if it were."""

from __future__ import annotations

import msgspec
import pytest

from mailvane.maillog.inventory import Inventory, Loss, Part, Record, TableParts, describe_losses, losses

NOW = 1_790_000_000_000
SECONDS = NOW // 1000
DAY = 86_400


def part(first: int, last: int, rows: int = 10, expires: tuple[int, int] = (0, 0), partition: str = "202609") -> Part:
    return Part(partition, first, last, rows, rows * 7, *expires)


def having(*parts: Part, table: str = "events", made: str = "a") -> dict[str, dict[str, TableParts]]:
    return {"": {table: TableParts(made, parts)}}


def gone(known: Inventory, present: Inventory) -> list[tuple[int, int, int]]:
    record = Record({server: dict(tables) for server, tables in known.items()})
    return [(one.part.first, one.part.last, one.part.rows) for one in losses(record, present, NOW)]


THREE = (part(1, 1), part(2, 2), part(5, 5))


@pytest.mark.parametrize(
    "present",
    [
        having(*THREE),
        having(*THREE, part(6, 6)),
        having(part(1, 5, 30)),
        having(part(1, 2, 20), part(5, 5)),
        having(part(1, 8, 60)),
    ],
    ids=["as it was", "one more", "merged", "partly merged", "merged with later ones"],
)
def test_nothing_is_gone(present: Inventory) -> None:
    assert gone(having(*THREE), present) == []


@pytest.mark.parametrize(
    ("present", "missing"),
    [
        (having(THREE[0], THREE[2]), [(2, 2, 10)]),
        (having(), [(1, 1, 10), (2, 2, 10), (5, 5, 10)]),
        ({"": {}}, [(1, 1, 10), (2, 2, 10), (5, 5, 10)]),
        (having(part(6, 9, 500)), [(1, 1, 10), (2, 2, 10), (5, 5, 10)]),
        (having(part(1, 5, 0)), [(1, 1, 10), (2, 2, 10), (5, 5, 10)]),
        (having(part(1, 5, 29)), [(0, 0, 1)]),
        (having(*THREE, made="b"), []),
        (having(part(1, 1, 29), made="b"), [(0, 0, 1)]),
        (having(made="b"), [(1, 1, 10), (2, 2, 10), (5, 5, 10)]),
    ],
    ids=[
        "a part", "all", "the table", "all but what came later", "emptied", "a row of a merged one",
        "nothing: restored by other means", "a row of a restored one", "made anew",
    ],
)  # fmt: skip
def test_what_is_gone_is_told(present: Inventory, missing: list[tuple[int, int, int]]) -> None:
    assert gone(having(*THREE), present) == missing


def test_a_merge_that_a_power_cut_tore_leaves_what_was_merged() -> None:
    assert gone(having(part(1, 5, 30)), having(*THREE)) == []


def test_what_expired_is_not_missed() -> None:
    past, future = (SECONDS - 9 * DAY, SECONDS - DAY), (SECONDS + 9 * DAY, SECONDS + 10 * DAY)
    both = (past[0], future[1])
    assert gone(having(part(1, 1, expires=past)), having()) == []
    assert gone(having(part(1, 1, expires=future)), having()) == [(1, 1, 10)]
    assert gone(having(part(1, 1, expires=both)), having(part(1, 1, 3, both))) == [], "some of its rows did"
    assert gone(having(part(1, 1, expires=both)), having()) == [(1, 1, 10)]


def test_rows_of_views_are_joined() -> None:
    known = having(*THREE, table="deliveries")
    assert gone(known, having(part(1, 5, 12), table="deliveries")) == []
    assert gone(known, having(part(1, 2, 12), table="deliveries")) == [(5, 5, 10)]
    assert gone(known, having(part(1, 1, 1), table="deliveries", made="b")) == []
    assert gone(having(*THREE, table="waiting"), having(table="waiting")) == []


def test_a_server_that_is_not_asked_is_not_missed() -> None:
    assert gone({"one:8123": {}, "two:8123": having(*THREE)[""]}, {"one:8123": {}}) == []


def test_what_is_gone_stays_gone_until_just_that_is_back() -> None:
    first = losses(Record(having(*THREE)), having(*THREE[1:]), NOW)
    assert first == (Loss("", "events", "a", THREE[0]),)
    record = Record(having(*THREE[1:]), first)
    assert losses(record, having(*THREE[1:], part(6, 6, 100)), NOW) == first
    assert losses(record, having(msgspec.structs.replace(THREE[0], size=1), *THREE[1:]), NOW) == first
    assert losses(record, having(*THREE), NOW) == ()
    assert losses(record, having(THREE[1]), NOW) == (*first, Loss("", "events", "a", THREE[2]))


def test_it_is_told_what_to_do() -> None:
    def lost(table: str) -> Loss:
        return Loss("", table, "a", part(1, 1, 2_000))

    assert describe_losses([lost("deliveries"), lost("events"), lost("events")]) == (
        "the mail log is damaged, it lacks what it had: 4,000 rows of events (202609), 2,000 rows of deliveries"
        " (202609); `mailvane restore` a backup into a new data directory, or go on with what is left:"
        " `mailvane doctor --accept-loss`"
    )
    assert describe_losses([lost("mails")]).endswith("(202609); `mailvane rebuild` makes them anew from the events")
