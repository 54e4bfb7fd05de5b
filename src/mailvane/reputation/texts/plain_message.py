"""What channels of plain text say (Apprise): title and lines, from what a notification carries. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from mailvane.core.decoding import prepared
from mailvane.notify.apprise_channel import AppriseMessage
from mailvane.notify.model import Notification, Severity
from mailvane.notify.notifier import Refused
from mailvane.reputation.texts.evidence import Evidence, Finding, evidence_told

MOST_LINES = 10  # of a rule: the log entry has the rest
_LONGEST_TITLE = 150
_LONGEST_BODY = 1800  # Discord takes 2,000 characters, and splitting makes two messages of one


def plain_message(notification: Notification) -> AppriseMessage:
    """Raises Refused when the notification carries something else than a log entry."""
    try:
        evidence = evidence_told(notification.body)
        severity = msgspec.convert(notification.body.get("severity", Severity.WARNING), prepared(Severity))
    except msgspec.ValidationError as error:
        raise Refused(f"this notification cannot be told as text: {error}"[:500]) from None
    title = f"{evidence.name}: {evidence.summary}" if evidence.summary else evidence.name
    return AppriseMessage(_cut(title, _LONGEST_TITLE), _cut("\n".join(_lines(evidence)), _LONGEST_BODY), severity)


def _lines(evidence: Evidence) -> Iterator[str]:
    if evidence.held:
        yield evidence.held
    for finding in evidence.findings:
        yield finding.title
        yield from _of(finding)
    yield evidence.trace


def _of(finding: Finding) -> Iterator[str]:
    more = max(0, len(finding.headlines) - MOST_LINES) + max(0, finding.left_out)
    yield from (f"- {line}" for line in finding.headlines[:MOST_LINES])
    if more:
        yield f"and {more:,} more"
    yield from (each for each in (finding.moment, finding.meaning) if each)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
