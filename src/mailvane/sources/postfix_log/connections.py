"""What one smtpd or smtp process said of its present peer, before it names the mail: encryption, client, a verdict."""

from __future__ import annotations

from collections.abc import Iterable

from mailvane.sources.postfix_log.flights import Connection, Register

_IDLE = 6 * 3_600_000


class Connections:
    """One entry for each process, as long as it matters."""

    def __init__(self) -> None:
        self.register = Register("c:", Connection)

    def restore(self, records: Iterable[tuple[str, bytes]]) -> None:
        self.register.restore(records)

    def of(self, host: str, process: str) -> Connection | None:
        values = self.register.values
        return values.get(f"{host}/{process}") if values else None

    def note(self, host: str, process: str, at: int) -> Connection:
        key = f"{host}/{process}"
        connection = self.register.values.get(key)
        if connection is None:
            connection = self.register.values[key] = Connection(at)
        connection.seen = at
        self.register.touched.add(key)
        return connection

    def end(self, host: str, process: str) -> None:
        if self.register.values:
            key = f"{host}/{process}"
            if self.register.values.pop(key, None) is not None:
                self.register.touched.add(key)

    def sweep(self, at: int) -> None:
        for key in [key for key, value in self.register.values.items() if value.seen < at - _IDLE]:
            del self.register.values[key]
            self.register.touched.add(key)
