"""A carrier in a process of its own, for a command that fills the journal while no server runs.

Reading a log and storing its events then use a processor each, and a command does the same work beside a server as
without one. The process is spawned, never forked: a fork of a process that has loaded the engine hangs. It ends with
the command that started it, however that ends; what was not carried stays in the journal.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing.connection import Connection
from threading import Event, Thread

from mailvane.config import Settings
from mailvane.errors import MailvaneError, StoreUnavailable

_STOP = "stop"


@contextmanager
def carried_apart(settings: Settings, purpose: str) -> Iterator[Callable[[], bool]]:
    """Carry for the length of a block, which need not wait until the stores are open.

    Yields a look at whether the carrier still lives. The look and the end of the block raise what opening the stores
    raised: StoreInUse, StoreTooNew, StoreUnavailable.
    """
    spawning = multiprocessing.get_context("spawn")
    ours, theirs = spawning.Pipe()
    process = spawning.Process(target=_carry, args=(settings, purpose, theirs), name="carrier", daemon=True)
    process.start()
    theirs.close()
    opened = False

    def look() -> bool:
        nonlocal opened
        # After the news that the stores are open there is none but the end.
        if ours.poll():
            _hear(ours)
            opened = True
        return process.is_alive()

    try:
        yield look
        if not opened:
            _hear(ours)
        with suppress(BrokenPipeError):
            ours.send(_STOP)
    finally:
        ours.close()
        process.join()


def _hear(connection: Connection) -> None:
    """Wait for news of the stores."""
    try:
        error: MailvaneError | None = connection.recv()
    except EOFError:
        error = StoreUnavailable("the mail log cannot be opened")
    if error is not None:
        raise error


def _carry(settings: Settings, purpose: str, connection: Connection) -> None:
    """The life of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command; it tells us when to end.
    told = Event()
    Thread(target=_listen, args=(connection, told), daemon=True).start()
    try:
        # Loaded here: the process that reads the log needs no engine of its own.
        with import_module("mailvane.app.stores").stores_here(settings, purpose):
            connection.send(None)
            told.wait()
    except MailvaneError as error:
        connection.send(error)


def _listen(connection: Connection, told: Event) -> None:
    """Hear when to end, from the first moment on: also while the stores are being opened."""
    try:
        connection.recv()
    except (EOFError, OSError):
        # The command was killed: let go of the stores at once, as it did.
        os._exit(1)
    told.set()
