"""Group commit for the intake: a mail server that tells one event a request would otherwise cost one disk sync and one
batch each, and run away from the mail log.

Only when the mail log is far behind does each commit pause a little, so that groups grow; nothing is refused for that.
What waits for its commit has a bound for each workspace and in all, beyond which senders are told to come again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial

from mailvane.core.group_commit import CommitLimits, GroupCommit
from mailvane.maillog.api.intake import MAX_LINES, DecodedEvents, Receipt

_COMFORTABLE_BACKLOG = 256  # batches
# Events that are decoded and not in the journal yet, some 1 KB each in memory; one request has MAX_LINES at most. What
# came in larger lines counts by its bytes: a few of them, well packed, would hold gigabytes.
WAITING_EVENTS = CommitLimits(of_key=150_000, total=300_000)
_BYTES_OF_EVENT = 1024
_PAUSES = 10
_PAUSE_SECONDS = 0.02

Commit = Callable[[int, Sequence[DecodedEvents]], Awaitable[list[Receipt]]]
Backlog = Callable[[], Awaitable[int]]
IntakeCommits = GroupCommit[int, DecodedEvents, Receipt]


def intake_commits(commit: Commit, backlog: Backlog) -> IntakeCommits:
    """Commits of each workspace, in groups of as many events as one batch takes."""
    return GroupCommit(commit, MAX_LINES, _size, partial(_pause, backlog), WAITING_EVENTS)


def _size(request: DecodedEvents) -> int:
    return max(len(request.events), request.length // _BYTES_OF_EVENT)


async def _pause(backlog: Backlog) -> None:
    with suppress(Exception):  # whatever it is, the commit will meet it too, and tell those who wait
        for _ in range(_PAUSES):
            if await backlog() < _COMFORTABLE_BACKLOG:
                return
            await asyncio.sleep(_PAUSE_SECONDS)
