"""The questions about engagement in ClickHouse SQL: what became of mails, by sender, day and campaign. No execution.

`engagement` has a row a mail. It is read with FINAL, which costs nothing in weeks that are one merged part. What such
weeks sum up to by sender and day is in `engagement_days`, so that their mails are not read again for every question.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from types import MappingProxyType
from typing import NamedTuple

from mailvane.core.mailbox import domain_of
from mailvane.core.moments import DAY_MS
from mailvane.maillog.clickhouse.engine import Statement
from mailvane.maillog.clickhouse.merged_partitions import Week
from mailvane.maillog.queries import EngagementQuestion, ReceivedQuestion

# Bits of `done`, as schema.sql has them.
BITS = {
    "delivered": 2,
    "bounced": 4,
    "opened": 8,
    "opened_raw": 16,
    "clicked": 32,
    "clicked_raw": 64,
    "replied": 128,
    "auto_replied": 256,
    "unsubscribed": 512,
    "complained": 1024,
}
_SEQUENCE = "if(sequence = 'main', '', sequence)"  # two spellings of one
KEYS = {
    "sender": "substring(mailbox, 2)",
    "day": f"accepted_at - positiveModulo(accepted_at, {DAY_MS})",
    "campaign": "campaign",
    "sequence": _SEQUENCE,
    "step": "step",
}
EARLIEST, LATEST = -(2**62), 2**62
_FIRST_WEEK, _LAST_WEEK = "20000110", "20991221"  # partitions beside these may hold other times, too
_ACCEPTED = 1
REPLIED = _ACCEPTED | BITS["replied"]
WHOSE = "workspace = {workspace:UInt32} AND relay IN {relays:Array(UInt32)}"
_WEEKS_OF_A_BLOCK = 8
AT_ONCE = 10_000  # addresses that one statement names: more would outgrow it
SUMS = (*BITS, "tagged", "positive", "tags")
DAYS = "engagement_days"
_COLUMNS = ", ".join(("content", "days", "workspace", "relay", "mailbox", "day", "sent", *SUMS, "first_at", "last_at"))


class Known(NamedTuple):
    """Weeks whose sums `engagement_days` has; and blocks of them that are summed up once more, by the block's content.

    They are right if these weeks are settled until an answer is there.
    """

    weeks: Sequence[Week] = ()
    blocks: Mapping[str, frozenset[str]] = MappingProxyType({})

    def fewest(self, contents: Iterable[str]) -> list[str]:
        """Contents that have the same sums as these: each is a part to be read, so blocks stand for their weeks."""
        left, found = set(contents), []
        for block, weeks in self.blocks.items():
            if weeks <= left:
                left -= weeks
                found.append(block)
        return sorted([*left, *found])


NOTHING_KNOWN = Known()


def blocks_of(weeks: Sequence[Week]) -> dict[str, frozenset[str]]:
    """The contents of weeks that lie together, by what their sum is known by; weeks alone have none."""
    together: dict[int, list[str]] = {}
    for week in weeks:
        if _FIRST_WEEK < week.partition < _LAST_WEEK:
            together.setdefault(week.begins // (7 * DAY_MS * _WEEKS_OF_A_BLOCK), []).append(week.content)
    return {
        blake2b("".join(sorted(contents)).encode(), digest_size=16).hexdigest(): frozenset(contents)
        for contents in together.values()
        if len(contents) > 1
    }


def engagement_of(question: EngagementQuestion, known: Known = NOTHING_KNOWN) -> Statement:
    """A row for each of what the question asks by, as EngagementCounts has it; sums are used where they help."""
    parts, values = [_from_mails(question, between(question.since, question.until))], values_of(question)
    if known.weeks and (whole := whole_days(question)):
        weeks = [week.content for week in known.weeks if is_whole(question, week)]
        cut = [week.content for week in known.weeks if week.content not in weeks and _meets(whole, week)]
        values |= {"whole_since": whole[0], "whole_until": whole[1], "weeks": known.fewest(weeks), "cut": cut}
        values |= {"settled": [week.partition for week in known.weeks]}
        parts = list(_from_days_and_mails(question, whole, known.weeks))
    order = f" ORDER BY {', '.join(['sent_ DESC', *question.by])} LIMIT {{most:UInt64}}"
    return Statement(f"SELECT {_told(question)} FROM ({_summed(question, parts)}{order})", values)


def _told(question: EngagementQuestion) -> str:
    """The columns of an answer, of sums whose names end in `_`."""
    told = ["tagged" if name == "tags" else name for name in _columns(question)]
    return ", ".join([*question.by, *(f"{name}_ AS {name}" for name in told)])


def _summed(question: EngagementQuestion, parts: Iterable[str]) -> str:
    """The sums of these parts."""
    keys = ", ".join(question.by)
    return (
        f"SELECT {', '.join([*question.by, 'sum(sent) AS sent_', *_totals(question)])}"
        f" FROM ({' UNION ALL '.join(parts)}) AS part{f' GROUP BY {keys}' if keys else ''} HAVING sent_ > 0"
    )


def sums_of_weeks(question: EngagementQuestion, weeks: Sequence[Week], known: Known) -> Statement:
    """What these settled weeks have for a question whose window has whole days of them: rows as of engagement_of."""
    whole = whole_days(question) or (LATEST, LATEST)
    within = [week.content for week in weeks if is_whole(question, week)]
    cut = [week.content for week in weeks if week.content not in within and _meets(whole, week)]
    values = values_of(question) | {"whole_since": whole[0], "whole_until": whole[1]}
    values |= {"weeks": known.fewest(within), "cut": cut}
    days = list(_from_days(question))
    branches = [sums for sums, contents in zip(days, (within, cut), strict=True) if contents] or days[:1]
    return Statement(f"SELECT {_told(question)} FROM ({_summed(question, branches)})", values)


def mails_apart(question: EngagementQuestion, weeks: Sequence[Week]) -> Statement:
    """What the mails of all but these weeks have for a question that is not brief: likewise."""
    conditions = between(question.since, question.until)
    mails = _from_mails(question, conditions, "_partition_id NOT IN {settled:Array(String)}")
    return Statement(mails, values_of(question) | {"settled": [week.partition for week in weeks]})


def senders_of_weeks(question: EngagementQuestion, weeks: Sequence[Week], known: Known) -> Statement:
    """What `sums_of_weeks` has by sender, with one count at most, as one row of columns."""
    sums = sums_of_weeks(question, weeks, known)
    return Statement(f"SELECT {', '.join(_arrays(question))} FROM ({sums.sql}) AS part", sums.values)


def senders_apart(question: EngagementQuestion, weeks: Sequence[Week]) -> Statement:
    """Likewise what the mails of all but these weeks have; and the bits of all those mails, in the window or not."""
    window = " AND ".join(between(question.since, question.until)) or "1"
    counted = ", ".join(_counted(_columns(question), "held"))
    passing = " AND ".join(["bitTest(done, 0)", *filters(question), "_partition_id NOT IN {settled:Array(String)}"])
    found = (
        f"WITH if({window}, done, 0) AS held SELECT {KEYS['sender']} AS sender, {counted},"
        " groupBitOr(done) AS sender_done, max(tagged) != 0 AS sender_tagged"
        f" FROM {{engagement}} FINAL PREWHERE {WHOSE} WHERE {passing} GROUP BY sender"
    )
    bits = ("groupBitOr(sender_done) AS all_done", "max(sender_tagged) AS any_tagged")
    told = ", ".join([*_arrays(question, "_"), *bits])
    values = values_of(question) | {"settled": [week.partition for week in weeks]}
    return Statement(f"SELECT {told} FROM ({found}) AS part", values)


def _arrays(question: EngagementQuestion, end: str = "") -> Iterator[str]:
    """Of rows by sender; their counts' names end so."""
    yield f"groupArrayIf(part.sender, part.sent{end} > 0) AS senders"
    for name, column in zip(_columns(question), ("sent", "counted"), strict=False):
        yield f"groupArrayIf(part.{name}{end}, part.sent{end} > 0) AS {column}"


