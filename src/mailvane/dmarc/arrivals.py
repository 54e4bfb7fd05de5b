"""How a mailbox or directory hands in a file, and what it gets back: was it a report?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import BinaryIO

from mailvane.core.errors import MailvaneError
from mailvane.dmarc.intake import Taken

Deliver = Callable[[BinaryIO, str], Sequence[Taken]]
"""Takes a file and its name, and returns when what was in it is durable.

Transient and OSError: it may not be, try again later. Any other error: trying again cannot help."""

Take = Callable[[str, BinaryIO, str, int], Sequence[Taken]]
"""The same for a workspace, by name, at a time. Raises NotFound where there is no such workspace."""

Refuse = Callable[[Sequence[str]], None]
"""Hears of reports that were set aside, and why: each once."""

Refused = Callable[[str, Sequence[str], int], None]
"""The same of a workspace, by name, at a time."""


def nobody(_refused: Sequence[str]) -> None:
    """Hears nothing."""


def is_refused(taken: Sequence[Taken]) -> bool:
    """Whether nothing of a file was a report."""
    return all(each.kind is None for each in taken)


def refusals(taken: Sequence[Taken]) -> list[str]:
    """What was refused of a file, and why."""
    return [f"{each.name}: {each.reason}" for each in taken if each.kind is None]


def failed_at(name: str, error: Exception) -> Taken:
    """What is said of a file that made us fail: it is set aside like one that is refused, and not tried again."""
    message = error.message if isinstance(error, MailvaneError) else f"{type(error).__name__}: {error}"[:300]
    return Taken(name=name, reason=f"it could not be taken in: {message}")


def reasons(taken: Sequence[Taken]) -> list[str]:
    """What was refused or passed over, and why, a line for each."""
    lines = [f"{each.name}: {each.reason}" for each in taken if each.reason]
    return lines + [f"{each.name}: {remark}" for each in taken for remark in each.remarks]
