"""What a collector is. Each is a module or package here that says `COLLECTOR = make`, and a row of `catalogue`.

A collector asks one outside source about assets and tells what it learned, asset by asset. It keeps nothing: when it
is asked, how often, after what pause, and where observations go is the runner's and the services' affair.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import BinaryIO, Protocol

from mailvane.reputation.model import Asset, Refresh, Source


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
