"""A part of the mailboxes in the order of how their mail fares, with their figures of a window. Blocking.

A workspace may have ten thousand mailboxes. All of them are put in order by one sum each; the rest is asked of those
alone that are on the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import nsmallest
from itertools import islice
from typing import cast

import msgspec

from mailvane.mailboxes.model import Mailbox, MailboxQuestion
from mailvane.mailboxes.performance import Figures, Known, Scope, Window, is_counted, is_of_opens, known_of, total
from mailvane.mailboxes.store.mailboxes import MailboxStore
from mailvane.maillog.model import EngagementCount
from mailvane.maillog.queries import EngagementCounts
from mailvane.maillog.ranking import SenderRanking


class ListingQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of the mailboxes of a workspace, and when the mails were accepted."""

    workspace: int
    window: Window
    counts: tuple[EngagementCount, ...]  # which are told of those on the page
    sort: str = "sent"  # "address", or the largest first: "sent", or the share of a kind of `KINDS` in it
    skip: int = 0
    limit: int = 20


class Listed(msgspec.Struct, frozen=True):
    """A mailbox with the figures of its mails of the window."""

    mailbox: Mailbox
    counts: EngagementCounts
    days: Mapping[int, int]  # mails sent, by the start of the day, UTC


class Listing(msgspec.Struct, frozen=True):
    """A page of them; the numbers are of all."""

    total: int
    sent: int
    known: Known
    listed: list[Listed]


class Listings:
    """Any number of threads may use one."""

    def __init__(self, store: MailboxStore, figures: Figures) -> None:
        self._store = store
        self._figures = figures

    def page(self, scope: Scope, question: ListingQuestion) -> Listing:
        """Of those that there are: `Mailboxes.notice` lets new senders become mailboxes before. Raises InvalidInput."""
        question.window.check()
        kind = cast("EngagementCount", question.sort) if question.sort not in {"address", "sent"} else None
        tracked = self._tracked(scope.workspace, kind)
        ranking = self._figures.ranking(scope, question.window, kind)
        known = known_of(ranking.ever)
        first = self._in_order(question, kind, known, ranking, tracked)
        return Listing(
            total=len(tracked),
            sent=sum(map(ranking.sent.__getitem__, ranking.sent.keys() & tracked.keys())),
            known=known,
            listed=self._listed(scope, question, first),
        )

    @staticmethod
    def _in_order(
        question: ListingQuestion, kind: EngagementCount | None, known: Known, ranking: SenderRanking,
        tracked: Mapping[str, bool | None],
    ) -> list[str]:  # fmt: skip
        """The addresses of a page."""
        until, sent, counted = question.skip + question.limit, ranking.sent, ranking.counted
        if question.sort == "sent":
            busy = list(islice((address for address in sent if address in tracked), until))
            if len(busy) < until:
                busy += nsmallest(until - len(busy), tracked.keys() - sent.keys())
            return busy[question.skip :]

        def key(address: str) -> tuple[float, str]:
            if kind is None:
                return 0.0, address
            is_known = address in sent and is_counted(kind, known, tracked[address])
            return (-counted.get(address, 0) / sent[address] if is_known else 1.0), address

        return nsmallest(until, tracked, key=key)[question.skip :]

    def _tracked(self, workspace: int, kind: str | None) -> Mapping[str, bool | None]:
        """Every mailbox, by address; and, where the order depends on it, whether somebody said that opens are known."""
        if kind is not None and is_of_opens(kind):
            return {one.address: one.tracks_opens for one in self._store.all(workspace)}
        return cast("dict[str, bool | None]", dict.fromkeys(self._store.addresses(workspace)))

    def _listed(self, scope: Scope, question: ListingQuestion, addresses: list[str]) -> list[Listed]:
        """In this order; without those that are gone meanwhile."""
        if not addresses:
            return []
        asked = MailboxQuestion(workspace=scope.workspace, addresses=tuple(addresses), limit=len(addresses))
        mailboxes = {one.address: one for one in self._store.page(asked).mailboxes}
        days: dict[str, list[EngagementCounts]] = {address: [] for address in addresses}
        for each in self._figures.daily_by_sender(scope, question.window, addresses, counts=question.counts):
            days[each.sender].append(each)
        return [
            Listed(mailboxes[address], total(days[address]), {each.day: each.sent for each in days[address]})
            for address in addresses
            if address in mailboxes
        ]
