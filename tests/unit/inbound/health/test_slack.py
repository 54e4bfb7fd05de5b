"""Health reports as Slack messages: the guide's blocks, and Slack's published limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from mailvane.inbound.health.model import HealthReport, Metrics, Reading, TeamReport
from mailvane.inbound.health.texts.slack import message_of, messages_of
from tests.unit.inbound.health.reports import AT, calm, report, silent, troubled

HEADER = {"type": "header", "text": {"type": "plain_text", "text": ":mailbox_with_mail: Daily Email Health Report"}}


def judge(message: Mapping[str, Any]) -> None:
    """By docs.slack.dev/reference/block-kit/blocks, and 50 blocks a message."""
    assert 1 <= len(message["blocks"]) <= 50
    assert 0 < len(message["text"]) <= 40_000
    assert len(msgspec.json.encode(message["blocks"])) <= 13_000  # measured by others: more is msg_blocks_too_long
    for block in message["blocks"]:
        LIMITS[block["type"]](block)


def judge_header(block: dict[str, Any]) -> None:
    assert block["text"]["type"] == "plain_text"
    assert 1 <= len(block["text"]["text"]) <= 150


def judge_section(block: dict[str, Any]) -> None:
    assert ("text" in block) != ("fields" in block)
    for text in [block["text"]] if "text" in block else []:
        assert 1 <= len(text["text"]) <= 3000
    assert len(block.get("fields", [])) <= 10
    for field in block.get("fields", []):
        assert 1 <= len(field["text"]) <= 2000


def judge_context(block: dict[str, Any]) -> None:
    assert 1 <= len(block["elements"]) <= 10
    assert all(1 <= len(each["text"]) <= 3000 for each in block["elements"])


LIMITS = {"header": judge_header, "section": judge_section, "context": judge_context}


def texts(message: Mapping[str, Any]) -> list[str]:
    return [block["text"]["text"] for block in message["blocks"] if "text" in block]


def test_the_first_blocks_are_those_of_the_guide() -> None:
    message = message_of(troubled(), "2026-11-27")
    assert message["blocks"][:3] == [
        HEADER,
        {
            "type": "section",
            "fields": [
                {"type": "mrkdwn", "text": "*Weekly Usage*\n820/1000 (82%)"},
                {"type": "mrkdwn", "text": "*Aliases*\n7/20"},
                {"type": "mrkdwn", "text": "*Quarantine*\n50+ pending"},
                {"type": "mrkdwn", "text": "*Failed*\n0+ messages"},
            ],
        },
        {
            "type": "section",
            "text": {
                "type": "mrkdwn",
                "text": "*Alerts*\n:warning: Weekly quota at 82% (820/1000)\n"
                ":email: 50+ messages in quarantine awaiting review\n"
                ":mag: High-volume unset contact: offers@shop.example (51 emails)",
            },
        },
    ]
    assert "estimated from a number of pages" in message["blocks"][-1]["elements"][0]["text"]
    assert any("failed messages: +31 % a week" in each for each in texts(message))


def test_a_quiet_day_is_told_as_the_guide_tells_it() -> None:
    message = message_of(calm(), "2026-11-27")
    assert message["blocks"][2]["text"]["text"] == ":white_check_mark: No alerts - everything looks healthy"
    assert message["blocks"][3]["elements"][0]["text"] == "acme · 2026-11-27 · 4 blocked"


def test_what_is_unknown_is_neither_zero_nor_healthy() -> None:
    message = message_of(silent(), "2026-11-27")
    shown = [each["text"] for each in message["blocks"][1]["fields"]]
    assert shown == [
        "*Weekly Usage*\nunknown/unknown (unknown)", "*Aliases*\nunknown/unknown", "*Quarantine*\nunknown pending",
        "*Failed*\nunknown messages",
    ]  # fmt: skip
    assert not any("healthy" in each for each in texts(message))
    assert any(each.startswith("*Not known*\n• everything: the key") for each in texts(message))


def test_several_teams_get_a_message_each_and_one_of_all() -> None:
    told = messages_of(report(calm(), silent(), troubled()))
    assert len(told) == 4
    assert told[0]["text"] == "3 teams, 2026-11-27: 3 alerts, 1 team not wholly known"
    assert texts(told[0])[-1].splitlines() == [
        "*Teams*",
        ":warning: globex: 3 alerts",
        ":grey_question: initech: no alert, but not everything is known",
        ":white_check_mark: acme: healthy",
    ]
    assert len(messages_of(report(calm()))) == 1


def flood(length: int) -> TeamReport:
    alerts = tuple(f":mag: High-volume unset contact: {'<&>' * length}{number}" for number in range(100))
    unknown = {name: f"reason {name} " + "x" * 2000 for name in Metrics.__struct_fields__}
    return TeamReport(reading=Reading(team="t" * 100, at=AT, unknown=unknown), alerts=alerts, trends=troubled().trends)


@pytest.mark.parametrize(
    "found",
    [
        report(calm()),
        report(troubled(), silent()),
        report(flood(1)),
        report(flood(100)),
        report(flood(1000)),
        report(*(calm(f"team {number} {'x' * 80}") for number in range(400))),
        report(),
    ],
)
def test_every_message_keeps_slacks_limits(found: HealthReport) -> None:
    for message in messages_of(found):
        judge(message)


def test_what_others_wrote_mentions_and_links_nothing() -> None:
    hostile = TeamReport(reading=calm().reading, alerts=(":mag: contact: <!channel> <https://x.example|y> & co",))
    text = message_of(hostile, "2026-11-27")["blocks"][2]["text"]["text"]
    assert text.endswith("&lt;!channel&gt; &lt;https://x.example|y&gt; &amp; co")
