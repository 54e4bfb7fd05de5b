"""What opening a mail log does: it makes all that is missing, and nothing where everything is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mailvane.maillog.clickhouse import open_maillog
from mailvane.maillog.clickhouse.schema import is_current
from tests.contract.maillogs import maillog_dsn
from tests.waiting import PATIENCE

__all__ = ["maillog_dsn"]

# In a process of its own: this one has loaded all that tests need.
OPENING = """
import sys
from mailvane.maillog.clickhouse import open_maillog
for _ in range(2):
    with open_maillog("chdb://" + sys.argv[1]) as maillog:
        print(maillog.health().engine)
        print(maillog._engine.rows("SELECT value FROM system.server_settings WHERE name = 'background_pool_size'"))
print("loaded:", sorted({"numpy", "pandas"} & sys.modules.keys()), "pyarrow" in sys.modules)
print(int(open("/proc/self/status").read().partition("RssFile:")[2].split()[0]) >> 10)
import pyarrow
"""
_MOST_MAPPED = 170  # MiB of files; loading the engine reads some 200 of its library alone


def test_the_engine_is_loaded_with_what_is_used_of_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OPENING, str(tmp_path / "maillog")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE)

    first, merges, *rest, loaded, mapped = done.stdout.splitlines()
    assert first.startswith("chDB (ClickHouse ")
    assert merges == "[('2',)]", "the engine that is opened first has the settings that it is given"
    assert rest == [first, merges], "it is opened again"
    assert loaded == "loaded: [] False"
    assert int(mapped) < _MOST_MAPPED, "what only loading read is not mapped any more"


def test_a_table_for_a_moment_that_a_full_disk_left_without_definition_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "maillog"
    with open_maillog(f"chdb://{path}"):
        pass
    (events,) = path.glob("store/*/*/events.sql")
    unwritten = events.with_name("events_fresh.sql")
    unwritten.touch()
    with open_maillog(f"chdb://{path}") as opened:
        assert all(is_current(engine) for engine in opened._engines)
    assert not unwritten.exists()
    assert events.stat().st_size


@pytest.mark.parametrize(
    "loss",
    [
        ("DROP VIEW hourly_feed SYNC",),
        ("DROP TABLE restored SYNC",),
        ("DROP VIEW engagement_feed SYNC", "ALTER TABLE events DROP COLUMN positive SETTINGS mutations_sync = 2"),
        ("TRUNCATE TABLE written_by SYNC",),
        ("TRUNCATE TABLE written_by SYNC", "INSERT INTO written_by VALUES (3, '26.1', 26, 1)"),
    ],
)
def test_what_is_missing_is_made_and_what_is_there_is_left(
    maillog_dsn: str, tmp_path: Path, loss: tuple[str, ...]
) -> None:
    dsn = f"chdb://{tmp_path / 'maillog'}" if maillog_dsn.startswith("chdb:") else maillog_dsn
    with open_maillog(dsn) as opened:
        for engine in opened._engines:
            assert is_current(engine)
            for statement in loss:
                engine.command(statement)
            assert not is_current(engine)
    with open_maillog(dsn) as opened:
        assert all(is_current(engine) for engine in opened._engines)
