"""The questions of `domain.history` in ClickHouse SQL. Every value is a bound parameter; nothing is executed here.

A statement names tables as `{deliveries}`: the store puts the local or the cluster-wide name there. Deliveries are read
with FINAL, which joins the partial rows that are not merged yet, so an answer never depends on merges.
"""

from __future__ import annotations

from typing import NamedTuple

from mailvane.domain.history import Delivery, HourlyQuestion, LogQuestion, StatisticsQuestion
from mailvane.domain.mail import DeliveryStatus, MailKey, MailKind, parse_mail_id
from mailvane.storage.maillog.rows import EVENT_COLUMNS

_RANKED = ("queued", "held", "deferred", "discarded", "expired", "bounced", "delivered")
_AT_BIAS = 8796093022208
_MAIL = "relay, accepted_at, number"
_ROW = f"{_MAIL}, recipient"

_OUTCOME = "splitByChar('\\x1f', substring(outcome, 17))"
_EXPRESSIONS = {
    "status": f"{list(_RANKED)}[bitAnd(intDiv(state, 256), 15) + 1]",
    "at": f"if(state < 256, 0, toInt64(intDiv(state, 4096)) - {_AT_BIAS})",
    "mx_host": "substring(via, 17)",
    "family": f"{_OUTCOME}[1]",
    "hard": f"toBool({_OUTCOME}[2] = '1')",
    "code": f"toUInt16OrZero({_OUTCOME}[3])",
    "enhanced_code": f"{_OUTCOME}[4]",
    "transport": f"{_OUTCOME}[5]",
    "mx_ip": f"{_OUTCOME}[6]",
    "delay": f"toInt64OrZero({_OUTCOME}[7])",
    "tls": f"{_OUTCOME}[8]",
    "reply": f"arrayStringConcat(arraySlice({_OUTCOME}, 9), '\\x1f')",
}

# The columns of `deliveries` beside its key, and what those are for a mail that was not tried yet.
_FACTS = (
    *("kind", "sender", "subject", "message_id", "header_from", "reply_to", "in_reply_to", "origin", "client_name"),
    *("login", "protocol", "interface", "size", "queue_id", "host"),
)
_UNTRIED = {
    "original_recipient": "''",
    "recipient_number": "toUInt32(0)",
    "state": f"max(if(e.type = 'held', toUInt64(e.at + {_AT_BIAS}) * 4096 + 256, toUInt64(1)))",
    "via": "''",
    "outcome": "''",
    "attempts": "toUInt64(0)",
    **dict.fromkeys(("complained_at", "opened_at", "clicked_at", "replied_at", "unsubscribed_at"), "toInt64(0)"),
}
_STORED = (*_FACTS, *_UNTRIED)


class Statement(NamedTuple):
    """SQL and the values that are bound to it."""

    sql: str
    values: dict[str, object]


class _Filter(NamedTuple):
    condition: str
    values: dict[str, object]


def _exact(question: LogQuestion) -> dict[str, _Filter]:
    """The filters that compare a column with a value."""
    columns = ("origin", "sender", "subject", "reply_to", "header_from")
    found = {
        name: _Filter(f"{name} = {{{name}:String}}", {name: value})
        for name in columns
        if (value := getattr(question, name)) is not None
    }
    if question.recipient is not None:
        condition = "(recipient = {recipient:String} OR original_recipient = {recipient:String})"
        found["recipient"] = _Filter(condition, {"recipient": question.recipient})
    if question.mx_host is not None:
        found["mx_host"] = _Filter("substring(via, 17) = {mx_host:String}", {"mx_host": question.mx_host})
    if question.family is not None:
        prefix = f"{question.family.value}\x1f"
        condition = (
            "(startsWith(substring(outcome, 17), {family:String}) OR (outcome = '' AND {family:String} = '\\x1f'))"
        )
        found["family"] = _Filter(condition, {"family": prefix})
    return found


def _state(question: LogQuestion) -> _Filter:
    """What became of the delivery: one bit field answers both filters."""
    rank = "bitAnd(intDiv(state, 256), 15)"
    conditions = ["state > 0"]
    values: dict[str, object] = {}
    if question.status is not None:
        conditions.append(f"{rank} = {{rank:UInt8}}")
        values["rank"] = _RANKED.index(question.status.value)
    if question.delivered is not None:
        delivered = _RANKED.index(DeliveryStatus.DELIVERED.value)
        conditions.append(f"{rank} {'=' if question.delivered else '!='} {delivered}")
    return _Filter(" AND ".join(conditions), values)


