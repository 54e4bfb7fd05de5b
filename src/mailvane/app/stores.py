"""Opens the stores that the settings name, and finds the server that has them open already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mailvane.app.data_directory import owned, owner
from mailvane.config import Settings, master_token
from mailvane.errors import StoreInUse
from mailvane.storage.interface import MailLog
from mailvane.storage.ledger import SqlLedger, open_ledger
from mailvane.storage.maillog import ClickHouseMailLog, open_maillog
from mailvane.surfaces.cli.remote import RemoteMailLog


def is_embedded(settings: Settings) -> bool:
    """Whether the mail log is a directory of this machine, which only one process may open."""
    return settings.maillog.startswith("chdb:")


@contextmanager
def ledger_of(settings: Settings) -> Iterator[SqlLedger]:
    """The ledger, migrated to this version's schema. Any number of processes may have it open."""
    ledger = open_ledger(settings.ledger)
    try:
        yield ledger
    finally:
        ledger.close()


@contextmanager
def maillog_here(settings: Settings, purpose: str, http: str = "") -> Iterator[ClickHouseMailLog]:
    """The mail log, opened by this process. Raises StoreInUse when it is embedded and another process has it."""
    with owned(settings.data, purpose, http) if is_embedded(settings) else _nobody():
        maillog = open_maillog(settings.maillog)
        try:
            yield maillog
        finally:
            maillog.close()


@contextmanager
def maillog_anywhere(settings: Settings, purpose: str) -> Iterator[MailLog]:
    """The mail log, through the server that has it open, or opened here when there is none."""
    server = serving(settings)
    if server:
        with RemoteMailLog(server, master_token(settings)) as remote:
            yield remote
    else:
        with maillog_here(settings, purpose) as maillog:
            yield maillog


def serving(settings: Settings) -> str | None:
    """The base URL of the server that owns the data directory; None when nobody does. Raises StoreInUse."""
    held = owner(settings.data) if is_embedded(settings) else None
    if held is None:
        return None
    if not held.http:
        raise StoreInUse(f"data directory {settings.data} is in use by {held.purpose} (process {held.pid})")
    return held.http


@contextmanager
def _nobody() -> Iterator[None]:
    yield
