"""An installation of Mailvane as a user has it: a data directory, the command, and a server on a free port."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from tests.ports import free_port

COMMAND = Path(sys.executable).with_name("mailvane")
PATIENCE = 120.0  # seconds: a bound on what hangs, not a measure of speed


class Installation:
    """One data directory. Commands run as processes of their own, with no setting from outside."""

    def __init__(self, data: Path) -> None:
        self.data = data
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.log = data / "server.log"
        self.port = free_port()
        self.policy_port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MAILVANE_")}
        self.environment = {
            **kept,
            "MAILVANE_DATA": str(data),
            "MAILVANE_HTTP": f"127.0.0.1:{self.port}",
            "MAILVANE_POLICY": f"127.0.0.1:{self.policy_port}",
        }

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command and do not wait for it. What it says on standard error is kept, unless told otherwise."""
        with self.log.open("a") as log:
            options = {"stderr": log, **options}
            return subprocess.Popen([str(COMMAND), *words], env=self.environment, text=True, **options)

    def run(self, *words: str, succeeds: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(COMMAND), *words], env=self.environment, text=True, capture_output=True, timeout=240, check=False
        )
        if succeeds:
            assert done.returncode == 0, f"mailvane {' '.join(words)}: {done.stderr}"
        return done

    def answer(self, *words: str) -> Any:
        """What a command prints with --json."""
        return json.loads(self.run(*words, "--json").stdout)

    def tenant(self, name: str) -> tuple[int, str]:
        """A workspace with one relay: the relay's id, and a workspace key."""
        self.run("workspace", "create", name)
        relay = int(self.answer("relay", "create", "--workspace", name)["id"])
        token = self.answer("key", "create", "--workspace", name, "--kind", "workspace")["token"]
        return relay, token

    @contextmanager
    def serving(self, descriptors: tuple[int, int] | None = None) -> Iterator[subprocess.Popen[str]]:
        """A server that answers, for the length of a block; with other limits of file descriptors, soft and hard."""
        limit = None if descriptors is None else partial(resource.setrlimit, resource.RLIMIT_NOFILE, descriptors)
        process = self.start("serve", preexec_fn=limit)
        try:
            self.wait_until_ready(process)
            yield process
        finally:
            stop(process)

    def wait_until_ready(self, process: subprocess.Popen[str]) -> None:
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/readyz", timeout=PATIENCE).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        told = self.log.read_text() if self.log.exists() else "nothing"
        raise AssertionError(f"the server does not get ready (status {process.poll()}); it said: {told}")

    def get(self, path: str, token: str, **query: Any) -> Any:
        """The decoded answer of a request that succeeds."""
        answer = httpx.get(f"{self.url}{path}", headers={"X-API-KEY": token}, params=query, timeout=PATIENCE)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()

    def everything(self, workspace: str) -> dict[str, Any]:
        """All that a workspace's mail log answers, to compare with that of another installation."""
        rows = self.answer("log", "--workspace", workspace, "--notifications", "--oldest-first", "--limit", "10000")
        told = self.answer("stats", "--workspace", workspace, "--window", "all", "--top", "500")
        return {"rows": rows, "tables": told["tables"], "all": told["windows"]["all"]}


def stop(process: subprocess.Popen[str]) -> None:
    """Ask it to end, and see that it does."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
