"""Builds the command line and runs it. Errors become one line on standard error and a status of 1."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

import typer

from mailvane import __version__
from mailvane.core.errors import MailvaneError

if TYPE_CHECKING:
    from mailvane.core.cli.program import Program

Register = Callable[[typer.Typer], None]
Room = Callable[[], Sequence[Register]]


def _core() -> Sequence[Register]:
    from mailvane.core.cli import key, relay  # noqa: PLC0415

    return key.register, relay.register


def _dashboard() -> Sequence[Register]:
    from mailvane.dashboard.cli import login_link  # noqa: PLC0415

    return (login_link.register,)


def _dmarc() -> Sequence[Register]:
    from mailvane.dmarc.cli import dmarc  # noqa: PLC0415

    return (dmarc.register,)


def _inbound() -> Sequence[Register]:
    from mailvane.inbound.cli import address, contact, filters, inbound, quarantine, report  # noqa: PLC0415

    return tuple(each.register for each in (address, contact, filters, inbound, quarantine, report))


def _mailboxes() -> Sequence[Register]:
    from mailvane.mailboxes.cli import mailbox, mailboxes, tagging  # noqa: PLC0415

    return mailbox.register, tagging.register, mailboxes.register


def _maillog() -> Sequence[Register]:
    from mailvane.maillog.cli import explain, importing, log, stats, upkeep  # noqa: PLC0415

    return explain.register, importing.register, log.register, stats.register, upkeep.register


def _outbound() -> Sequence[Register]:
    from mailvane.outbound.cli import domain, hold, limit, quota, suppression  # noqa: PLC0415

    return tuple(each.register for each in (domain, hold, limit, quota, suppression))


def _reputation() -> Sequence[Register]:
    from mailvane.reputation.cli import alerts, channels, check, heartbeat, maintenance, watch  # noqa: PLC0415

    return tuple(each.register for each in (alerts, channels, check, heartbeat, maintenance, watch))


def _server() -> Sequence[Register]:
    from mailvane.server.commands import api, config, doctor, mcp, node, serve, workspace  # noqa: PLC0415

    return tuple(each.register for each in (api, config, doctor, mcp, node, serve, workspace))


# The commands of each room by their words. A room is imported for a command of its own, and all of them for the help.
COMMANDS: Mapping[Room, Sequence[str]] = {
    _core: ("key", "relay"),
    _dashboard: ("login-link",),
    _dmarc: ("dmarc",),
    _inbound: ("address", "alias", "contact", "filter", "inbound", "quarantine", "report"),
    _mailboxes: ("mailbox", "mailbox-rule", "mailbox-set", "mailbox-tag", "mailbox-untag", "mailboxes"),
    _maillog: ("backup", "explain", "import", "log", "rebuild", "restore", "stats"),
    _outbound: ("domain", "hold", "limit", "quota", "suppression"),
    _reputation: ("alerts", "channels", "check", "heartbeat", "maintenance", "watch"),
    _server: ("api", "config", "doctor", "mcp", "node", "serve", "workspace"),
}
ADDED = "mailvane.commands"  # entry points of this group add commands: packages beside the server, such as the demo


def build(asked: str | None = None) -> typer.Typer:
    """The command line: of the room that has the command asked for, or, when no room has it, of all of them and of what
    is installed beside, by name."""
    app = typer.Typer(
        name="mailvane",
        help="The self-hosted email operations server.",
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
    )
    rooms = [room for room, words in COMMANDS.items() if asked in words]
    for register in [register for room in rooms for register in room()] or _all():
        register(app)
    app.callback()(_options)
    return app


def _all() -> Iterator[Register]:
    from importlib.metadata import entry_points  # noqa: PLC0415

    found = {register.__module__.rpartition(".")[2]: register for room in COMMANDS for register in room()}
    found |= {each.name: each.load() for each in entry_points(group=ADDED)}
    return (register for _, register in sorted(found.items()))


def asked_for(words: Sequence[str]) -> str | None:
    """The name of the command: the first word that is neither an option of the program nor the value of one."""
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            return word
        if word in _WITH_VALUE:
            next(rest, None)
    return None


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
            _complain(error.message, REFUSED.get(context.invoked_subcommand or "", 1))
        context.call_on_close(context.obj.close)  # not at the end of the interpreter: the engine is gone by then


_WITH_VALUE = frozenset({"--config", "--data", "--http"})
# What ends a command before it begins. Of reports 1 says that there are alerts (`CANNOT_TELL` of their command).
REFUSED = {"report": 2}
_INTERRUPTED = 128 + signal.SIGINT  # as shells say it
Start = Callable[[Mapping[str, str | None]], "Program"]


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
        asked = asked_for(sys.argv[1:])
        _version(asked is None and "--version" in sys.argv)  # told without loading every command
        build(asked)(obj=start)
    except typer.Exit:
        sys.stdout.flush()
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
    from rich.console import Console  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415

    Console(stderr=True, highlight=False).print(f"[bold red]mailvane:[/] {escape(message)}", soft_wrap=True)
    sys.exit(status)
