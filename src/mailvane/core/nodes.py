"""The processes of `mailvane serve` that share a ledger: who they are, and that one master token opens all of them."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import msgspec
from sqlalchemy import delete, select, update

from mailvane.core.errors import MailvaneError, NotPossible
from mailvane.core.ledger.database import Database
from mailvane.core.ledger.tables import nodes
from mailvane.core.moments import DAY_MS, MINUTE_MS

log = logging.getLogger(__name__)

SILENT_MS = MINUTE_MS  # a node that has said nothing for so long is gone, as far as others can tell
_FORGOTTEN_MS = DAY_MS
_TELL_SECONDS = 10.0
_SALT = b"mailvane node"


class Node(msgspec.Struct, frozen=True):
    """One process. Times in milliseconds since the epoch."""

    name: str  # host:process:random
    roles: tuple[str, ...]
    address: str  # that it answers HTTP on; empty without that role
    version: str
    started_at: int
    seen_at: int

    def is_silent(self, now: int) -> bool:
        return now - self.seen_at > SILENT_MS


def hashed(token: str) -> bytes:
    """By which master tokens are compared, and cannot be guessed from the ledger in reasonable time."""
    return hashlib.scrypt(token.encode(), salt=_SALT, n=1 << 13, r=8, p=1, dklen=32)


class NodeStore:
    """For any number of processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enter(self, node: Node, token: bytes) -> None:
        """Say that a node begins. Raises NotPossible while one with another master token runs."""
        now = node.started_at
        with self._database.write() as connection:
            connection.execute(delete(nodes).where(nodes.c.seen_at < now - _FORGOTTEN_MS))
            running = select(nodes.c.name, nodes.c.token).where(nodes.c.seen_at > now - SILENT_MS)
            for row in connection.execute(running.order_by(nodes.c.name)):
                if not hmac.compare_digest(row.token, token):
                    raise NotPossible(
                        f"this node's master token is not that of {row.name}, which runs on the same ledger: give all"
                        " nodes one with MAILVANE_MASTER_TOKEN_FILE, or stop the others for a minute to change it"
                    )
            values = {**msgspec.structs.asdict(node), "roles": ",".join(node.roles), "token": token}
            connection.execute(self._database.insert(nodes).values(values))

    def tell(self, name: str, now: int) -> None:
        """Say that a node still runs."""
        with self._database.write() as connection:
            connection.execute(update(nodes).where(nodes.c.name == name).values(seen_at=now))

    def leave(self, name: str) -> None:
        """Forget a node that ends."""
        with self._database.write() as connection:
            connection.execute(delete(nodes).where(nodes.c.name == name))

    def forget_all(self) -> int:
        """Those of everybody, who are known to be gone; how many."""
        with self._database.write() as connection:
            return connection.execute(delete(nodes)).rowcount

    def nodes(self) -> list[Node]:
        """All that did not end by themselves, by name; also those that have been silent for less than a day."""
        with self._database.read() as connection:
            return [
                Node(row.name, tuple(row.roles.split(",")), row.address, row.version, row.started_at, row.seen_at)
                for row in connection.execute(select(nodes).order_by(nodes.c.name))
            ]


@contextmanager
def present(store: NodeStore, node: Node, token: str, clock: Callable[[], int]) -> Iterator[None]:
    """Be one of the nodes for the length of a block. Raises NotPossible, StoreUnavailable."""
    store.enter(node, hashed(token))
    ended = Event()

    def tell() -> None:
        while not ended.wait(_TELL_SECONDS):
            try:
                store.tell(node.name, clock())
            except MailvaneError as error:
                log.warning("other nodes cannot be told that this one runs: %s", error)

    telling = Thread(target=tell, name="node", daemon=True)
    telling.start()
    try:
        yield
    finally:
        ended.set()
        telling.join()
        try:
            store.leave(node.name)
        except MailvaneError as error:
            log.warning("other nodes cannot be told that this one ends: %s", error)
