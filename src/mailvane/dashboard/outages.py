"""Since when a page's question has not been answered: known to this process, and forgotten when it ends."""

from __future__ import annotations

from mailvane.core.moments import MINUTE_MS

_APART_MS = 30 * MINUTE_MS  # ours: nobody asked meanwhile, so that nobody knows whether it was answered in between


class Outages:
    """For any number of threads. What is asked is named by the path of its page as declared."""

    def __init__(self) -> None:
        self._failing: dict[str, tuple[int, int]] = {}  # since when, and when it was asked last

    def failed(self, question: str, now: int) -> int:
        """Since when it has failed each time that it was asked."""
        since, last = self._failing.get(question, (now, now))
        since = since if now - last <= _APART_MS else now
        self._failing[question] = since, now
        return since

    def answered(self, question: str) -> None:
        self._failing.pop(question, None)
