"""Which mails have a Message-ID, by the table `message_ids`, whose key begins with a hash of it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product

import msgspec
from msgspec import structs

from mailvane.core.memory_files import memory_file
from mailvane.maillog.clickhouse.engine import Statement, quoted
from mailvane.maillog.named_mails import NamedMail, NamedQuestion
from mailvane.maillog.queries import LogQuestion, Match

_encoder = msgspec.json.Encoder()
_mails = msgspec.json.Decoder(NamedMail).decode_lines
# Characters of the texts that one statement carries. A server takes 128 KiB as the value of a form's field, in which
# each of them may be escaped; the embedded engine reads them from files.
_MOST_TEXT = 40_000
_WINDOW = (
    "workspace = {workspace:UInt32} AND relay IN {relays:Array(UInt32)}"
    " AND accepted_at >= {since:Int64} AND accepted_at <= {until:Int64}"
)
# The rows of `deliveries` are partial until they are merged: each column of a mail is the greatest of them. A mail that
# waits untried has no row there.
_MAILS = f"""
WITH lowerUTF8(recipient) AS address
SELECT
    relay, accepted_at, number, max(message_id) AS message_id,
    if(max(header_from) = '', max(sender), max(header_from)) AS author,
    minIf(recipient, recipient != '') AS first_recipient,
    arraySort(groupUniqArrayIf(recipient, recipient != '' AND address IN {{addresses}})) AS recipients
FROM (
    SELECT relay, accepted_at, number, kind, message_id, header_from, sender, recipient
    FROM {{deliveries}}
    WHERE {_WINDOW} AND (relay, accepted_at, number) GLOBAL IN ({{named}})
    UNION ALL
    SELECT relay, accepted_at, number, kind, message_id, header_from, sender, '' AS recipient
    FROM {{events}}
    WHERE {_WINDOW} AND type = 'accepted' AND (relay, accepted_at, number) GLOBAL IN (
        SELECT relay, accepted_at, number FROM {{waiting}}
        WHERE {_WINDOW} AND (relay, accepted_at, number) GLOBAL IN ({{named}})
        GROUP BY relay, accepted_at, number HAVING sum(waiting) > 0
    )
)
GROUP BY relay, accepted_at, number
HAVING max(kind) = 'mail'
ORDER BY accepted_at, number, relay
"""
_NAMED = (
    f"SELECT relay, accepted_at, number FROM {{message_ids}} WHERE {_WINDOW}"
    " AND name GLOBAL IN (SELECT cityHash64(text) FROM {texts})"
)
_GIVEN = {
    "addresses": "{addresses:Array(String)}",
    "texts": "(SELECT arrayJoin({message_names:Array(String)}) AS text)",
}


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


def named_mails(question: NamedQuestion, lines: Callable[[Statement], bytes], embedded: bool) -> list[NamedMail]:
    """The mails of these Message-IDs, and perhaps a few with ids of the same hash.

    `lines` answers a statement, a JSON document a row. A server is asked in as many parts as need be.
    """
    values: dict[str, object] = {
        "workspace": question.workspace, "relays": list(question.relays), "since": question.since,
        "until": question.until,
    }  # fmt: skip
    if embedded:
        # A list of thousands in a statement takes longer to write and to parse than their mails to find.
        with _as_table(question.message_ids) as texts, _as_table(question.addresses) as addresses:
            asked = Statement(_filled({"texts": texts, "addresses": f"(SELECT text FROM {addresses})"}), values)
            return list(_mails(lines(asked)))
    found: dict[tuple[int, int, int], NamedMail] = {}
    for names, addressed in product(_portions(question.message_ids), _portions(question.addresses)):
        asked = Statement(_filled(_GIVEN), values | {"message_names": names, "addresses": addressed})
        for mail in _mails(lines(asked)):
            key = mail.accepted_at, mail.number, mail.relay
            known = found.get(key)
            found[key] = (
                mail if known is None else structs.replace(known, recipients=known.recipients + mail.recipients)
            )
    return [mail for _, mail in sorted(found.items(), key=lambda item: item[0])]


def _filled(places: Mapping[str, str]) -> str:
    sql = _MAILS.replace("{named}", _NAMED)
    for place, what in places.items():
        sql = sql.replace(f"{{{place}}}", what)
    return sql


@contextmanager
def _as_table(texts: Sequence[str]) -> Generator[str]:
    """What the embedded engine selects them from, as `text`."""
    with memory_file((_encoder.encode_lines([(text,) for text in texts]),)) as path:
        yield f"file({quoted(path)}, 'JSONCompactEachRow', 'text String')"


def _portions(texts: Sequence[str]) -> Iterator[list[str]]:
    portion: list[str] = []
    size = 0
    for text in texts:
        if portion and size + len(text) > _MOST_TEXT:
            yield portion
            portion, size = [], 0
        portion.append(text)
        size += len(text)
    if portion:
        yield portion
