"""Which mails a queue id means, by the table `queue_ids`, whose key begins with it.

Postfix gives short queue ids out again, so that one may mean several mails.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mailvane.maillog.clickhouse.engine import Statement
from mailvane.maillog.model import MailKey
from mailvane.maillog.queries import QueueIdQuestion


def mails(window: str, names: Sequence[str]) -> Statement:
    """The mails of a window, a condition on the key, that had one of these queue ids or were given it elsewhere."""
    return Statement(
        f"SELECT relay, accepted_at, number FROM {{queue_ids}} WHERE {window}"
        " AND name IN {queue_names:Array(String)}",
        {"queue_names": list(names)},
    )


def newest(question: QueueIdQuestion) -> Statement:
    """Relay, time of acceptance and number of the mails that a queue id means."""
    found = mails("workspace = {workspace:UInt32} AND relay IN {relays:Array(UInt32)}", (question.queue_id,))
    values: dict[str, object] = {"workspace": question.workspace, "relays": list(question.relays)}
    return Statement(
        f"SELECT DISTINCT relay, accepted_at, number FROM ({found.sql})"
        " ORDER BY accepted_at DESC, number DESC, relay DESC LIMIT {limit:UInt64}",
        values | found.values | {"limit": question.limit},
    )


def mails_of(rows: Iterable[tuple[object, ...]]) -> list[MailKey]:
    """The mails that the rows of an answer name."""
    return [MailKey(*(int(str(value)) for value in row)) for row in rows]
