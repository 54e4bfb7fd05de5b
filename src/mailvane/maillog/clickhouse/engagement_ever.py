"""The question about senders that tells a window and all time at once, in ClickHouse SQL. No execution.

Mails of weeks that are not settled are read once for both. Of settled weeks the sums of `engagement_days` are read, and
mails only of the days that the window, or what is recent, has a part of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mailvane.core.moments import DAY_MS
from mailvane.maillog.clickhouse.engagement import (
    BITS,
    DAYS,
    KEYS,
    NOTHING_KNOWN,
    REPLIED,
    SUMS,
    WHOSE,
    Known,
    between,
    filters,
    has,
    is_summed,
    is_whole,
    values_of,
    whole_days,
)
from mailvane.maillog.clickhouse.engine import Statement
from mailvane.maillog.clickhouse.merged_partitions import Week
from mailvane.maillog.queries import EngagementQuestion

_SENDER = KEYS["sender"]
_COUNTED = ("sent", *SUMS[:-1])  # in the window
_HAPPENED = {
    "opened": BITS["opened"] | BITS["opened_raw"] | BITS["clicked"] | BITS["clicked_raw"],
    "replied": BITS["replied"] | BITS["auto_replied"],
    "unsubscribed": BITS["unsubscribed"],
    "complained": BITS["complained"],
}
_EVER = ("sent", "bounced", "recent", "first_at", *_HAPPENED, "tagged")
_EVER_TYPE = ", ".join(f"{name} {'UInt64' if name in ('sent', 'bounced', 'recent') else 'Int64'}" for name in _EVER[:4])
_EVER_TYPE += "".join(f", {name} Bool" for name in _EVER[4:])

_EVER_SUMS = {
    "sent": "sum(ever_{}_)", "bounced": "sum(ever_{}_)", "recent": "sum(ever_{}_)",
    "first_at": "minIf(ever_{}_, ever_sent_ > 0)",
}  # fmt: skip


def engagement_and_ever(question: EngagementQuestion, known: Known = NOTHING_KNOWN) -> Statement:
    """A row a sender, as EngagementCounts has it with `ever`; sums are used where they help."""
    settled = known.weeks if is_summed(question) else ()
    values = values_of(question) | {"recent": question.recent}
    branches = [_from_mails(question, [] if not settled else ["_partition_id NOT IN {settled:Array(String)}"])]
    if settled:
        values |= {"settled": [week.partition for week in settled]}
        branches += _of_all_time(question, known, values)
        branches += _of_window(question, values)
        branches += _of_recent(question, settled, values)
    sums = [f"sum({name}_) AS {name}" for name in _COUNTED]
    ever = [_EVER_SUMS.get(name, "max(ever_{}_)").format(name) for name in _EVER]
    return Statement(
        f"SELECT sender_ AS sender, {', '.join(sums)}, CAST(({', '.join(ever)}), 'Tuple({_EVER_TYPE})') AS ever"
        f" FROM ({' UNION ALL '.join(branches)}) GROUP BY sender_"
        " HAVING sum(ever_sent_) > 0 ORDER BY sum(ever_sent_) DESC, sender_ LIMIT {most:UInt64}",
        values,
    )


def _columns(counted: str | None, ever: dict[str, str] | None = None) -> str:
    """Of a branch: those of the window, by a pattern, and those of all time; zero where none is given.

    Their names end in `_`: otherwise a name would stand for the sum and not for what is summed.
    """
    columns = [f"{_SENDER} AS sender_"]
    columns += [f"{'0' if counted is None else counted.format(name)} AS {name}_" for name in _COUNTED]
    columns += [f"{(ever or {}).get(name, '0')} AS ever_{name}_" for name in _EVER]
    return ", ".join(columns)


def _from_mails(question: EngagementQuestion, conditions: Iterable[str]) -> str:
    """Of the mails themselves, for the window, all time and what is recent."""
    window = " AND ".join(between(question.since, question.until)) or "1"
    ever = {"sent": "count()", "bounced": f"countIf({has(BITS['bounced'])})", "first_at": "min(accepted_at)"}
    ever |= {"recent": "countIf(accepted_at >= {recent:Int64})"}
    ever |= {name: f"bitAnd(groupBitOr(done), {bits}) != 0" for name, bits in _HAPPENED.items()}
    ever |= {"tagged": f"max({has(REPLIED)} AND tagged != 0)"}
    told = [f"{_SENDER} AS sender_", *_counts("held"), *(f"{ever[name]} AS ever_{name}_" for name in _EVER)]
    passing = " AND ".join(["bitTest(done, 0)", *filters(question), *conditions])
    return (
        f"WITH if({window}, done, 0) AS held SELECT {', '.join(told)} FROM {{engagement}} FINAL"
        f" PREWHERE {WHOSE} WHERE {passing} GROUP BY sender_"
    )


def _counts(done: str) -> Iterator[str]:
    yield f"countIf(bitTest({done}, 0)) AS sent_"
    for name, bit in BITS.items():
        yield f"countIf({has(bit, done)}) AS {name}_"
    yield f"countIf({has(REPLIED, done)} AND tagged != 0) AS tagged_"
    yield f"countIf({has(REPLIED, done)} AND bitTest(tagged, 0)) AS positive_"


def _of_all_time(question: EngagementQuestion, known: Known, values: dict[str, object]) -> Iterator[str]:
    """Settled weeks by their sums: those that lie in the window, and the others."""
    whole = {week.content for week in known.weeks if is_whole(question, week)}
    cut = [week.content for week in known.weeks if week.content not in whole]
    inside, outside = known.fewest(whole), known.fewest(cut)
    values |= {"cut": cut}
    ever = {name: name for name in ("sent", "bounced", "first_at")} | {"tagged": "tagged != 0"}
    ever |= {"opened": "opened_raw + clicked_raw != 0", "replied": "replied + auto_replied != 0"}
    ever |= {"unsubscribed": "unsubscribed != 0", "complained": "complained != 0"}
    always = known.fewest(week.content for week in known.weeks)
    if len(always) + len(inside) < len(inside) + len(outside):
        # A block of which the window has a part: its sum, and those of its weeks once more for the window alone.
        parts: list[tuple[str, list[str], str | None, dict[str, str]]]
        parts = [("always", always, None, ever), ("inside", inside, "{}", {})]
    else:
        parts = [("inside", inside, "{}", ever), ("outside", outside, None, ever)]
    for name, contents, counted, told in parts:
        if contents:
            values |= {name: contents}
            yield _from_days(question, _columns(counted, told), ["days = 7", f"content IN {{{name}:Array(String)}}"])


def _of_window(question: EngagementQuestion, values: dict[str, object]) -> Iterator[str]:
    """Whole days of weeks that the window has a part of, and mails of the parts of days at its ends."""
    whole = whole_days(question)
    if whole is None:
        yield _from_settled_mails(question, between(question.since, question.until))
        return
    values |= {"whole_since": whole[0], "whole_until": whole[1]}
    if values["cut"]:
        days = ["content IN {cut:Array(String)}", "day >= {whole_since:Int64}", "day < {whole_until:Int64}"]
        yield _from_days(question, _columns("{}"), ["days = 1", *days])
    if question.since is not None and question.since < whole[0]:
        yield _from_settled_mails(question, ["accepted_at >= {since:Int64}", "accepted_at < {whole_since:Int64}"])
    if question.until is not None and question.until >= whole[1]:
        yield _from_settled_mails(question, ["accepted_at >= {whole_until:Int64}", "accepted_at <= {until:Int64}"])


def _from_settled_mails(question: EngagementQuestion, conditions: Iterable[str]) -> str:
    told = ", ".join([f"{_SENDER} AS sender_", *_counts("done"), *(f"0 AS ever_{name}_" for name in _EVER)])
    where = ["bitTest(done, 0)", *filters(question), "_partition_id IN {settled:Array(String)}"]
    return (
        f"SELECT {told} FROM {{engagement}} FINAL PREWHERE {' AND '.join([WHOSE, *conditions])}"
        f" WHERE {' AND '.join(where)} GROUP BY sender_"
    )


def _of_recent(question: EngagementQuestion, settled: Sequence[Week], values: dict[str, object]) -> Iterator[str]:
    """How many mails of settled weeks are recent."""
    recent = question.recent or 0
    fresh = [week for week in settled if week.ends > recent]
    if not fresh:
        return
    begins = -(-recent // DAY_MS) * DAY_MS
    values |= {"fresh": [week.content for week in fresh], "recent_days": begins}
    days = ["days = 1", "content IN {fresh:Array(String)}", "day >= {recent_days:Int64}"]
    yield _from_days(question, _columns(None, {"recent": "sent"}), days)
    if begins > recent:
        first_day = ["accepted_at >= {recent:Int64}", "accepted_at < {recent_days:Int64}"]
        passing = ["bitTest(done, 0)", *filters(question), "_partition_id IN {settled:Array(String)}"]
        yield (
            f"SELECT {_columns(None, {'recent': '1'})} FROM {{engagement}} FINAL"
            f" PREWHERE {' AND '.join([WHOSE, *first_day])} WHERE {' AND '.join(passing)}"
        )


def _from_days(question: EngagementQuestion, columns: str, conditions: Iterable[str]) -> str:
    passing = " AND ".join([*conditions, WHOSE, "sent > 0", *filters(question)])
    return f"SELECT {columns} FROM {DAYS} WHERE {passing}"
