"""Whom to ask about the mail log: the server that has it open, or, when there is none, this process.

A command that finds a server loads no engine and no ledger (PLC0415): both would take longer than the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mailvane.core.errors import StoreInUse
from mailvane.server.data_directory import owner
from mailvane.server.settings import Settings, master_token

if TYPE_CHECKING:
    from mailvane.maillog.interface import MailLog
    from mailvane.maillog.remote import RemoteMailLog


def is_embedded(settings: Settings) -> bool:
    """Whether the mail log is a directory of this machine, which only one process may open."""
    return settings.maillog.startswith("chdb:")


def serving(settings: Settings) -> str | None:
    """The base URL of the server that owns the data directory; None when nobody does. Raises StoreInUse."""
    held = owner(settings.data) if is_embedded(settings) else None
    if held is None:
        return None
    if not held.http:
        raise StoreInUse(f"data directory {settings.data} is in use by {held.purpose} (process {held.pid})")
    return held.http


def server_of(settings: Settings) -> RemoteMailLog | None:
    """The mail log behind the server that owns the data directory; None when nobody does. Raises StoreInUse."""
    if (server := serving(settings)) is None:
        return None
    from mailvane.maillog.remote import RemoteMailLog  # noqa: PLC0415

    return RemoteMailLog(server, master_token(settings))


@contextmanager
def maillog_anywhere(settings: Settings, purpose: str) -> Iterator[MailLog]:
    """The mail log, through the server that has it open, or opened here when there is none."""
    if remote := server_of(settings):
        with remote:
            yield remote
        return
    from mailvane.server.stores import stores_here  # noqa: PLC0415

    with stores_here(settings, purpose) as stores:
        stores.recorder.drain()
        yield stores.maillog
