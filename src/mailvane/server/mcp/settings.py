"""What the `[mcp]` table of the settings file says. Values only."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from mailvane.core.setting_tables import Part


class Write(StrEnum):
    """A tool that changes something. None is there unless the settings name it."""

    ACKNOWLEDGE_ALERT = "acknowledge_alert"
    RESOLVE_ALERT = "resolve_alert"
    SNOOZE_ALERT = "snooze_alert"
    SET_DOMAIN_LIMITS = "set_domain_limits"


class McpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What `mailvane mcp` offers to language models, and how much it answers at once."""

    writes: Annotated[
        tuple[Write, ...],
        Meta(
            description="Tools that change something and are offered: some of"
            f" {', '.join(f'`{each.value}`' for each in Write)}. None: read-only."
        ),
    ] = ()
    most_rows: Annotated[
        Annotated[int, Meta(ge=1, le=1000)], Meta(description="Rows of one answer, whatever is asked for.")
    ] = 100
    most_characters: Annotated[
        Annotated[int, Meta(ge=2000, le=1_000_000)],
        Meta(
            description="Size of one answer in characters of indented JSON; rows that do not fit are left out and"
            " counted."
        ),
    ] = 30_000
    hosts: Annotated[
        tuple[str, ...],
        Meta(
            description="Values of the Host header that are answered over HTTP besides `localhost` and the address that"
            " is listened on, such as `mcp.example.com` behind a proxy."
        ),
    ] = ()


PART = Part(McpSettings)
