"""A batch whose insert was cut short, wherever that was: stored again, every table says what it would have said."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest

from mailvane.maillog.clickhouse import open_maillog
from mailvane.maillog.clickhouse.engine import Engine, parse_address
from mailvane.maillog.clickhouse.repair import SUMS
from mailvane.maillog.clickhouse.schema import TABLES
from mailvane.maillog.model import EventBatch, EventType, MailEvent

NOON = 1_790_000_000_000
DAY = 86_400_000
HALF = 30


def events() -> list[MailEvent]:
    """Mails over three months; each is accepted, put off in the same hour, and delivered."""
    told = []
    for n in range(HALF):
        at = NOON + n * 3 * DAY
        told.append(MailEvent(relay=1, accepted_at=at, number=n, type=EventType.ACCEPTED, at=at, waiting=1))
        for step, what in enumerate((EventType.DEFERRED, EventType.DELIVERED, EventType.OPENED), 1):
            told.append(
                MailEvent(
                    relay=1, accepted_at=at, number=n, type=what, at=at + step, recipient="a@b.example",
                    waiting=-1 if step == 1 else 0, mx_host="mx.b.example", subject="Hello",
                )
            )  # fmt: skip
    return told


def batches() -> tuple[EventBatch, EventBatch]:
    """Two that touch the same mails and hours."""
    told = events()
    return EventBatch("one", 7, 0, told[::2]), EventBatch("two", 7, 0, told[1::2])


def contents(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    tables = [table for table in TABLES if table != "restored"]
    said = {table: engine.rows(f"SELECT * FROM {table} FINAL ORDER BY ALL") for table in tables if table != "events"}
    return {**said, "events": engine.rows("SELECT * FROM events ORDER BY ALL")}


def parts(engine: Engine) -> dict[Path, str]:
    question = "SELECT path, table FROM system.parts WHERE active AND database = currentDatabase()"
    return {Path(str(path)): str(table) for path, table in engine.rows(question)}


def cut_short(directory: Path, lost: Callable[[str], bool], last: EventBatch) -> dict[str, list[tuple[object, ...]]]:
    """What the tables hold when the parts of tables that `lost` says vanish in an insert, and it is done again."""
    with open_maillog(f"chdb://{directory}") as maillog:
        maillog.append(batches()[0])
    engine = Engine(parse_address(f"chdb://{directory}"))
    before = parts(engine)
    engine.close()
    with open_maillog(f"chdb://{directory}") as maillog:
        maillog.append(last)
    engine = Engine(parse_address(f"chdb://{directory}"))
    gone = [path for path, table in parts(engine).items() if path not in before and lost(table)]
    engine.close()
    for path in gone:
        shutil.rmtree(path)
    with open_maillog(f"chdb://{directory}") as maillog:
        for _ in range(2):
            maillog.append(batches()[1], doubtful=True)
    engine = Engine(parse_address(f"chdb://{directory}"))
    try:
        return contents(engine)
    finally:
        engine.close()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[object, ...]]]:
    directory = tmp_path_factory.mktemp("undisturbed") / "maillog"
    with open_maillog(f"chdb://{directory}") as maillog:
        for batch in batches():
            maillog.append(batch)
    engine = Engine(parse_address(f"chdb://{directory}"))
    try:
        return contents(engine)
    finally:
        engine.close()


@pytest.mark.parametrize("table", [*(table for table in TABLES if table != "restored"), "none", "all", "some"])
def test_what_a_cut_lost_is_made_good(
    table: str, tmp_path: Path, undisturbed: dict[str, list[tuple[object, ...]]]
) -> None:
    dice = random.Random(table)

    def lost(name: str) -> bool:
        return {"none": False, "all": True, "some": dice.random() < 0.5}.get(table, name == table)

    assert cut_short(tmp_path / "maillog", lost, batches()[1]) == undisturbed


def test_what_never_came_is_stored(tmp_path: Path, undisturbed: dict[str, list[tuple[object, ...]]]) -> None:
    assert cut_short(tmp_path / "maillog", lambda _: False, EventBatch("nothing", 7, 0, [])) == undisturbed


def test_every_sum_of_the_schema_is_known() -> None:
    text = files("mailvane.maillog.clickhouse").joinpath("schema.sql").read_text("utf-8")
    found: dict[str, tuple[str, ...]] = {}
    for name, body, ending in re.findall(
        r"^CREATE TABLE IF NOT EXISTS (\w+)\n\((.*?)\n\)\n(.*?);$", text, re.DOTALL | re.MULTILINE
    ):
        sums = re.findall(r"^    (\w+) SimpleAggregateFunction\(sum,", body, re.MULTILINE)
        sums += re.findall(r"^ENGINE = SummingMergeTree\((\w+)\)", ending)
        if sums:
            found[name] = tuple(sums)
    assert found == SUMS
