"""Terms of the query language as conditions on a delivery, every value bound. Also: what deliveries are counted by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from mailvane.core.errors import InvalidInput
from mailvane.maillog.clickhouse.rows import STATUSES
from mailvane.maillog.model import DeliveryStatus, parse_mail_id
from mailvane.maillog.queries import Delays, Match, Pattern, Tally, Term, TimeTally, TimeTallyQuestion, least_kept

_Rows = Sequence[tuple[object, ...]]  # as an engine gives them

_MX = "substring(via, 17)"
_OUTCOME = "splitByChar('\\x1f', substring(outcome, 17))"
# As [1] of the above, without reading the reply; what an earlier event gave as its reason is not meant.
FAMILY = "if(why = '' OR NOT startsWith(why, lpad(hex(state), 14, '0')), '', substring(why, 17))"
_REPLY = f"{_OUTCOME}[9]"
_TRANSPORT = "substringIndex(substringIndex(outcome, '\\x1f', 5), '\\x1f', -1)"  # likewise, as [5]
DELAY = "toUInt64(took)"  # milliseconds: as [7]; its lower 64 bits
RANK = "bitAnd(state, 15)"
AUTHOR = "lower(if(header_from != '', header_from, sender))"

# Whoever was written to, whether the mail was handed on under this name or another.
TO_DOMAINS = (
    "(lower(substringIndex(recipient, '@', -1)) IN {domains:Array(String)} OR (original_recipient != ''"
    " AND lower(substringIndex(original_recipient, '@', -1)) IN {domains:Array(String)}))"
)

# What each field of the language is compared with; any of them.
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "from": ("sender",),
    "to": ("recipient", "original_recipient"),
    "subject": ("subject",),
    "answer": (_REPLY,),
    "why": (FAMILY,),
    "mx": (_MX,),
    "host": ("host",),
    "login": ("login",),
    "origin": ("origin",),
    "queue": ("queue_id",),
    "msgid": ("message_id",),
    "author": (AUTHOR,),
    "transport": (_TRANSPORT,),
    "text": ("sender", "recipient", "original_recipient", "subject", "message_id"),
}
# Likewise of an event, for what was refused; what an event of this kind never has is left out.
_EVENT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    **_COLUMNS,
    "to": ("recipient",),
    "answer": ("reply",),
    "why": ("family",),
    "text": ("sender", "recipient", "subject", "message_id"),
}
_NEVER = frozenset({"is", "mx", "transport"})
_ADDRESSES = frozenset({AUTHOR, "sender", "recipient", "original_recipient", "login"})

# What deliveries can be counted by: the columns, and the value that is made of them.
GROUPS: Mapping[str, tuple[str, str]] = {
    "status": ("state", f"toString({RANK})"),
    "family": ("why, state", FAMILY),
    "sender_domain": ("sender", "substring(sender, position(sender, '@') + 1)"),
    "recipient_domain": ("recipient", "substring(recipient, position(recipient, '@') + 1)"),
    "mx": ("via", _MX),
    "host": ("host", "toString(host)"),
    "sender": ("sender", "sender"),
    "login": ("login", "toString(login)"),
    "relay": ("relay", "toString(relay)"),
    # Whose servers take the mail: the domain that somebody registered, of the host that it was given to.
    "provider": ("via", f"cutToFirstSignificantSubdomain({_MX})"),
}


class How(NamedTuple):
    """How rows are counted: the columns that are read, what is selected, how it is grouped."""

    columns: str
    select: str
    order: str


def tally(by: str) -> How:
    """To count rows by value; `top` bounds it."""
    column, value = GROUPS[by]
    order = "GROUP BY value ORDER BY rows DESC, value LIMIT {top:UInt32}"
    return How(column, f"SELECT {value} AS value, count() AS rows", order)


def several_tallies(bys: Sequence[str]) -> How:
    """Likewise, of several values: a row has all of them, for each 0 if it is one of its counts, and the number."""
    columns, values = zip(*(GROUPS[by] for by in bys), strict=True)
    places = range(len(bys))
    told = [*(f"{values[place]} AS value{place}" for place in places)]
    told += [f"grouping(value{place}) AS beside{place}" for place in places]
    sets = ", ".join(f"(value{place})" for place in places)
    named, besides = (", ".join(f"{name}{place}" for place in places) for name in ("value", "beside"))
    order = f"GROUP BY GROUPING SETS ({sets}) ORDER BY rows DESC, {named} LIMIT {{top:UInt32}} BY {besides}"
    order += " SETTINGS optimize_injective_functions_in_group_by = 0"  # or `grouping` would not find `toString`
    read = dict.fromkeys(name for each in columns for name in each.split(", "))
    return How(", ".join(read), f"SELECT {', '.join(told)}, count() AS rows", order)


def apart(rows: _Rows, tops: Sequence[int]) -> list[_Rows]:
    """The rows of each of several values, so many at most, as `tallies` takes them."""
    found: list[list[tuple[object, ...]]] = [[] for _ in tops]
    for *told, count in rows:
        values, besides = told[: len(tops)], told[len(tops) :]
        place = besides.index(0)
        if len(found[place]) < tops[place]:
            found[place].append((values[place], count))
    return list(found)


def delays(by: str) -> How:
    """Likewise, for the times that half, 90 % and 99 % of the rows of each value took at most."""
    column, value = GROUPS[by]
    columns = f"took, {column}"
    quantiles = f"quantilesExact(0.5, 0.9, 0.99)({DELAY}) AS times, times[1], times[2], times[3]"  # sorted only once
    order = "GROUP BY value ORDER BY rows DESC, value LIMIT {top:UInt32}"
    return How(columns, f"SELECT {value} AS value, count() AS rows, {quantiles}", order)


def over_time(question: TimeTallyQuestion) -> tuple[How, dict[str, object]]:
    """Likewise, to count rows of each state in stretches of time, with values of its own."""
    select = f"SELECT intDiv(accepted_at, {{step:Int64}}) AS place, {RANK} AS rank, count()"
    if not question.domains:
        how = How("accepted_at, state", select, "GROUP BY place, rank ORDER BY place, rank LIMIT 20000")
        return how, {"step": question.step}
    column, domain = GROUPS["sender_domain"]
    order = "GROUP BY place, rank, domain HAVING domain IN {domains:Array(String)} ORDER BY place, rank, domain"
    how = How(f"accepted_at, state, {column}", f"{select}, {domain} AS domain", f"{order} LIMIT 200000")
    return how, {"step": question.step, "domains": list(question.domains)}


def tallies(by: str, rows: _Rows) -> list[Tally]:
    return [Tally(_named(by, value), int(str(count))) for value, count in rows]


def delays_of(by: str, rows: _Rows) -> list[Delays]:
    return [
        Delays(_named(by, value), *(int(str(each)) for each in (count, *times))) for value, count, _, *times in rows
    ]


def _named(by: str, value: object) -> str:
    return STATUSES[int(str(value))].value if by == "status" else str(value)


def time_tallies(step: int, rows: _Rows) -> list[TimeTally]:
    return [
        TimeTally(int(str(place)) * step, STATUSES[int(str(rank))], int(str(count)), *map(str, domain))
        for place, rank, count, *domain in rows
    ]


def condition(place: int, term: Term) -> tuple[str, dict[str, object]]:
    """SQL and its values, whose names begin with the term's place among the terms."""
    values: dict[str, object] = {}
    found = " OR ".join(_each(f"term{place}", term, values, _COLUMNS)) or "0"
    return (f"NOT ({found})" if term.excludes else f"({found})"), values


