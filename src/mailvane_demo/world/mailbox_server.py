"""The mail server behind the demo's gateway: it has mailboxes, one of which is nearly full. A real SMTP server."""

from __future__ import annotations

import asyncio
from collections import Counter
from threading import Event, Thread
from types import TracebackType
from typing import Self

from aiosmtpd.smtp import SMTP, Envelope, Session


class MailboxServer:
    """Runs on a thread of its own within a `with` block, on a port that the system chooses."""

    def __init__(self, room: dict[str, int]) -> None:
        """`room`: how many mails fit into a mailbox, for those that may fill up."""
        self._room = room
        self._kept: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._ready = Event()
        self._thread = Thread(target=self._run, name="mailboxes", daemon=True)
        self.port = 0

    async def handle_RCPT(  # noqa: N802  the library's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self._kept[address] >= self._room.get(address, 1 << 30):
            return f"552 5.2.2 <{address}> Quota exceeded (mailbox for user is full)"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        self._kept.update(envelope.rcpt_tos)
        return "250 2.0.0 Saved"

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        made = self._loop.create_server(lambda: SMTP(self, hostname="mailboxes", loop=self._loop), "127.0.0.1", 0)
        server = self._loop.run_until_complete(made)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
