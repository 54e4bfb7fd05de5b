"""What is said at the start of what was set."""

from __future__ import annotations

import pytest

from mailvane.server.serving import warn_of_no_effect
from mailvane.server.settings import load


@pytest.mark.parametrize(
    ("given", "lines"), [({}, 0), ({"smtp": "127.0.0.1:10025"}, 0), ({"smtp": "127.0.0.1:2525"}, 1)]
)
def test_an_address_for_a_gateway_that_there_is_not_is_said_in_one_line(
    given: dict[str, str | None], lines: int, caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_no_effect(load(given, {}))
    assert [record.levelname for record in caplog.records] == ["WARNING"] * lines
    assert all("smtp=127.0.0.1:2525 has no effect" in message for message in caplog.messages)
