"""Which mails have a Message-ID, by the table `message_ids`, whose key begins with a hash of it."""

from __future__ import annotations

from collections.abc import Sequence

from mailvane.maillog.clickhouse.engine import Statement
from mailvane.maillog.queries import LogQuestion, Match


def named(question: LogQuestion) -> tuple[str, ...]:
    """The Message-IDs of which a mail must have one to pass; none: the question does not say."""
    for term in question.terms:
        if term.field == "msgid" and not term.excludes and all(each.match is Match.WHOLE for each in term.patterns):
            return tuple(each.text for each in term.patterns)
    return ()


def moments(window: str, names: Sequence[str], most: int) -> Statement:
    """When mails of a window, a condition on the key, with one of these Message-IDs, or its hash, were accepted."""
    return Statement(
        f"SELECT DISTINCT accepted_at FROM {{message_ids}} WHERE {window}"
        " AND name GLOBAL IN (SELECT cityHash64(arrayJoin({message_names:Array(String)})))"
        f" LIMIT {most}",
        {"message_names": list(names)},
    )
