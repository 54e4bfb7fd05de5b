"""What can be chosen of the demo."""

from __future__ import annotations

from pathlib import Path

import msgspec


class DemoOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the simulated world behaves."""

    seed: int
    days: int  # of history before the present
    mails_per_day: int
    data: Path | None = None  # None: a temporary directory, removed at the end
