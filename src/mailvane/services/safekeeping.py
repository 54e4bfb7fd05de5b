"""Upkeep of a mail log that is in use: nothing is carried into it meanwhile, and the ledger is copied along.

A copy must hold every batch either in the journal or in the mail log, never in neither and never in both.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from mailvane.errors import InvalidInput
from mailvane.services.recording import Recorder
from mailvane.storage.interface import MailLog

_MAILLOG = "maillog"
_LEDGER = "ledger.sqlite"


class Copyable(Protocol):
    """A ledger that can be copied while it is in use."""

    def copy_to(self, target: Path) -> None:
        """Write a consistent copy. Raises InvalidInput when this engine has its own tool for that."""

    def copy_from(self, source: Path) -> None:
        """Take over a copy. Raises InvalidInput."""


class AttendedMailLog:
    """The mail log of a process that records into it: a `MailLog` whose upkeep stops the carrying for its length."""

    def __init__(
        self,
        maillog: MailLog,
        recorder: Recorder,
        ledger: Copyable,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._maillog = maillog
        self._recorder = recorder
        self._ledger = ledger
        self._check = check  # of whether the two stores belong together; raises LedgerMismatch
        self.append = maillog.append
        self.search = maillog.search
        self.statistics = maillog.statistics
        self.hourly = maillog.hourly
        self.life = maillog.life
        self.retain = maillog.retain
        self.health = maillog.health

    def upkeep(self, task: str, target: Path | None = None) -> None:
        """`rebuild`, or `backup` to and `restore` from a directory that holds both stores."""
        # What a crash left between storing and settling would be in both copies.
        self._recorder.drain()
        with self._recorder.paused():
            if task == "backup":
                self._backup(_directory(target))
            elif task == "restore":
                self._restore(_directory(target))
            else:
                self._maillog.upkeep(task, target)

    def _backup(self, directory: Path) -> None:
        if directory.exists() and any(directory.iterdir()):
            raise InvalidInput(f"{directory} is not empty")
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._ledger.copy_to(directory / _LEDGER)
        self._maillog.upkeep("backup", directory / _MAILLOG)

    def _restore(self, directory: Path) -> None:
        if not (directory / _MAILLOG).exists() or not (directory / _LEDGER).exists():
            raise InvalidInput(f"{directory} holds no backup")
        if self._maillog.health().events:
            raise InvalidInput("the mail log is not empty: restore into a new data directory")
        self._maillog.upkeep("restore", directory / _MAILLOG)
        self._ledger.copy_from(directory / _LEDGER)
        self._check()


def _directory(target: Path | None) -> Path:
    if target is None or not target.is_absolute():
        raise InvalidInput("name a directory, from the root")
    return target
