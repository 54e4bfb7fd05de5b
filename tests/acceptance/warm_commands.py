"""Commands and servers in processes that are forked from one which has imported them already (`tests/processes.py`).

How a process starts by itself is judged by those that tests start with `Installation.running`.
"""

from __future__ import annotations

import atexit
import faulthandler
import json
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stderr, redirect_stdout, suppress
from functools import cache
from io import StringIO
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any, NamedTuple

from mailvane.maillog.clickhouse import open_maillog
from mailvane.server.main import main
from tests.processes import FORKING
from tests.waiting import PATIENCE

Limits = tuple[int, int]  # of file descriptors: soft and hard
# A variable of the environment: by how many nanoseconds the clock of the process is behind.
CLOCK_BEHIND = "TEST_MAILVANE_CLOCK_BEHIND"


class Surroundings(NamedTuple):
    """What a process finds around it."""

    environment: dict[str, str]
    place: Path
    stdin: Path
    stdout: Path
    stderr: Path
    descriptors: Limits | None = None


def run(words: tuple[str, ...], environment: Mapping[str, str], given: bytes | None = None) -> CompletedProcess[str]:
    """`mailvane` with these words, to its end; `given` comes through a pipe on its standard input."""
    return _run(_command, words, environment, given)


def run_several(commands: Iterable[tuple[str, ...]], environment: Mapping[str, str]) -> CompletedProcess[str]:
    """Each as `mailvane` does, one after the other in one process, which prints how each ended and what it said."""
    return _run(_several, tuple(commands), environment)


def _run(
    target: Callable[..., None], words: tuple[Any, ...], environment: Mapping[str, str], given: bytes | None = None
) -> CompletedProcess[str]:
    with TemporaryDirectory() as directory:
        pipe, out, told = (Path(directory) / name for name in ("stdin", "stdout", "stderr"))
        if given is not None:
            os.mkfifo(pipe)
        around = Surroundings(dict(environment), Path.cwd(), Path(os.devnull) if given is None else pipe, out, told)
        process = FORKING.Process(target=target, args=(words, around))
        process.start()
        if given is not None:
            with suppress(BrokenPipeError), pipe.open("wb") as writer:
                writer.write(given)
        process.join(2 * PATIENCE)
        process.kill()
        process.join()
        assert process.exitcode is not None
        return CompletedProcess(words, process.exitcode, out.read_bytes().decode(), told.read_bytes().decode())


class Started:
    """`mailvane` with these words, running; with the methods of `subprocess.Popen` that tests ask for."""

    stdin = stdout = stderr = None

    def __init__(
        self, words: tuple[str, ...], environment: Mapping[str, str], log: Path, descriptors: Limits | None = None
    ) -> None:
        nothing = Path(os.devnull)
        around = Surroundings(dict(environment), Path.cwd(), nothing, nothing, log, descriptors)
        self._process = FORKING.Process(target=_command, args=(words, around))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if (status := self.poll()) is None:
            raise TimeoutExpired("mailvane", timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def show_stacks(self) -> None:
        """On its standard error: what each of its threads does."""
        self.send_signal(signal.SIGUSR1)
        time.sleep(1)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@cache
def empty_maillog() -> Path:
    """The directory of an embedded mail log that holds nothing, to be copied."""
    directory = mkdtemp(prefix="maillog-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    place = Path(directory) / "maillog"
    process = FORKING.Process(target=_make_maillog, args=(f"chdb://{place}",))
    process.start()
    process.join(PATIENCE)
    assert process.exitcode == 0
    return place


def _make_maillog(dsn: str) -> None:
    open_maillog(dsn).close()


def _command(words: tuple[str, ...], around: Surroundings) -> None:
    _settle(around)
    sys.argv = ["mailvane", *words]
    main()


def _several(commands: tuple[tuple[str, ...], ...], around: Surroundings) -> None:
    _settle(around)
    done = []
    for words in commands:
        sys.argv = ["mailvane", *words]
        status: object = 0
        with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as told:
            try:
                main()
            except SystemExit as ended:
                status = ended.code or 0
        done.append((status, out.getvalue(), told.getvalue()))
    sys.stdout.write(json.dumps(done))


def _settle(around: Surroundings) -> None:
    os.dup2(os.open(around.stdin, os.O_RDONLY), 0)
    sys.stdin = os.fdopen(0, closefd=False)  # which multiprocessing has closed
    for number, path in enumerate((around.stdout, around.stderr), 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    faulthandler.enable(file=2)
    faulthandler.register(signal.SIGUSR1, file=2, all_threads=True)
    if around.descriptors is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, around.descriptors)
    os.environ.clear()
    os.environ.update(around.environment)
    time.tzset()
    if behind := int(around.environment.get(CLOCK_BEHIND, "0")):
        now = time.time_ns
        time.time_ns = lambda: now() - behind
    os.chdir(around.place)
