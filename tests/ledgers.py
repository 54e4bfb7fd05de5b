"""Ledgers for tests of what uses one: SQLite in a file, opened as a server opens it, but there in a moment.

The schema is made once in each process and copied. And SQLite does not wait for the disk: that shows only when a
machine loses its power, which no test does. What judges the ledger itself opens its own (`tests/contract/`).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import event

from mailvane.server.ledger import Ledger, open_ledger


@cache
def _empty() -> bytes:
    """The file of a ledger that holds nothing."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "ledger.sqlite"
        open_ledger(f"sqlite:///{path}").close()
        return path.read_bytes()


def place_empty(path: Path) -> str:
    """Put an empty ledger there; its address."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_empty())
    return f"sqlite:///{path}"


def fresh_ledger(path: Path) -> Ledger:
    """A new one in this file, open."""
    opened = open_ledger(place_empty(path))
    event.listen(opened.database.engine, "checkout", _do_not_wait)
    return opened


def _do_not_wait(connection: Any, *_: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")