def condition_on_events(place: int, term: Term) -> tuple[str, dict[str, object]]:
    """Likewise, of what was refused. Raises InvalidInput for what nothing that was refused has."""
    if term.field in _NEVER:
        raise InvalidInput(f"{term.field}: says nothing of mail that was refused")
    values: dict[str, object] = {}
    found = " OR ".join(_each(f"term{place}", term, values, _EVENT_COLUMNS)) or "0"
    return (f"NOT ({found})" if term.excludes else f"({found})"), values


def subject(text: str) -> tuple[str, dict[str, object]]:
    """That this is the Subject, or that what is kept of it is the beginning, perhaps with half a letter behind."""
    least = least_kept(text)
    if not least:
        return "subject = {subject:String}", {"subject": text}
    kept = "trim(TRAILING '\ufffd' FROM subject)"
    beginning = f"lengthUTF8(subject) >= {{least:UInt16}} AND startsWith({{subject:String}}, {kept})"
    return f"(subject = {{subject:String}} OR ({beginning}))", {"subject": text, "least": least}


def _each(name: str, term: Term, values: dict[str, object], columns: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    if term.field == "is":
        try:
            values[name] = [STATUSES.index(DeliveryStatus(pattern.text)) for pattern in term.patterns]
        except ValueError:
            raise InvalidInput("is: there is no such state") from None
        yield f"{RANK} IN {{{name}:Array(UInt8)}}"
        return
    for number, pattern in enumerate(term.patterns):
        key = f"{name}_{number}"
        if term.field == "id":
            values[key], values[f"{key}n"] = parse_mail_id(pattern.text)
            yield f"(accepted_at = {{{key}:Int64}} AND number = {{{key}n:UInt32}})"
            continue
        values[key] = pattern.text
        for column in columns[term.field]:
            yield _compared(column, pattern, f"{{{key}:String}}")


def _compared(column: str, pattern: Pattern, value: str) -> str:
    if pattern.match is Match.WHOLE:
        return f"{column} = {value}"
    if pattern.match is Match.PART:
        position = "positionCaseInsensitive" if pattern.text.isascii() else "positionCaseInsensitiveUTF8"
        return f"{position}({column}, {value}) > 0"
    if column in _ADDRESSES:
        return f"endsWith({column}, concat('@', {value}))"
    return f"({column} = {value} OR endsWith({column}, concat('.', {value})))"
