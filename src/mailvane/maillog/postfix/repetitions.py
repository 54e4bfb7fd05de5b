"""Lines that rsyslog tells once: `message repeated 3 times: [ TEXT]` stands for three more like the one before it."""

from __future__ import annotations

import re
from collections.abc import Callable

from mailvane.maillog.postfix.event_builder import EventBuilder

_REPETITION = re.compile(r"message repeated (\d{1,9}) times: \[ ?(.*)\]$", re.DOTALL)
_MOST = 10_000  # ours: far more than a daemon says within the time that rsyslog waits


def repeated(teller: EventBuilder, say: Callable[[str], bool], text: str) -> bool:
    """Say it as often as it was said; whether this is such a line, and what it repeats is understood."""
    found = _REPETITION.match(text)
    if found is None:
        return False
    try:
        for number in range(1, min(int(found[1]), _MOST) + 1):
            teller.repetition = number
            if not say(found[2]):
                return False
    finally:
        teller.repetition = 0
    return True
