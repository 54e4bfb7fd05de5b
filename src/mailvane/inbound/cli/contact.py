"""`mailvane contact`: list, set."""

from __future__ import annotations

import typer
from rich.table import Table
from rich.text import Text

from mailvane.core.cli.rendering import console, moment, print_json
from mailvane.core.errors import InvalidInput
from mailvane.inbound.cli.program import desk
from mailvane.inbound.contacts import decide
from mailvane.inbound.model import ContactState
from mailvane.inbound.questions import ContactQuestion

group = typer.Typer(help="Those who send mail to a workspace, and what it decided about them.", no_args_is_help=True)
_STYLES = {
    ContactState.BLOCKED: "red",
    ContactState.WHITELISTED: "green",
    ContactState.MUTED: "yellow",
    ContactState.PRIORITIZED: "cyan",
}


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="contact")


@group.command(name="list")
def list_(  # noqa: PLR0913  each option is a part of the question
    context: typer.Context,
    state: ContactState | None = typer.Option(None, help="Only in this state."),
    search: str = typer.Option("", help="A part of address or name."),
    newest: bool = typer.Option(False, "--newest", help="Those who wrote last first, not those who write most."),
    workspace: str | None = typer.Option(None, help="The workspace; by default the only one."),
    most: int = typer.Option(50, "--limit", min=0, help="Rows at most; 0: all."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """List senders, those who write most first."""
    at = desk(context, workspace)
    question = ContactQuestion(
        workspace=at.workspace, state=state, text=search or None, order="last_seen_at" if newest else "email_count"
    )
    page = at.services.received.contacts(question, 0, most or 2**31)
    if as_json:
        print_json(page.contacts)
        return
    if not page.contacts:
        console().print("no sender is known" if state is None and not search else "no sender is like that")
        if why := at.services.received.source(at.workspace).why_nothing_is_held:
            console().print(why, style="dim")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("sender", overflow="fold")
    table.add_column("state")
    table.add_column("mails", justify="right")
    table.add_column("last", no_wrap=True)
    for one in page.contacts:
        who = Text.assemble(one.email, (f"\n{one.name}" if one.name else "", "dim"))
        table.add_row(
            who, Text(one.state.value, _STYLES.get(one.state, "")), f"{one.email_count:,}",
            moment(one.last_seen_at, at.place.zone)[:16],
        )  # fmt: skip
    console().print(table)
    if len(page.contacts) < page.total:
        console().print(f"{page.total - len(page.contacts):,} more: --limit 0 shows all", style="dim")


@group.command(name="set")
def set_(
    context: typer.Context,
    sender: str = typer.Argument(help="The address in From; nobody needs to have written from it yet."),
    state: ContactState | None = typer.Option(None, help="What is decided about its mail."),
    category: str | None = typer.Option(None, help="A word that filters can ask for."),
    workspace: str | None = typer.Option(None, help="The workspace; by default the only one."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Decide about a sender: whitelisted, blocked, muted, prioritized, or unset."""
    given = {"state": state, "category": category}
    terms = {name: value for name, value in given.items() if value is not None}
    if not terms:
        raise InvalidInput("say --state or --category")
    at = desk(context, workspace)
    found = decide(at.services.stores, at.workspace, sender, terms, at.entry)
    if as_json:
        print_json(found)
    else:
        typer.echo(f"{found.email}: {found.state.value}" + (f", {found.category}" if found.category else ""))