def _columns(question: EngagementQuestion) -> list[str]:
    """Of the sums of each part, those that the answer is made of."""
    if question.brief:
        return ["sent", *BITS, "tags", "first_at"]
    if question.counts is None:
        return ["sent", *SUMS[:-1], "first_at", "last_at"]
    return ["sent", *(name for name in SUMS[:-1] if name in question.counts)]


def whole_by_week(question: EngagementQuestion, weeks: Sequence[Week]) -> Statement:
    """Of a brief question about all mails there are: a row for each of these weeks that has any, by its content.

    Their sums are there. `tagged` is of any mail, replied or not.
    """
    sums = ", ".join(f"toUInt64(sum(part.{name})) AS {name}_" for name in BITS)
    told = ", ".join(["content", "sent_ AS sent", *(f"{name}_ AS {name}" for name in (*BITS, "tagged", "first_at"))])
    found = (
        f"SELECT content, sum(part.sent) AS sent_, {sums}, toUInt64(sum(part.tags)) AS tagged_,"
        f" min(part.first_at) AS first_at_ FROM {DAYS} AS part WHERE content IN {{weeks:Array(String)}} AND days = 7"
        f" AND {WHOSE} AND sent > 0 AND mailbox != '' GROUP BY content"
    )
    values = {"workspace": question.workspace, "relays": list(question.relays)}
    return Statement(f"SELECT {told} FROM ({found})", values | {"weeks": [week.content for week in weeks]})


