"""What the commands of the server as a whole ask of the program around them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec
import typer

from mailvane.core.cli.program import Program, program

if TYPE_CHECKING:
    from mailvane.core.cli.selection import Tenants
    from mailvane.core.listening import Listen
    from mailvane.core.nodes import Node
    from mailvane.maillog.interface import MailLog
    from mailvane.server.configuration.service import Configuration
    from mailvane.server.tenants.removal import Removal


class CheckResult(StrEnum):
    """How a check of `mailvane doctor` went."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


class Check(msgspec.Struct, frozen=True):
    """One finding of `mailvane doctor`, with what to do about it."""

    name: str
    result: CheckResult
    finding: str
    advice: str = ""


class ApiRequest(NamedTuple):
    """A request to the running server; its key is added."""

    method: str
    path: str  # with the query
    content: bytes | None
    headers: Mapping[str, str]


class ApiAnswer(NamedTuple):
    """What it answered."""

    status: int
    content: bytes
    is_json: bool


class ServerProgram(Program, Protocol):
    def ask(self, request: ApiRequest) -> ApiAnswer:
        """Put a request to the running server. Raises InvalidInput, ServerUnreachable."""

    def tenants(self) -> Tenants:
        """Workspaces: of the running server where there is one, of the ledger otherwise."""

    def nodes(self) -> Sequence[Node]:
        """The servers that share the ledger."""

    def serve(self, roles: frozenset[str]) -> None:
        """Run until told to stop."""

    def address(self) -> str:
        """Where the server is reached from here."""

    def configuration(self) -> Configuration:
        """Configuration as a file."""

    def mcp(self, workspace: str | None, listen: Listen | None) -> None:
        """Answer by the Model Context Protocol until told to stop; without an address over standard streams."""

    def maillog(self) -> AbstractContextManager[MailLog]:
        """The mail log: through the running server when there is one, opened here otherwise."""

    def removal(self) -> AbstractContextManager[Removal]:
        """Removes workspaces: through the running server when there is one, here otherwise."""

    def close(self) -> None:
        """Give back what it has opened: the command has ended."""

    def checks(self, deep: bool = False) -> Iterator[Check]:
        """Look at everything that can be wrong; deep: read everything that is stored."""


def server_program(context: typer.Context) -> ServerProgram:
    found: ServerProgram = program(context)
    return found
