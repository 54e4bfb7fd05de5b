"""Sources that nobody is asked about: records of mails come as JSON lines, and each is kept under the asset it hit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import BinaryIO, Generic, TypeVar

from mailvane.core.errors import InvalidInput
from mailvane.reputation.model import Asset, AssetKind, Observation, Refresh, Source
from mailvane.reputation.sources.json_lines import records

_TOGETHER = 1000  # mails: each refresh costs a transaction, so those of one asset go together
Line = TypeVar("Line")


class Feed(Generic[Line]):
    """`hit` turns a line into what is observed, at a time; it raises ValueError.

    A file tells of everybody: `of_watched` has what may be kept of it, for these assets of `kind`.
    """

    def __init__(
        self,
        source: Source,
        kind: AssetKind,
        line: type[Line],
        hit: Callable[[Line, int], Observation],
        of_watched: Callable[[Iterable[Refresh], Iterable[Asset], int], Iterator[Refresh]],
    ) -> None:
        self.source = source
        self.kind = kind
        self.of_watched = of_watched
        self._line = line
        self._hit = hit

    async def refresh(self, assets: Sequence[Asset], now: int) -> AsyncIterator[Refresh]:
        """Each is up to date: what hits it comes by itself."""
        for asset in assets:
            yield Refresh(source=self.source, kind=self.kind, asset=asset.name, at=now)

    def read(self, file: BinaryIO, name: str, now: int) -> Iterator[Refresh]:
        """Whatever stands in the file, watched or not. Raises InvalidInput."""
        return self.refreshes(self._hits(file, name, now), now)

    def refreshes(self, hits: Iterable[Observation], now: int) -> Iterator[Refresh]:
        """A refresh for each asset, of a few hits at a time."""
        remaining = iter(hits)
        while some := list(islice(remaining, _TOGETHER)):
            found: dict[str, list[Observation]] = defaultdict(list)
            for hit in some:
                found[hit.asset].append(hit)
            for name, each in found.items():
                yield Refresh(source=self.source, kind=self.kind, asset=name, at=now, observations=tuple(each))

    def _hits(self, file: BinaryIO, name: str, now: int) -> Iterator[Observation]:
        for place, line in records(file, name, self._line):
            try:
                yield self._hit(line, now)
            except ValueError as error:
                raise InvalidInput(f"{place}: {error}") from None
