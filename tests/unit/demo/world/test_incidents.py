"""The script of the judging world."""

from __future__ import annotations

from mailvane_demo.world.incidents import script


def test_everything_begins_after_a_pause_and_the_listing_ends() -> None:
    told = script(1_000_000, pause=60_000, lasting=180_000)
    assert {told.listed_from, told.registered_at, told.published_at, told.spoofed_at} == {1_060_000}
    assert told.listed_until == 1_240_000
