"""Questions to a server near by, over HTTP without TLS: JSON there and back, each on a connection of its own.

For commands, which are to be as quick as the server: the HTTP client that is used otherwise takes longer to load than
the answer takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from mailvane.core.errors import ServerUnreachable

_CONNECT_SECONDS = 5.0


class Answer(NamedTuple):
    """What a server said."""

    status: int
    content: bytes


class Exchange(Protocol):
    """One question."""

    def __call__(self, path: str, body: bytes, headers: Mapping[str, str], seconds: float | None) -> Answer:
        """POST it, and wait so long for the answer; None: as long as it takes. Raises ServerUnreachable."""


class Server:
    """Implements `Exchange`. Any number of threads may use one."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    def __call__(self, path: str, body: bytes, headers: Mapping[str, str], seconds: float | None) -> Answer:
        parts = urlsplit(self._base_url)
        # It is ours and near: a proxy of the environment is not asked.
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=_CONNECT_SECONDS)
        try:
            connection.connect()
            connection.sock.settimeout(seconds)
            connection.request(
                "POST", path, body, {"Content-Type": "application/json", "Connection": "close", **headers}
            )
            answer = connection.getresponse()
            return Answer(answer.status, answer.read())
        except (OSError, HTTPException) as error:
            raise ServerUnreachable(f"the server at {self._base_url} does not answer: {error}") from None
        finally:
            connection.close()
