"""The words that health reports share: numbers that may be unknown, changes, what is not known. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from mailvane.inbound.health.model import Change, Metrics, Reading, Status, TeamReport
from mailvane.notify.letters import amount

NAMES = {
    "weekly_used": "weekly usage",
    "weekly_limit": "weekly limit",
    "usage_pct": "weekly usage in percent",
    "aliases_used": "aliases",
    "aliases_limit": "alias limit",
    "mailboxes_used": "mailboxes",
    "quarantine_pending": "quarantine",
    "failed_count": "failed messages",
    "denied_count": "blocked messages",
    "top_senders": "busiest contacts",
}
_SPANS = {"week": "against the week before", "gradual": "a week, over several weeks"}


def figure(value: int | None) -> str:
    """As the vendor's guide writes it, without separators."""
    return "unknown" if value is None else str(value)


def outcome(report: TeamReport) -> str:
    """A team in half a sentence."""
    if report.alerts:
        return amount(len(report.alerts), "alert")
    return "healthy" if report.status is Status.HEALTHY else "no alert, but not everything is known"


def change(found: Change) -> str:
    """With its 99 % interval."""
    return (
        f"{NAMES[found.metric]}: {found.change_pct:+.0f} % {_SPANS[found.span]}"
        f" (99 %: {found.low_pct:+.0f} to {found.high_pct:+.0f} %, {found.days} days)"
    )


def unknowns(reading: Reading) -> list[str]:
    """A line for each reason: which metrics it makes unknown."""
    reasons: dict[str, list[str]] = {}
    for name, reason in reading.unknown.items():
        reasons.setdefault(reason, []).append(NAMES[name])
    every = len(reading.unknown) == len(NAMES)
    return [f"{'everything' if every else _joined(names)}: {reason}" for reason, names in reasons.items()]


def usage(metrics: Metrics) -> str:
    """The week's mail, of how much, and the share of it."""
    told = of_limit(metrics.weekly_used, metrics.weekly_limit)
    return f"{told} ({metrics.usage_pct} %)" if metrics.usage_pct is not None and metrics.weekly_limit else told


def of_limit(used: int | None, limit: int | None) -> str:
    return f"{figure(used)} of {'no limit' if limit == 0 else figure(limit)}"


def counted(reading: Reading, name: str) -> str:
    """A count, and whether it is an estimate."""
    value: int | None = getattr(reading.metrics, name)
    return f"about {value}" if name in reading.estimates else figure(value)


def exactness(reading: Reading) -> str:
    """Whether the counts are counts."""
    if not reading.estimates:
        return ""
    return f"estimated from a number of pages, as the server gives no count: {_joined(_names(reading.estimates))}"


def without_mark(alert: str) -> str:
    """An alert where nobody makes a picture of Slack's name for it."""
    mark, _, told = alert.partition(" ")
    return told if mark.startswith(":") and mark.endswith(":") else alert


def _names(metrics: Sequence[str]) -> list[str]:
    return [NAMES[each] for each in metrics]


def _joined(names: Sequence[str]) -> str:
    return ", ".join(names)
