"""`mailvane login-link`: a way into the dashboard for somebody who stands at the server."""

from __future__ import annotations

import msgspec
import typer

from mailvane.core.cli.rendering import print_json
from mailvane.core.errors import NotFound
from mailvane.core.moments import MINUTE_MS
from mailvane.dashboard.cli.program import dashboard_program
from mailvane.dashboard.people.service import FIRST_USER, LINK_MS


class LoginLink(msgspec.Struct, frozen=True):
    """A link that logs in once."""

    name: str
    url: str
    expires_at: int  # milliseconds since the epoch, UTC


def register(app: typer.Typer) -> None:
    app.command("login-link")(login_link)


def login_link(
    context: typer.Context,
    name: str = typer.Argument(FIRST_USER, help="Who shall be logged in."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Print a link that opens the dashboard once, within 15 minutes; the first person is made by this."""
    place = dashboard_program(context)
    people, now = place.people(), place.now()
    try:
        token = people.login_link(name, now)
    except NotFound:
        if name != FIRST_USER or (made := people.first_link(now)) is None:
            raise
        token = made
    link = LoginLink(name, f"{place.address()}/ui/login/{token}", now + LINK_MS)
    if as_json:
        print_json(link)
        return
    typer.echo(link.url)
    typer.echo(f"It logs in {name}, once, within {LINK_MS // MINUTE_MS} minutes.", err=True)
