"""Every command of the command line, with arguments and in places that are not as they should be: a status and a line.

In this process, as hundreds of starts would take minutes; how a process ends is looked at once.
"""

from __future__ import annotations

import fcntl
import io
import os
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import typer

from mailvane.server import cli
from mailvane.server.main import Mailvane
from mailvane.server.settings import load
from tests.acceptance.installation import COMMAND, Installation
from tests.depth import rounds
from tests.ledgers import place_empty
from tests.waiting import PATIENCE, wait_for

MOST_LINES = 12  # with the usage and the box around a complaint
RUN_FOR_EVER = {("serve",), ("demo",), ("mcp",)}
HOSTILE = ("\udcff", "../../etc/passwd", "x" * 300, "-1", "[red]{}%s\x1b[31m")


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, child in sorted(command.commands.items()):
        if getattr(child, "commands", None):
            yield from leaves(child, (*path, name))
        else:
            yield (*path, name), child


COMMANDS = dict(leaves(typer.main.get_command(cli.build())))
NAMES = [" ".join(path) for path in COMMANDS]


def filled(command: Any, word: str) -> list[str]:
    """The word wherever something has to be given."""
    words: list[str] = []
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            words.append(word)
        elif parameter.required:
            words += [parameter.opts[0], word]
    return words if not word.startswith("-") else [each for each in words if each.startswith("--")] + ["--", word]


Run = Callable[..., tuple[object, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    environment = {"MAILVANE_DATA": str(tmp_path / "data"), "MAILVANE_HTTP": "127.0.0.1:9"}
    place_empty(tmp_path / "data" / "ledger.sqlite")
    monkeypatch.chdir(tmp_path)

    def made(*words: str) -> tuple[object, str]:
        opened: list[Mailvane] = []

        def start(given: Any) -> Mailvane:
            opened.append(Mailvane(load(given, environment)))
            return opened[-1]

        monkeypatch.setattr(sys, "argv", ["mailvane", *words])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
        with pytest.raises(SystemExit) as ended:
            cli.run(start)
        for each in opened:
            each.close()
        return ended.value.code, capfd.readouterr().err

    return made


def check(status: object, told: str) -> None:
    assert status in {0, 1, 2}
    assert "Traceback" not in told
    assert len(told.splitlines()) <= MOST_LINES
    assert status == 0 or told.strip()


@pytest.mark.parametrize("path", COMMANDS, ids=NAMES)
def test_no_argument_makes_a_command_fail_without_a_word(run: Run, path: tuple[str, ...]) -> None:
    first = NAMES.index(" ".join(path))  # two of the words for each command, so that each is met often
    for word in [HOSTILE[(first + number) % len(HOSTILE)] for number in range(rounds(2, len(HOSTILE)))]:
        words = filled(COMMANDS[path], word)
        if words or path not in RUN_FOR_EVER:
            check(*run(*path, *words))


@pytest.mark.parametrize("path", [path for path in COMMANDS if path != ("demo",)], ids=" ".join)  # it has its own
def test_a_ledger_that_is_none_is_said_by_every_command(run: Run, path: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "data" / "ledger.sqlite").write_bytes(b"\xa5" * 40_000)
    status, told = run(*path, *filled(COMMANDS[path], "1"))
    assert status != 0
    if path != ("doctor",):  # which prints what it finds
        check(status, told)


def test_a_zone_that_there_is_not_is_said(run: Run) -> None:
    run("workspace", "create", "acme")
    run("relay", "create", "--workspace", "acme")
    Path("mail.log").write_text("Oct 10 09:00:00 mx1 postfix/qmgr[1]: 4TF: removed\n")
    for zone in ("Mars/Olympus", "../UTC", "Europe", "\udcff"):
        status, told = run("import", "postfix", "mail.log", "--workspace", "acme", "--timezone", zone)
        assert (status, len(told.splitlines())) == (1, 1)
        assert "time zone" in told


def test_a_reader_that_has_seen_enough_is_no_failure(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [COMMAND, "workspace", "list"], env=installation.environment, stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_interrupted_command_says_so_in_one_line(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    installation.tenant("acme")
    words = ("import", "postfix", "-", "--workspace", "acme")
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell in the background starts all to ignore it
    with installation.running(*words, **pipes, start_new_session=True, preexec_fn=heard) as process:
        assert process.stdin is not None
        process.stdin.write("Oct 10 09:00:00 mx1 postfix/qmgr[1]: 4TF: removed\n")
        process.stdin.flush()
        pipe = process.stdin.fileno()
        wait_for(lambda: fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)) == bytes(4))  # it has read the line
        os.killpg(process.pid, signal.SIGINT)
        _, told = process.communicate(timeout=PATIENCE)
    assert (process.returncode, told) == (130, "mailvane: interrupted\n")
