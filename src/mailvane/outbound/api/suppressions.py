"""The suppression list over HTTP: of the workspace that the key opens. Blocking."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Annotated

import msgspec
from msgspec import Meta

from mailvane.core.errors import InvalidFields, InvalidInput, NotAllowed, NotFound
from mailvane.core.tenants.model import KeyKind
from mailvane.outbound.services import OutboundServices
from mailvane.outbound.suppression import LONGEST_NOTE, SuppressionReason
from mailvane.outbound.suppression_list import Said, SuppressionImport, SuppressionStanding, SuppressionSummary, as_csv
from mailvane.web.endpoints import Asked, Parameter
from mailvane.web.json_body import read_json

LARGEST_FILE = 16 * 1024 * 1024
_MOST = 1_000
_MOST_EXPORTED = 100_000
_REASONS = {"type": "string", "enum": [each.value for each in SuppressionReason]}

AFTER = Parameter("after", "Only addresses behind this one: the last of the page before.")
REASON = Parameter("reason", "Only this reason.", _REASONS)
EXPIRED = Parameter("expired", "`true`: also those that hold no more.", {"type": "boolean"})
LIMIT = Parameter("limit", "How many at most.", {"type": "integer", "minimum": 1, "maximum": _MOST, "default": 100})


class SuppressionBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why, and until when (milliseconds since the epoch); without, as long as the settings say."""

    reason: SuppressionReason = SuppressionReason.MANUAL
    expires_at: Annotated[int, Meta(ge=0)] | None = None
    note: Annotated[str, Meta(max_length=LONGEST_NOTE)] = ""


def listed(services: OutboundServices, asked: Asked) -> Sequence[SuppressionStanding]:
    """By address. Raises NotAllowed, InvalidInput."""
    return services.suppressions.page(
        _workspace(asked),
        asked.now,
        after=asked.query.get(AFTER.name, ""),
        limit=_limit(asked.query.get(LIMIT.name)),
        expired=asked.query.get(EXPIRED.name) == "true",
        reason=_reason(asked),
    )


def summary(services: OutboundServices, asked: Asked) -> SuppressionSummary:
    """Raises NotAllowed, InvalidInput."""
    return services.suppressions.summary(_workspace(asked), asked.now)


def show(services: OutboundServices, asked: Asked) -> Sequence[SuppressionStanding]:
    """Raises NotAllowed, NotFound, InvalidInput."""
    found = services.suppressions.of(_workspace(asked), asked.path["address"], asked.now)
    if not found:
        raise NotFound("that address is not on the suppression list")
    return found


def put(services: OutboundServices, asked: Asked) -> SuppressionStanding:
    """Raises NotAllowed, InvalidInput."""
    given = read_json(SuppressionBody, asked.body)
    said = Said(reason=given.reason, expires_at=given.expires_at, source=asked.by, note=given.note)
    return services.suppressions.add(_workspace(asked), asked.path["address"], said, asked.now)


def remove(services: OutboundServices, asked: Asked) -> None:
    """Raises NotAllowed, NotFound, InvalidInput."""
    services.suppressions.remove(_workspace(asked), asked.path["address"], _reason(asked))


def bring_in(services: OutboundServices, asked: Asked) -> SuppressionImport:
    """Raises NotAllowed, InvalidInput."""
    try:
        text = asked.body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput("the file is not in UTF-8") from None
    return services.suppressions.take_csv(_workspace(asked), text.splitlines(), asked.now, asked.by)


def export(services: OutboundServices, asked: Asked) -> str:
    """Raises NotAllowed, InvalidInput."""
    rows = services.suppressions.csv_rows(
        _workspace(asked), asked.now, expired=asked.query.get(EXPIRED.name) == "true",
        after=asked.query.get(AFTER.name, ""),
    )  # fmt: skip
    return as_csv(islice(rows, _MOST_EXPORTED))


def _workspace(asked: Asked) -> int:
    if asked.principal.kind is KeyKind.CLIENT:
        raise NotAllowed("a client key may not read or change the suppression list")
    return asked.workspace


def _reason(asked: Asked) -> SuppressionReason | None:
    word = asked.query.get(REASON.name)
    if not word:
        return None
    try:
        return SuppressionReason(word)
    except ValueError:
        raise InvalidFields(("reason", f"expected one of {', '.join(SuppressionReason)}")) from None


def _limit(text: str | None) -> int:
    if text is None:
        return 100
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= _MOST and len(text) < 9):
        raise InvalidInput(f"`limit` is a whole number from 1 to {_MOST}")
    return int(text)
