"""Group commit: who arrives meanwhile goes together, and everyone gets the receipt of his own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import pytest

from mailvane.core.errors import StoreUnavailable
from mailvane.maillog.api.intake import MAX_BODY, MAX_LINES, DecodedEvents, Receipt
from mailvane.maillog.api.intake_commits import IntakeCommits, intake_commits
from mailvane.maillog.model import EventType, MailEvent

EVENT = MailEvent(relay=1, accepted_at=1, number=1, type=EventType.ACCEPTED, at=1)


def told(count: int) -> DecodedEvents:
    return DecodedEvents([EVENT] * count, ["id"] * count)


class Committing:
    """Commits when the test lets it, and remembers who went together."""

    def __init__(self, error: Exception | None = None) -> None:
        self.groups: list[tuple[int, list[int]]] = []
        self.released = asyncio.Event()
        self._error = error

    async def __call__(self, workspace: int, requests: Sequence[DecodedEvents]) -> list[Receipt]:
        self.groups.append((workspace, [len(each.events) for each in requests]))
        await self.released.wait()
        if self._error:
            raise self._error
        return [Receipt(len(each.events), 0) for each in requests]


async def nothing() -> int:
    return 0


async def begun(commits: IntakeCommits, *requests: tuple[int, int]) -> list[asyncio.Future[Receipt]]:
    tasks: list[asyncio.Future[Receipt]] = []
    for workspace, count in requests:
        tasks.append(asyncio.ensure_future(commits.add(workspace, told(count))))
        for _ in range(3):
            await asyncio.sleep(0)
    return tasks


def test_a_few_events_in_large_lines_count_by_their_bytes() -> None:
    """Four well-packed bodies of 32 MiB, 2,000 events each, wait; the next one is told to come again."""
    large = DecodedEvents([EVENT] * 2_000, ["id"] * 2_000, MAX_BODY)

    async def run() -> list[Receipt]:
        committing = Committing()
        commits = intake_commits(committing, nothing)
        waiting = [commits.add(1, large) for _ in range(4)]
        with pytest.raises(StoreUnavailable):
            commits.add(1, large)
        waiting += [commits.add(2, large), commits.add(1, told(1))]
        committing.released.set()
        return await asyncio.gather(*waiting)

    assert [receipt.accepted for receipt in asyncio.run(run())] == [2_000] * 5 + [1]


def test_the_first_goes_at_once_and_those_who_come_meanwhile_go_together() -> None:
    async def run() -> tuple[list[Receipt], list[tuple[int, list[int]]]]:
        committing = Committing()
        tasks = await begun(intake_commits(committing, nothing), (1, 5), (1, 2), (1, 3))
        committing.released.set()
        return await asyncio.gather(*tasks), committing.groups

    receipts, groups = asyncio.run(run())
    assert [receipt.accepted for receipt in receipts] == [5, 2, 3]
    assert groups == [(1, [5]), (1, [2, 3])]


def test_workspaces_do_not_wait_for_each_other() -> None:
    async def run() -> list[tuple[int, list[int]]]:
        committing = Committing()
        tasks = await begun(intake_commits(committing, nothing), (1, 1), (2, 1))
        before = list(committing.groups)
        committing.released.set()
        await asyncio.gather(*tasks)
        return before

    assert asyncio.run(run()) == [(1, [1]), (2, [1])]


def test_a_group_is_no_larger_than_a_request_may_be() -> None:
    async def run() -> list[tuple[int, list[int]]]:
        committing = Committing()
        tasks = await begun(intake_commits(committing, nothing), (1, 1), (1, MAX_LINES), (1, 1), (1, 2))
        committing.released.set()
        await asyncio.gather(*tasks)
        return committing.groups

    assert asyncio.run(run()) == [(1, [1]), (1, [MAX_LINES]), (1, [1, 2])]


def test_a_failure_is_everyones_and_the_next_group_goes_on() -> None:
    async def run() -> tuple[list[Receipt | BaseException], int]:
        committing = Committing(StoreUnavailable("away"))
        tasks = await begun(intake_commits(committing, nothing), (1, 1), (1, 1), (1, 1))
        committing.released.set()
        return await asyncio.gather(*tasks, return_exceptions=True), len(committing.groups)

    answers, groups = asyncio.run(run())
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 3
    assert groups == 2


def test_one_who_gave_up_waiting_disturbs_nobody() -> None:
    async def run() -> Receipt:
        committing = Committing()
        first, second = await begun(intake_commits(committing, nothing), (1, 1), (1, 2))
        first.cancel()
        committing.released.set()
        with pytest.raises(asyncio.CancelledError):
            await first
        return await second

    assert asyncio.run(run()) == Receipt(2, 0)


def test_after_all_is_done_the_next_goes_at_once_again() -> None:
    async def run() -> list[tuple[int, list[int]]]:
        committing = Committing()
        committing.released.set()
        commits = intake_commits(committing, nothing)
        for count in (1, 2):
            await commits.add(1, told(count))
        return committing.groups

    assert asyncio.run(run()) == [(1, [1]), (1, [2])]


def test_when_the_mail_log_is_behind_groups_grow_but_nothing_is_refused() -> None:
    asked = 0

    async def behind() -> int:
        nonlocal asked
        asked += 1
        return 1_000_000

    async def run() -> list[tuple[int, list[int]]]:
        committing = Committing()
        committing.released.set()
        tasks = await begun(intake_commits(committing, behind), (1, 1), (1, 2))
        await asyncio.gather(*tasks)
        return committing.groups

    assert asyncio.run(run()) == [(1, [1, 2])]
    assert asked > 1


def test_when_the_ledger_is_away_those_who_wait_are_told_by_the_commit() -> None:
    async def away() -> int:
        raise StoreUnavailable("away")

    async def run() -> Receipt:
        committing = Committing(StoreUnavailable("the commit's own words"))
        committing.released.set()
        return await intake_commits(committing, away).add(1, told(1))

    with pytest.raises(StoreUnavailable, match="own words"):
        asyncio.run(run())


def test_what_waits_for_a_commit_is_bounded_for_a_workspace_and_in_all() -> None:
    async def run() -> list[Receipt]:
        committing = Committing()
        commits = intake_commits(committing, nothing)
        tasks = await begun(commits, (1, MAX_LINES), (1, MAX_LINES // 2))
        for ask in (partial(commits.check, 1), partial(commits.add, 1, told(1))):
            with pytest.raises(StoreUnavailable, match="too much waits to be stored"):
                ask()
        tasks += await begun(commits, (2, MAX_LINES), (3, MAX_LINES // 2))
        with pytest.raises(StoreUnavailable):
            commits.add(4, told(1))
        committing.released.set()
        receipts = await asyncio.gather(*tasks)
        for workspace in (1, 4):
            receipts.append(await commits.add(workspace, told(MAX_LINES)))
        return receipts

    halves = [MAX_LINES, MAX_LINES // 2]
    assert [receipt.accepted for receipt in asyncio.run(run())] == [*halves, *halves, MAX_LINES, MAX_LINES]


def test_what_could_not_be_committed_waits_no_more() -> None:
    async def run() -> None:
        committing = Committing(StoreUnavailable())
        committing.released.set()
        commits = intake_commits(committing, nothing)
        for _ in range(4):
            with pytest.raises(StoreUnavailable, match=f"^{StoreUnavailable().message}$"):
                await commits.add(1, told(MAX_LINES))

    asyncio.run(run())
