"""Commits wait a moment for those who are about to come, and for nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mailvane.core.group_commit import GroupCommit, gather


def test_one_that_is_alone_does_not_wait_and_several_share_a_commit() -> None:
    async def run() -> list[int]:
        groups: list[int] = []
        coming = 1

        async def commit(_key: None, requests: Sequence[int]) -> Sequence[int]:
            groups.append(len(requests))
            return requests

        async def before() -> None:
            await gather(lambda: 2 * books.waiting(None) >= coming)

        books: GroupCommit[None, int, int] = GroupCommit(commit, 100, before=before)
        assert await books.add(None, 7) == 7
        coming = 8
        answers = [books.add(None, 0)]
        await asyncio.sleep(0)  # the commit has been asked for, and three more come
        answers += [books.add(None, number) for number in (1, 2, 3)]
        assert await asyncio.gather(*answers) == [0, 1, 2, 3]
        assert await books.add(None, 8) == 8, "who is expected and does not come keeps nobody for long"
        return groups

    assert asyncio.run(run()) == [1, 4, 1]
