"""The questions about engagement in ClickHouse SQL: what became of mails, by sender, day and campaign. No execution.

`engagement` has a row a mail. It is read with FINAL, which costs nothing in weeks that are one merged part.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailvane.core.mailbox import domain_of
from mailvane.core.moments import DAY_MS
from mailvane.maillog.clickhouse.engine import Statement
from mailvane.maillog.queries import EngagementQuestion, ReceivedQuestion

# Bits of `done`, as schema.sql has them.
_BITS = {
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
_KEYS = {
    "sender": "substring(mailbox, 2)",
    "day": f"accepted_at - positiveModulo(accepted_at, {DAY_MS})",
    "campaign": "campaign",
    "sequence": _SEQUENCE,
    "step": "step",
}
_REPLIED = f"bitAnd(done, {_BITS['replied']}) != 0"
_WHOSE = "workspace = {workspace:UInt32} AND relay IN {relays:Array(UInt32)}"
AT_ONCE = 10_000  # addresses that one statement names: more would outgrow it


def engagement_of(question: EngagementQuestion) -> Statement:
    """A row for each of what the question asks by, as EngagementCounts has it."""
    conditions, values = [_WHOSE], _values(question)
    if question.since is not None:
        conditions.append("accepted_at >= {since:Int64}")
    if question.until is not None:
        conditions.append("accepted_at <= {until:Int64}")
    others = ["bitTest(done, 0)", *_filters(question)]
    keys = {name: _KEYS[name] for name in question.by}
    counts = ["count() AS sent", *(_ever_happened() if question.brief else _counted())]
    told = ", ".join([*(f"{sql} AS {name}_" for name, sql in keys.items()), *counts])
    grouped = ", ".join(f"{name}_" for name in keys)
    renamed = ", ".join([*(f"{name}_ AS {name}" for name in (*keys, "tagged")), "*"])
    inner = (
        f"SELECT {told} FROM {{engagement}} FINAL PREWHERE {' AND '.join(conditions)} WHERE {' AND '.join(others)}"
        f"{f' GROUP BY {grouped}' if keys else ''} HAVING sent > 0"
        f" ORDER BY {', '.join(['sent DESC', *(f'{name}_' for name in keys)])} LIMIT {{most:UInt64}}"
    )
    return Statement(f"SELECT {renamed} FROM ({inner})", values)


def _counted() -> Iterator[str]:
    for name, bit in _BITS.items():
        yield f"countIf(bitAnd(done, {bit}) != 0) AS {name}"
    yield f"countIf({_REPLIED} AND tagged != 0) AS tagged_"
    yield f"countIf({_REPLIED} AND bitTest(tagged, 0)) AS positive"
    yield "min(accepted_at) AS first_at"
    yield "max(accepted_at) AS last_at"


def _ever_happened() -> Iterator[str]:
    """Each further sum over all mails costs as much as these together."""
    yield f"countIf(bitAnd(done, {_BITS['bounced']}) != 0) AS bounced"
    yield "groupBitOr(done) AS all_done"
    for name, bit in _BITS.items():
        if name != "bounced":
            yield f"toUInt8(bitAnd(all_done, {bit}) != 0) AS {name}"
    yield f"toUInt8(max(tagged) != 0 AND bitAnd(all_done, {_BITS['replied']}) != 0) AS tagged_"
    yield "min(accepted_at) AS first_at"


def _values(question: EngagementQuestion) -> dict[str, object]:
    values: dict[str, object] = {
        "workspace": question.workspace,
        "relays": list(question.relays),
        "most": question.most,
        "since": question.since,
        "until": question.until,
        "senders": None if question.senders is None else list(question.senders),
        "campaign": question.campaign,
        "sequence": question.sequence,
    }
    if question.domains is not None:
        values["domains"] = [name for name in question.domains if not name.startswith("*.")]
        values["below"] = [name[1:] for name in question.domains if name.startswith("*.")]
        values["besides"] = list(question.besides)
    return {name: value for name, value in values.items() if value is not None}


def _filters(question: EngagementQuestion) -> Iterator[str]:
    yield "mailbox != ''"
    if question.senders is not None:
        yield "substring(mailbox, 2) IN {senders:Array(String)}"
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


def received_by(question: ReceivedQuestion) -> Iterator[Statement]:
    """Rows of address and number; each statement for a part of the addresses."""
    ordered = sorted(set(question.addresses), key=lambda address: (domain_of(address), address))
    for start in range(0, len(ordered), AT_ONCE):
        addresses = ordered[start : start + AT_ONCE]
        yield Statement(
            f"SELECT address, sum(received) FROM {{received}} WHERE {_WHOSE} AND domain IN ({_lines('domains')})"
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
