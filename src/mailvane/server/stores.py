"""Opens the stores that the settings name. What needs the ledger alone asks `ledgers`, and loads no engine."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial

import msgspec

from mailvane.dmarc.settings import reports_arrive_for
from mailvane.maillog.backup import LockedMailLog, SettingsFile
from mailvane.maillog.clickhouse import ScratchSession, open_maillog
from mailvane.maillog.integrity import Integrity, made_anew
from mailvane.maillog.interface import OpenMailLog
from mailvane.maillog.model import EventBatch
from mailvane.maillog.ownership import Ownership
from mailvane.maillog.recording import Recorder, Shipper
from mailvane.server.asking import is_embedded
from mailvane.server.data_directory import owned
from mailvane.server.ledger import Ledger
from mailvane.server.ledgers import ledger_of
from mailvane.server.noticing import NoticingReplies
from mailvane.server.settings import CONFIG_FILE, Settings, fingerprints
from mailvane.server.tenants.removal import WorkspaceRemoval


class Stores(msgspec.Struct, frozen=True):
    """Both stores, open in this process, with the thread that carries events from the one to the other."""

    ledger: Ledger
    maillog: OpenMailLog
    recorder: Recorder
    shipper: Shipper
    integrity: Integrity
    scratch: Callable[[], ScratchSession]
    merging_later: Callable[[], AbstractContextManager[None]]
    removal: WorkspaceRemoval


@contextmanager
def stores_here(
    settings: Settings, purpose: str, http: str = "", recorded: Callable[[EventBatch], None] = lambda _batch: None
) -> Iterator[Stores]:
    """Both stores, opened by this process. `recorded` is told of what it records.

    Raises StoreInUse when another process owns the embedded mail log,
    LedgerMismatch when the mail log holds mail of workspaces that the ledger does not know.
    """
    with ExitStack() as open_things:
        if is_embedded(settings):
            open_things.enter_context(owned(settings.data, purpose, http, fingerprints(settings)))
        ledger = open_things.enter_context(ledger_of(settings))
        maillog = open_maillog(settings.maillog, partial(made_anew, ledger.maillog_record))
        open_things.callback(maillog.close)
        ownership = Ownership(ledger.tenants, ledger.adoption, maillog)
        ownership.check()
        integrity = Integrity(ledger.maillog_record, maillog, _clock, alone=is_embedded(settings))
        integrity.look()
        open_things.enter_context(integrity.watched())
        recorder = Recorder(ledger.journal, NoticingReplies(ownership, ledger.tracking), recorded=recorded)
        shipper = Shipper(recorder)
        shipper.start()
        open_things.callback(shipper.stop)
        settings_file = SettingsFile(settings.config, settings.data / CONFIG_FILE)
        attended = LockedMailLog(maillog, recorder, ledger.copies, ownership.check, integrity, settings_file)
        removal = WorkspaceRemoval(ledger.tenants, ownership, recorder, integrity, workspaces_in(settings))
        yield Stores(ledger, attended, recorder, shipper, integrity, maillog.scratch, maillog.merging_later, removal)


@contextmanager
def opening_stores(
    opening: Callable[[], AbstractContextManager[Stores]],
    called: Callable[[Callable[[], Stores]], Stores] = lambda function: function(),
) -> Iterator[Callable[[], Stores]]:
    """Both stores, opened on a thread of their own while the block runs, and closed at its end.

    What is given waits until they are open, and raises what keeps them from being opened.
    """
    with ExitStack() as open_things:
        thread = ThreadPoolExecutor(1, "opening", _leave_interrupts)
        stores = thread.submit(called, lambda: open_things.enter_context(opening()))
        try:
            yield stores.result
        finally:
            thread.shutdown()  # what it is still opening is closed, too


def _leave_interrupts() -> None:
    """Ctrl-C is for the main thread: one of the engine's, which take after this one, would only keep it to itself."""
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))


def workspaces_in(settings: Settings) -> list[tuple[str, str]]:
    """Names of workspaces that settings put mail or reports into, with the setting that does."""
    named = [(each.workspace, f"[[postfix]] {number}") for number, each in enumerate(settings.postfix, 1)]
    named += reports_arrive_for(settings.dmarc)
    return named


@contextmanager
def ownership_here(settings: Settings, purpose: str) -> Iterator[Ownership]:
    """Both stores, whether they belong together or not, to say whose mail it is. Nothing is carried."""
    with ExitStack() as open_things:
        if is_embedded(settings):
            open_things.enter_context(owned(settings.data, purpose))
        ledger = open_things.enter_context(ledger_of(settings))
        maillog = open_maillog(settings.maillog, partial(made_anew, ledger.maillog_record))
        open_things.callback(maillog.close)
        integrity = Integrity(ledger.maillog_record, maillog, _clock, alone=is_embedded(settings))
        with integrity.changing():
            yield Ownership(ledger.tenants, ledger.adoption, maillog)


def _clock() -> int:
    return time.time_ns() // 1_000_000
