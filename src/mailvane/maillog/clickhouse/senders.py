"""The question who has written to domains, in ClickHouse SQL. Every value is bound; nothing is executed here."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import msgspec

from mailvane.maillog.clickhouse.engine import Statement
from mailvane.maillog.clickhouse.terms import AUTHOR, TO_DOMAINS
from mailvane.maillog.queries import SenderCount, SenderPage, SenderQuestion

_COLUMNS = {"mails": "mails", "address": "address", "first_at": "first_at", "last_at": "last_at"}
_decode = msgspec.json.Decoder(SenderCount).decode_lines


class SenderSearch:
    """A question, as the statements that answer it. Names are bound as lines of a text: a list would cost more."""

    def __init__(self, question: SenderQuestion) -> None:
        self._question = question
        self._values: dict[str, object] = {
            "workspace": question.workspace,
            "relays": list(question.relays),
            "domains": list(question.domains),
            "beside": "\n".join(question.beside),
        }
        self._rows = self._grouped()

    def page(self) -> Statement:
        question = self._question
        way = "ASC" if question.ascending else "DESC"
        order = f"{_COLUMNS[question.order]} {way}" + ("" if question.order == "address" else ", address")
        return Statement(
            f"SELECT address, mails, first_at, last_at FROM ({self._rows}) ORDER BY {order}"
            " LIMIT {limit:UInt64} OFFSET {skip:UInt64}",
            self._values | {"limit": question.limit, "skip": question.skip},
        )

    def total(self, rows: int) -> int | None:
        """How many there are on all pages, where a page of so many tells."""
        question = self._question
        tells = rows < question.limit and (rows or not question.skip)
        return question.skip + rows if tells else None

    def count(self) -> Statement:
        return Statement(f"SELECT count() FROM ({self._rows})", self._values)

    def _grouped(self) -> str:
        """One row for each sender. Whoever is only listed beside has a row of zeros, which no maximum or sum shows."""
        whose = "workspace = {workspace:UInt32} AND relay IN {relays:Array(UInt32)}"
        wrote = (
            f"SELECT {AUTHOR} AS address, uniqExact(relay, accepted_at, number) AS mails, min(accepted_at) AS first_at,"
            f" max(accepted_at) AS last_at FROM {{deliveries}} FINAL WHERE {whose} AND kind = 'mail' AND {TO_DOMAINS}"
            " GROUP BY address"
        )
        beside = (
            f"SELECT {_lines('beside')} AS address, toUInt64(0) AS mails, toInt64(0) AS first_at, toInt64(0) AS last_at"
        )
        parts = f"{wrote} UNION ALL {beside}" if self._question.domains else beside
        return (
            "SELECT address, sum(each.mails) AS mails, max(each.first_at) AS first_at, max(each.last_at) AS last_at"
            f" FROM ({parts}) AS each WHERE {' AND '.join(self._filters())} GROUP BY address"
        )

    def _filters(self) -> list[str]:
        question = self._question
        found = ["address != ''"]
        if question.only is not None:
            found.append(f"address IN (SELECT {_lines('only')})")
            self._values["only"] = "\n".join(question.only)
        if question.without:
            found.append(f"address NOT IN (SELECT {_lines('without')})")
            self._values["without"] = "\n".join(question.without)
        if question.uuid is not None:
            # A UUID is the head of the hash, but for the bits of its version and variant, which come behind these.
            found.append("startsWith(hex(SHA1(concat(unhex({namespace:String}), address))), {head:String})")
            namespace, uuid = (UUID(each).hex.upper() for each in question.uuid)
            self._values |= {"namespace": namespace, "head": uuid[:12]}
        if question.text:
            found.append("positionCaseInsensitiveUTF8(address, {part:String}) > 0")
            self._values["part"] = question.text
        return found


def page(
    question: SenderQuestion, lines: Callable[[Statement], bytes], rows: Callable[[Statement], list[tuple[object, ...]]]
) -> SenderPage:
    search = SenderSearch(question)
    found = _decode(lines(search.page()))
    total = search.total(len(found))
    return SenderPage(int(str(rows(search.count())[0][0])) if total is None else total, found)


def _lines(name: str) -> str:
    return f"arrayJoin(splitByChar('\n', {{{name}:String}}))"