def _window(question: LogQuestion | StatisticsQuestion) -> _Filter:
    """Whose mail, and accepted when: all of it leads the sort key."""
    conditions = ["workspace = {workspace:UInt32}", "relay IN {relays:Array(UInt32)}"]
    values: dict[str, object] = {"workspace": question.workspace, "relays": list(question.relays)}
    if question.since is not None:
        conditions.append("accepted_at >= {since:Int64}")
        values["since"] = question.since
    if question.until is not None:
        conditions.append("accepted_at <= {until:Int64}")
        values["until"] = question.until
    return _Filter(" AND ".join(conditions), values)


def _message(question: LogQuestion) -> list[_Filter]:
    """The filters that look into identifiers. Raises InvalidInput for an impossible mail id."""
    found = []
    if question.mail_id is not None:
        accepted_at, number = parse_mail_id(question.mail_id)
        condition = "accepted_at = {accepted_at:Int64} AND number = {number:UInt32}"
        found.append(_Filter(condition, {"accepted_at": accepted_at, "number": number}))
    if question.message_id_part is not None:
        part = question.message_id_part
        position = "positionCaseInsensitive" if part.isascii() else "positionCaseInsensitiveUTF8"
        found.append(_Filter(f"{position}(message_id, {{part:String}}) > 0", {"part": part}))
    if set(question.kinds) != set(MailKind):
        kinds = [kind.value for kind in question.kinds]
        found.append(_Filter("kind IN {kinds:Array(String)}", {"kinds": kinds}))
    return found


class Search:
    """A log question, as the statements that answer it. Raises InvalidInput when the mail id is impossible."""

    def __init__(self, question: LogQuestion) -> None:
        window = _window(question)
        filters = [window, *_message(question), *_exact(question).values(), _state(question)]
        self._question = question
        self._window = window.condition
        self._where = " AND ".join(filter_.condition for filter_ in filters)
        self._values = {name: value for filter_ in filters for name, value in filter_.values.items()}

    def waiting(self) -> Statement:
        """How many mails wait untried in the window; most of the time none does."""
        return Statement(f"SELECT count() FROM ({self._waiting_mails()})", self._values)

    def total(self, waiting: bool) -> Statement:
        """How many rows there are on all pages."""
        count = f"uniqExact({_MAIL})" if self._question.by_message else "count()"
        return Statement(f"SELECT {count} AS total FROM {self._source(waiting)} WHERE {self._where}", self._values)

    def page(self, waiting: bool) -> Statement:
        """One page: first which rows are on it, from few columns, then all there is to say about those."""
        values = self._values | {"skip": self._question.skip, "limit": self._question.limit}
        way = "ASC" if self._question.ascending else "DESC"
        mail = f"accepted_at {way}, number {way}, relay {way}"
        if self._question.by_message:
            order, first = f"{mail}, recipient_number, recipient", f" LIMIT 1 BY {_MAIL}"
        else:
            order, first = f"{mail}, recipient_number {way}, recipient {way}", ""
        chosen = (
            f"SELECT {_ROW} FROM {self._source(waiting)} WHERE {self._where} ORDER BY {order}{first}"
            " LIMIT {limit:UInt64} OFFSET {skip:UInt64}"
        )
        columns = ", ".join(
            f"{_EXPRESSIONS[name]} AS {name}" if name in _EXPRESSIONS else name for name in Delivery.__struct_fields__
        )
        everything = f"(SELECT * FROM {self._source(waiting)} WHERE {self._window} AND ({_ROW}) GLOBAL IN ({chosen}))"
        return Statement(f"SELECT {columns} FROM {everything} ORDER BY {order}", values)

    def _source(self, waiting: bool) -> str:
        if not waiting:
            return "{deliveries} FINAL"
        return (
            f"(SELECT workspace, {_ROW}, {', '.join(_STORED)} FROM {{deliveries}} FINAL WHERE {self._window}"
            f" UNION ALL {self._untried()})"
        )

    def _untried(self) -> str:
        """The mails that wait, in the shape of deliveries without a recipient."""
        facts = ", ".join(f"{_UNTRIED.get(name, f'max(e.{name})')} AS {name}" for name in _STORED)
        return (
            f"SELECT workspace, {_MAIL}, '' AS recipient, {facts} FROM {{events}} AS e"
            f" WHERE {self._window} AND ({_MAIL}) GLOBAL IN ({self._waiting_mails()})"
            f" AND e.type IN ('accepted', 'held') AND e.recipient = '' GROUP BY workspace, {_MAIL}"
        )

    def _waiting_mails(self) -> str:
        return f"SELECT {_MAIL} FROM {{waiting}} FINAL WHERE {self._window} AND waiting > 0"


