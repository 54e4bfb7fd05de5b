"""Opens the stores that the settings name. What needs the ledger alone asks `ledgers`, and loads no engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import msgspec

from mailvane.maillog.backup import LockedMailLog
from mailvane.maillog.clickhouse import ScratchSession, open_maillog
from mailvane.maillog.integrity import Integrity
from mailvane.maillog.interface import MailLog
from mailvane.maillog.ownership import Ownership
from mailvane.maillog.recording import Recorder, Shipper
from mailvane.maillog.remote import RemoteMailLog
from mailvane.server.data_directory import owned
from mailvane.server.ledger import Ledger
from mailvane.server.ledgers import is_embedded, ledger_of, serving
from mailvane.server.noticing import NoticingReplies
from mailvane.server.settings import Settings, master_token


class Stores(msgspec.Struct, frozen=True):
    """Both stores, open in this process, with the thread that carries events from the one to the other."""

    ledger: Ledger
    maillog: MailLog
    recorder: Recorder
    shipper: Shipper
    integrity: Integrity
    scratch: Callable[[], ScratchSession]


@contextmanager
def stores_here(settings: Settings, purpose: str, http: str = "") -> Iterator[Stores]:
    """Both stores, opened by this process.

    Raises StoreInUse when another process owns the embedded mail log,
    LedgerMismatch when the mail log holds mail of workspaces that the ledger does not know.
    """
    with ExitStack() as open_things:
        if is_embedded(settings):
            open_things.enter_context(owned(settings.data, purpose, http))
        ledger = open_things.enter_context(ledger_of(settings))
        maillog = open_maillog(settings.maillog)
        open_things.callback(maillog.close)
        ownership = Ownership(ledger.tenants, ledger.adoption, maillog)
        ownership.check()
        integrity = Integrity(ledger.maillog_record, maillog, _clock, alone=is_embedded(settings))
        integrity.look()
        open_things.enter_context(integrity.watched())
        recorder = Recorder(ledger.journal, NoticingReplies(ownership, ledger.tracking))
        shipper = Shipper(recorder)
        shipper.start()
        open_things.callback(shipper.stop)
        attended = LockedMailLog(maillog, recorder, ledger.copies, ownership.check, integrity)
        yield Stores(ledger, attended, recorder, shipper, integrity, maillog.scratch)


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


@contextmanager
def ownership_here(settings: Settings, purpose: str) -> Iterator[Ownership]:
    """Both stores, whether they belong together or not, to say whose mail it is. Nothing is carried."""
    with ExitStack() as open_things:
        if is_embedded(settings):
            open_things.enter_context(owned(settings.data, purpose))
        ledger = open_things.enter_context(ledger_of(settings))
        maillog = open_maillog(settings.maillog)
        open_things.callback(maillog.close)
        integrity = Integrity(ledger.maillog_record, maillog, _clock, alone=is_embedded(settings))
        with integrity.changing():
            yield Ownership(ledger.tenants, ledger.adoption, maillog)


def _clock() -> int:
    return time.time_ns() // 1_000_000
