"""The server of these settings as it is seen from outside: whether it runs, as which user, and with which settings.

A check that is made as root, or by hand as somebody else, must not judge what root or somebody else may do.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Mapping
from pathlib import Path

import httpx
import msgspec

from mailvane.server.asking import is_embedded
from mailvane.server.data_directory import owner
from mailvane.server.settings import Settings, base_url

_SECONDS = 10.0
_PROC = Path("/proc")


class RunningServer(msgspec.Struct, frozen=True):
    """Where it answers."""

    http: str  # base URL; empty: a process that answers nobody has the data directory
    pid: int | None = None  # None: not known, as the data directory tells only who has the embedded mail log open
    purpose: str = "mailvane serve"
    settings: Mapping[str, str] = {}  # what it runs with, by name: a hash of each

    @property
    def name(self) -> str:
        return f"process {self.pid} on {self.http}" if self.pid else f"the server on {self.http}"

    def get(self, path: str) -> httpx.Response:
        """Raises httpx.HTTPError."""
        return httpx.get(f"{self.http}{path}", timeout=_SECONDS)


def running_server(settings: Settings) -> RunningServer | None:
    """The one on these settings; None when none runs, or none answers where one would."""
    held = owner(settings.data)
    if held is not None:
        return RunningServer(held.http, held.pid or None, held.purpose, held.settings)
    if is_embedded(settings):
        return None
    found = RunningServer(base_url(settings))
    try:
        found.get("/healthz")
    except httpx.HTTPError:
        return None
    return found


class ServerUser(msgspec.Struct, frozen=True):
    """As whom the server runs."""

    uid: int
    gid: int
    groups: tuple[int, ...]

    @property
    def name(self) -> str:
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return f"user {self.uid}"

    def may(self, path: Path, right: str) -> bool | None:
        """Whether it may read (r), write (w) or enter (x) it; None: this user cannot find out."""
        if self.uid == os.geteuid():
            return os.access(path, {"r": os.R_OK, "w": os.W_OK, "x": os.X_OK}[right])
        if os.geteuid():
            return None
        # Asked as that user, so that groups, lists of access and the directories above count as they do for it.
        command = ["test", f"-{right}", str(path.absolute())]
        done = subprocess.run(  # noqa: S603 - no shell, and a path from the root
            command, user=self.uid, group=self.gid, extra_groups=self.groups, check=False, cwd="/"
        )
        return done.returncode == 0


def server_user(settings: Settings, server: RunningServer | None) -> ServerUser:
    """Of the server that runs; else whose the data directory is; else who asks."""
    if server is not None and server.pid and (found := _user_of_process(server.pid)):
        return found
    if not settings.data.exists():
        return ServerUser(os.geteuid(), os.getegid(), tuple(os.getgroups()))
    status = settings.data.stat()
    if status.st_uid == os.geteuid():
        return ServerUser(status.st_uid, os.getegid(), tuple(os.getgroups()))
    try:
        known = pwd.getpwuid(status.st_uid)
    except KeyError:
        return ServerUser(status.st_uid, status.st_gid, ())
    return ServerUser(known.pw_uid, known.pw_gid, tuple(os.getgrouplist(known.pw_name, known.pw_gid)))


def _user_of_process(pid: int) -> ServerUser | None:
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return None
    found = dict(line.split(":", 1) for line in lines if ":" in line)
    uid, gid = int(found["Uid"].split()[1]), int(found["Gid"].split()[1])
    return ServerUser(uid, gid, tuple(map(int, found.get("Groups", "").split())))
