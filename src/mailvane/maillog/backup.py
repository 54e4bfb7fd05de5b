"""Upkeep of a mail log that is in use: nothing is carried into it meanwhile, and the ledger is copied along.

A copy must hold every batch either in the journal or in the mail log, never in neither and never in both.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from shutil import rmtree
from typing import Protocol

import msgspec

from mailvane.core.errors import InvalidInput, NotPossible
from mailvane.core.ledger.copying import LedgerCopies
from mailvane.maillog.interface import OpenMailLog
from mailvane.maillog.inventory import EVENTS, VIEWS
from mailvane.maillog.queries import MailLogHealth
from mailvane.maillog.recording import Recorder

_MAILLOG = "maillog"
_LEDGER = "ledger.sqlite"
SETTINGS = "mailvane.toml"


class Watched(Protocol):
    """What knows of what the mail log is made."""

    @property
    def damage(self) -> str:
        """A message: what is gone; empty when nothing is."""

    def ensure(self, table: str) -> None:
        """Raises StoreDamaged when something of this table is gone."""

    def changing(self, repaired: Collection[str] | None = ()) -> AbstractContextManager[None]:
        """Rewrite what is stored, for the length of a block; what was lost of the tables `mended` is there again."""


class _Unwatched:
    """Of a mail log of which no record is kept."""

    damage = ""

    def ensure(self, table: str) -> None: ...

    def changing(self, repaired: Collection[str] | None = ()) -> AbstractContextManager[None]:  # noqa: ARG002
        return nullcontext()


class SettingsFile(msgspec.Struct, frozen=True):
    """The settings of an installation, as far as they are a file."""

    used: Path | None  # that was read; None: there is none
    usual: Path | None  # where it is looked for

    def copy_to(self, target: Path) -> None:
        """As it is, with the passwords that stand in it; for its owner alone. Raises OSError."""
        if self.used is None:
            return
        with open(target, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as copy:
            copy.write(self.used.read_bytes())
            copy.flush()
            os.fsync(copy.fileno())

    def take_from(self, source: Path) -> None:
        """Where no file is used, and none is in its place. Raises OSError."""
        if self.used is None and self.usual is not None and source.exists() and not self.usual.exists():
            SettingsFile(source, None).copy_to(self.usual)


class LockedMailLog:
    """The mail log of a process that records into it: a `MailLog` whose upkeep stops the carrying for its length."""

    def __init__(
        self,
        maillog: OpenMailLog,
        recorder: Recorder,
        copies: LedgerCopies,
        check: Callable[[], None] = lambda: None,
        integrity: Watched | None = None,
        settings: SettingsFile | None = None,
    ) -> None:
        """`settings`: the file that is copied along."""
        self._settings = settings or SettingsFile(None, None)
        self._maillog = maillog
        self._recorder = recorder
        self._copies = copies
        self._check = check  # of whether the two stores belong together; raises LedgerMismatch
        self._integrity = integrity or _Unwatched()
        self.append = maillog.append
        self.search = maillog.search
        self.total_and_first = maillog.total_and_first
        self.statistics = maillog.statistics
        self.statistics_of = maillog.statistics_of
        self.hourly = maillog.hourly
        self.refused = maillog.refused
        self.refused_tally = maillog.refused_tally
        self.refused_over_time = maillog.refused_over_time
        self.replies = maillog.replies
        self.senders = maillog.senders
        self.with_queue_id = maillog.with_queue_id
        self.named = maillog.named
        self.mail_events = maillog.mail_events
        self.tally = maillog.tally
        self.tallies = maillog.tallies
        self.outcomes = maillog.outcomes
        self.delays = maillog.delays
        self.over_time = maillog.over_time
        self.figures = maillog.figures
        self.engagement = maillog.engagement
        self.ranking = maillog.ranking
        self.received = maillog.received
        self.verify = maillog.verify

    def health(self, measured: bool = True) -> MailLogHealth:
        """As the mail log tells, with what is known to be gone of it."""
        return msgspec.structs.replace(self._maillog.health(measured), damage=self._integrity.damage)

    def retain(self, workspace: int, days: int) -> None:
        """Apply a new retention to what is stored already; 0 keeps for ever."""
        with self._integrity.changing():
            self._maillog.retain(workspace, days)

    def rebuild(self) -> None:
        """Make every view anew from the events. Raises StoreDamaged when some of those are gone."""
        with self._nothing_on_its_way():
            self._integrity.ensure(EVENTS)
            with self._integrity.changing(repaired=VIEWS):
                self._maillog.rebuild()

    def backup(self, target: Path) -> None:
        """Write both stores and the settings to a directory that is new or empty. Raises InvalidInput, NotPossible.

        What a backup that fails has written is removed. The master token is not copied.
        """
        _check_whole(target)
        with self._nothing_on_its_way(), _reaching(target):
            if target.exists() and any(target.iterdir()):
                raise InvalidInput(f"{target} is not empty")
            target.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                self._settings.copy_to(target / SETTINGS)
                self._copies.copy_to(target / _LEDGER)
                self._maillog.backup(target / _MAILLOG)
            except BaseException:
                _empty(target)
                raise

    def restore(self, source: Path) -> None:
        """Take both stores from such a directory, and the settings where there are none.

        Raises InvalidInput, NotPossible, LedgerMismatch.
        """
        _check_whole(source)
        with self._nothing_on_its_way(), self._integrity.changing(repaired=None), _reaching(source, "read"):
            if not (source / _MAILLOG).exists() or not (source / _LEDGER).exists():
                raise InvalidInput(f"{source} holds no backup")
            if self._maillog.health().events:
                raise InvalidInput("the mail log is not empty: restore into a new data directory")
            self._maillog.restore(source / _MAILLOG)
            self._copies.copy_from(source / _LEDGER)
            self._check()
            self._settings.take_from(source / SETTINGS)

    def accept_losses(self) -> None:
        """What is gone of the mail log is not missed any more."""
        with self._nothing_on_its_way(), self._integrity.changing(repaired=None):
            self._maillog.accept_losses()

    @contextmanager
    def _nothing_on_its_way(self) -> Iterator[None]:
        # What a crash left between storing and settling would be in both copies.
        self._recorder.drain()
        with self._recorder.paused():
            yield


@contextmanager
def _reaching(directory: Path, verb: str = "write") -> Iterator[None]:
    """Raises NotPossible where the system does not let this process: its user, or its unit, may not."""
    try:
        yield
    except OSError as error:
        raise NotPossible(
            f"cannot {verb} {error.filename or directory}: {error.strerror or error}; the process runs as user"
            f" {os.geteuid()}, and under systemd may write only where its unit says"
        ) from error


def _empty(target: Path) -> None:
    for name in (SETTINGS, _LEDGER):
        (target / name).unlink(missing_ok=True)
    rmtree(target / _MAILLOG, ignore_errors=True)


def _check_whole(directory: Path) -> None:
    """A server and whoever asks it may stand in different places."""
    if not directory.is_absolute():
        raise InvalidInput("name a directory, from the root")
