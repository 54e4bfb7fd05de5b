"""The files that pages load: read once, named with a hash of their content, so that browsers may keep them for ever."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files

from mailvane.core.errors import NotFound

_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "woff2": "font/woff2",
}


@dataclass(frozen=True)
class StaticFile:
    content: bytes
    media_type: str
    version: str


class StaticFiles:
    """All of them, by name."""

    def __init__(self) -> None:
        self._files: dict[str, StaticFile] = {}
        for each in files("mailvane.dashboard").joinpath("static").iterdir():
            kind = _TYPES.get(each.name.rpartition(".")[2])
            if kind is not None:
                content = each.read_bytes()
                self._files[each.name] = StaticFile(content, kind, sha256(content).hexdigest()[:12])

    def file(self, name: str) -> StaticFile:
        """Raises NotFound."""
        found = self._files.get(name)
        if found is None:
            raise NotFound("there is no such file")
        return found

    def url(self, name: str) -> str:
        """Where a page finds it."""
        return f"/ui/static/{name}?v={self.file(name).version}"
