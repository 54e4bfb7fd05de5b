"""One process that follows a log to which things are done while it finds nothing new."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mailvane.maillog.postfix.following import Following
from tests.unit.maillog.postfix.conftest import NOVEMBER


class Living:
    """One process that follows: whenever it finds nothing new, the test acts, and it ends when no act is left."""

    def __init__(self, ledger: Any, path: Path, acts: Iterable[Callable[[], None]] = ()) -> None:
        self._acts = iter(acts)
        self._quiet = 0
        following = Following(ledger.reading(), str(path), lambda: NOVEMBER)
        for step in following.run(self._pause):
            ledger.commit(step)

    def _pause(self, seconds: float) -> bool:
        if not seconds:
            return False
        self._quiet += 1
        if self._quiet % 3:
            return False
        act = next(self._acts, None)
        if act is None:
            return True
        act()
        return False


def append(path: Path, text: bytes) -> Callable[[], None]:
    def act() -> None:
        with path.open("ab") as file:
            file.write(text)

    return act
