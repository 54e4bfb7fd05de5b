"""A batch whose insert was cut short, wherever that was: stored again, every table says what it would have said."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import pytest

from mailvane.maillog.clickhouse import ClickHouseMailLog, open_maillog
from mailvane.maillog.clickhouse.engine import Engine
from mailvane.maillog.clickhouse.repair import SUMS
from mailvane.maillog.clickhouse.schema import TABLES
from mailvane.maillog.model import EventBatch, EventType, MailEvent
from tests.depth import rounds

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


class Cut(NamedTuple):
    """A mail log with both batches in it, closed; and the parts, by table, that the insert of the last one made."""

    directory: Path
    made: dict[Path, str]

    def lacking(self, directory: Path, lost: Callable[[str], bool]) -> ClickHouseMailLog:
        """A copy whose tables lost, of that insert, what a cut in the middle of it may have lost; open."""
        shutil.copytree(self.directory, directory, symlinks=True)
        for part, table in self.made.items():
            if lost(table):
                shutil.rmtree(directory / part)
        return open_maillog(f"chdb://{directory}")


def parts(engine: Engine, directory: Path) -> dict[Path, str]:
    question = "SELECT path, table FROM system.parts WHERE active AND database = currentDatabase()"
    return {Path(str(path)).relative_to(directory): str(table) for path, table in engine.rows(question)}


def contents_of(maillog: ClickHouseMailLog) -> dict[str, list[tuple[object, ...]]]:
    (engine,) = maillog._engines
    return contents(engine)


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Cut:
    directory = (tmp_path_factory.mktemp("cut") / "maillog").resolve()
    with open_maillog(f"chdb://{directory}") as maillog:
        (engine,) = maillog._engines
        engine.command("SYSTEM STOP MERGES")  # the parts of an insert stay its own
        maillog.append(batches()[0])
        before = parts(engine, directory)
        maillog.append(batches()[1])
        after = parts(engine, directory)
    assert before.keys() < after.keys()
    return Cut(directory, {part: table for part, table in after.items() if part not in before})


@pytest.fixture(scope="module")
def undisturbed(cut: Cut, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[object, ...]]]:
    with cut.lacking(tmp_path_factory.mktemp("undisturbed") / "maillog", lambda _: False) as maillog:
        return contents_of(maillog)


@pytest.mark.parametrize("table", [*(table for table in TABLES if table != "restored"), "none", "all", "some"])
def test_what_a_cut_lost_is_made_good(
    table: str, tmp_path: Path, cut: Cut, undisturbed: dict[str, list[tuple[object, ...]]]
) -> None:
    dice = random.Random(table)

    def lost(name: str) -> bool:
        return {"none": False, "all": True, "some": dice.random() < 0.5}.get(table, name == table)

    twice = 2 if table in {"none", "all", "some"} else rounds(1, 2)
    with cut.lacking(tmp_path / "maillog", lost) as maillog:
        for _ in range(twice):
            maillog.append(batches()[1], doubtful=True)
        assert contents_of(maillog) == undisturbed


def test_what_never_came_is_stored(tmp_path: Path, undisturbed: dict[str, list[tuple[object, ...]]]) -> None:
    with open_maillog(f"chdb://{tmp_path / 'maillog'}") as maillog:
        for batch in (batches()[0], EventBatch("nothing", 7, 0, [])):
            maillog.append(batch)
        for _ in range(2):
            maillog.append(batches()[1], doubtful=True)
        assert contents_of(maillog) == undisturbed


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
