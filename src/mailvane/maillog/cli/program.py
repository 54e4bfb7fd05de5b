"""What the commands of the mail log ask of the program around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec
import typer

from mailvane.core.cli.program import Program, program

if TYPE_CHECKING:
    from mailvane.core.cli.selection import Tenants
    from mailvane.maillog.interface import MailLog
    from mailvane.maillog.ownership import Ownership


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
    unfinished: int = 0  # files whose last line has no end and looks cut short: it waits for the rest


class MailLogProgram(Program, Protocol):
    def tenants(self) -> Tenants:
        """Workspaces and relays by their names: of the running server when there is one, of the ledger otherwise."""

    def maillog(self) -> AbstractContextManager[MailLog]:
        """The mail log: through the running server when there is one, opened here otherwise."""

    def ownership(self) -> AbstractContextManager[Ownership]:
        """Whose mail it is, of stores that need not belong together; no server may have the mail log open."""

    def import_postfix(self, request: ImportRequest, report: Callable[[ImportProgress], None]) -> ImportSummary:
        """Read Postfix logs; returns when every event can be queried."""

    def backup(self, directory: Path) -> Sequence[str]:
        """Write both stores and the settings to an empty directory; what is in it and what is not, for people."""

    def restore(self, directory: Path) -> None:
        """Fill an empty data directory from a backup."""


def maillog_program(context: typer.Context) -> MailLogProgram:
    found: MailLogProgram = program(context)
    return found