class Count:
    """A statistics question, as the statements that answer it."""

    def __init__(self, question: StatisticsQuestion) -> None:
        window = _window(question)
        self._where = f"{window.condition} AND kind = 'mail'"
        self._values = window.values | {"top": question.top}

    def received(self) -> Statement:
        """Mails accepted."""
        return Statement(f"SELECT count() FROM {{mails}} FINAL WHERE {self._where}", self._values)

    def sent(self) -> Statement:
        """Deliveries made."""
        delivered = f"bitAnd(intDiv(state, 256), 15) = {_RANKED.index(DeliveryStatus.DELIVERED.value)}"
        return Statement(f"SELECT count() FROM {{deliveries}} FINAL WHERE {self._where} AND {delivered}", self._values)

    def ranked(self, column: str) -> Statement:
        """The names in a column that count most, with their counts; what is not known has no name."""
        table = "deliveries" if column == "recipient" else "mails"
        known = "state > 0" if column == "recipient" else f"{column} != ''"
        return Statement(
            f"SELECT {column} AS name, count() AS counted FROM {{{table}}} FINAL WHERE {self._where} AND {known}"
            " GROUP BY name ORDER BY counted DESC, name LIMIT {top:UInt64}",
            self._values,
        )


def by_hour(question: HourlyQuestion) -> Statement:
    """Acceptances are counted by mail, all else by event."""
    hour = 3_600_000
    values: dict[str, object] = {
        "workspace": question.workspace,
        "relays": list(question.relays),
        "since": question.since - question.since % hour,
        "until": question.until - question.until % hour + hour,
    }
    whose = "workspace = {workspace:UInt32} AND relay IN {relays:Array(UInt32)}"
    inside = ">= {since:Int64} AND %s < {until:Int64}"
    counts = ("delivered", "deferred", "bounced", "rejected")
    sums = ", ".join(f"sum({name}) AS {name}" for name in ("accepted", *counts))
    none = ", ".join(f"toUInt64(0) AS {name}" for name in counts)
    return Statement(
        f"SELECT hour, {sums} FROM ("
        f"SELECT accepted_at - positiveModulo(accepted_at, {hour}) AS hour, count() AS accepted, {none}"
        " FROM {mails} FINAL"
        f" WHERE {whose} AND accepted_at {inside % 'accepted_at'} AND kind = 'mail' GROUP BY hour"
        f" UNION ALL SELECT hour, toUInt64(0) AS accepted, {', '.join(counts)} FROM {{hourly}}"
        f" WHERE {whose} AND hour {inside % 'hour'}"
        ") GROUP BY hour ORDER BY hour",
        values,
    )


def life_of(workspace: int, mail: MailKey) -> Statement:
    """Every event of a mail; what happened at the same time stands in the order in which a mail's life goes."""
    order = ["accepted", "held", "reinjected", "deferred", "discarded", "delivered", "bounced", "expired"]
    return Statement(
        f"SELECT {', '.join(f'`{name}`' for name in EVENT_COLUMNS)} FROM {{events}}"
        " WHERE workspace = {workspace:UInt32} AND relay = {relay:UInt32}"
        " AND accepted_at = {accepted_at:Int64} AND number = {number:UInt32}"
        f" ORDER BY at, indexOf({order}, type), line, recipient_number, recipient",
        {"workspace": workspace, "relay": mail.relay, "accepted_at": mail.accepted_at, "number": mail.number},
    )
