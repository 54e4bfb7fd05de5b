"""Builds the command line and runs it. Errors become one line on standard error and a status of 1."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from mailvane import __version__
from mailvane.core.cli import key, relay
from mailvane.core.cli.program import Program
from mailvane.core.errors import MailvaneError
from mailvane.dashboard.cli import login_link
from mailvane.dmarc.cli import dmarc
from mailvane.inbound.cli import address, contact, filters, inbound, quarantine, report
from mailvane.mailboxes.cli import mailbox, mailboxes
from mailvane.mailboxes.cli import tagging as mailbox_tagging
from mailvane.maillog.cli import explain, importing, log, stats, upkeep
from mailvane.outbound.cli import domain, limit, quota
from mailvane.reputation.cli import alerts, check
from mailvane.server.commands import config, doctor, mcp, serve, workspace

Register = Callable[[typer.Typer], None]
COMMANDS: Mapping[str, Register] = {
    "address": address.register,
    "alerts": alerts.register,
    "check": check.register,
    "config": config.register,
    "contact": contact.register,
    "dmarc": dmarc.register,
    "doctor": doctor.register,
    "domain": domain.register,
    "explain": explain.register,
    "filters": filters.register,
    "importing": importing.register,
    "inbound": inbound.register,
    "key": key.register,
    "limit": limit.register,
    "log": log.register,
    "login_link": login_link.register,
    "mailbox": mailbox.register,
    "mailboxes": mailboxes.register,
    "mailbox-tag": mailbox_tagging.register,
    "mcp": mcp.register,
    "quarantine": quarantine.register,
    "quota": quota.register,
    "relay": relay.register,
    "report": report.register,
    "serve": serve.register,
    "stats": stats.register,
    "upkeep": upkeep.register,
    "workspace": workspace.register,
}
ADDED = "mailvane.commands"  # entry points of this group add commands: packages beside the server, such as the demo


def build() -> typer.Typer:
    """The command line with every group of `COMMANDS` and what is installed beside, by name."""
    app = typer.Typer(
        name="mailvane",
        help="The self-hosted email operations server.",
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
    )
    added = {each.name: each.load() for each in entry_points(group=ADDED)}
    for _, register in sorted({**COMMANDS, **added}.items()):
        register(app)
    app.callback()(_options)
    return app


def _version(shown: bool) -> None:
    if shown:
        typer.echo(f"mailvane {__version__}")
        raise typer.Exit


def _options(
    context: typer.Context,
    data: str | None = typer.Option(None, help="Data directory; the setting `data`."),
    config: str | None = typer.Option(None, help="Settings file; by default mailvane.toml in the data directory."),
    http: str | None = typer.Option(None, help="Address to serve HTTP on; the setting `http`."),
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),  # noqa: ARG001
) -> None:
    """The self-hosted email operations server."""
    # A person who asks for help should get it whatever is wrong with the settings.
    if "--help" not in sys.argv:
        start: Start = context.obj
        try:
            context.obj = start({"data": data, "config": config, "http": http})
        except MailvaneError as error:
            _complain(error.message, _REFUSED.get(context.invoked_subcommand or "", 1))


# What ends a command before it begins. Of reports 1 says that there are alerts.
_REFUSED = {"report": report.CANNOT_TELL}
_INTERRUPTED = 128 + signal.SIGINT  # as shells say it
Start = Callable[[Mapping[str, str | None]], Program]


def run(start: Start) -> None:
    """Parse the arguments and run the command on the program that `start` makes of the settings given."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what a terminal has no letter for is still shown
    try:
        _run(start)
    except KeyboardInterrupt:
        _complain("interrupted", _INTERRUPTED)
    except MailvaneError as error:
        _complain(error.message)
    except UnicodeEncodeError:
        _complain("a value that was given is not Unicode")  # bytes of the command line that are no UTF-8
    except BrokenPipeError:
        _leave_quietly()
    except OSError as error:
        # Of the system, about a file or an address that a person named or a setting led to.
        about = f": {error.filename}" if error.filename else ""
        _complain(f"{error.strerror or error}{about}")


def _run(start: Start) -> None:
    """As the library runs commands, but for its ends: it says nothing of Ctrl-C, and calls a broken pipe a failure."""
    try:
        build()(obj=start)
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):
            _leave_quietly()
        if ended.code == _INTERRUPTED:
            raise KeyboardInterrupt from None
        sys.stdout.flush()
        raise


def _leave_quietly() -> NoReturn:
    """The reader, `head` for one, has seen enough. What the interpreter still has to write goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nowhere, number)
    sys.exit(0)


def _complain(message: str, status: int = 1) -> NoReturn:
    Console(stderr=True, highlight=False).print(f"[bold red]mailvane:[/] {escape(message)}", soft_wrap=True)
    sys.exit(status)
