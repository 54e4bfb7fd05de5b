"""The rows of one report between reading and storing: the first of them in memory, more in a temporary file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO, Any

import msgspec

IN_MEMORY = 5_000
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(dict[str, Any])


class Spool:
    """Written once, then read any number of times until it is closed."""

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._rows: list[Mapping[str, Any]] = []
        self._file: IO[bytes] | None = None

    def add(self, row: Mapping[str, Any]) -> None:
        self._rows.append(row)
        if len(self._rows) >= self._in_memory:
            if self._file is None:
                self._file = TemporaryFile()  # noqa: SIM115  - closed by `__exit__`
            self._file.write(_encoder.encode_lines(self._rows))
            self._rows = []

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        if self._file is not None:
            self._file.seek(0)
            for line in self._file:
                yield _decoder.decode(line)
        yield from self._rows

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
