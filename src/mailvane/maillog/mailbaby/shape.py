"""The values of the MailBaby API as they go over the wire, and how it refuses. Field order is the wire's order."""

from __future__ import annotations

import msgspec
from litestar import Response

from mailvane.core.tenants.model import KeyKind
from mailvane.web.dialect import JSON, Dialect, Refusal


class ErrorMessage(msgspec.Struct, frozen=True):
    """Every refusal below /mail."""

    code: int
    message: str


class MailOrder(msgspec.Struct, frozen=True, omit_defaults=True):
    """A relay, as the vendor's clients know it."""

    id: int
    status: str
    username: str
    comment: str = ""


class MailOrderDetail(msgspec.Struct, frozen=True, omit_defaults=True):
    """One relay, with the field where upstream shows a password."""

    id: int
    status: str
    username: str
    password: str
    comment: str = ""


class MailLogEntry(msgspec.Struct, frozen=True, gc=False):
    """One row of the log. All 25 keys are always there; only the nullable ones are ever null."""

    row: int = msgspec.field(name="_id")
    id: str
    from_: str = msgspec.field(name="from")
    to: str
    subject: str | None
    messageId: str | None  # noqa: N815 - the wire's names
    created: str
    time: int
    user: str
    transtype: str
    origin: str
    interface: str
    sendingZone: str | None  # noqa: N815
    bodySize: int | None  # noqa: N815
    seq: int | None
    delivered: int | None
    response: str | None
    code: int | None
    recipient: str | None
    domain: str | None
    locked: int | None
    lockTime: str | None  # noqa: N815
    assigned: str | None
    queued: str | None
    mxHostname: str | None  # noqa: N815


class MailLogPage(msgspec.Struct, frozen=True):
    """The answer of /mail/log."""

    total: int
    skip: int
    limit: int
    emails: list[MailLogEntry]


class Volume(msgspec.Struct, frozen=True):
    """Ranked counts; an empty table is `{}`."""

    to: dict[str, int]
    from_: dict[str, int] = msgspec.field(name="from")
    ip: dict[str, int]


class MailStats(msgspec.Struct, frozen=True):
    """The answer of /mail/stats."""

    time: str
    usage: int
    currency: str
    cost: float
    received: int
    sent: int
    volume: Volume


def _render(refusal: Refusal) -> Response[bytes]:
    status, message = refusal.status, refusal.message
    if status in {401, 403}:  # the API has no 403: a key that may not do this is no key here
        status, message = 401, "API key is missing or invalid"
    content = msgspec.json.encode(ErrorMessage(status, message))
    return Response(content, status_code=status, media_type=JSON, headers=dict(refusal.headers))


DIALECT = Dialect(
    name="mailbaby",
    render=_render,
    prefixes=("/mail",),
    open_paths=frozenset({"/ping"}),
    kinds=frozenset({KeyKind.WORKSPACE, KeyKind.PLATFORM, KeyKind.MASTER}),
    refusals=frozenset({400, 401, 404, 500, 503}),
    refused=ErrorMessage,
    last_counts=True,
    headers={
        "Access-Control-Allow-Origin": "*",  # upstream lets browsers in too; keys are never ambient
        "Access-Control-Allow-Methods": "GET, OPTIONS",
        "Access-Control-Allow-Headers": "X-API-KEY, Authorization, X-Workspace-Id, Content-Type",
    },
)
