"""The words that health reports share: numbers that may be unknown, changes, what is not known. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from mailvane.inbound.health.model import Change, Reading, Status, TeamReport

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
    """With its 95 % interval."""
    return (
        f"{NAMES[found.metric]}: {found.change_pct:+.0f} % {_SPANS[found.span]}"
        f" (95 %: {found.low_pct:+.0f} to {found.high_pct:+.0f} %, {found.days} days)"
    )


def unknowns(reading: Reading) -> list[str]:
    """A line for each reason: which metrics it makes unknown."""
    reasons: dict[str, list[str]] = {}
    for name, reason in reading.unknown.items():
        reasons.setdefault(reason, []).append(NAMES[name])
    every = len(reading.unknown) == len(NAMES)
    return [f"{'everything' if every else _joined(names)}: {reason}" for reason, names in reasons.items()]


def exactness(reading: Reading) -> str:
    """Whether the counts are counts."""
    if not reading.estimates:
        return ""
    return f"estimated from a number of pages, as the server gives no count: {_joined(_names(reading.estimates))}"


def amount(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _names(metrics: Sequence[str]) -> list[str]:
    return [NAMES[each] for each in metrics]


def _joined(names: Sequence[str]) -> str:
    return ", ".join(names)
