"""Opens the stores that the settings name, and finds the server that has them open already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import msgspec

from mailvane.app.data_directory import owned, owner
from mailvane.config import Settings, master_token
from mailvane.errors import StoreInUse
from mailvane.services.recording import Carrier, Recorder
from mailvane.services.safekeeping import AttendedMailLog
from mailvane.storage.interface import MailLog
from mailvane.storage.ledger import SqlLedger, open_ledger
from mailvane.storage.maillog import open_maillog
from mailvane.surfaces.cli.remote import RemoteMailLog


class Stores(msgspec.Struct, frozen=True):
    """Both stores, open in this process, with the thread that carries events from the one to the other."""

    ledger: SqlLedger
    maillog: MailLog
    recorder: Recorder
    carrier: Carrier


def is_embedded(settings: Settings) -> bool:
    """Whether the mail log is a directory of this machine, which only one process may open."""
    return settings.maillog.startswith("chdb:")


@contextmanager
def ledger_of(settings: Settings) -> Iterator[SqlLedger]:
    """The ledger, migrated to this version's schema. Any number of processes may have it open."""
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    ledger = open_ledger(settings.ledger)
    try:
        yield ledger
    finally:
        ledger.close()


@contextmanager
def stores_here(settings: Settings, purpose: str, http: str = "") -> Iterator[Stores]:
    """Both stores, opened by this process. Raises StoreInUse when another process owns the embedded mail log."""
    with ExitStack() as open_things:
        if is_embedded(settings):
            open_things.enter_context(owned(settings.data, purpose, http))
        ledger = open_things.enter_context(ledger_of(settings))
        maillog = open_maillog(settings.maillog)
        open_things.callback(maillog.close)
        recorder = Recorder(ledger, maillog)
        carrier = Carrier(recorder)
        carrier.start()
        open_things.callback(carrier.stop)
        yield Stores(ledger, AttendedMailLog(maillog, recorder, ledger), recorder, carrier)


@contextmanager
def maillog_anywhere(settings: Settings, purpose: str) -> Iterator[MailLog]:
    """The mail log, through the server that has it open, or opened here when there is none."""
    server = serving(settings)
    if server:
        with RemoteMailLog(server, master_token(settings)) as remote:
            yield remote
    else:
        with stores_here(settings, purpose) as stores:
            stores.recorder.drain()
            yield stores.maillog


def serving(settings: Settings) -> str | None:
    """The base URL of the server that owns the data directory; None when nobody does. Raises StoreInUse."""
    held = owner(settings.data) if is_embedded(settings) else None
    if held is None:
        return None
    if not held.http:
        raise StoreInUse(f"data directory {settings.data} is in use by {held.purpose} (process {held.pid})")
    return held.http
