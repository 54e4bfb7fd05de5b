"""`mailvane api`: one request to the running server, for what no command of its own does."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path

import msgspec
import typer

from mailvane.core.cli.selection import chosen_workspace
from mailvane.core.errors import InvalidInput
from mailvane.server.program import ApiRequest, ServerProgram, server_program

_JSON = "application/json"


class Method(StrEnum):
    """Of HTTP."""

    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"


def register(app: typer.Typer) -> None:
    app.command()(api)


def api(
    context: typer.Context,
    method: Method = typer.Argument(metavar="METHOD", case_sensitive=False, help="GET, POST, PUT, PATCH or DELETE."),
    path: str = typer.Argument(help="Such as /mailvane/v1/sources; docs/reference/http.md lists them all."),
    body: str | None = typer.Option(None, help="What is sent: the text itself, `@FILE`, or `-` for standard input."),
    content_type: str = typer.Option(_JSON, "--type", help="What the body is."),
    workspace: str | None = typer.Option(None, help="On which workspace; by default the only one."),
) -> None:
    """Ask the running server over HTTP with the master token, and print what it answers; 1 when it refuses."""
    program = server_program(context)
    if not path.startswith("/"):
        raise InvalidInput(f"{path!r} is no path: it begins with a slash")
    headers = {"X-Workspace-Id": str(number)} if (number := _workspace(program, workspace)) is not None else {}
    content = None if body is None else _content(body)
    if content is not None:
        headers["Content-Type"] = content_type
    answer = program.ask(ApiRequest(method.value, path, content, headers))
    if answer.status >= 400:
        raise InvalidInput(f"the server answers {answer.status}: {_said(answer.content)}")
    if answer.is_json:
        typer.echo(msgspec.json.format(answer.content, indent=2))
    else:
        typer.echo(answer.content, nl=False)


def _workspace(program: ServerProgram, name: str | None) -> int | None:
    """Its number; None where none is named and there is not just one: the server says whether it has to know."""
    tenants = program.tenants()
    return chosen_workspace(tenants, name).id if name is not None or len(tenants.workspaces()) == 1 else None


def _content(body: str) -> bytes:
    if body == "-":
        return sys.stdin.buffer.read()
    return Path(body[1:]).read_bytes() if body.startswith("@") else body.encode()


def _said(content: bytes) -> str:
    """In the words of whichever interface it is."""
    try:
        found = msgspec.json.decode(content)
    except msgspec.MsgspecError:
        found = None
    if isinstance(found, dict):
        for name in ("detail", "message", "error", "text"):
            if isinstance(found.get(name), str) and found[name]:
                return str(found[name])
    return content.decode("utf-8", "replace").strip()[:500] or "nothing more"
