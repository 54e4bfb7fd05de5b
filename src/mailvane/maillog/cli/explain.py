"""`mailvane explain`: the whole life of one mail, with the log lines that tell of it."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.text import Text

from mailvane.core.cli.rendering import console, moment, print_json, print_record
from mailvane.core.cli.selection import chosen_workspace
from mailvane.core.errors import InvalidInput, NotFound
from mailvane.core.tenants.model import INBOUND_RELAY
from mailvane.maillog.cli.program import maillog_program
from mailvane.maillog.model import EventType, MailEvent, MailKey, parse_mail_id
from mailvane.maillog.queries import QueueIdQuestion

if TYPE_CHECKING:
    from mailvane.maillog.interface import MailLog

_QUEUE_ID = re.compile(r"[\w.-]{1,255}")  # of any mail server

_STYLE = {
    EventType.DELIVERED: "bold green",
    EventType.DEFERRED: "bold yellow",
    EventType.BOUNCED: "bold red",
    EventType.EXPIRED: "bold red",
    EventType.REJECTED: "bold red",
}


def register(app: typer.Typer) -> None:
    app.command()(explain)


def explain(
    context: typer.Context,
    mail: str = typer.Argument(
        help="The mail's id, as in `mailvane log`, or a queue id that it had here or elsewhere."
    ),
    workspace: str | None = typer.Option(None, help="The workspace; by default the only one."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Tell the life of a mail, event by event, with file, line number and the raw lines.

    Postfix gives short queue ids out again: all mails that one may mean are told of, at most ten, the newest first.
    """
    program = maillog_program(context)
    tenants = program.tenants()
    found = chosen_workspace(tenants, workspace)
    relays = (INBOUND_RELAY, *(relay.id for relay in tenants.relays(found.id)))
    with program.maillog() as maillog:
        mails = [
            events for key in _mails(maillog, found.id, relays, mail) if (events := maillog.mail_events(found.id, key))
        ]
    if not mails:
        raise NotFound(f"workspace {found.name} has no mail {mail}")
    if as_json:
        print_json(
            [
                {**{name: getattr(event, name) for name in MailEvent.__struct_fields__}, "mail_id": event.mail_id}
                for events in mails
                for event in events
            ]
        )
        return
    for number, events in enumerate(mails):
        if number:
            console().print()
        _print_mail(events, program.zone)
        for event in events:
            _print_event(console(), event, program.zone)


def _mails(maillog: MailLog, workspace: int, relays: tuple[int, ...], name: str) -> list[MailKey]:
    """The mails of this id, or of this queue id. Raises InvalidInput when it is neither."""
    if not _QUEUE_ID.fullmatch(name):
        raise InvalidInput("a mail id has 18 hexadecimal digits; a queue id has letters, digits, dots and dashes only")
    keys: list[MailKey] = []
    with suppress(InvalidInput):  # it is no mail id
        accepted_at, number = parse_mail_id(name)
        keys = [MailKey(relay, accepted_at, number) for relay in relays]
    named = maillog.with_queue_id(QueueIdQuestion(workspace=workspace, relays=relays, queue_id=name))
    return list(dict.fromkeys([*keys, *named]))


def _known(events: list[MailEvent], field: str) -> str:
    return next((str(value) for event in events if (value := getattr(event, field))), "")


def _print_mail(events: list[MailEvent], zone: ZoneInfo) -> None:
    first = events[0]
    fields = {
        "accepted": moment(first.accepted_at, zone),
        "from": _known(events, "sender") or "<>",
        "subject": _known(events, "subject"),
        "Message-ID": _known(events, "message_id"),
        "came from": " ".join(filter(None, (_known(events, "client_name"), _known(events, "origin")))),
        "through": " ".join(
            filter(None, (_known(events, "interface"), _known(events, "protocol"), _known(events, "login")))
        ),
        "size": f"{int(_known(events, 'size') or 0):,} bytes",
        "queue id": f"{_known(events, 'queue_id')} on {_known(events, 'host')}",
    }
    print_record(f"mail {first.mail_id}, relay {first.relay}", fields)


def _print_event(out: Console, event: MailEvent, zone: ZoneInfo) -> None:
    out.print()
    head = Text.assemble(
        (moment(event.at, zone), "bold"), "  ", (event.type.value, _STYLE.get(event.type, "bold cyan"))
    )
    if event.recipient:
        head.append(f"  {event.recipient}")
    if event.original_recipient and event.original_recipient != event.recipient:
        head.append(f" (was {event.original_recipient})", "dim")
    if event.mx_host:
        head.append(f"  by {event.mx_host} {event.mx_ip}".rstrip())
    out.print(head)
    if event.family:
        out.print(Text(f"  {event.family.value.replace('_', ' ')}, {'hard' if event.hard else 'soft'}", "italic"))
    if event.reply:
        out.print(Text(f"  {event.reply}"))
    for line in filter(None, event.raw.split("\n")):
        number, _, text = line.partition("\t")
        out.print(Text(f"  {event.source}:{number}  ", "dim").append(text, "dim"), soft_wrap=True)
