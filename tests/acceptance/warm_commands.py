"""Commands in processes of their own that are forked from one which has imported them already.

Importing takes most of the time of a command. The process that is forked has not loaded the engine of the mail log
and has no threads. How a process starts by itself is judged by those that tests start with `Installation.running`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from multiprocessing import get_context
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory

from mailvane.server.main import main
from tests.waiting import PATIENCE

_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__, "mailvane.server.stores"])


def run(words: tuple[str, ...], environment: Mapping[str, str]) -> CompletedProcess[str]:
    """`mailvane` with these words, to its end."""
    with TemporaryDirectory() as directory:
        said = [Path(directory) / name for name in ("stdout", "stderr")]
        process = _CONTEXT.Process(target=_command, args=(words, dict(environment), Path.cwd(), said))
        process.start()
        process.join(2 * PATIENCE)
        process.kill()
        process.join()
        assert process.exitcode is not None
        out, told = (path.read_bytes().decode() for path in said)
    return CompletedProcess(words, process.exitcode, out, told)


def _command(words: tuple[str, ...], environment: dict[str, str], place: Path, said: list[Path]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(place)
    for number, path in enumerate(said, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.argv = ["mailvane", *words]
    main()
