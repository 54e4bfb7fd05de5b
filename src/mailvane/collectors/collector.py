"""What a collector is. Each is a module or package of this folder that says `COLLECTOR = make`, found by its folder.

A collector asks one outside source about assets and tells what it learned, asset by asset. It keeps nothing: when it
is asked, how often, after what pause, and where observations go is the runner's and the services' affair.
"""

from __future__ import annotations

import pkgutil
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import BinaryIO, Protocol

from mailvane.domain.reputation import Asset, Refresh, Source
from mailvane.reputation_config import ReputationSettings


class Collector(Protocol):
    """One source. It may be used for any number of workspaces, one call at a time."""

    @property
    def source(self) -> Source: ...

    def refresh(self, assets: Sequence[Asset], now: int) -> AsyncIterator[Refresh]:
        """Ask about assets; one refresh for each, as soon as it is known, with an error where nothing was learned.

        Raises CollectionFailed when the source as a whole could not be asked.
        """

    def read(self, file: BinaryIO, name: str, now: int) -> Iterator[Refresh]:
        """What a file that came from this source says. Raises InvalidInput, also after a part was read."""


Maker = Callable[[ReputationSettings], "Collector | None"]
"""Makes a collector from the settings; None when they do not let it ask anybody."""


def makers() -> Iterator[Maker]:
    """Of every collector in this folder, by name."""
    package = __name__.rpartition(".")[0]
    for module in sorted(pkgutil.iter_modules([str(Path(__file__).parent)]), key=lambda found: found.name):
        maker = getattr(import_module(f"{package}.{module.name}"), "COLLECTOR", None)
        if maker is not None:
            yield maker
