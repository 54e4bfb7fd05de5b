"""The questions about refused mail. They are put to the events themselves: a refusal is one event, and final."""

from __future__ import annotations

import msgspec

from mailvane.maillog.clickhouse import places, queue_ids, terms
from mailvane.maillog.clickhouse.engine import Statement
from mailvane.maillog.queries import RefusedMail, RefusedQuestion

_COLUMNS = ", ".join(RefusedMail.__struct_fields__)
_EXACT = ("origin", "sender", "recipient")


decode_refused = msgspec.json.Decoder(RefusedMail).decode_lines


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