def whole_besides(question: EngagementQuestion, weeks: Sequence[Week]) -> Statement:
    """Likewise, one row of all other mails."""
    values = values_of(question) | {"settled": [week.partition for week in weeks]}
    found = _from_mails(question, [], "_partition_id NOT IN {settled:Array(String)}")
    names = ["sent", *BITS, "tags AS tagged", "first_at"]
    return Statement(f"SELECT {', '.join(names)} FROM ({found})", values)


def _totals(question: EngagementQuestion) -> Iterator[str]:
    """Of the sums of all parts. Brief: of all but two only whether it ever happened."""
    if not question.brief:
        for name in _columns(question)[1:]:
            total = {"first_at": "min", "last_at": "max"}.get(name, "sum")
            yield f"{total}(part.{name}) AS {name}_"
        return
    for name in BITS:
        total = f"sum(part.{name})"
        yield f"{total} AS {name}_" if name == "bounced" else f"toUInt8({total} > 0) AS {name}_"
    yield "toUInt8(sum(part.tags) > 0 AND sum(part.replied) > 0) AS tagged_"
    yield "min(part.first_at) AS first_at_"


def _from_mails(question: EngagementQuestion, conditions: Iterable[str], where: str = "1") -> str:
    """Sums of the mails themselves."""
    keys = {name: KEYS[name] for name in question.by}
    wanted = _columns(question)
    sums = _ever_happened() if question.brief else _counted(wanted)
    told = ", ".join([*(f"{sql} AS {name}_" for name, sql in keys.items()), *sums])
    grouped = ", ".join(f"{name}_" for name in keys)
    others = ["bitTest(done, 0)", *filters(question), where]
    found = (
        f"SELECT {told} FROM {{engagement}} FINAL PREWHERE {' AND '.join([WHOSE, *conditions])}"
        f" WHERE {' AND '.join(others)}{f' GROUP BY {grouped}' if keys else ''} HAVING sent_ > 0"
    )
    return f"SELECT {', '.join(f'{name}_ AS {name}' for name in (*keys, *wanted))} FROM ({found})"


def _from_days_and_mails(question: EngagementQuestion, whole: tuple[int, int], known: Sequence[Week]) -> Iterator[str]:
    """Whole days of settled weeks by their sums, all else mail by mail; `whole` as whole_days has it."""
    before = (EARLIEST if question.since is None else question.since, whole[0])
    after = (whole[1], LATEST if question.until is None else question.until + 1)
    yield from _from_days(question)
    apart = "_partition_id NOT IN {settled:Array(String)}"
    yield _from_mails(question, between(question.since, question.until), apart)
    within = "_partition_id IN {settled:Array(String)}"
    if question.since is not None and before[0] < before[1] and any(_meets(before, week) for week in known):
        yield _from_mails(question, ["accepted_at >= {since:Int64}", "accepted_at < {whole_since:Int64}"], within)
    if question.until is not None and after[0] < after[1] and any(_meets(after, week) for week in known):
        yield _from_mails(question, ["accepted_at >= {whole_until:Int64}", "accepted_at <= {until:Int64}"], within)


