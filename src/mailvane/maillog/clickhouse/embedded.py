"""The engine within this process: loaded and opened with little, and clients of it. No table is known here.

One process has one directory open, and one directory one process. The engine's package is made for data science: left
alone, it loads Arrow and NumPy, and starts an engine in memory, of the size of a large server, to ask for its version.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from threading import Lock
from types import ModuleType
from urllib.parse import urlencode

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error

from mailvane.core.errors import StoreDamaged
from mailvane.core.memory import give_back_libraries

# The engine is a guest in a small process: caches stay small (the operating system's page cache serves the same bytes)
# and merges are left to two threads.
OPTIONS = {
    "backups.allowed_path": "/",
    "mark_cache_size": "16777216",
    "index_mark_cache_size": "8388608",
    "primary_index_cache_size": "16777216",
    "index_uncompressed_cache_size": "0",
    "uncompressed_cache_size": "0",
    "mmap_cache_size": "0",
    "compiled_expression_cache_size": "4194304",
    "query_cache.max_size_in_bytes": "0",
    "background_pool_size": "2",
    "background_schedule_pool_size": "4",
    "background_fetches_pool_size": "1",
    "background_move_pool_size": "1",
    "background_common_pool_size": "1",
    "background_buffer_flush_schedule_pool_size": "1",
    "background_message_broker_schedule_pool_size": "1",
    "background_distributed_schedule_pool_size": "1",
    # A thread keeps a stack and caches of its own for as long as it lives.
    "max_unexpected_parts_loading_thread_pool_size": "2",
    "threadpool_local_fs_reader_pool_size": "8",
    "load_marks_threadpool_pool_size": "4",
    "prefetch_threadpool_pool_size": "4",
    "max_thread_pool_free_size": "32",
}

# Memory that is free is given back within half a second: left alone the engine keeps it for five, in case that
# it is needed again, which while blocks of a log are cut one after the other is for ever.
_ALLOCATION = "dirty_decay_ms:500"
_STDERR = 2
_IN_MEMORY = ":memory:"
_NOT_OPENED = "Unable to open the chdb engine"
_EXTENSION = "chdb._chdb"
_LIBRARY = "_chdb.abi3.so"
_DEEP_BINDING = 8  # RTLD_DEEPBIND of dlopen(3): its own memory allocation, as the package has it
_loading = Lock()


def client_in_memory(settings: Mapping[str, str]) -> Client:
    """Of an engine that stores nothing, where this process has none; to be closed."""
    return embedded_client(_IN_MEMORY, None, settings)


def embedded_client(path: str, database: str | None, settings: Mapping[str, str]) -> Client:
    """A client of the engine in this directory, which is opened if it is not. Raises StoreDamaged."""
    faulthandler.enable(_STDERR)
    _forget_unwritten(Path(path))
    try:
        with _loaded(path):
            client = clickhouse_connect.get_client(
                interface="chdb", path=path, database=database, chdb_options=OPTIONS, settings=dict(settings)
            )
    except (Error, RuntimeError) as error:
        if isinstance(error, Error) and _NOT_OPENED not in str(error):
            raise
        # The reason is said on standard error, by the engine itself.
        raise StoreDamaged(
            f"the mail log in {path} cannot be opened: if its disk is not full, something of it is damaged, and"
            " `mailvane restore` brings back a backup, into a new data directory"
        ) from error
    # When it is loaded the engine takes the signals of faults (SIGSEGV and its like) and waits in them for ever: a
    # process that crashed would stand still, and no supervisor would start another. Given back, they end it at once,
    # and each thread's place is told on standard error.
    faulthandler.disable()
    faulthandler.enable(_STDERR)
    return client


def _forget_unwritten(path: Path) -> None:
    """Tables for a moment (`upkeep.fresh_table`) that were to be made while the disk was full: what is left is a
    definition without a letter, at which the engine refuses to open. Whoever needs such a table makes a new one."""
    for definition in path.glob("store/*/*/*_fresh.sql"):
        if not definition.stat().st_size:
            definition.unlink()


@contextmanager
def _loaded(path: str) -> Generator[None]:
    """The package is loaded, and if that happens here, the engine is open until the block ends.

    Raises RuntimeError where it cannot be opened.
    """
    with _loading:
        if "chdb" in sys.modules:
            opened = None
        else:
            os.environ.setdefault("JE_MALLOC_CONF", _ALLOCATION)  # jemalloc reads it when it is loaded
            library = _library()
            opened = None if library is None else library.connect(_address(path))
            with _without("pyarrow"), _asked_instead(library, path):
                import chdb.state  # noqa: PLC0415, F401
    try:
        yield
    finally:
        if opened is not None:
            opened.close()
            give_back_libraries()  # loading reads some 200 MiB of it, most of that for once


def _address(path: str) -> str:
    """As the client names it, but for the slash: the engine does not decode what is opened without the package."""
    return f"{path if path == _IN_MEMORY else os.path.realpath(path)}?{urlencode(OPTIONS, safe='/')}"


def _library() -> ModuleType | None:
    """The engine itself, without the package around it; None where it does not lie as it is known to."""
    package = find_spec("chdb")
    if package is None or package.origin is None or sys.platform != "linux":
        return None
    place = Path(package.origin).with_name(_LIBRARY)
    found = spec_from_file_location(_EXTENSION, place) if place.is_file() else None
    if found is None or found.loader is None:
        return None
    ctypes.CDLL(str(place), mode=sys.getdlopenflags() | _DEEP_BINDING)
    library = module_from_spec(found)
    found.loader.exec_module(library)
    sys.modules[_EXTENSION] = library  # where the package finds it
    return library


@contextmanager
def _asked_instead(library: ModuleType | None, path: str) -> Generator[None]:
    """What the package asks an engine of its own while it is loaded, it asks the one that is open."""
    if library is None:
        yield
        return
    connect = library.connect
    library.connect = lambda: connect(_address(path))  # type: ignore[attr-defined]
    try:
        yield
    finally:
        library.connect = connect  # type: ignore[attr-defined]


@contextmanager
def _without(name: str) -> Generator[None]:
    """A package that is used where it can be imported cannot be, for the length of the block."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # that is how `import` is told
    try:
        yield
    finally:
        del sys.modules[name]
