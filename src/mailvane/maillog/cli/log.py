"""`mailvane log`: search the mail log."""

from __future__ import annotations

from typing import Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mailvane.core.cli.rendering import console, is_narrow, moment, print_csv, print_json, short_moment
from mailvane.core.cli.selection import chosen_relays, chosen_workspace
from mailvane.core.errors import InvalidInput
from mailvane.core.mailbox import canonical_address
from mailvane.maillog import query_language
from mailvane.maillog.cli.delivery_status import status_text
from mailvane.maillog.cli.program import MailLogProgram, maillog_program
from mailvane.maillog.cli.refused import print_refused
from mailvane.maillog.dates import earliest, latest
from mailvane.maillog.model import DeliveryStatus, MailKind, ReasonFamily
from mailvane.maillog.queries import Delivery, LogPage, LogQuestion

_QUERY = typer.Argument(
    None,
    help="A query as the dashboard's mail log takes it, such as 'to:@example.com -state:delivered'; the last seven"
    " days unless it says since: or until:. One that begins with a minus stands after --.",
)


def register(app: typer.Typer) -> None:
    app.command()(log)


def log(  # noqa: PLR0913  each option is one filter of the mail log
    context: typer.Context,
    query: list[str] | None = _QUERY,
    workspace: str | None = typer.Option(None, help="The workspace; by default the only one."),
    relay: int | None = typer.Option(None, help="One relay, or 0: mail that came in; by default all of the workspace."),
    sender: str | None = typer.Option(None, "--from", help="Envelope sender, exact."),
    recipient: str | None = typer.Option(None, "--to", help="Envelope recipient, exact."),
    subject: str | None = typer.Option(None, help="Subject, exact."),
    origin: str | None = typer.Option(None, help="IP address that the mail came from."),
    mx: str | None = typer.Option(None, help="Host that the mail was given to."),
    mail_id: str | None = typer.Option(None, help="The mail's id."),
    queue_id: str | None = typer.Option(None, help="A queue id that the mail had here, or was given elsewhere."),
    message_id: str | None = typer.Option(None, help="Part of the Message-ID, any case."),
    reply_to: str | None = typer.Option(None, help="Address in Reply-To, exact."),
    header_from: str | None = typer.Option(None, help="Address in From, exact."),
    delivered: bool | None = typer.Option(None, "--delivered/--undelivered", help="Only these."),
    status: DeliveryStatus | None = typer.Option(None, help="Only this state."),
    family: ReasonFamily | None = typer.Option(None, help="Only failures of this family."),
    since: str | None = typer.Option(None, help="Accepted at or after, such as 2026-01-31 or 'yesterday'."),
    until: str | None = typer.Option(None, help="Accepted at or before."),
    refused: bool = typer.Option(False, help="What was refused, instead of what was taken in."),
    notifications: bool = typer.Option(False, help="Also the relay's own notifications and probes."),
    by_message: bool = typer.Option(False, help="One row a mail instead of one a recipient."),
    oldest_first: bool = typer.Option(False, help="Oldest first."),
    skip: int = typer.Option(0, min=0, help="Leave out this many rows."),
    limit: int = typer.Option(25, min=1, max=10_000, help="Show at most this many rows."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
    as_csv: bool = typer.Option(False, "--csv", help="Print CSV."),
) -> None:
    """Search the mail log: one row a recipient, newest first."""
    program = maillog_program(context)
    found = chosen_workspace(program.tenants(), workspace)
    zone = program.zone
    given = LogQuestion(
        workspace=found.id,
        relays=chosen_relays(program.tenants(), found, relay),
        sender=_address(sender),
        recipient=_address(recipient),
        subject=subject,
        origin=origin,
        mx_host=mx,
        mail_id=mail_id,
        queue_ids=None if queue_id is None else (queue_id,),
        message_id_part=message_id,
        reply_to=_address(reply_to),
        header_from=_address(header_from),
        delivered=delivered,
        status=status,
        family=family,
        since=None if since is None else earliest(since, program.now(), zone),
        until=None if until is None else latest(until, program.now(), zone),
        # Whoever has a queue id in hand means that mail, whatever it is.
        kinds=tuple(MailKind) if notifications or queue_id is not None or query else (MailKind.MAIL,),
        by_message=by_message,
        ascending=oldest_first,
        skip=skip,
        limit=limit,
    )
    _print(program, given, " ".join(query or ()), "json" if as_json else "csv" if as_csv else "table", refused=refused)


def _print(program: MailLogProgram, given: LogQuestion, query: str, shape: str, *, refused: bool) -> None:
    refused = refused or query_language.asks_refused(query)
    (print_refused if refused else _print_page)(program, _with_query(program, given, query, refused=refused), shape)


def _with_query(program: MailLogProgram, given: LogQuestion, query: str, *, refused: bool) -> LogQuestion:
    """What the options ask for, and what a query asks for beside it. Raises InvalidInput."""
    if not query:
        return given
    read = query_language.refused_question if refused else query_language.question
    said = read(query, given.workspace, given.relays, program.now(), program.zone)
    if not said.relays:
        raise InvalidInput("the query names no relay of this workspace")
    since = max((each for each in (given.since, said.since) if each is not None), default=None)
    until = min((each for each in (given.until, said.until) if each is not None), default=None)
    asked = msgspec.structs.replace(given, relays=said.relays, terms=said.terms, since=since, until=until)
    named = given.mail_id or given.queue_ids or given.message_id_part
    return asked if named else query_language.bounded(asked, query, program.now())


def _print_page(program: MailLogProgram, question: LogQuestion, shape: str) -> None:
    with program.maillog() as maillog:
        page = maillog.search(question)
    if shape == "json":
        print_json({"total": page.total, "deliveries": [_fields(one) for one in page.deliveries]})
    elif shape == "csv":
        names = ("mail_id", *Delivery.__struct_fields__)
        print_csv(names, (tuple(_fields(one).values()) for one in page.deliveries))
    else:
        _print_table(program, page, question)


def _address(text: str | None) -> str | None:
    return None if text is None else canonical_address(text)


def _fields(one: Delivery) -> dict[str, Any]:
    return {"mail_id": one.mail_id, **msgspec.structs.asdict(one)}


def _print_table(program: MailLogProgram, page: LogPage, question: LogQuestion) -> None:
    out, narrow = console(), is_narrow()
    columns = _NARROW_COLUMNS if narrow else _COLUMNS
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    for name, options in columns.items():
        table.add_column(name, **options)
    for one in page.deliveries:
        cells: dict[str, str | Text] = {
            "accepted": (short_moment if narrow else moment)(one.accepted_at, program.zone),
            "state": status_text(one.status),
            "from": Text(one.sender or "<>"),
            "to": Text(one.recipient or "not tried yet", "" if one.recipient else "dim"),
            "subject": Text(one.subject),
            "answer": _answer(one),
            "mail id": Text(one.mail_id, "dim"),
        }
        table.add_row(*(cells[name] for name in columns))
    if page.deliveries:
        out.print(table)
    _print_count(out, page, question)


_SQUEEZED: dict[str, Any] = {"overflow": "ellipsis", "no_wrap": True}
_COLUMNS: dict[str, Any] = {
    "accepted": {"no_wrap": True, "min_width": 19},
    "state": {"no_wrap": True, "min_width": 9},
    "from": {**_SQUEEZED, "ratio": 4},
    "to": {**_SQUEEZED, "ratio": 4},
    "subject": {**_SQUEEZED, "ratio": 4},
    "answer": {**_SQUEEZED, "ratio": 6},
    "mail id": {"no_wrap": True, "min_width": 18},
}
# 80 columns have room for whom it was for and what was said; the id is needed to ask on.
_NARROW_COLUMNS: dict[str, Any] = {
    "accepted": {"no_wrap": True, "min_width": 11},
    "state": {"no_wrap": True, "min_width": 9},
    "to": {**_SQUEEZED, "ratio": 3},
    "answer": {**_SQUEEZED, "ratio": 4},
    "mail id": {"no_wrap": True, "min_width": 18},
}


def _answer(one: Delivery) -> Text:
    if one.status is DeliveryStatus.DELIVERED:
        return Text(one.mx_host, "dim")
    family = f"[{one.family.value.replace('_', ' ')}] " if one.family else ""
    return Text(family + one.reply.replace("\n", " "))


def _print_count(out: Console, page: LogPage, question: LogQuestion) -> None:
    noun = "mails" if question.by_message else "deliveries"
    if not page.total:
        out.print(f"no {noun} match")
        return
    first = min(question.skip + 1, page.total)
    last = question.skip + len(page.deliveries)
    span = f"{first:,}-{last:,} of " if page.deliveries else "0 of "
    out.print(Text(f"{span}{page.total:,} {noun}", "dim"))
