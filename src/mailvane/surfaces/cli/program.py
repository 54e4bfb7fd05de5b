"""What the commands ask of the program around them. The composition root implements it; the commands know no engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import msgspec
import typer

from mailvane.config import Settings
from mailvane.domain.blocklists import ListingCheck
from mailvane.domain.reputation import AssetKind
from mailvane.services.alerting import Alerting
from mailvane.services.governance import Governance
from mailvane.services.report_intake import Taken
from mailvane.services.tenancy import Tenancy
from mailvane.storage.interface import MailLog
from mailvane.storage.reputation import Reports


class ImportRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which logs to read into which relay."""

    files: tuple[str, ...]  # "-" is standard input
    workspace: str
    relay: int | None = None  # None: the workspace's only active relay
    timezone: str | None = None  # of stamps without one; None: the setting
    year: int | None = None  # of the first stamp that names none; None: told by the order of lines
    follow: bool = False
    samples: int = 0  # how many lines that were not understood to keep, of each kind


class ImportProgress(msgspec.Struct, frozen=True):
    """How far an import has come. Bytes are those of the files as they are stored, compressed or not."""

    file: str
    bytes_read: int
    bytes_total: int  # 0: not known
    lines: int


class ImportSummary(msgspec.Struct, frozen=True):
    """What an import found."""

    lines: int
    messages: int
    deliveries: int
    deferrals: int
    bounces: int
    rejects: int
    not_understood: dict[str, int]  # by kind of line
    samples: dict[str, list[str]]
    seconds: float


class CheckResult(StrEnum):
    """How a check of `mailvane doctor` went."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


class Check(msgspec.Struct, frozen=True):
    """One finding of `mailvane doctor`, with what to do about it."""

    name: str
    result: CheckResult
    finding: str
    advice: str = ""


class DemoOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the simulated world behaves."""

    seed: int
    days: int  # of history before the present
    mails_per_day: int
    data: Path | None = None  # None: a temporary directory, removed at the end


class ReputationProgram(Protocol):
    """The doors of reputation. A running server asks sources and tells people; commands look, and take in files."""

    def alerting(self) -> Alerting: ...

    def reports(self) -> Reports:
        """DMARC aggregate reports."""

    def take_reports(self, workspace: int, files: Sequence[str]) -> Iterator[Taken]:
        """Take in files of reports; what became of each report in them."""

    def listings(self, kind: AssetKind, names: Sequence[str]) -> ListingCheck:
        """Ask blocklists about addresses or domains."""


class Program(Protocol):
    """The doors of the composition root, one per command group."""

    @property
    def settings(self) -> Settings: ...

    def now(self) -> int:
        """The clock: milliseconds since the epoch."""

    def tenancy(self) -> Tenancy:
        """Workspaces, relays and keys."""

    def governance(self) -> Governance:
        """Sending domains, their limits and counters."""

    def reputation(self) -> ReputationProgram:
        """What is watched, alerts, reports."""

    def maillog(self) -> AbstractContextManager[MailLog]:
        """The mail log: through the running server when there is one, opened here otherwise."""

    def import_postfix(self, request: ImportRequest, report: Callable[[ImportProgress], None]) -> ImportSummary:
        """Read Postfix logs; returns when every event can be queried."""

    def serve(self, roles: frozenset[str]) -> None:
        """Run until told to stop."""

    def demo(self, options: DemoOptions) -> None:
        """Run a server with a simulated world until told to stop."""

    def backup(self, directory: Path) -> None:
        """Write both stores to an empty directory."""

    def restore(self, directory: Path) -> None:
        """Fill an empty data directory from a backup."""

    def checks(self) -> Iterator[Check]:
        """Look at everything that can be wrong."""


def program(context: typer.Context) -> Program:
    """The program that the command line was built around."""
    found: Program = context.obj
    return found
