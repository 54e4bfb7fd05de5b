"""What every command asks of the program around it. The composition root implements it; the commands know no engine.

What the commands of one room ask besides stands with them: a protocol that builds on this one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

import typer

if TYPE_CHECKING:
    from mailvane.core.tenants.service import Tenancy


class Program(Protocol):
    """Where and when a command runs, and the tenants."""

    @property
    def zone(self) -> ZoneInfo:
        """The time zone that times are read and shown in."""

    def now(self) -> int:
        """The clock: milliseconds since the epoch."""

    def tenancy(self) -> Tenancy:
        """Workspaces, relays and keys."""


def program(context: typer.Context) -> Any:
    """The program that the command line was built around: a room takes it as what its commands ask for."""
    return context.obj


def tenants_program(context: typer.Context) -> Program:
    """For commands on workspaces, relays and keys."""
    found: Program = context.obj
    return found
