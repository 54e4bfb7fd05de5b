"""What one smtpd or smtp process said of its present peer, before it names the mail: encryption, client, a verdict."""

from __future__ import annotations

from collections.abc import Iterable

from mailvane.core.moments import HOUR_MS
from mailvane.maillog.postfix.state import Connection, Register

IDLE = 6 * HOUR_MS


class Connections:
    """One entry for each process, as long as it matters."""

    def __init__(self) -> None:
        self.register = Register("c:", Connection)
        self.in_filter: dict[str, None] = {}  # whose mail a before-queue filter has
        self.due = 0  # before this time none is idle for too long

    def restore(self, records: Iterable[tuple[str, bytes]]) -> None:
        self.register.restore(records)
        self.in_filter = {key: None for key, connection in self.register.values.items() if connection.proxied}

    def of(self, host: str, process: str) -> Connection | None:
        values = self.register.values
        return values.get(f"{host}/{process}") if values else None

    def note(self, host: str, process: str, at: int) -> Connection:
        key = f"{host}/{process}"
        connection = self.register.values.get(key)
        if connection is None:
            connection = self.register.values[key] = Connection(at)
        connection.seen = at
        self.due = min(self.due, at + IDLE + 1)
        self.register.touched.add(key)
        return connection

    def proxy(self, host: str, process: str, at: int) -> Connection:
        """A mail of this peer goes to a before-queue filter."""
        connection = self.note(host, process, at)
        connection.proxied = True
        self.in_filter[f"{host}/{process}"] = None
        return connection

    def answered(self, host: str, process: str) -> bool:
        """The before-queue filter is done with the mail, if it had one."""
        key = f"{host}/{process}"
        if key not in self.in_filter:
            return False
        del self.in_filter[key]
        self.register.values[key].proxied = False
        self.register.touched.add(key)
        return True

    def proxied(self, host: str) -> list[str]:
        """The keys of peers on this host whose mail is in a before-queue filter."""
        return sorted(key for key in self.in_filter if key.startswith(f"{host}/")) if self.in_filter else []

    def end(self, host: str, process: str) -> None:
        if self.register.values:
            key = f"{host}/{process}"
            if self.register.values.pop(key, None) is not None:
                self.in_filter.pop(key, None)
                self.register.touched.add(key)

    def sweep(self, clock: int) -> None:
        """Forget those that said nothing for so long, if there may be any."""
        if clock < self.due:
            return
        for key in [key for key, value in self.register.values.items() if value.seen < clock - IDLE]:
            del self.register.values[key]
            self.in_filter.pop(key, None)
            self.register.touched.add(key)
        self.due = min((value.seen for value in self.register.values.values()), default=clock) + IDLE + 1
