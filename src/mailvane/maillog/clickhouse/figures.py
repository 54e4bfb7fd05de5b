"""What could be said of mail at moments on a grid, in ClickHouse SQL: shares of a window, and what waited.

Read from `events`, by the time at which things happened: what is known of a moment now is what was known then, but for
what came in late. So an alert can be tried out over the past. Each event is told to the moments of whose window it is.
"""

from __future__ import annotations

from mailvane.core.errors import InvalidInput
from mailvane.core.moments import DAY_MS, MINUTE_MS
from mailvane.maillog.clickhouse.engine import Statement
from mailvane.maillog.clickhouse.rows import AT_BIAS, STATUSES
from mailvane.maillog.clickhouse.terms import GROUPS
from mailvane.maillog.figure_questions import WAITS_AT_MOST_MS, Figure, FigureQuestion
from mailvane.maillog.model import DeliveryStatus

MOST_MOMENTS = 10_000
MOST_WINDOWS = 24  # that one event may be told to
_MOST_ROWS = 100_000
_Z = 1.959963984540054  # of 95 %, two-sided
# What counts, and what it is compared with; how long after its acceptance a mail may still bounce or be complained of.
_SHARES = {
    "bounces": (("bounced", "expired"), ("delivered", "bounced", "expired"), 14 * DAY_MS),
    "deferrals": (("deferred",), ("delivered", "deferred", "bounced", "expired"), 14 * DAY_MS),
    "complaints": (("complained",), ("delivered",), 60 * DAY_MS),
}
_ENDS = ["delivered", "bounced", "expired", "discarded"]
_WHOSE = "workspace = {workspace:UInt32} AND relay IN {relays:Array(UInt32)}"
_TIMES = "accepted_at > {begins:Int64} AND accepted_at <= {last:Int64}"
_MAIL = "relay, accepted_at, number"
_KEY = f"{_MAIL}, recipient"
# The first moment of the grid that is not before a time.
_NEXT = (
    "greatest({first:Int64},"
    " {first:Int64} + intDiv(%s - {first:Int64} + {step:Int64} - 1, {step:Int64}) * {step:Int64})"
)
_LOWER = (
    f"(count / whole + {_Z**2} / 2 / whole - {_Z} * sqrt((count / whole * (1 - count / whole)"
    f" + {_Z**2} / 4 / whole) / whole)) / (1 + {_Z**2} / whole)"
)
# A delivery ends once and is complained of once; but it may be deferred often, and counts once all the same.
_COUNTING = ("countIf(%s)", "sum(%s)")
_DISTINCT = ("uniqExactStateIf(delivery, %s)", "uniqExactMerge(%s)")
_DEFERRED = f"bitAnd(state, 15) = {STATUSES.index(DeliveryStatus.DEFERRED)}"
_NEWEST = f"(toInt64(intDiv(state, 16)) - {AT_BIAS} + accepted_at)"


def figure_statement(question: FigureQuestion) -> Statement:
    """Raises InvalidInput."""
    moments = (question.last - question.first) // max(1, question.step) + 1
    if not question.step >= MINUTE_MS or not 0 < moments <= MOST_MOMENTS:
        raise InvalidInput(f"`first` to `last` by `step` are 1 to {MOST_MOMENTS} moments, a minute apart at least")
    if question.what == "waiting":
        return _waiting_at(question) if question.first == question.last else _waiting(question)
    if question.window % question.step or not question.step <= question.window <= MOST_WINDOWS * question.step:
        raise InvalidInput(f"`window` is 1 to {MOST_WINDOWS} times `step`")
    return _shares(question)


def figures_of(rows: list[tuple[object, ...]]) -> list[Figure]:
    """Raises InvalidInput where there are too many."""
    if len(rows) >= _MOST_ROWS:
        raise InvalidInput(f"more than {_MOST_ROWS - 1:,} figures: ask of fewer domains or of a shorter time")
    return [Figure(int(str(at)), str(value), *(int(str(each)) for each in rest)) for at, value, *rest in rows]


def _values(question: FigureQuestion, begins: int) -> dict[str, object]:
    return {
        "workspace": question.workspace, "relays": list(question.relays), "domains": list(question.domains),
        "begins": begins, "first": question.first, "last": question.last, "step": question.step,
        "least": question.least, "rows": _MOST_ROWS,
    }  # fmt: skip


def _value(question: FigureQuestion) -> str:
    """What a row is counted by, and which rows are."""
    return f"lower({GROUPS[question.by][1]})" if question.by else "''"


def _named(question: FigureQuestion) -> str:
    """By any domain that is named: of the recipient where all mail is taken together."""
    if not question.domains:
        return "1"
    return f"lower({GROUPS[question.by or 'recipient_domain'][1]}) IN {{domains:Array(String)}}"


