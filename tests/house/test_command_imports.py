"""A command that asks a running server loads no engine, no ledger and no server: they take longer than the answer.

Each runs as a process of its own on a data directory that a server holds, up to its first request; nothing listens at
the address of that server, so there it ends.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from mailvane import __version__
from mailvane.inbound.cli.report import CANNOT_TELL
from mailvane.server import cli
from mailvane.server.data_directory import owned
from mailvane.server.ledger import open_ledger
from tests.waiting import PATIENCE

UNREACHABLE = "http://127.0.0.1:1"
# Whole packages, and the rooms of this program that bring them.
FORBIDDEN = {
    "alembic", "apscheduler", "boto3", "botocore", "chdb", "cryptography", "dateparser", "httpcore", "httpx",
    "jinja2", "litestar", "lxml", "prometheus_client", "pyarrow", "sqlalchemy", "uvicorn", "uvloop",
    "mailvane.core.ledger", "mailvane.dashboard", "mailvane.maillog.clickhouse", "mailvane.maillog.postfix",
    "mailvane.server.ledger", "mailvane.server.serving", "mailvane.server.stores", "mailvane.web",
}  # fmt: skip
PROGRAM = """
import atexit, sys
from mailvane.server.main import main
atexit.register(lambda: print("\\n".join(sys.modules)))
main()
"""


@pytest.mark.parametrize(
    "words",
    [
        ("log",),
        ("log", "--since", "2026-01-31"),
        ("stats",),
        ("explain", "0" * 18),
        ("rebuild",),
        ("backup", "x"),
        ("workspace", "list"),
    ],
    ids=" ".join,
)
def test_a_command_that_asks_a_server_loads_no_other(words: tuple[str, ...], tmp_path: Path) -> None:
    with owned(tmp_path / "data", "mailvane serve", UNREACHABLE):
        command = (sys.executable, "-c", PROGRAM, "--data", str(tmp_path / "data"), *words)
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE, cwd=tmp_path)
    assert f"the server at {UNREACHABLE} does not answer" in " ".join(done.stderr.split())
    modules = done.stdout.split()
    assert "mailvane.maillog.remote" in modules
    assert [each for each in modules if any(f"{each}.".startswith(f"{name}.") for name in FORBIDDEN)] == []


def test_a_login_link_leads_to_the_server_that_runs(tmp_path: Path) -> None:
    """Whatever address that was told when it was started."""
    data = tmp_path / "data"
    with owned(data, "mailvane serve", UNREACHABLE):
        command = (sys.executable, "-c", PROGRAM, "--data", str(data), "login-link")
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE, cwd=tmp_path)
    assert done.stdout.startswith(f"{UNREACHABLE}/ui/login/")


@pytest.mark.parametrize("words", [("domain", "list"), ("quarantine", "list"), ("contact", "list")], ids=" ".join)
def test_a_command_that_asks_the_ledger_loads_no_client_and_no_resolver(words: tuple[str, ...], tmp_path: Path) -> None:
    """Those of HTTP and of DNS take half as long to load as all the rest of such a command."""
    command = (sys.executable, "-c", PROGRAM, "--data", str(tmp_path / "data"), *words)
    open_ledger(
        f"sqlite:///{tmp_path / 'data' / 'ledger.sqlite'}"
    ).close()  # making one takes Alembic, and all there is
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE, cwd=tmp_path)
    modules = set(done.stdout.split())
    assert "sqlalchemy" in modules, done.stderr
    assert modules & {"chdb", "dns", "httpx", "litestar"} == set()


def test_an_import_loads_no_server_and_no_client(tmp_path: Path) -> None:
    """They take a third as long to load as all the rest of it."""
    log = tmp_path / "mail.log"
    log.write_text("Jan  1 00:00:00 mx1 postfix/qmgr[1]: 4A0000A000001: removed\n")
    at = (sys.executable, "-c", PROGRAM, "--data", str(tmp_path / "data"))
    for words in (("workspace", "create", "acme"), ("relay", "create", "--workspace", "acme")):
        subprocess.run((*at, *words), check=True, capture_output=True, timeout=PATIENCE, cwd=tmp_path)
    command = (*at, "import", "postfix", str(log), "--workspace", "acme")
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE, cwd=tmp_path)
    modules = set(done.stdout.split())
    assert "chdb" in modules
    assert modules & {"alembic", "dns", "httpx", "litestar", "uvicorn"} == set()


def test_every_word_is_in_the_table_of_its_room() -> None:
    for room, words in cli.COMMANDS.items():
        app = typer.Typer()
        for register in room():
            register(app)
        assert sorted(typer.main.get_group(app).commands) == sorted(words)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("log", "--help"), "log"),
        (("--data", "key", "log"), "log"),
        (("--data=key", "--http", "127.0.0.1:1", "--config", "stats", "alias", "list"), "alias"),
        (("--help",), None),
        (("--data",), None),
        ((), None),
    ],
)
def test_the_command_is_the_first_word_that_belongs_to_no_option(words: tuple[str, ...], name: str | None) -> None:
    assert cli.asked_for(words) == name


def test_a_report_that_cannot_begin_ends_as_one_that_cannot_tell() -> None:
    assert cli.REFUSED["report"] == CANNOT_TELL


def test_the_version_is_told_without_the_commands(tmp_path: Path) -> None:
    command = (sys.executable, "-c", PROGRAM, "--data", str(tmp_path), "--version")
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE)
    told, *modules = done.stdout.splitlines()
    assert told == f"mailvane {__version__}"
    assert [each for each in modules if each.startswith("mailvane.") and ".cli." in each] == []
