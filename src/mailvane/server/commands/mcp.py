"""`mailvane mcp`: the MCP server, for language models."""

from __future__ import annotations

import typer

from mailvane.core.errors import InvalidInput, InvalidSetting
from mailvane.core.listening import read_listen
from mailvane.server.program import server_program


def register(app: typer.Typer) -> None:
    app.command()(mcp)


def mcp(
    context: typer.Context,
    workspace: str | None = typer.Option(
        None, help="Over standard input and output: whose mail; by default the only workspace."
    ),
    listen: str | None = typer.Option(
        None,
        help="Answer over streamable HTTP at HOST:PORT, path /mcp, whoever presents a workspace's key as a bearer"
        " token; not given: over standard input and output.",
    ),
) -> None:
    """Answer a language model's questions by the Model Context Protocol: mail log, figures, limits, reputation, alerts.

    It reads only, unless the settings name tools that write: `writes` of the table mcp.
    """
    if listen is not None and workspace is not None:
        raise InvalidInput("over HTTP the key says whose mail: leave out --workspace")
    try:
        where = None if listen is None else read_listen(listen)
    except InvalidSetting as error:
        raise InvalidInput(f"--listen: {error.message}") from None
    if where is not None:
        typer.echo(f"will answer at http://{where}/mcp", err=True)
    server_program(context).mcp(workspace, where)
