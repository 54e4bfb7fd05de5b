"""`mailvane serve`: the server."""

from __future__ import annotations

import typer

from mailvane.core.errors import InvalidInput
from mailvane.server.program import server_program

ROLES = frozenset({"http", "policy", "smtp", "worker"})


def register(app: typer.Typer) -> None:
    app.command()(serve)


def serve(
    context: typer.Context,
    roles: str = typer.Option(
        "http,policy,smtp,worker",
        help="Which roles to run: http answers programs, policy answers Postfix, smtp takes mail in, "
        "worker follows sources.",
    ),
) -> None:
    """Run the server until it is told to stop."""
    wanted = frozenset(role.strip() for role in roles.split(",") if role.strip())
    if unknown := sorted(wanted - ROLES):
        raise InvalidInput(f"there is no role {', '.join(unknown)}; there are {', '.join(sorted(ROLES))}")
    if not wanted:
        raise InvalidInput("name at least one role")
    server_program(context).serve(wanted)
