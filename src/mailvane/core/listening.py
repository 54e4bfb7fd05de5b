"""Where servers listen: an address with a port, or a socket that is a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from mailvane.core.errors import InvalidSetting


class Listen(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class UnixSocket(NamedTuple):
    """The file through which programs of this machine reach a server."""

    path: Path

    def __str__(self) -> str:
        return f"unix:{self.path}"


def read_listen(text: str) -> Listen:
    """Raises InvalidSetting."""
    bracketed = re.fullmatch(r"\[([^\]]+)\]:([0-9]{1,5})", text)
    plain = re.fullmatch(r"([^:\s\[\]]+):([0-9]{1,5})", text)
    match = bracketed or plain
    if match is None or int(match[2]) > 65535:
        raise InvalidSetting(f"expected HOST:PORT such as 127.0.0.1:8225 or [::1]:8225, not {text!r}")
    return Listen(match[1], int(match[2]))


def read_listen_or_socket(text: str) -> Listen | UnixSocket:
    """Raises InvalidSetting."""
    if not text.startswith("unix:"):
        return read_listen(text)
    path = Path(text.removeprefix("unix:"))
    if not path.is_absolute() or "\0" in text:
        raise InvalidSetting(f"expected a whole path such as unix:/run/mailvane/policy, not {text!r}")
    return UnixSocket(path)
