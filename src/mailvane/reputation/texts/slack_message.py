"""What Slack messages say: blocks with title, evidence and time, from what a notification carries. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from mailvane.notify.model import Notification
from mailvane.notify.notifier import Refused
from mailvane.reputation.texts.evidence import Evidence, Finding, evidence_told

MOST_LINES = 10  # of a rule: the log entry has the rest
# Slack takes 50 blocks, and so many characters of a header and of a section.
_MOST_FINDINGS = 24
_LONGEST_TITLE = 150
_LONGEST_TEXT = 3000


def message_of(evidence: Evidence) -> Mapping[str, Any]:
    """`text` is what notifications and readers without blocks show."""
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(_cut(evidence.name, _LONGEST_TITLE) or "Alert")}]
    if evidence.held:
        blocks.append({"type": "section", "text": _plain(evidence.held)})
    for finding in evidence.findings[:_MOST_FINDINGS]:
        blocks += _sections(finding)
    blocks.append({"type": "context", "elements": [_plain(evidence.trace)]})
    summary = f"{evidence.name}: {evidence.summary}" if evidence.summary else evidence.name
    # Domains that are named here are evidence, and nothing that anybody should be led to.
    return {"text": _escaped(summary), "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def slack_body(notification: Notification) -> bytes:
    """Raises Refused when the notification carries something else than a log entry."""
    try:
        evidence = evidence_told(notification.body)
    except msgspec.ValidationError as error:
        raise Refused(f"this notification cannot be told by Slack: {error}"[:500]) from None
    return msgspec.json.encode(message_of(evidence))


def _sections(finding: Finding) -> list[dict[str, Any]]:
    """The title is ours and bold; what others said is plain, where nothing mentions, links or formats."""
    more = max(0, len(finding.headlines) - MOST_LINES) + max(0, finding.left_out)
    lines = [f"• {line}" for line in finding.headlines[:MOST_LINES]]
    lines += [f"and {more:,} more"] if more else []
    lines += [each for each in (finding.moment, finding.meaning) if each]
    title = {"type": "section", "text": {"type": "mrkdwn", "text": f"*{_escaped(finding.title)}*", "verbatim": True}}
    if not lines:
        return [title]
    return [title, {"type": "section", "text": _plain(_cut("\n".join(lines), _LONGEST_TEXT))}]


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
