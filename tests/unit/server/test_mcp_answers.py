"""Answers to a language model that fit, in the text that it reads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mailvane.server.mcp.answers import fitting


@pytest.mark.parametrize(
    "row",
    [{"mail_id": "1a", "state": "sent"}, {"hour": 1, "accepted": 0}, {"subject": "ß€" * 200}, {"of": [{"a": 1}] * 9}],
    ids=["short", "shorter", "not ASCII", "nested"],
)
def test_the_indented_text_is_no_longer_than_may_be(row: dict[str, Any]) -> None:
    told = fitting({"query": "from:a@example.com", "total": 999}, [row] * 999, 3000)
    assert len(json.dumps(told, indent=2, ensure_ascii=False)) <= 3000
    assert (told["left_out"] + len(told["rows"]), len(told["rows"]) > 2) == (999, True)
