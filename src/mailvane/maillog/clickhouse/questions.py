"""The questions of `maillog.queries` in ClickHouse SQL. Every value is a bound parameter; nothing is executed here.

A statement names tables as `{deliveries}`: the store puts the local or the cluster-wide name there. Deliveries are read
with FINAL, which joins the partial rows that are not merged yet, so an answer never depends on merges.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mailvane.core.moments import DAY_MS
from mailvane.maillog.clickhouse import message_ids, places, queue_ids, terms
from mailvane.maillog.clickhouse.buckets import BUCKET_BITS, STRETCH_BITS, Span
from mailvane.maillog.clickhouse.engine import Statement
from mailvane.maillog.clickhouse.merged_partitions import Week
from mailvane.maillog.clickhouse.rows import AT_BIAS, REACTIONS, STATUSES, Name, Stored
from mailvane.maillog.model import NUMBER_BITS, DeliveryStatus, MailKind, parse_mail_id
from mailvane.maillog.queries import LogQuestion, StatisticsQuestion

_DELIVERED = f"(bitAnd(state, 15) = {STATUSES.index(DeliveryStatus.DELIVERED)})"
_MAIL = "relay, accepted_at, number"
_ROW = f"{_MAIL}, recipient"

# The columns of `deliveries` beside its key, and what those are for a mail that was not tried yet.
_FACTS = (
    *("kind", "sender", "subject", "message_id", "header_from", "reply_to", "in_reply_to", "origin", "client_name"),
    *("login", "protocol", "interface", "size", "queue_id", "host"),
)
_UNTRIED = {
    "original_recipient": "''",
    "recipient_number": "toUInt32(0)",
    "stretch": f"toInt32(bitShiftRight(accepted_at, {STRETCH_BITS}))",
    "state": f"max(if(e.type = 'held', toUInt64(e.at - e.accepted_at + {AT_BIAS}) * 16 + 1, toUInt64(0)))",
    "via": "''",
    "outcome": "''",
    "why": "''",
    "took": "toUInt128(0)",
    "attempts": "toUInt64(0)",
}
_STORED = (*_FACTS, *_UNTRIED)
_NOBODY = "(toUInt32(0), '', '')"
# Of one recipient of a waiting mail: whether a filter has it for them, and whether there is a delivery of theirs.
_HANDED_ON = (
    "e.recipient != '' AND max(e.type = 'reinjected') AS handed_on,"
    " max(e.type IN ('accepted', 'held', 'deferred', 'discarded', 'expired', 'bounced', 'delivered')) AS tried,"
    " maxIf(e.recipient_number, e.type = 'reinjected') AS place,"
    " maxIf(e.original_recipient, e.type = 'reinjected') AS instead_of"
)
_INSIDE = "accepted_at BETWEEN {first:Int64} AND {last:Int64}"
_COLUMNS = ", ".join(Stored.__struct_fields__)
_THEN = f"{_INSIDE} AND accepted_at IN {{when:Array(Int64)}}"
_FARTHEST = 2**63 - 1  # milliseconds, of an Int64
MOMENTS = 2000  # at most are handed to a question: more would outgrow it
AT_ONCE = 20_000  # rows at most are read whole to find the page among them
FOUND = 10_000  # rows at most are listed by their moments alone, to be put in order here
NAMED = 1000  # rows at most are asked for by name; beyond that the names would outgrow the question


class _Filter(NamedTuple):
    condition: str
    values: dict[str, object]


def _exact(question: LogQuestion) -> dict[str, _Filter]:
    """The filters that compare a column with a value."""
    found = {
        name: _Filter(f"{name} = {{{name}:String}}", {name: value})
        for name in ("origin", "sender", "reply_to", "header_from")
        if (value := getattr(question, name)) is not None
    }
    if question.subject is not None:
        found["subject"] = _Filter(*terms.subject(question.subject))
    if question.recipient is not None:
        condition = "(recipient = {recipient:String} OR original_recipient = {recipient:String})"
        found["recipient"] = _Filter(condition, {"recipient": question.recipient})
    if question.mx_host is not None:
        found["mx_host"] = _Filter("substring(via, 17) = {mx_host:String}", {"mx_host": question.mx_host})
    if question.family is not None:
        found["family"] = _Filter(f"{terms.FAMILY} = {{family:String}}", {"family": question.family.value})
    if question.domains is not None:
        found["domains"] = _Filter(terms.TO_DOMAINS, {"domains": list(question.domains)})
    return found


def _selective(question: LogQuestion) -> list[_Filter]:
    """The filters that few rows pass, those that tend to leave fewest first."""
    exact = _exact(question)
    names = ("subject", "recipient", "mx_host", "sender", "header_from", "reply_to", "origin")
    part = [filter_ for filter_ in _message(question) if "part" in filter_.values]
    return [*part, *(exact[name] for name in names if name in exact)]


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


def whole_days(question: LogQuestion) -> LogQuestion:
    """Of all mail of the days (UTC) in which the window of a question lies."""
    asked = places.bounded(question)
    since = None if asked.since is None else max(-_FARTHEST, asked.since - asked.since % DAY_MS)
    until = None if asked.until is None else min(_FARTHEST, asked.until - asked.until % DAY_MS + DAY_MS - 1)
    return LogQuestion(workspace=asked.workspace, relays=asked.relays, since=since, until=until)


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
    if question.queue_ids is not None:
        named = queue_ids.mails("workspace = {workspace:UInt32}", question.queue_ids)
        found.append(_Filter(f"({_MAIL}) GLOBAL IN ({named.sql})", named.values))
    if set(question.kinds) != set(MailKind):
        kinds = [kind.value for kind in question.kinds]
        found.append(_Filter("kind IN {kinds:Array(String)}", {"kinds": kinds}))
    return found


def _bounds(span: Span) -> dict[str, object]:
    return {"first": span.first, "last": span.last}


def _when(moments: Iterable[int]) -> dict[str, object]:
    when = sorted(set(moments))
    return {"first": when[0], "last": when[-1], "when": when}


class Search:
    """A log question, as the statements that answer it. Raises InvalidInput when the mail id is impossible.

    Of a short page the engine tells, with the total, at which moments its rows were accepted, and those are read whole.
    Otherwise rows are counted by bucket of acceptance time: that gives the total and, with it, the stretch of time in
    which the page lies, so that no more than that is sorted.

    An index on a filtered column is of little use to FINAL, which must see every partial row of what it joins. So a
    filter that selects is asked of settled weeks without FINAL; and of the others, at which moments candidates were
    accepted: whatever passes a comparison once joined has a partial row that passes it. When the moments are few,
    nothing else of those weeks is looked at.
    """

    def __init__(self, question: LogQuestion) -> None:
        question = places.bounded(question)
        window, message = _window(question), _message(question)
        # What became of the delivery: the low bits of one number answer both filters.
        found = []
        if question.status is not None:
            rank = STATUSES.index(question.status)
            found.append(_Filter("bitAnd(state, 15) = {rank:UInt8}", {"rank": rank}))
        if question.delivered is not None:
            found.append(_Filter(_DELIVERED if question.delivered else f"NOT {_DELIVERED}", {}))
        found += [_Filter(*terms.condition(place, term)) for place, term in enumerate(question.terms)]
        found += [_Filter(*behind)] if (behind := places.behind(question)) else []
        filters = [window, *message, *_exact(question).values(), *found]
        self._question = self.question = question
        self.by_message = question.by_message
        self._window = window.condition
        self._where = " AND ".join(filter_.condition for filter_ in filters)
        self._values = {name: value for filter_ in filters for name, value in filter_.values.items()}
        self._selective = next(iter(_selective(question)), None)
        self._message_ids = message_ids.named(question)
        self._joined = self._narrow = ""
        self._apart = False
        self.workspace = question.workspace
        kinds_alone = all("kinds" in filter_.values for filter_ in filters[1:])
        whole = question.since is None and question.until is None and kinds_alone
        self.passes_all = kinds_alone
        """Whether all that is read for an answer passes, but for notifications and probes."""
        self.is_fine = kinds_alone
        """Whether rows are counted by bucket: the key is read in any case."""
        self.is_short = 0 < question.skip + question.limit <= NAMED
        """Whether the moments of the page, and of what comes before it, are few."""
        self.summary = (question.workspace, question.relays, question.kinds, question.by_message) if whole else None
        """What counts of this question may be remembered by: it asks for everything, whenever accepted."""

    @property
    def selects(self) -> bool:
        """Whether a filter may be so selective that a search for its moments first pays off."""
        return self._selective is not None

    def read_apart(self, weeks: Sequence[Week]) -> None:
        """Read these settled weeks without joining rows, and all others as ever."""
        self._apart = True
        self._joined = " AND _partition_id NOT IN {apart:Array(String)}"
        self._values["apart"] = [week.partition for week in weeks]

    @property
    def indexed(self) -> bool:
        """Whether an index helps to find the many rows that pass; without one, joining while reading costs less."""
        return self._selective is not None and "reply_to" not in self._selective.values

    @property
    def sifted(self) -> bool:
        """Whether few rows are read to find those that pass."""
        return self._apart or bool(self._narrow)

    def candidates(self, are_few: bool) -> Statement | None:
        """When the candidates for an answer were accepted, up to one more than MOMENTS.

        None when no filter selects, or when there are so few rows that it costs less to join them all.
        """
        if self._question.queue_ids is not None:
            named = queue_ids.mails(self._window, self._question.queue_ids)
            sql = f"SELECT DISTINCT accepted_at FROM ({named.sql}) LIMIT {MOMENTS + 1}"
            return Statement(sql, self._values | named.values)
        if self._message_ids:
            found = message_ids.moments(self._window, self._message_ids, MOMENTS + 1)
            return Statement(found.sql, self._values | found.values)
        if self._selective is None or are_few:
            return None
        return Statement(
            f"SELECT DISTINCT accepted_at FROM {{deliveries}} WHERE {self._window}{self._joined}"
            f" AND {self._selective.condition} LIMIT {MOMENTS + 1}",
            self._values,
        )

    def possible(self) -> Statement | None:
        """When what passes a term about the transport may have been accepted, up to one more than MOMENTS.

        Of weeks that are joined. None: there is no such term. An outcome once joined is that of a partial row.
        """
        for place, term in enumerate(self._question.terms):
            if term.field == "transport" and not term.excludes:
                condition, _ = terms.condition(place, term)
                sql = f"SELECT DISTINCT accepted_at FROM {{deliveries}} WHERE {self._window}{self._joined}"
                return Statement(f"{sql} AND {condition} LIMIT {MOMENTS + 1}", self._values)
        return None

    def narrow(self, moments: list[int]) -> None:
        """Look only at deliveries of mails accepted at these moments."""
        self._narrow = " AND accepted_at IN {moments:Array(Int64)}"
        self._values["moments"] = moments

    def waiting(self) -> Statement:
        """How many mails wait untried in the window; most of the time none does."""
        return Statement(f"SELECT count() FROM {self._waiting_rows()}", self._values)

    def counts(self, waiting: bool, known: Sequence[Week] = ()) -> Statement:
        """How many rows each bucket has, or each stretch if they are not fine, without the weeks that are known."""
        others, values = self._others(known)
        bucket = f"bitShiftRight(accepted_at, {BUCKET_BITS})" if self.is_fine else "stretch"
        columns = _MAIL if self.is_fine else f"{_MAIL}, stretch"
        return Statement(self._counted(self._passing(waiting, columns, others=others), "", bucket), values)

    def _others(self, known: Sequence[Week]) -> tuple[str, dict[str, object]]:
        """Of weeks that are joined: those that are not known; and the values of a question about them."""
        if not known:
            return "", self._values
        names = {"known": [week.partition for week in known]}
        return " AND _partition_id NOT IN {known:Array(String)}", self._values | names

    def counts_apart(self, weeks: Sequence[Week]) -> Statement:
        """How many rows each stretch of settled weeks has, by week."""
        source = f"FROM {{deliveries}} WHERE _partition_id IN {{apart:Array(String)}} AND {self._where}"
        values = self._values | {"apart": [week.partition for week in weeks]}
        return Statement(self._counted(source, "_partition_id, ", "stretch"), values)

    def _counted(self, rows: str, beside: str, bucket: str) -> str:
        if not self._question.by_message:
            return f"SELECT {beside}{bucket} AS bucket, count() {rows} GROUP BY {beside}bucket"
        # Within a bucket and a relay, time and number of a mail fit into one integer, which is counted faster.
        mail = f"bitOr(bitShiftLeft(bitAnd(accepted_at, {(1 << STRETCH_BITS) - 1}), {NUMBER_BITS}), number)"
        mails = f"SELECT {beside}{bucket} AS bucket, relay, uniqExact({mail}) AS mails {rows}"
        return (
            f"SELECT {beside}bucket, sum(mails) FROM ({mails} GROUP BY {beside}bucket, relay) GROUP BY {beside}bucket"
        )

    def total(self, waiting: bool) -> Statement:
        """How many rows pass, and when those up to the end of the page were accepted."""
        rows = self._passing(waiting, _MAIL if self._question.by_message else "accepted_at")
        if self._question.by_message:
            rows = f"FROM (SELECT DISTINCT {_MAIL} {rows})"
        reach = self._question.skip + self._question.limit
        first = f"groupArraySorted({reach})"  # the least
        moments = f"{first}(accepted_at)" if self._question.ascending else f"arrayMap(at -> -at, {first}(-accepted_at))"
        return Statement(f"SELECT count(), {moments} {rows}", self._values)

    def passing(self, waiting: bool, columns: str, known: Sequence[Week] = ()) -> Statement:
        """FROM and WHERE of everything that passes, for a statement that counts by these columns.

        Weeks that are known are left out: settled ones that are not read apart.
        """
        others, values = self._others(known)
        return Statement(self._passing(waiting, columns, others=others), values)

    def passing_by_week(self, waiting: bool, column: str, weeks: Sequence[Week]) -> Statement:
        """Likewise, with the partition as `week`: of these settled weeks, and under '' of what is not read apart."""
        sieve = f"PREWHERE {self._window}{self._narrow} WHERE" if self._narrow else "WHERE"
        branches = [f"SELECT '' AS week, {column} FROM {{deliveries}} FINAL {sieve} {self._where}{self._joined}"]
        if weeks:
            counted = "_partition_id IN {counted:Array(String)}"
            branches.append(
                f"SELECT _partition_id AS week, {column} FROM {{deliveries}} WHERE {counted} AND {self._where}"
            )
        if waiting:
            branches.append(f"SELECT '' AS week, {column} FROM ({self._untried()}) WHERE {self._where}")
        values = self._values | ({"counted": [week.partition for week in weeks]} if weeks else {})
        return Statement(f"FROM ({' UNION ALL '.join(branches)})", values)

    def page(self, waiting: bool, span: Span) -> Statement:
        """A page too long to name its rows: first which are on it, from few columns, then all there is to say."""
        values = self._values | _bounds(span) | {"skip": span.skip, "limit": self._question.limit}
        order, _ = self._order()
        inside = f"{_INSIDE} AND ({_ROW}) GLOBAL IN ({self._page_of(waiting)})"
        return Statement(f"SELECT {_COLUMNS} {self._passing(waiting, _COLUMNS, inside)} ORDER BY {order}", values)

    def at_once(self, waiting: bool, span: Span) -> Statement:
        """A page in one pass over its stretch of time: dear, but nothing can change between two looks at a row."""
        values = self._values | _bounds(span) | {"skip": span.skip, "limit": self._question.limit}
        return Statement(self._page_of(waiting, _COLUMNS), values)

    def names(self, waiting: bool, span: Span) -> Statement:
        """Which rows are on the page, in its order."""
        values = self._values | _bounds(span) | {"skip": span.skip, "limit": self._question.limit}
        return Statement(self._page_of(waiting), values)

    def few(self, waiting: bool) -> Statement:
        """When each that passes was accepted, in no order, up to one more than FOUND."""
        rows = self._passing(waiting, _MAIL)
        if self._question.by_message:
            rows = f"FROM (SELECT DISTINCT {_MAIL} {rows})"
        return Statement(f"SELECT accepted_at {rows} LIMIT {FOUND + 1}", self._values)

    def whole(self, waiting: bool, moments: Sequence[int], skip: int) -> Statement:
        """All there is to say of what passes and was accepted at these moments, as much as a page holds."""
        values = self._values | _when(moments) | {"skip": skip, "limit": self._question.limit}
        order, first = self._order()
        rows = self._accepted_then(waiting, f" WHERE {self._where}", f" AND {self._where}")
        limit = "LIMIT {limit:UInt64} OFFSET {skip:UInt64}"
        return Statement(f"{rows} ORDER BY {order}{first} {limit}", values)

    def rows(self, names: Sequence[Name], waiting: bool) -> Statement:
        """All there is to say of rows with these names that still pass, in order, and perhaps of some others.

        A mail that was named as waiting may have recipients by now, who are read as well.
        """
        recipients = sorted({recipient for *_, recipient in names})
        values = self._values | _when([name[1] for name in names]) | {"recipients": recipients}
        named = "" if "" in recipients else " AND recipient IN {recipients:Array(String)}"
        order, first = self._order()
        rows = self._accepted_then(waiting, f"{named} WHERE {self._where}", f" AND {self._where}")
        # An index would be asked for every recipient, to find what the moments tell already.
        return Statement(f"{rows} ORDER BY {order}{first} SETTINGS use_skip_indexes = 0", values)

    def _accepted_then(self, waiting: bool, tried: str, untried: str) -> str:
        # What is of the key tells before rows are joined whether the other columns need be read at all.
        condition = f"{self._window} AND {_THEN}"
        rows = f"SELECT {_COLUMNS} FROM {{deliveries}} FINAL PREWHERE {condition}{tried}"
        if not waiting:
            return rows
        return f"SELECT * FROM ({rows} UNION ALL SELECT {_COLUMNS} FROM ({self._untried()}) WHERE {condition}{untried})"

    def reactions(self, span: Span) -> Statement:
        """What recipients did with the mails of a stretch of time; most of the time nothing."""
        return self._reacted(_INSIDE, _bounds(span))

    def reactions_to(self, names: Sequence[Name]) -> Statement:
        """What recipients did with these mails."""
        return self._reacted(_THEN, _when([name[1] for name in names]))

    def size(self) -> Statement:
        """How many rows the whole workspace has, those of one delivery apart."""
        return Statement("SELECT count() FROM {deliveries} WHERE workspace = {workspace:UInt32}", self._values)

    def any_reaction(self) -> Statement:
        """How many rows there are of reactions in the whole workspace."""
        return Statement("SELECT count() FROM {reactions} WHERE workspace = {workspace:UInt32}", self._values)

    def _reacted(self, when: str, values: dict[str, object]) -> Statement:
        # Partial rows as they are: the reader takes the greatest of each, for less than a grouping costs to plan.
        return Statement(
            f"SELECT {_ROW}, {', '.join(REACTIONS)} FROM {{reactions}} WHERE {self._window} AND {when}",
            self._values | values,
        )

    def _page_of(self, waiting: bool, columns: str = _ROW) -> str:
        order, first = self._order()
        read = columns if columns == _COLUMNS else f"{columns}, recipient_number"
        return (
            f"SELECT {columns} {self._passing(waiting, read, _INSIDE)}"
            f" ORDER BY {order}{first} LIMIT {{limit:UInt64}} OFFSET {{skip:UInt64}}"
        )

    def _order(self) -> tuple[str, str]:
        way = "ASC" if self._question.ascending else "DESC"
        mail = f"accepted_at {way}, number {way}, relay {way}"
        if self._question.by_message:
            return f"{mail}, recipient_number, recipient", f" LIMIT 1 BY {_MAIL}"
        return f"{mail}, recipient_number {way}, recipient {way}", ""

    def _passing(self, waiting: bool, columns: str, inside: str = "", others: str = "") -> str:
        """FROM and WHERE of everything that passes the filters, of all weeks or only of others than some.

        No more than the columns can be selected from it: each one that is named costs, whether it is used or not.
        """
        # Moments are of the key, which tells before rows are joined whether the other columns need be read at all.
        sieve = f"PREWHERE {self._window}{self._narrow} WHERE" if self._narrow else "WHERE"
        joined = f"{{deliveries}} FINAL {sieve} {self._where}{self._joined}{others}"
        if not waiting and not self._apart:
            return f"FROM {joined}{f' AND {inside}' if inside else ''}"
        branches = [f"SELECT {columns} FROM {joined}"]
        if self._apart:
            settled = "_partition_id IN {apart:Array(String)}"
            branches.append(f"SELECT {columns} FROM {{deliveries}} WHERE {settled} AND {self._where}")
        if waiting:
            branches.append(f"SELECT {columns} FROM ({self._untried()}) WHERE {self._where}")
        return f"FROM ({' UNION ALL '.join(branches)}){f' WHERE {inside}' if inside else ''}"

    def _untried(self) -> str:
        """The mails that wait, as deliveries: to those for whom a content filter has them, else to nobody."""
        facts = ", ".join(f"{_UNTRIED.get(name, f'max(e.{name})')} AS {name}" for name in _STORED)
        by_recipient = (
            f"SELECT workspace, {_MAIL}, e.recipient AS recipient, {facts}, {_HANDED_ON}"
            f" FROM {{events}} AS e WHERE {self._window} AND ({_MAIL}) GLOBAL IN ({self._waiting_mails()})"
            f" AND (e.recipient != '' OR e.type IN ('accepted', 'held')) GROUP BY workspace, {_MAIL}, e.recipient"
        )
        known = ", ".join(f"anyIf(r.{name}, r.recipient = '') AS {name}" for name in _STORED)
        by_mail = (
            f"SELECT workspace, {_MAIL}, {known},"
            " groupArrayIf((r.place, r.recipient, r.instead_of), r.handed_on AND NOT r.tried) AS handed"
            f" FROM ({by_recipient}) AS r GROUP BY workspace, {_MAIL} HAVING countIf(r.recipient = '') > 0"
        )
        rewritten = "arrayMap(one -> one.3, arrayFilter(one -> one.2 != one.3, handed))"
        onward = f"arrayFilter(one -> NOT has({rewritten}, one.2), handed)"
        others = ", ".join(name for name in _STORED if name not in ("original_recipient", "recipient_number"))
        return (
            f"SELECT workspace, {_MAIL}, whom.2 AS recipient, {others},"
            " whom.3 AS original_recipient, whom.1 AS recipient_number"
            f" FROM (SELECT *, arrayJoin(if(empty({onward}), [{_NOBODY}], {onward})) AS whom FROM ({by_mail}))"
        )

    def _waiting_mails(self) -> str:
        return f"SELECT {_MAIL} FROM {self._waiting_rows()}"

    def _waiting_rows(self) -> str:
        return f"{{waiting}} FINAL WHERE {self._window} AND waiting > 0"


class Count:
    """A statistics question, as the statements that answer it."""

    def __init__(self, question: StatisticsQuestion) -> None:
        window = _window(question)
        self._where = f"{window.condition} AND kind = 'mail'"
        self._values = window.values | {"top": question.top}

    def received(self) -> Statement:
        """Mails accepted."""
        return Statement(f"SELECT count() FROM {{mails}} FINAL WHERE {self._where}", self._values)

    def received_by_week(self, known: Sequence[str]) -> Statement:
        """Mails accepted, by the partitions that have any, leaving out those of which that is known."""
        others = " AND _partition_id NOT IN {known:Array(String)}" if known else ""
        return Statement(
            f"SELECT _partition_id AS week, count() FROM {{mails}} FINAL WHERE {self._where}{others} GROUP BY week",
            self._values | ({"known": list(known)} if known else {}),
        )

    def sent(self) -> Statement:
        """Deliveries made."""
        return Statement(f"SELECT count() FROM {{deliveries}} FINAL WHERE {self._where} AND {_DELIVERED}", self._values)

    def recipients(self) -> Statement:
        """Those with most deliveries, and how many; beside them, how many were made to all."""
        return Statement(
            f"SELECT recipient, count() AS counted, sum(countIf({_DELIVERED})) OVER ()"
            f" FROM {{deliveries}} FINAL WHERE {self._where} GROUP BY recipient"
            " ORDER BY counted DESC, recipient LIMIT {top:UInt64}",
            self._values,
        )

    def senders_and_origins(self) -> Statement:
        """Those with most mails, whichever it is, the other being 1, and how many; both being 1, how many in all."""
        return Statement(
            "SELECT sender, origin, grouping(sender) AS any_sender, grouping(origin) AS any_origin, count() AS counted"
            f" FROM {{mails}} FINAL WHERE {self._where} GROUP BY GROUPING SETS ((sender), (origin), ())"
            " HAVING NOT (any_sender = 0 AND sender = '' OR any_origin = 0 AND origin = '')"
            " ORDER BY counted DESC, sender, origin LIMIT {top:UInt64} BY any_sender, any_origin",
            self._values,
        )
