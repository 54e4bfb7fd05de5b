"""What happened hour by hour, in ClickHouse SQL."""

from __future__ import annotations

from mailvane.core.moments import HOUR_MS
from mailvane.maillog.clickhouse.engine import Statement
from mailvane.maillog.queries import HourlyQuestion


def by_hour(question: HourlyQuestion) -> Statement:
    """Acceptances are counted by mail, all else by event."""
    hour = HOUR_MS
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
    if question.sender_domain is not None:
        values["sender"] = f"@{question.sender_domain}"
        return Statement(
            f"SELECT accepted_at - positiveModulo(accepted_at, {hour}) AS hour, count() AS accepted, {none}"
            f" FROM {{mails}} FINAL WHERE {whose} AND accepted_at {inside % 'accepted_at'} AND kind = 'mail'"
            " AND endsWith(sender, {sender:String}) GROUP BY hour ORDER BY hour",
            values,
        )
    told = (
        f"SELECT hour, toUInt64(0) AS accepted, {', '.join(counts)} FROM {{hourly}}"
        f" WHERE {whose} AND hour {inside % 'hour'}"
    )
    if not question.accepted:
        return Statement(f"SELECT hour, {sums} FROM ({told}) GROUP BY hour ORDER BY hour", values)
    return Statement(
        f"SELECT hour, {sums} FROM ("
        f"SELECT accepted_at - positiveModulo(accepted_at, {hour}) AS hour, count() AS accepted, {none}"
        " FROM {mails} FINAL"
        f" WHERE {whose} AND accepted_at {inside % 'accepted_at'} AND kind = 'mail' GROUP BY hour"
        f" UNION ALL {told}"
        ") GROUP BY hour ORDER BY hour",
        values,
    )
