"""All senders of a window in one order, by columns: ten thousand of them are compared before twenty are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from mailvane.maillog.model import EngagementCount
from mailvane.maillog.queries import EngagementCounts, EngagementQuestion

HAPPENED = (
    "delivered", "bounced", "opened", "opened_raw", "clicked", "clicked_raw", "replied", "auto_replied", "tagged",
    "unsubscribed", "complained",
)  # fmt: skip


class RankingQuestion(msgspec.Struct, frozen=True):
    """The window of `log` and whose mail it asks for; `kind` is counted, if any, beside what was sent."""

    log: EngagementQuestion
    kind: EngagementCount | None = None

    @property
    def by_sender(self) -> EngagementQuestion:
        counts = () if self.kind is None else (self.kind,)
        return msgspec.structs.replace(self.log, by=("sender",), counts=counts)


class SenderRanking(msgspec.Struct, frozen=True):
    """Numbers of mails by sender. `counted`: those of the kind; senders that have none of it may be lacking."""

    sent: Mapping[str, int]  # those that sent most first, and by address where that is the same
    counted: Mapping[str, int]
    ever: EngagementCounts  # by 0 or 1: what happened to any mail of the workspace, whoever sent it and when


def of_everything(question: EngagementQuestion) -> EngagementQuestion:
    """What is asked of all mails of a workspace, whoever sent them: what ever happened to any of them."""
    return EngagementQuestion(workspace=question.workspace, relays=question.relays, by=(), brief=True)


def ranked_apart(
    question: RankingQuestion, engagement: Callable[[EngagementQuestion], list[EngagementCounts]]
) -> SenderRanking:
    """By two questions."""
    whole = engagement(of_everything(question.log))
    rows, kind = engagement(question.by_sender), question.kind
    counted = {} if kind is None else {row.sender: getattr(row, kind) for row in rows}
    return SenderRanking({row.sender: row.sent for row in rows}, counted, ever(whole))


def ever(rows: Iterable[EngagementCounts]) -> EngagementCounts:
    """Whether anything happened to any of these, by 0 or 1; their `tagged` is of any mail, replied or not."""
    rows = list(rows)
    told: dict[str, Any] = {name: int(any(getattr(row, name) for row in rows)) for name in ("sent", *HAPPENED)}
    return EngagementCounts(**told | {"tagged": int(told["tagged"] and told["replied"])})
