"""The questions about refused mail. They are put to the events themselves: a refusal is one event, and final."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from mailvane.maillog.clickhouse import places, queue_ids, terms
from mailvane.maillog.clickhouse.engine import Statement
from mailvane.maillog.queries import RefusedMail, RefusedPage, RefusedQuestion, Tally
from mailvane.maillog.refused_questions import RefusedTallyQuestion, RefusedTime, RefusedTimeQuestion

_COLUMNS = ", ".join(RefusedMail.__struct_fields__)
_EXACT = ("origin", "sender", "recipient")
_decode = msgspec.json.Decoder(RefusedMail).decode_lines
# What refusals can be counted by: as deliveries, where an event has the column.
_GROUPS: Mapping[str, str] = {
    **{by: terms.GROUPS[by][1] for by in ("sender_domain", "recipient_domain", "host", "sender", "login", "relay")},
    "family": "toString(family)",
    "origin": "origin",
}
_Rows = Callable[[Statement], list[tuple[object, ...]]]  # puts a statement to the engine


class RefusedSearch:
    """A question, as the statements that answer it."""

    def __init__(self, question: RefusedQuestion) -> None:
        self._question = question = places.bounded(question)
        self._values: dict[str, object] = {"workspace": question.workspace, "relays": list(question.relays)}
        window = ["workspace = {workspace:UInt32}", "relay IN {relays:Array(UInt32)}"]
        if question.since is not None:
            window.append("accepted_at >= {since:Int64}")
            self._values["since"] = question.since
        if question.until is not None:
            window.append("accepted_at <= {until:Int64}")
            self._values["until"] = question.until
        self._where = " AND ".join([*window, "type = 'rejected'", *self._filters()])

    def _filters(self) -> list[str]:
        question = self._question
        found = []
        for name in _EXACT:
            value = getattr(question, name)
            if value is not None:
                found.append(f"{name} = {{{name}:String}}")
                self._values[name] = value
        if question.family is not None:
            found.append("family = {family:String}")
            self._values["family"] = question.family.value
        if question.domains is not None:
            found.append("lower(substringIndex(recipient, '@', -1)) IN {domains:Array(String)}")
            self._values["domains"] = list(question.domains)
        if question.reply_part is not None:
            found.append("positionCaseInsensitiveUTF8(reply, {part:String}) > 0")
            self._values["part"] = question.reply_part
        if question.queue_ids is not None:
            named = queue_ids.mails("workspace = {workspace:UInt32}", question.queue_ids)
            found.append(f"(relay, accepted_at, number) GLOBAL IN ({named.sql})")
            self._values |= named.values
        further = [terms.condition_on_events(place, term) for place, term in enumerate(question.terms)]
        further += [behind] if (behind := places.behind(question)) else []
        for condition, values in further:
            found.append(condition)
            self._values |= values
        return found

    def page(self) -> Statement:
        way = "ASC" if self._question.ascending else "DESC"
        return Statement(
            f"SELECT {_COLUMNS} FROM {{events}} WHERE {self._where}"
            f" ORDER BY accepted_at {way}, number {way}, relay {way}, at {way}, line {way}, recipient {way}"
            " LIMIT {limit:UInt64} OFFSET {skip:UInt64}",
            self._values | {"limit": self._question.limit, "skip": self._question.skip},
        )

    def total(self, rows: int) -> int:
        """How many rows there are on all pages, if a page of so many tells; else 0."""
        question = self._question
        return question.skip + rows if rows < question.limit and (rows or not question.skip) else 0

    def count(self) -> Statement:
        return Statement(f"SELECT count() FROM {{events}} WHERE {self._where}", self._values)

    def tally(self, by: str, top: int) -> Statement:
        """How many have which value, the most first."""
        return Statement(
            f"SELECT {_GROUPS[by]} AS value, count() AS rows FROM {{events}} WHERE {self._where}"
            " GROUP BY value ORDER BY rows DESC, value LIMIT {top:UInt32}",
            self._values | {"top": top},
        )

    def over_time(self, step: int) -> Statement:
        """How many came in each stretch of time, permanent refusals apart from transient ones."""
        return Statement(
            "SELECT intDiv(accepted_at, {step:Int64}) AS place,"
            " toUInt8(code >= 500 OR (code = 0 AND hard)) AS permanent,"
            f" count() FROM {{events}} WHERE {self._where} GROUP BY place, permanent ORDER BY place, permanent"
            " LIMIT 20000",
            self._values | {"step": step},
        )


def page(question: RefusedQuestion, lines: Callable[[Statement], bytes], rows: _Rows) -> RefusedPage:
    """What comes in between page and total is counted already."""
    search = RefusedSearch(question)
    found = _decode(lines(search.page()))
    return RefusedPage(search.total(len(found)) or int(str(rows(search.count())[0][0])), found)


def tally(question: RefusedTallyQuestion, rows: _Rows) -> list[Tally]:
    found = rows(RefusedSearch(question.refused).tally(question.by, question.top))
    return [Tally(str(value), int(str(count))) for value, count in found]


def over_time(question: RefusedTimeQuestion, rows: _Rows) -> list[RefusedTime]:
    found = rows(RefusedSearch(question.refused).over_time(question.step))
    return [
        RefusedTime(int(str(place)) * question.step, bool(int(str(permanent))), int(str(count)))
        for place, permanent, count in found
    ]
