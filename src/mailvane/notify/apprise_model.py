"""What is seen of the requests that Apprise makes. Knows no Apprise, which is installed by an extra."""

from __future__ import annotations

from collections.abc import Callable


class Trace:
    """Of one notification: how names are resolved, and what was answered last."""

    def __init__(self, address_of: Callable[[str, int], str]) -> None:
        """`address_of` gives one that may be reached, and raises NotAllowed, HostUnknown."""
        self.address_of = address_of
        self.error: Exception | None = None
        self.status = 0  # 0: nothing was answered
        self.retry_after = ""
        self.answer = ""

    def answered(self, status: int, retry_after: str, content: bytes) -> None:
        text = content[:2000].decode("utf-8", "replace")
        self.status, self.retry_after = status, retry_after
        self.answer = "".join(each if each.isprintable() else " " for each in text)
