"""What reports arrive by: somebody hands in a file and hears whether it was a report. No more than the words for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import BinaryIO

from mailvane.services.report_intake import Taken

Deliver = Callable[[BinaryIO, str], Sequence[Taken]]
"""Takes a file and its name, and returns when what was in it is durable. An error: it may not be, try again later."""

Take = Callable[[str, BinaryIO, str, int], Sequence[Taken]]
"""The same for a workspace, by name, at a time. Raises NotFound where there is no such workspace."""


def is_refused(taken: Sequence[Taken]) -> bool:
    """Whether nothing of a file was a report."""
    return all(each.kind is None for each in taken)


def reasons(taken: Sequence[Taken]) -> list[str]:
    """What was refused or passed over, and why, a line for each."""
    lines = [f"{each.name}: {each.reason}" for each in taken if each.reason]
    return lines + [f"{each.name}: {remark}" for each in taken for remark in each.remarks]
