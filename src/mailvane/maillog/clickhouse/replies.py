"""The question about replies. It is put to the events: replies are few, and what is said of one is an event, too."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from mailvane.maillog.clickhouse.engine import Statement
from mailvane.maillog.queries import Reply, ReplyPage, ReplyQuestion

_decode = msgspec.json.Decoder(Reply).decode_lines

_BY_RECIPIENT = (
    "SELECT relay, accepted_at, number, recipient, maxIf(at, type = 'replied' AND NOT automatic) AS replied_at,"
    " countIf(type = 'tagged') AS words, countIf(type = 'tagged' AND NOT automatic) AS of_people,"
    " argMaxIf(positive, (NOT automatic, at, positive), type = 'tagged') AS is_positive,"
    " multiIf(words = 0, 'none', is_positive, 'positive', 'other') AS tag,"
    " words > 0 AND of_people = 0 AS by_program"
    " FROM {events} WHERE %s GROUP BY relay, accepted_at, number, recipient HAVING %s"
)


class ReplySearch:
    """A question, as the statements that answer it."""

    def __init__(self, question: ReplyQuestion) -> None:
        self._question = question
        self._values: dict[str, object] = {"workspace": question.workspace, "relays": list(question.relays)}
        window = [
            "workspace = {workspace:UInt32}", "relay IN {relays:Array(UInt32)}", "type IN ('replied', 'tagged')",
        ]  # fmt: skip
        if question.since is not None:
            window.append("accepted_at >= {since:Int64}")
            self._values["since"] = question.since
        having = ["replied_at > 0"]
        if question.tag is not None:
            having.append("tag = {tag:String}")
            self._values["tag"] = question.tag
        self._rows = _BY_RECIPIENT % (" AND ".join(window), " AND ".join(having))

    def page(self) -> Statement:
        columns = ", ".join(name for name in Reply.__struct_fields__ if name != "by_program")
        return Statement(
            f"SELECT {columns}, toBool(by_program) AS by_program FROM ({self._rows})"
            " ORDER BY replied_at DESC, accepted_at DESC, number DESC, relay DESC, recipient"
            " LIMIT {limit:UInt64} OFFSET {skip:UInt64}",
            self._values | {"limit": self._question.limit, "skip": self._question.skip},
        )

    def count(self) -> Statement:
        return Statement(f"SELECT count() FROM ({self._rows})", self._values)


def replies_of(
    question: ReplyQuestion, lines: Callable[[Statement], bytes], rows: Callable[[Statement], list[tuple[object, ...]]]
) -> ReplyPage:
    """One page, and the total."""
    search = ReplySearch(question)
    total = int(str(rows(search.count())[0][0]))
    return ReplyPage(total, _decode(lines(search.page())))
