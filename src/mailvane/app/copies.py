"""Backup and restore of both stores, as one directory.

The ledger is copied first: whatever is in the mail log but not yet in that copy is at worst read again from its source
and recognised by its token, while the other order could lose a batch between the two.
"""

from __future__ import annotations

from pathlib import Path

from mailvane.app import stores
from mailvane.config import Settings
from mailvane.errors import InvalidInput

_LEDGER = "ledger"
_MAILLOG = "maillog"


def backup(settings: Settings, directory: Path) -> None:
    """Raises InvalidInput when the directory holds something already."""
    if directory.exists() and any(directory.iterdir()):
        raise InvalidInput(f"{directory} is not empty")
    directory.mkdir(parents=True, exist_ok=True)
    with stores.ledger_of(settings) as ledger, stores.maillog_anywhere(settings, "mailvane backup") as maillog:
        ledger.backup(directory / _LEDGER)
        maillog.upkeep("backup", directory / _MAILLOG)


def restore(settings: Settings, directory: Path) -> None:
    """Raises InvalidInput when there is no backup there, StoreInUse while a server runs."""
    if not (directory / _MAILLOG).exists():
        raise InvalidInput(f"{directory} holds no backup of mailvane")
    with stores.maillog_here(settings, "mailvane restore") as maillog:
        stores.restore_ledger(settings, directory / _LEDGER)
        maillog.upkeep("restore", directory / _MAILLOG)
