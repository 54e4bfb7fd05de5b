"""What an alert asks for, in words: nothing of a definition is left in the spelling that programs write."""

from __future__ import annotations

from typing import Any

import pytest

from mailvane.reputation.texts.sentences import condition

TOLD: dict[str, dict[str, Any]] = {
    "Mail waits: all mail together; any of the domains; at least 5,000 mails":
        {"type": "MV_WAITING_MAIL", "by": "TOTAL", "domains": ["ANY"], "mails": 5000},
    "Mail waits for long: by receiving domain; domains gmail.com; for 90 minutes":
        {"type": "MV_WAITING_AGE", "by": "DESTINATION", "domains": ["gmail.com"], "minutes": 90},
    "Limit nearly reached: limit of a domain or login; in a day or month; any of the names; at least 80 % are used":
        {"type": "MV_QUOTA", "limits_of": ["DOMAIN", "LOGIN"], "windows": ["DAY", "MONTH"], "names": ["ANY"],
         "percent": 80},
    "Sudden change: bounced mail; more than usual; at least 3.5 standard deviations away; and 100 mails":
        {"type": "MV_SUDDEN_CHANGE", "mail": "BOUNCED", "direction": "MORE", "deviations": 3.5, "difference": 100},
    "Filter result at Microsoft: red or yellow; any that is watched":
        {"type": "SNDS_FILTER_RESULT", "snds_filter_result": ["RED", "YELLOW"], "snds_ips": ["ALL_IPS"]},
}  # fmt: skip


@pytest.mark.parametrize("told", TOLD)
def test_a_rule_is_told_in_words(told: str) -> None:
    assert condition(TOLD[told]) == told


def test_a_rule_of_a_later_version_is_told_as_far_as_it_can_be() -> None:
    assert condition({"type": "MV_WAITING_MAIL", "by": "PLANET", "mails": "many"}) == (
        "Mail waits: by PLANET; at least many mails"
    )
