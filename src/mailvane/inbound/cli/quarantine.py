"""`mailvane quarantine`: list, show, accept, snooze, reject, digest."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from mailvane.core.cli.rendering import console, moment, print_json, print_record
from mailvane.core.decoding import prepared
from mailvane.core.errors import InvalidInput, NotFound
from mailvane.core.moments import HOUR_MS
from mailvane.inbound.cli.program import ACTOR, Desk, desk
from mailvane.inbound.model import Message, MessageStatus
from mailvane.inbound.quarantine import SNOOZE_DAYS, Decided
from mailvane.inbound.questions import MessageQuestion
from mailvane.inbound.scores import Symbol
from mailvane.maillog.dates import earliest

group = typer.Typer(help="Mail that is held until somebody decides about it.", no_args_is_help=True)
_IDS = typer.Argument(help="Ids of messages.")
_WORKSPACE = typer.Option(None, help="The workspace; by default the only one.")
_JSON = typer.Option(False, "--json", help="Print JSON.")


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="quarantine")


@group.command(name="list")
def list_(
    context: typer.Context,
    search: str = typer.Option("", help="A part of sender, recipient or subject."),
    workspace: str | None = _WORKSPACE,
    most: int = typer.Option(25, "--limit", min=0, help="Messages at most; 0: all."),
    as_json: bool = _JSON,
) -> None:
    """List held mail, the newest first."""
    at = desk(context, workspace)
    question = MessageQuestion(workspace=at.workspace, statuses=(MessageStatus.QUARANTINED,), text=search or None)
    page = at.services.stores.pages.page(question, 0, most or 2**31)
    if as_json:
        print_json(page.messages)
        return
    if not page.messages:
        console().print("nothing is held")
        if why := at.services.received.source(at.workspace).why_nothing_is_held:
            console().print(why, style="dim")
        return
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 1, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in page.messages:
        score = "no score" if one.score is None else f"score {one.score:g}"
        left = Text.assemble((one.id, "bold"), (f"\n{moment(one.received_at, at.place.zone)}, {score}", "dim"))
        right = Text.assemble(one.from_address or one.sender, "\n", (f"to {one.recipient}", "dim"), "\n", one.subject)
        table.add_row(left, right)
    console().print(table)
    if len(page.messages) < page.total:
        console().print(f"{page.total - len(page.messages):,} more: --limit 0 shows all", style="dim")


@group.command()
def show(
    context: typer.Context,
    message: str = typer.Argument(help="Id of the message."),
    raw: bool = typer.Option(False, "--raw", help="Print the mail as it came, and nothing else."),
    workspace: str | None = _WORKSPACE,
    as_json: bool = _JSON,
) -> None:
    """Show a message of any status, and why it is held."""
    at = desk(context, workspace)
    found = at.services.received.message(at.workspace, message)
    if found is None:
        raise NotFound(f"there is no message {message[:60]}")
    if raw:
        content = at.services.content(found.content) if found.content else None
        if content is None:
            raise NotFound("the content of this message is not kept any more")
        sys.stdout.buffer.write(content)
    elif as_json:
        print_json(found)
    else:
        _show(at, found)


def _show(at: Desk, one: Message) -> None:
    symbols = msgspec.json.decode(one.symbols, type=prepared(tuple[Symbol, ...]))
    results = msgspec.json.decode(one.authentication, type=dict[str, str])
    print_record(
        one.id,
        {
            "status": one.status.value,
            "why": one.reason,
            "received": moment(one.received_at, at.place.zone),
            "from": f"{one.from_name} <{one.from_address}>" if one.from_name else one.from_address,
            "envelope": one.sender or "<>",
            "to": one.recipient,
            "subject": one.subject,
            "size": f"{one.size:,} bytes",
            "client": f"{one.client_name} {one.client}".strip(),
            "score": "unknown" if one.score is None else f"{one.score:g}",
            "symbols": ", ".join(f"{each.name} {each.score:g}" for each in symbols),
            "authentication": ", ".join(f"{name} {result}" for name, result in results.items()),
            "reply": one.reply,
            "kept until": moment(one.expires_at or 0, at.place.zone),
        },
    )


@group.command()
def accept(
    context: typer.Context, messages: list[str] = _IDS, workspace: str | None = _WORKSPACE, as_json: bool = _JSON
) -> None:
    """Deliver held mail, unless a filter denies it. Exit status 1 when something was not delivered."""
    at = desk(context, workspace)
    decided = at.services.quarantine.accept(at.workspace, list(dict.fromkeys(messages)), ACTOR, at.now)
    _settled(decided, as_json, good=(MessageStatus.DELIVERED, MessageStatus.PENDING))


@group.command()
def snooze(
    context: typer.Context,
    messages: list[str] = _IDS,
    until: str = typer.Option("", help="When, such as 2026-11-30 or '2026-11-30 08:00'."),
    hours: float = typer.Option(0, min=0, max=24 * SNOOZE_DAYS, help="Or after so many hours."),
    workspace: str | None = _WORKSPACE,
    as_json: bool = _JSON,
) -> None:
    """Deliver held mail at a time to come, unless a filter denies it now. Exit status 1 when something was not held."""
    at = desk(context, workspace)
    if bool(until) is bool(hours):
        raise InvalidInput("say either --until or --hours")
    when = earliest(until, at.now, at.place.zone) if until else at.now + int(hours * HOUR_MS)
    decided = at.services.quarantine.snooze(at.workspace, list(dict.fromkeys(messages)), when, ACTOR, at.now)
    _settled(decided, as_json, good=(MessageStatus.SNOOZED,))


@group.command()
def reject(
    context: typer.Context, messages: list[str] = _IDS, workspace: str | None = _WORKSPACE, as_json: bool = _JSON
) -> None:
    """Deny held mail: its content is forgotten. Exit status 1 when something was not held any more."""
    at = desk(context, workspace)
    decided = at.services.quarantine.reject(at.workspace, list(dict.fromkeys(messages)), ACTOR, at.now)
    _settled(decided, as_json, good=(MessageStatus.DENIED,))


@group.command()
def digest(
    context: typer.Context,
    url: str | None = typer.Option(None, help="How people reach this server, such as https://mail.example.org."),
    scheduled: bool = typer.Option(
        False, "--scheduled", help="For cron: send what is due by digest_hour, unless it was, by whomever."
    ),
    workspace: str | None = _WORKSPACE,
    as_json: bool = _JSON,
) -> None:
    """Mail to each address what is held for it, with links to decide.

    Exit status 1 when a mail could not be sent.
    """
    at = desk(context, workspace)
    if scheduled:
        sent = list(asyncio.run(at.place.due_digests(at.workspace, url)))
    else:
        day = moment(at.now, at.place.zone)[:10]
        sent = asyncio.run(at.place.digests(url).send(at.workspace, day, at.now))
    if as_json:
        print_json(sent)
    for one in () if as_json else sent:
        console().print(f"{one.address}: {one.held:,} held, {one.problem or 'sent'}", soft_wrap=True)
    if not sent and not as_json:
        console().print("nothing is to be told" if scheduled else "nothing is held")
    if any(one.problem for one in sent):
        raise typer.Exit(1)


def _settled(decided: Sequence[Decided], as_json: bool, good: Sequence[MessageStatus]) -> None:
    if as_json:
        print_json(decided)
    for one in () if as_json else decided:
        if one.refusal is None and one.status is MessageStatus.PENDING:
            told = "accepted; it is handed on by a server that runs the role smtp"
        else:
            told = one.reason or ("" if one.status is None else one.status.value)
        console().print(f"{one.id}  {told}", soft_wrap=True)
    if any(one.refusal is not None or one.status not in good for one in decided):
        raise typer.Exit(1)
