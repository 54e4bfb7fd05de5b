"""Health reports to be told, of every kind that people see."""

from __future__ import annotations

from mailvane.inbound.health.model import Change, DayCounts, HealthReport, Metrics, Reading, Sender, TeamReport

AT = 1_795_766_400_000  # 2026-11-27T08:00:00Z
CALM = Metrics(
    weekly_used=120, weekly_limit=1000, usage_pct=12, aliases_used=7, aliases_limit=20, mailboxes_used=3,
    quarantine_pending=0, failed_count=0, denied_count=4,
    top_senders=(Sender("friend@example.org", 90, "whitelisted"),),
)  # fmt: skip
ALERTS = (
    ":warning: Weekly quota at 82% (820/1000)",
    ":email: 50+ messages in quarantine awaiting review",
    ":mag: High-volume unset contact: offers@shop.example (51 emails)",
)
TREND = Change(
    metric="failed_count", span="gradual", change_pct=31.2, low_pct=18.0, high_pct=46.0, days=28, is_clear=True
)


def calm(team: str = "acme") -> TeamReport:
    return TeamReport(reading=Reading(team=team, at=AT, metrics=CALM))


def troubled(team: str = "globex") -> TeamReport:
    metrics = Metrics(
        weekly_used=820, weekly_limit=1000, usage_pct=82, aliases_used=7, aliases_limit=20, mailboxes_used=3,
        quarantine_pending=50, failed_count=0, denied_count=25,
        top_senders=(Sender("offers@shop.example", 51, "unset"),),
    )  # fmt: skip
    estimates = ("quarantine_pending", "denied_count")
    days = tuple(
        DayCounts(
            f"2026-11-{day:02}", {"quarantine_pending": day % 5 * 10, "failed_count": day, "weekly_used": 30 * day}
        )
        for day in range(1, 28)
        if day != 15
    )
    reading = Reading(team=team, at=AT, metrics=metrics, estimates=estimates)
    return TeamReport(reading=reading, alerts=ALERTS, trends=(TREND,), days=days)


def silent(team: str = "initech") -> TeamReport:
    reason = "the key is missing or not accepted (status 401): Missing or invalid API key."
    unknown = dict.fromkeys(Metrics.__struct_fields__, reason)
    return TeamReport(reading=Reading(team=team, at=AT, unknown=unknown))


def report(*teams: TeamReport) -> HealthReport:
    return HealthReport(day="2026-11-27", at=AT, teams=teams)
