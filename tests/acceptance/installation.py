"""An installation of Mailvane as a user has it: a data directory, the command, and a server on a free port."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import httpx

from mailvane.core.tenants.model import KeyKind
from mailvane.core.tenants.service import Tenancy
from mailvane.server.ledger import open_ledger
from tests.acceptance import warm_commands
from tests.ledgers import place_empty
from tests.ports import free_port
from tests.waiting import PATIENCE, wait_for

COMMAND = Path(sys.executable).with_name("mailvane")
# For single requests: what httpx makes for one of its own, TLS and its roots, takes ten times as long as the request.
HTTP = httpx.Client(verify=False, timeout=PATIENCE, limits=httpx.Limits(max_keepalive_connections=0))

T = TypeVar("T")
Running = subprocess.Popen[str] | warm_commands.Started


class Done(NamedTuple):
    """How a command ended, and what it said."""

    returncode: int
    stdout: str
    stderr: str


class Installation:
    """One data directory. Commands run as processes of their own, with no setting from outside."""

    def __init__(self, data: Path) -> None:
        self.data = data
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.log = data / "server.log"
        self._process: Running | None = None  # the one that was started last
        self._before: list[tuple[str, int, int]] = []  # the ledger's files when it was started
        self.port = free_port()
        self.policy_port = free_port()
        self.smtp_port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith("MAILVANE_") and name != "COLUMNS"
        }
        self.environment = {
            **kept,
            "MAILVANE_DATA": str(data),
            "MAILVANE_HTTP": f"127.0.0.1:{self.port}",
            "MAILVANE_POLICY": f"127.0.0.1:{self.policy_port}",
            "MAILVANE_SMTP": f"127.0.0.1:{self.smtp_port}",
        }

    @contextmanager
    def running(self, *words: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
        """A command, for the length of a block; at its end it is killed if it still runs, so that none is left.

        What it says on standard error is kept, unless told otherwise.
        """
        with self.log.open("a") as log:
            options = {"stderr": log, **options}
            process = subprocess.Popen([str(COMMAND), *words], env=self.environment, text=True, **options)
        self._process = process
        try:
            yield process
        finally:
            end(process)

    def run(self, *words: str, succeeds: bool = True, given: bytes | None = None) -> subprocess.CompletedProcess[str]:
        """A command, to its end; `given` comes on its standard input."""
        done = warm_commands.run(words, self.environment, given)
        if succeeds:
            assert done.returncode == 0, f"mailvane {' '.join(words)}: {done.stderr}"
        return done

    def answer(self, *words: str) -> Any:
        """What a command prints with --json."""
        return json.loads(self.run(*words, "--json").stdout)

    def run_several(self, *commands: tuple[str, ...]) -> list[Done]:
        """Commands in one process, as starting takes longer than most of them."""
        done = warm_commands.run_several(commands, self.environment)
        assert done.returncode == 0, f"mailvane {commands}: {done.stderr}"
        return [Done(*each) for each in json.loads(done.stdout)]

    def answers(self, *commands: tuple[str, ...]) -> list[Any]:
        """What each prints with --json."""
        done = self.run_several(*((*words, "--json") for words in commands))
        assert not any(each.returncode for each in done), f"mailvane {commands}: {done}"
        return [json.loads(each.stdout) for each in done]

    def tenant(self, name: str) -> tuple[int, str]:
        """A workspace with one relay: the relay's id, and a workspace key.

        As the commands make them, but without their three processes, each of which takes longer than many a test.
        """
        now = time.time_ns() // 1_000_000
        self._place_stores()
        address = self.environment.get("MAILVANE_LEDGER", f"sqlite:///{self.data / 'ledger.sqlite'}")
        with closing(open_ledger(address)) as ledger:
            tenancy = Tenancy(ledger.tenants, "")
            workspace = tenancy.create_workspace(name, now).id
            relay = tenancy.create_relay(workspace, "", now).id
            return relay, tenancy.create_key(KeyKind.WORKSPACE, workspace, now).token

    @contextmanager
    def serving(self, descriptors: warm_commands.Limits | None = None) -> Iterator[Running]:
        """A server that answers, for the length of a block; with other limits of file descriptors, soft and hard."""
        with self.starting("serve", descriptors=descriptors) as process:
            self.wait_until_ready()
            yield process
            stop(process)

    @contextmanager
    def starting(self, *words: str, descriptors: warm_commands.Limits | None = None) -> Iterator[Running]:
        """As `running`, but forked from a process that has everything imported: a third of the work of a start.

        Where nothing is stored yet it finds empty stores; one that `running` starts makes its own.
        """
        self._place_stores()
        self._before = self._ledger_state()
        self._process = process = warm_commands.Started(words, self.environment, self.log, descriptors)
        try:
            yield process
        finally:
            end(process)

    def kill_servers(self, rounds: int, dice: random.Random, seconds: float) -> None:
        """Start a server, let it work for so long at most, and kill it; again and again."""
        for _ in range(rounds):
            with self.starting("serve") as process:
                self.wait_for_progress()
                time.sleep(dice.uniform(0, seconds))
                assert kill(process), f"the server ended by itself: {self.said()}"

    def _place_stores(self) -> None:
        """Empty ones, copied, where nothing is stored yet."""
        ledger, maillog = self.data / "ledger.sqlite", self.data / "maillog"
        if ledger.exists() or maillog.exists():
            return
        if "MAILVANE_LEDGER" not in self.environment:
            place_empty(ledger)
        if "MAILVANE_MAILLOG" not in self.environment:
            shutil.copytree(warm_commands.empty_maillog(), maillog, symlinks=True)

    def wait_until_ready(self) -> None:
        def ready() -> bool:
            try:
                # To be refused takes a client of HTTP a hundred times as long, again and again until the server is up.
                socket.create_connection(("127.0.0.1", self.port), PATIENCE).close()
                return HTTP.get(f"{self.url}/readyz").status_code == httpx.codes.OK
            except (OSError, httpx.TransportError):
                return False

        self.wait_for(ready)

    def wait_for(self, fact: Callable[[], T]) -> T:
        """What `fact` answers, once that is true; ends at once when the process that was started last has ended."""

        def looked() -> T:
            process = self._process
            assert process is None or process.poll() is None, f"ended with {process.returncode}, saying: {self.said()}"
            return fact()

        return wait_for(looked, self._said_in_vain)

    def wait_for_progress(self) -> None:
        """Until what `starting` started has changed the ledger, and so is in the middle of its work, or has ended."""

        def looked() -> bool:
            ended = self._process is not None and self._process.poll() is not None
            return ended or self._ledger_state() != self._before

        wait_for(looked, self.said)

    def _ledger_state(self) -> list[tuple[str, int, int]]:
        found = sorted(self.data.glob("ledger.sqlite*"))
        return [(path.name, state.st_size, state.st_mtime_ns) for path in found if (state := path.stat())]

    def _said_in_vain(self) -> str:
        """With what the process is doing, when it has been waited for in vain."""
        if isinstance(self._process, warm_commands.Started):
            self._process.show_stacks()
        return self.said()

    def said(self) -> str:
        """The end of what servers and commands said on standard error."""
        return self.log.read_text(errors="replace")[-10_000:] if self.log.exists() else ""

    def get(self, path: str, token: str, **query: Any) -> Any:
        """The decoded answer of a request that succeeds."""
        answer = HTTP.get(f"{self.url}{path}", headers={"X-API-KEY": token}, params=query)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()

    def everything(self, workspace: str) -> dict[str, Any]:
        """All that a workspace's mail log answers, to compare with that of another installation."""
        rows, told = self.answers(
            ("log", "--workspace", workspace, "--notifications", "--oldest-first", "--limit", "10000"),
            ("stats", "--workspace", workspace, "--window", "all", "--top", "500"),
        )
        for row in rows["deliveries"]:
            del row["replied_at"]  # found by and by while a server runs, so it depends on how long one ran
        return {"rows": rows, "tables": told["tables"], "all": told["windows"]["all"]}


def stop(process: Running) -> None:
    """Ask it to end, and see that it does."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0


def kill(process: Running) -> bool:
    """As by `kill -9`; whether it was still running."""
    running = process.poll() is None
    process.kill()
    process.wait()
    return running


def end(process: Running) -> None:
    """Nothing is left of it: neither the process nor its pipes."""
    process.kill()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    process.wait()
