"""Counts of what was read of a log."""

from __future__ import annotations

from collections import Counter

from mailvane.maillog.model import EventType, MailEvent, MailKind

_SAMPLES = 20  # of each kind


class Summary:
    """Counts of what was read, and samples of what was not understood."""

    def __init__(self) -> None:
        self.lines = 0
        self.events: Counter[EventType] = Counter()  # of mail proper: no notifications, no probes
        self.not_understood: Counter[str] = Counter()  # by daemon; "line" where not even the wrapping was
        self.unfinished = 0  # last lines without an end that were left for later
        self.samples: dict[str, list[str]] = {}

    def miss(self, kind: str, source: str, number: int, line: str) -> None:
        self.not_understood[kind] += 1
        samples = self.samples.setdefault(kind, [])
        if len(samples) < _SAMPLES:
            samples.append(f"{source}:{number}: {line[:500]}")

    def add(self, other: Summary) -> None:
        """Count what another summary counted, too."""
        self.lines += other.lines
        self.unfinished += other.unfinished
        self.events += other.events
        self.not_understood += other.not_understood
        for kind, found in other.samples.items():
            samples = self.samples.setdefault(kind, [])
            samples.extend(found[: _SAMPLES - len(samples)])

    def count(self, events: list[MailEvent]) -> None:
        self.events.update(event.type for event in events if event.kind is MailKind.MAIL)
        # `sendmail -bv`: that it is a probe is known, and told anew, when its acceptance was told as a mail's.
        probes = (event for event in events if event.kind is MailKind.PROBE and event.type is EventType.ACCEPTED)
        self.events[EventType.ACCEPTED] -= sum(bool(event.login) for event in probes)
