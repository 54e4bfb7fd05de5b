"""`mailvane demo`: a server beside a simulated Postfix. The world writes a log; the server reads it as any other."""

from __future__ import annotations

import logging
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from zoneinfo import ZoneInfo

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from mailvane.core.errors import InvalidInput
from mailvane.core.tenants.model import KeyKind
from mailvane.core.tenants.service import Tenancy
from mailvane.dashboard.people.service import People
from mailvane.maillog.settings import PostfixLog
from mailvane.server import serving
from mailvane.server.ledgers import ledger_of
from mailvane.server.settings import Settings, base_url, load, master_token
from mailvane.server.stores import Stores
from mailvane_demo import inbound, outreach, reputation, sending
from mailvane_demo.options import DemoOptions
from mailvane_demo.reputation import JudgingWorld
from mailvane_demo.world.incidents import MINUTE_MS, script
from mailvane_demo.world.log_writer import LogWriter
from mailvane_demo.world.mailbox_server import MailboxServer
from mailvane_demo.world.postfix import PostfixWorld, Rush

WORKSPACE = "demo"
_LOG = "mail.log"
_DAY = 86_400_000
_LIVE_RUSH = 40.0  # a relay of a few thousand mails a day is dull to watch
_LOOK_SECONDS = 0.1


def run(settings: Settings, options: DemoOptions, pause: int = MINUTE_MS) -> None:
    """Until told to stop; incidents begin after a pause, in ms. Raises InvalidInput when the directory is not empty."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    with _place(options.data) as place:
        writer = _write_history(place / _LOG, options)
        with (
            reputation.judging_world(place, WORKSPACE, options.seed, script(_clock(), pause), _clock) as judging,
            MailboxServer(inbound.ROOM) as mailboxes,
        ):
            _serve(_demo_settings(place, settings), options, writer, judging, mailboxes)


def _demo_settings(place: Path, settings: Settings) -> Settings:
    doors = {"http": str(settings.http), "smtp": f"127.0.0.1:{inbound.free_port()}"}
    demo = load({"data": str(place), "timezone": settings.timezone.key, **doors}, {})
    log = PostfixLog(place / _LOG, WORKSPACE, timezone=ZoneInfo("UTC"))
    return msgspec.structs.replace(demo, postfix=(log,), inbound=inbound.SETTINGS)


def _serve(
    demo: Settings, options: DemoOptions, writer: LogWriter, judging: JudgingWorld, mailboxes: MailboxServer
) -> None:
    topic, outbound = sending.signed_topic(demo.data, _clock())
    demo = msgspec.structs.replace(demo, outbound=outbound)
    judging.write_history(options.days, _clock())
    token, relay = _tenant(demo, judging, options, mailboxes.port)
    guide = _guide(demo, token, judging)
    office = inbound.SimulatedSenders(demo.smtp.port, options.seed)
    sender = sending.SimulatedSender(base_url(demo), master_token(demo), topic, options.seed)
    team = outreach.SimulatedOutreach(base_url(demo), token, relay, options.seed, options.days)
    living = (
        Thread(target=writer.follow, args=(_clock(), _clock), name="world", daemon=True),
        Thread(target=sender.run, args=(_clock,), name="sending account", daemon=True),
        Thread(target=judging.live, args=(_clock,), name="reporters", daemon=True),
        Thread(target=team.run, args=(_clock,), name="outreach team", daemon=True),
        Thread(target=office.run, args=(_clock,), name="mail that comes in", daemon=True),
    )

    def welcome(stores: Stores) -> None:
        office.send_today(_clock())
        _welcome(demo, stores, guide, living)

    try:
        serving.serve(demo, frozenset({"http", "worker", "smtp"}), welcome)
    finally:
        office.stop()
        team.stop()
        sender.stop()
        writer.stop()


@contextmanager
def _place(data: Path | None) -> Iterator[Path]:
    if data is None:
        with tempfile.TemporaryDirectory(prefix="mailvane-demo-", ignore_cleanup_errors=True) as place:
            yield Path(place)
        return
    if data.exists() and any(data.iterdir()):
        raise InvalidInput(f"{data} is not empty: a demo begins with an empty directory")
    data.mkdir(parents=True, exist_ok=True)
    yield data.absolute()


def _tenant(settings: Settings, judging: JudgingWorld, options: DemoOptions, mailboxes: int) -> tuple[str, int]:
    """Make the demo's workspace, with all that is its own; the token of a key to it, and the outreach team's relay."""
    with ledger_of(settings) as ledger:
        tenancy = Tenancy(ledger.tenants, master_token(settings))
        workspace = tenancy.ensure_workspace(WORKSPACE, _clock())
        tenancy.create_relay(workspace.id, "the simulated Postfix", _clock())
        team = tenancy.create_relay(workspace.id, "the outreach team's mail server", _clock())
        outreach.make_team(ledger, workspace.id, _clock())
        sending.make_domains(settings, ledger, workspace.id, _clock())
        reputation.watch(judging, settings, ledger, workspace.id, options.days, _clock())
        inbound.make_office(ledger.inbound, workspace.id, mailboxes, options.seed, options.days, _clock())
        return tenancy.create_key(KeyKind.WORKSPACE, workspace.id, _clock()).token, team.id


def _write_history(log: Path, options: DemoOptions) -> LogWriter:
    now = _clock()
    # From midnight on, so that a seed tells the same story whenever it is told.
    start = now // _DAY * _DAY - options.days * _DAY
    world = PostfixWorld(options.seed, start, options.mails_per_day, Rush(now, _LIVE_RUSH))
    writer = LogWriter(world, log)
    with _progress(f"simulating {options.days} days of mail", now - start) as advance:
        for day in range(start, now, _DAY):
            end = min(day + _DAY, now)
            writer.write(day, end)
            advance(end - start)
    return writer


def _welcome(settings: Settings, stores: Stores, guide: str, living: Iterable[Thread]) -> None:
    """Called when questions are answered: wait for the history, start the present, tell people what to try."""
    size = (settings.data / _LOG).stat().st_size
    with _progress("reading the log", size) as advance:
        while (done := _taken_in(stores)) < size or stores.ledger.journal.backlog():
            advance(done)
            time.sleep(_LOOK_SECONDS)
    for thread in living:
        thread.start()
    link = People(stores.ledger.people, stores.ledger.tenants).first_link(_clock())
    console = Console(highlight=False)
    console.print(f"{guide}{_dashboard(settings, link)}", soft_wrap=True)
    console.file.flush()  # a pipe or file is to hold it while the demo runs


def _dashboard(settings: Settings, token: str | None) -> str:
    """The last thing that a person reads, and the first to open."""
    url = f"{base_url(settings)}/ui"
    opened = f"{url}/login/{token}" if token else url
    return f"""