def _from_days(question: EngagementQuestion) -> Iterator[str]:
    """Sums of weeks that lie in the window, and those of the days of others that do."""
    named = [f"{KEYS['sender'] if name == 'sender' else name} AS {name}" for name in question.by]
    columns = ", ".join([*named, *_columns(question)])
    weeks = ["content IN {weeks:Array(String)}", "days = 7"]
    days = ["content IN {cut:Array(String)}", "days = 1", "day >= {whole_since:Int64}", "day < {whole_until:Int64}"]
    for conditions in (weeks, days):
        passing = " AND ".join([*conditions, WHOSE, "sent > 0", *filters(question)])
        yield f"SELECT {columns} FROM {DAYS} WHERE {passing}"


def is_summed(question: EngagementQuestion) -> bool:
    """Whether `engagement_days` has what is asked by and filtered."""
    return set(question.by) <= {"sender", "day"} and question.campaign is None and question.sequence is None


def whole_days(question: EngagementQuestion) -> tuple[int, int] | None:
    """The days that lie wholly in the window: where the first begins and the last ends. None: sums do not help."""
    if not is_summed(question):
        return None
    since = EARLIEST if question.since is None else -(-question.since // DAY_MS) * DAY_MS
    until = LATEST if question.until is None else (question.until + 1) // DAY_MS * DAY_MS
    return (since, until) if since < until else None


def is_whole(question: EngagementQuestion, week: Week) -> bool:
    """Whether it lies in the window as one, and its days are not asked for."""
    if "day" in question.by or not _FIRST_WEEK < week.partition < _LAST_WEEK:
        return False
    return week.within(question.since, question.until)


def _meets(whole: tuple[int, int], week: Week) -> bool:
    """Whether some of its mails may have been accepted in these days."""
    if not _FIRST_WEEK < week.partition < _LAST_WEEK:
        return True
    return whole[0] < week.ends and week.begins < whole[1]


def summed_by_day(content: str, part: str) -> Statement:
    """Sums of a part of `engagement`, which is alone in its week, with one row at least."""
    counts = ", ".join(_counted_if_accepted())
    return Statement(
        f"INSERT INTO {DAYS} ({_COLUMNS})"
        " SELECT {content:String}, arrayJoin([1, 7]) AS days_, workspace, relay, mailbox,"
        f" if(days_ = 1, {KEYS['day']}, 0) AS day_, {counts}"
        " FROM engagement WHERE _part = {part:String} GROUP BY days_, workspace, relay, mailbox, day_",
        {"content": content, "part": part},
    )


def summed_block(content: str, weeks: Iterable[str]) -> Statement:
    """The sums of these weeks, added up; nothing where those of a week were dropped meanwhile."""
    sums = ", ".join(f"sum({name})" for name in ("sent", *SUMS))
    passing = "content IN {weeks:Array(String)} AND days = 7"
    return Statement(
        f"INSERT INTO {DAYS} ({_COLUMNS})"
        f" SELECT {{content:String}}, 7, workspace, relay, mailbox, 0, {sums}, minIf(first_at, sent > 0), max(last_at)"
        f" FROM {DAYS} WHERE {passing}"
        f" AND (SELECT uniqExact(content) FROM {DAYS} WHERE {passing}) = length({{weeks:Array(String)}})"
        " GROUP BY workspace, relay, mailbox",
        {"content": content, "weeks": sorted(weeks)},
    )


def _counted_if_accepted() -> Iterator[str]:
    yield "countIf(bitTest(done, 0))"
    for bit in BITS.values():
        yield f"countIf({has(_ACCEPTED | bit)})"
    yield f"countIf({has(REPLIED)} AND tagged != 0)"
    yield f"countIf({has(REPLIED)} AND bitTest(tagged, 0))"
    yield f"countIf({has(_ACCEPTED)} AND tagged != 0)"
    yield f"minIf(accepted_at, {has(_ACCEPTED)})"
    yield f"maxIf(accepted_at, {has(_ACCEPTED)})"


def has(bits: int, done: str = "done") -> str:
    """Whether all of these bits are set."""
    return f"bitAnd({done}, {bits}) = {bits}"


def between(since: int | None, until: int | None) -> Iterator[str]:
    if since is not None:
        yield "accepted_at >= {since:Int64}"
    if until is not None:
        yield "accepted_at <= {until:Int64}"


def _counted(columns: Sequence[str], done: str = "done") -> Iterator[str]:
    """`done`: the bits of those that count, and 0 of others."""
    accepted = has(_ACCEPTED, done)
    sums = {
        "sent": f"countIf({accepted})",
        **{name: f"countIf({has(bit, done)})" for name, bit in BITS.items()},
        "tagged": f"countIf({has(REPLIED, done)} AND tagged != 0)",
        "positive": f"countIf({has(REPLIED, done)} AND bitTest(tagged, 0))",
        "first_at": f"minIf(accepted_at, {accepted})",
        "last_at": f"maxIf(accepted_at, {accepted})",
    }
    if done == "done":  # of mails that were accepted alone
        sums |= {"sent": "count()", "first_at": "min(accepted_at)", "last_at": "max(accepted_at)"}
    return (f"{sums[name]} AS {name}_" for name in columns)


def _ever_happened() -> Iterator[str]:
    """Each further sum over all mails costs as much as these together."""
    yield "count() AS sent_"
    yield f"countIf({has(BITS['bounced'])}) AS bounced_"
    yield "groupBitOr(done) AS all_done"
    for name, bit in BITS.items():
        if name != "bounced":
            yield f"toUInt64(bitAnd(all_done, {bit}) != 0) AS {name}_"
    yield "toUInt64(max(tagged) != 0) AS tags_"
    yield "min(accepted_at) AS first_at_"


def values_of(question: EngagementQuestion) -> dict[str, object]:
    values: dict[str, object] = {
        "workspace": question.workspace,
        "relays": list(question.relays),
        "most": question.most,
        "since": question.since,
        "until": question.until,
        "mailboxes": None
        if question.senders is None
        else [f"{how}{each}" for each in question.senders for how in "12"],
        "campaign": question.campaign,
        "sequence": question.sequence,
    }
    if question.domains is not None:
        values["domains"] = [name for name in question.domains if not name.startswith("*.")]
        values["below"] = [name[1:] for name in question.domains if name.startswith("*.")]
        values["besides"] = list(question.besides)
    return {name: value for name, value in values.items() if value is not None}


def filters(question: EngagementQuestion) -> Iterator[str]:
    yield "mailbox != ''"
    if question.senders is not None:
        yield "mailbox IN {mailboxes:Array(String)}"  # which leads the sort key of the sums
    if question.domains is not None:
        ways = ["substringIndex(mailbox, '@', -1) IN {domains:Array(String)}"]
        if any(name.startswith("*.") for name in question.domains):
            ways.append("arrayExists(each -> endsWith(mailbox, each), {below:Array(String)})")
        if question.besides:
            ways.append("substring(mailbox, 2) IN {besides:Array(String)}")
        yield f"({' OR '.join(ways)})"
    if question.campaign is not None:
        yield "campaign = {campaign:String}"
    if question.sequence is not None:
        yield f"{_SEQUENCE} = {{sequence:String}}"


def received(question: ReceivedQuestion, rows: Callable[[Statement], list[tuple[object, ...]]]) -> dict[str, int]:
    """How many mails these addresses got; those that got none are left out."""
    found = (row for statement in _received_by(question) for row in rows(statement))
    return {str(address): int(str(count)) for address, count in found}


def _received_by(question: ReceivedQuestion) -> Iterator[Statement]:
    """Rows of address and number; each statement for a part of the addresses."""
    ordered = sorted(set(question.addresses), key=lambda address: (domain_of(address), address))
    for start in range(0, len(ordered), AT_ONCE):
        addresses = ordered[start : start + AT_ONCE]
        yield Statement(
            f"SELECT address, sum(received) FROM {{received}} WHERE {WHOSE} AND domain IN ({_lines('domains')})"
            f" AND address IN ({_lines('addresses')}) GROUP BY address",
            {
                "workspace": question.workspace,
                "relays": list(question.relays),
                "domains": "\n".join(sorted({domain_of(address) for address in addresses})),
                "addresses": "\n".join(addresses),
            },
        )


def _lines(name: str) -> str:
    """The lines of a text that is bound under this name. To bind a list of thousands takes longer than to answer."""
    return f"SELECT arrayJoin(splitByChar('\n', {{{name}:String}}))"
