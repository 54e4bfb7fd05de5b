"""The shipper in a process of its own, for a command that fills the journal while no server runs.

Reading a log and storing its events then use a processor each, and a command does the same work beside a server as
without one. The process is spawned, never forked: a fork of a process that has loaded the engine hangs. It ends with
the command that started it, however that ends; what was not shipped stays in the journal.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from threading import Thread
from typing import NamedTuple

from mailvane.core.errors import MailvaneError, StoreUnavailable, Transient
from mailvane.server.settings import Settings

_RARELY = 200_000
_STOP = "stop"
_LOOK = "look"
QUIET_SECONDS = 2.0


class ShipperProcess(NamedTuple):
    """What the command sees of it."""

    is_running: Callable[[], bool]  # raises what opening the stores raised: StoreInUse, StoreTooNew, StoreUnavailable
    poke: Callable[[], None]  # there is something new in the journal


@contextmanager
def shipper_process(settings: Settings, purpose: str) -> Iterator[ShipperProcess]:
    """Ship for the length of a block, which need not wait until the stores are open.

    The end of the block raises what opening the stores raised: StoreInUse, StoreTooNew, StoreUnavailable.
    """
    spawning = multiprocessing.get_context("spawn")
    ours, theirs = spawning.Pipe()
    process = spawning.Process(target=_ship, args=(settings, purpose, theirs), name="carrier", daemon=True)
    # Ctrl-C is for the command, from the first moment of the other process on: it tells us when to end.
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, usual)
    theirs.close()
    opened = False

    def is_running() -> bool:
        nonlocal opened
        # After the news that the stores are open there is none but the end.
        if ours.poll():
            _hear(ours)
            opened = True
        return process.is_alive()

    def poke() -> None:
        with suppress(BrokenPipeError):  # it died: `is_running` says so
            ours.send(_LOOK)

    try:
        yield ShipperProcess(is_running, poke)
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


def _ship(settings: Settings, purpose: str, connection: Connection) -> None:
    """All that the process does."""
    # Batches live for a moment each, and none of them holds a circle: looking for garbage among them finds none.
    gc.set_threshold(_RARELY)
    # Arithmetic that nobody asks for keeps a thread for each processor, and they spin.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    words: SimpleQueue[str] = SimpleQueue()
    Thread(target=_listen, args=(connection, words), daemon=True).start()
    try:
        # Imported here: the process that reads the log needs no engine of its own.
        from mailvane.server.settling import settle  # noqa: PLC0415
        from mailvane.server.stores import stores_here  # noqa: PLC0415

        with stores_here(settings, purpose) as stores:
            connection.send(None)
            while (word := _next(words)) != _STOP:
                if word == _LOOK:
                    stores.shipper.poke()
                else:
                    with suppress(Transient):  # at the end it is said
                        settle(settings, stores, time.time_ns() // 1_000_000)
            settle(settings, stores, time.time_ns() // 1_000_000)
    except MailvaneError as error:
        connection.send(error)


def _next(words: SimpleQueue[str]) -> str:
    """What the command says; empty when it says nothing for a while, as one that follows a log does."""
    try:
        return words.get(timeout=QUIET_SECONDS)
    except Empty:
        return ""


def _listen(connection: Connection, words: SimpleQueue[str]) -> None:
    """Hear what the command says, from the first moment on: also while the stores are being opened."""
    word = ""
    while word != _STOP:
        try:
            word = connection.recv()
        except (EOFError, OSError):
            # The command was killed: let go of the stores at once, as it did.
            os._exit(1)
        words.put(word)
