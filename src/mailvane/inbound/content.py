"""The content of mail while it is needed: compressed files in one directory, named by the SHA-256 of the content.

What was put is on the disk when `put` returns, files and directory. A content is there once, whoever needs it: it is
removed only when no message refers to it and nobody is about to make one that does.
"""

from __future__ import annotations

import errno
import os
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import Lock

from mailvane.core.errors import NotFound, StoreDamaged, StoreFull, StoreUnavailable

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_LEVEL = 3
_SUFFIX = ".zst"
_DRAFT = ".new"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_SYNCS_AT_ONCE = 8
_FEW = 4  # are written sooner than handed over to other threads


def content_id(content: bytes) -> str:
    return sha256(content).hexdigest()


def pack(content: bytes) -> bytes:
    packed: bytes = zstd.compress(content, _LEVEL)
    return packed


def unpack(packed: bytes, one: str, where: str) -> bytes:
    """The content of that id. Raises StoreDamaged, which names where it was."""
    try:
        content: bytes = zstd.decompress(packed)
    except zstd.ZstdError:
        content = b""
    if content_id(content) != one:
        raise StoreDamaged(f"{where} is broken")
    return content


class ContentStore:
    """Safe to share between threads; one process to a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._pinned: Counter[str] = Counter()
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(_SYNCS_AT_ONCE, "content")

    def open(self) -> None:
        """Make the directory, and clear away what a killed process had not finished. Raises StoreUnavailable."""
        with _translated(self._directory):
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            for draft in self._directory.glob(f"*{_DRAFT}"):
                draft.unlink(missing_ok=True)
            _sync(self._directory.parent)

    def close(self) -> None:
        self._pool.shutdown()

    def put(self, contents: Sequence[tuple[str, bytes]]) -> None:
        """Keep them all, by id, durably, with one sync of the directory. Raises StoreFull, StoreUnavailable.

        They are pinned until `unpin`: whoever puts has yet to say in the ledger that they are needed.
        """
        ids = [one for one, _ in contents]
        with self._lock:
            self._pinned.update(ids)
        try:
            with _translated(self._directory):
                fresh = {one: content for one, content in contents if not self.path(one).exists()}
                if len(fresh) <= _FEW:
                    for one, content in fresh.items():
                        self._write(one, content)
                else:
                    list(self._pool.map(self._write, fresh, fresh.values()))
                if fresh:
                    _sync(self._directory)
        except BaseException:
            self.unpin(ids)
            raise

    def unpin(self, ids: Sequence[str]) -> None:
        """The ledger has it now, or never will."""
        with self._lock:
            self._pinned.subtract(ids)
            for one in set(ids):
                if self._pinned[one] <= 0:
                    del self._pinned[one]

    def get(self, one: str) -> bytes:
        """Raises NotFound, StoreDamaged, StoreUnavailable."""
        with _translated(self._directory):
            try:
                packed = self.path(one).read_bytes()
            except FileNotFoundError:
                raise NotFound(f"the content {one} is not kept any more") from None
        return unpack(packed, one, f"the file {self.path(one)}")

    def remove(self, ids: Collection[str], in_use: Callable[[Collection[str]], set[str]]) -> int:
        """Remove those that nobody needs any more; how many. `in_use` asks the ledger which are needed."""
        with self._lock, _translated(self._directory):
            free = {one for one in ids if one not in self._pinned and self.path(one).exists()}
            free -= in_use(free) if free else set()
            for one in free:
                self.path(one).unlink(missing_ok=True)
        return len(free)

    def ids(self) -> Iterator[str]:
        """All that are kept."""
        with _translated(self._directory):
            for entry in os.scandir(self._directory):
                if entry.name.endswith(_SUFFIX):
                    yield entry.name.removesuffix(_SUFFIX)

    def size(self) -> int:
        """Bytes on the disk."""
        with _translated(self._directory):
            return sum(entry.stat().st_size for entry in os.scandir(self._directory))

    def path(self, one: str) -> Path:
        return self._directory / f"{one}{_SUFFIX}"

    def _write(self, one: str, content: bytes) -> None:
        draft = self._directory / f"{one}{_DRAFT}"
        try:
            _write_synced(draft, pack(content))
            draft.replace(self.path(one))
        except OSError:
            draft.unlink(missing_ok=True)
            raise


class KeptContent:
    """Of the content that is kept, whatever its place: a file, or the ledger, which `spooled` asks by id."""

    def __init__(self, files: ContentStore, spooled: Callable[[str], bytes | None]) -> None:
        self._files = files
        self._spooled = spooled

    def get(self, one: str) -> bytes:
        """Raises NotFound, StoreDamaged, StoreUnavailable."""
        packed = self._spooled(one)
        return self._files.get(one) if packed is None else unpack(packed, one, f"the content {one} in the ledger")


def _write_synced(path: Path, content: bytes) -> None:
    """With as few calls as can be: threads that run Python let go of each other at each of them."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _translated(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StoreFull(f"the disk of {directory} is full") from error
        raise StoreUnavailable(f"the content of mail in {directory} cannot be used: {error.strerror}") from error