def _shares(question: FigureQuestion) -> Statement:
    counted, whole, late = _SHARES[question.what]
    values = _values(question, question.first - question.window - late) | {
        "counted": list(counted), "whole": list(whole), "types": sorted({*counted, *whole}), "above": question.above,
        "since": question.first - question.window, "moments": question.window // question.step,
        "places": (question.last - question.first) // question.step + 1,
    }  # fmt: skip
    told = f"{_WHOSE} AND {_TIMES} AND at > {{since:Int64}} AND at <= {{last:Int64}} AND kind = 'mail'"
    told += " AND type IN {types:Array(String)} AND recipient != ''"
    # An event need not say who sent its mail; what was accepted does.
    unsaid = f"SELECT {_MAIL} FROM {{events}} WHERE {told} AND sender = ''"
    senders = (
        f"SELECT {_MAIL}, max(sender) AS accepted_from FROM {{mails}} WHERE {_WHOSE} AND {_TIMES}"
        f" AND ({_MAIL}) GLOBAL IN ({unsaid}) GROUP BY {_MAIL}"
    )
    rows = f"SELECT {_KEY}, type, at, sender FROM {{events}} WHERE {told}"
    if question.by == "sender_domain":
        rows = (
            f"SELECT {_KEY}, type, at, if(e.sender != '', e.sender, accepted_from) AS sender FROM ({rows}) AS e"
            f" GLOBAL LEFT JOIN ({senders}) AS s USING ({_MAIL})"
        )
    each = (
        f"SELECT {_value(question)} AS value, cityHash64({_KEY}) AS delivery,"
        f" type IN {{counted:Array(String)}} AS is_one, type IN {{whole:Array(String)}} AS is_of,"
        f" intDiv(at - {{since:Int64}} + {{step:Int64}} - 1, {{step:Int64}}) - {{moments:Int64}} AS place"
        f" FROM ({rows}) WHERE {_named(question)}"
    )
    counted_once, summed = _DISTINCT if question.what == "deferrals" else _COUNTING
    # What lies between two moments of the grid is told to the same moments, so it is counted before.
    between = (
        f"SELECT place, value, {counted_once % 'is_one'} AS ones, {counted_once % 'is_of'} AS all FROM ({each})"
        " GROUP BY place, value"
    )
    span = "range(greatest(toInt64(0), place), least(place + {moments:Int64}, {places:Int64}))"
    sql = (
        f"SELECT {{first:Int64}} + number * {{step:Int64}} AS moment, value, least(found, whole) AS count, whole FROM ("
        f"SELECT number, value, {summed % 'ones'} AS found, {summed % 'all'} AS whole FROM ({between})"
        f" ARRAY JOIN {span} AS number GROUP BY number, value)"
        f" WHERE count > 0 AND whole >= {{least:UInt64}} AND {_LOWER} > {{above:Float64}}"
        f" ORDER BY moment, value LIMIT {{rows:UInt32}}"
    )
    return Statement(sql, values)


def _waiting_at(question: FigureQuestion) -> Statement:
    """Of one moment: what is deferred by now and was so then; of what happened since then, what the events tell."""
    values = _values(question, question.first - WAITS_AT_MOST_MS) | {
        "ends": _ENDS, "types": ["deferred", *_ENDS], "age": question.age
    }  # fmt: skip
    told = f"{_WHOSE} AND {_TIMES} AND kind = 'mail'"
    now = (
        f"SELECT {_value(question)} AS value, accepted_at FROM {{deliveries}} FINAL WHERE {told} AND {_DEFERRED}"
        f" AND {_NEWEST} <= {{last:Int64}} AND {_named(question)}"
    )
    changed = f"SELECT {_KEY} FROM {{deliveries}} WHERE {told} AND {_NEWEST} > {{last:Int64}}"
    then = (
        f"SELECT {_value(question)} AS value, accepted_at FROM {{events}} WHERE {told} AND at <= {{last:Int64}}"
        f" AND type IN {{types:Array(String)}} AND {_named(question)} AND ({_KEY}) GLOBAL IN ({changed})"
        f" GROUP BY {_KEY}, value HAVING countIf(type = 'deferred') > 0"
        " AND countIf(type IN {ends:Array(String)}) = 0"
    )
    sql = (
        f"SELECT {{last:Int64}} AS moment, value, count() AS count, 0 AS whole, min(accepted_at) AS oldest"
        f" FROM ({now} UNION ALL {then}) GROUP BY value"
        f" HAVING count >= {{least:UInt64}} AND oldest + {{age:Int64}} <= moment"
        f" ORDER BY value LIMIT {{rows:UInt32}}"
    )
    return Statement(sql, values)


def _waiting(question: FigureQuestion) -> Statement:
    values = _values(question, question.first - WAITS_AT_MOST_MS) | {
        "ends": _ENDS, "types": ["deferred", *_ENDS], "age": question.age, "longest": WAITS_AT_MOST_MS
    }  # fmt: skip
    told = f"{_WHOSE} AND {_TIMES} AND at <= {{last:Int64}} AND kind = 'mail' AND recipient != ''"
    deferred = f"SELECT {_MAIL} FROM {{events}} WHERE {told} AND type = 'deferred' AND {_named(question)}"
    waited = (
        f"SELECT {_value(question)} AS value, accepted_at, minIf(at, type = 'deferred') AS begins,"
        f" least(minIf(at, type IN {{ends:Array(String)}}), {{last:Int64}} + 1) AS ended,"
        f" countIf(type IN {{ends:Array(String)}}) AS over FROM {{events}} WHERE {told}"
        f" AND type IN {{types:Array(String)}} AND {_named(question)} AND ({_MAIL}) GLOBAL IN ({deferred})"
        f" GROUP BY {_KEY}, value HAVING countIf(type = 'deferred') > 0"
    )
    until = "if(over > 0, ended, {last:Int64} + 1)"
    sql = (
        f"SELECT moment, value, count() AS count, 0 AS whole, min(accepted_at) AS oldest FROM ({waited})"
        f" ARRAY JOIN range({_NEXT % 'begins'}, least({until}, accepted_at + {{longest:Int64}}), {{step:Int64}})"
        f" AS moment"
        f" GROUP BY moment, value HAVING count >= {{least:UInt64}} AND oldest + {{age:Int64}} <= moment"
        f" ORDER BY moment, value LIMIT {{rows:UInt32}}"
    )
    return Statement(sql, values)
