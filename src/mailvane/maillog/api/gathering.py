"""Group commit for the intake: a mail server that tells one event a request would otherwise cost one disk sync and one
batch each, and run away from the mail log.

Only when the mail log is far behind does each commit pause a little, so that groups grow; nothing is refused for that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial

from mailvane.core.group_commit import GroupCommit
from mailvane.maillog.api.intake import MAX_LINES, Receipt, Told

_COMFORTABLE_BACKLOG = 256  # batches
_PAUSES = 10
_PAUSE_SECONDS = 0.02

Commit = Callable[[int, Sequence[Told]], Awaitable[list[Receipt]]]
Backlog = Callable[[], Awaitable[int]]
IntakeCommits = GroupCommit[int, Told, Receipt]


def intake_commits(commit: Commit, backlog: Backlog) -> IntakeCommits:
    """Commits of each workspace, in groups of as many events as one batch takes."""
    return GroupCommit(commit, MAX_LINES, lambda told: len(told.events), partial(_pause, backlog))


async def _pause(backlog: Backlog) -> None:
    with suppress(Exception):  # whatever it is, the commit will meet it too, and tell those who wait
        for _ in range(_PAUSES):
            if await backlog() < _COMFORTABLE_BACKLOG:
                return
            await asyncio.sleep(_PAUSE_SECONDS)
