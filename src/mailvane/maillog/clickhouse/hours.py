"""What happened hour by hour, in ClickHouse SQL. What was accepted in settled weeks is counted once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from mailvane.core.moments import HOUR_MS
from mailvane.maillog.clickhouse.engine import Statement
from mailvane.maillog.clickhouse.kept_answers import KeptAnswers
from mailvane.maillog.clickhouse.merged_partitions import Counts, Week
from mailvane.maillog.queries import HourlyCounts, HourlyQuestion

Lines = Callable[[Statement], bytes]
_hours = msgspec.json.Decoder(HourlyCounts)
_WHOSE = "workspace = {workspace:UInt32} AND relay IN {relays:Array(UInt32)}"
_HOUR = f"accepted_at - positiveModulo(accepted_at, {HOUR_MS})"


def hourly(
    question: HourlyQuestion, lines: Lines, rows: Callable[[Statement], list[tuple[object, ...]]], kept: KeptAnswers
) -> list[HourlyCounts]:
    """Counts hour by hour, oldest first; hours without events are left out."""
    if question.sender_domain is None and question.accepted:
        weeks = [week for week in kept.weeks_of_mails.now() if week.meets(question.since, question.until)]
        known = _known(question, weeks, rows, kept)
        counts = _hours.decode_lines(lines(by_hour(question, list(known))))
        if kept.weeks_of_mails.still(known):
            return _joined(question, counts, known.values())
    return _hours.decode_lines(lines(by_hour(question)))


def _known(
    question: HourlyQuestion, weeks: list[Week], rows: Callable[[Statement], list[tuple[object, ...]]],
    kept: KeptAnswers,
) -> dict[Week, Counts]:  # fmt: skip
    """How many mails were accepted in each hour of settled weeks, remembered or counted now."""
    name = (question.workspace, question.relays)
    known = kept.accepted.known(name, weeks)
    if unknown := [week for week in weeks if week not in known]:
        found = [
            (str(partition), int(str(hour)), int(str(count))) for partition, hour, count in rows(_of(question, unknown))
        ]
        if kept.weeks_of_mails.still(unknown):
            known |= kept.accepted.learn(name, unknown, found)
    return known


def _of(question: HourlyQuestion, weeks: Sequence[Week]) -> Statement:
    return Statement(
        f"SELECT _partition_id, {_HOUR} AS hour, count() FROM {{mails}}"
        f" WHERE {_WHOSE} AND _partition_id IN {{weeks:Array(String)}} AND kind = 'mail' GROUP BY _partition_id, hour",
        {
            "workspace": question.workspace,
            "relays": list(question.relays),
            "weeks": [week.partition for week in weeks],
        },
    )


def _joined(question: HourlyQuestion, counts: Sequence[HourlyCounts], known: Iterable[Counts]) -> list[HourlyCounts]:
    """With what was accepted in these weeks."""
    found = {each.hour: each for each in counts}
    since, until = question.since - question.since % HOUR_MS, question.until
    for hour, count in (pair for pairs in known for pair in pairs):
        if since <= hour <= until:
            before = found.get(hour) or HourlyCounts(hour, 0, 0, 0, 0, 0)
            found[hour] = msgspec.structs.replace(before, accepted=before.accepted + count)
    return [found[hour] for hour in sorted(found)]


def by_hour(question: HourlyQuestion, known: Sequence[Week] = ()) -> Statement:
    """Acceptances are counted by mail, all else by event; those of weeks that are known are left out."""
    hour = HOUR_MS
    values: dict[str, object] = {
        "workspace": question.workspace,
        "relays": list(question.relays),
        "since": question.since - question.since % hour,
        "until": question.until - question.until % hour + hour,
    }
    inside = ">= {since:Int64} AND %s < {until:Int64}"
    counts = ("delivered", "deferred", "bounced", "rejected")
    sums = ", ".join(f"sum({name}) AS {name}" for name in ("accepted", *counts))
    none = ", ".join(f"toUInt64(0) AS {name}" for name in counts)
    if question.sender_domain is not None:
        values["sender"] = f"@{question.sender_domain}"
        return Statement(
            f"SELECT {_HOUR} AS hour, count() AS accepted, {none}"
            f" FROM {{mails}} FINAL WHERE {_WHOSE} AND accepted_at {inside % 'accepted_at'} AND kind = 'mail'"
            " AND endsWith(sender, {sender:String}) GROUP BY hour ORDER BY hour",
            values,
        )
    told = (
        f"SELECT hour, toUInt64(0) AS accepted, {', '.join(counts)} FROM {{hourly}}"
        f" WHERE {_WHOSE} AND hour {inside % 'hour'}"
    )
    if not question.accepted:
        return Statement(f"SELECT hour, {sums} FROM ({told}) GROUP BY hour ORDER BY hour", values)
    others = ""
    if known:
        values["known"] = [week.partition for week in known]
        others = " AND _partition_id NOT IN {known:Array(String)}"
    return Statement(
        f"SELECT hour, {sums} FROM ("
        f"SELECT {_HOUR} AS hour, count() AS accepted, {none} FROM {{mails}} FINAL"
        f" WHERE {_WHOSE} AND accepted_at {inside % 'accepted_at'} AND kind = 'mail'{others} GROUP BY hour"
        f" UNION ALL {told}"
        ") GROUP BY hour ORDER BY hour",
        values,
    )
