"""When what happens in the simulated world of reputation. A script of moments; who plays them is for the others."""

from __future__ import annotations

import msgspec

MINUTE_MS = 60_000


class Incidents(msgspec.Struct, frozen=True, kw_only=True):
    """Each moment in milliseconds."""

    listed_from: int  # a relay's address stands on a blocklist
    listed_until: int
    registered_at: int  # somebody takes a domain that looks like the brand's
    published_at: int  # Google and Microsoft tell of a bad day
    spoofed_at: int  # a report arrives that tells of mails by somebody else


def script(start: int, pause: int = MINUTE_MS, lasting: int = 3 * MINUTE_MS) -> Incidents:
    """Everything begins a pause after the start; the listing lasts so long."""
    begin = start + pause
    return Incidents(
        listed_from=begin,
        listed_until=begin + lasting,
        registered_at=begin,
        published_at=begin,
        spoofed_at=begin,
    )