[bold green]Open the dashboard:[/] {opened}
Once, within 15 minutes; `mailvane login-link` prints another.

Ctrl-C ends it.
"""


def _taken_in(stores: Stores) -> int:
    relays = [relay for one in stores.ledger.tenants.workspaces() for relay in stores.ledger.tenants.relays(one.id)]
    return sum(cursor.offset for relay in relays for cursor in stores.ledger.journal.cursors(f"postfix:{relay.id}"))


def _guide(settings: Settings, token: str, judging: JudgingWorld) -> str:
    url = base_url(settings)
    command = f"{shlex.quote(sys.argv[0])} --data {shlex.quote(str(settings.data))}"
    log = settings.postfix[0].path
    return f"""
[bold green]Mailvane is running[/] on [bold]{url}[/], beside a simulated Postfix that goes on sending.

  log       {log}
  key       {token}

[bold]Ask it[/] in another terminal, as any client of the MailBaby API would:

  curl -s -H 'X-API-KEY: {token}' '{url}/mail/log?limit=3'
  curl -s -H 'X-API-KEY: {token}' '{url}/mail/log?delivered=0&startDate=yesterday&limit=3'
  curl -s -H 'X-API-KEY: {token}' '{url}/mail/stats?time=24h'

[bold]Or look yourself:[/]

  {command} log --undelivered
  {command} stats
  {command} explain MAIL_ID

{sending.guide(url, token)}
{reputation.guide(judging, url, token, command)}
{outreach.guide(url, token, command)}
{inbound.guide(url, token, command, settings.smtp.port)}
"""


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn(f"{what:<28}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda done: bar.update(task, completed=done)


def _clock() -> int:
    return time.time_ns() // 1_000_000
