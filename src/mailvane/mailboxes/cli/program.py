"""What the commands on mailboxes ask of the program around them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

import typer

from mailvane.core.cli.program import Program, program
from mailvane.core.errors import InvalidInput
from mailvane.mailboxes.dates import read_bound
from mailvane.mailboxes.performance import Window

if TYPE_CHECKING:
    from mailvane.mailboxes.services import MailboxServices
    from mailvane.mailboxes.tracking.tagging import Tagging
    from mailvane.maillog.interface import MailLog


class MailboxProgram(Program, Protocol):
    def mailboxes(self) -> AbstractContextManager[MailboxServices]:
        """Mailboxes and their figures; the mail log is asked through the running server when there is one."""

    def maillog(self) -> AbstractContextManager[MailLog]:
        """The mail log, through the running server when there is one, with all that the journal held."""

    def tagging(self) -> Tagging:
        """What says of replies whether they are wanted ones; the journal keeps it."""


def mailbox_program(context: typer.Context) -> MailboxProgram:
    found: MailboxProgram = program(context)
    return found


def window(since: str | None, until: str | None) -> Window:
    """Of the options --from and --to. Raises InvalidInput."""
    ends = []
    for name, text in (("from", since), ("to", until)):
        try:
            ends.append(read_bound(text or "", last=name == "to"))
        except ValueError:
            raise InvalidInput(f"--{name}: expected a day or time such as 2026-07-06 or 2026-07-06T12:00Z") from None
    found = Window(*ends)
    found.check()
    return found
