"""What a dialect is: whose shape a refusal takes, which paths it owns, and whom it lets in.

There is one exception tree and one reading of it, `refusal_of`; every vendor surface renders the result its own way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException

from mailvane.core.errors import (
    AlreadyExists,
    InvalidEvent,
    InvalidInput,
    MailvaneError,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    NotPossible,
    StoreDamaged,
    TooLarge,
    Transient,
    UnsupportedForm,
)
from mailvane.core.tenants.model import KeyKind

log = logging.getLogger(__name__)

JSON = "application/json"

_STATUS: tuple[tuple[type[MailvaneError], int], ...] = (
    (InvalidInput, 400),
    (NotPossible, 400),
    (TooLarge, 413),
    (UnsupportedForm, 415),
    (NotAuthenticated, 401),
    (NotAllowed, 403),
    (NotFound, 404),
    (AlreadyExists, 409),
    (Transient, 503),
    (StoreDamaged, 503),
)


class Refusal(msgspec.Struct, frozen=True):
    """Why a request was not served, before any dialect put it into words."""

    status: int
    message: str
    line: int | None = None  # of the intake
    reference: str | None = None  # stands in the server's log beside the cause
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    cause: Exception | None = None  # for a dialect that has words of its own for it; never of an unexpected failure


@dataclass(frozen=True)
class Dialect:
    """How one vendor's interface behaves at its edges."""

    name: str
    render: Callable[[Refusal], Response[bytes]]
    prefixes: tuple[str, ...] = ()  # a key is needed for these paths and everything below them
    open_paths: frozenset[str] = frozenset()  # no key needed
    open_below: tuple[str, ...] = ()  # nor for what lies below these
    kinds: frozenset[KeyKind] = frozenset(KeyKind)  # of keys that may enter; others: 403, or unknown
    headers: Mapping[str, str] = field(default_factory=dict)  # on every answer
    refusals: frozenset[int] = frozenset({400, 500, 503})  # statuses that any request with a key may meet
    refused: Any = None  # model of a refusal
    refusal_type: str = JSON  # its media type
    last_counts: bool = False  # of a name that the query repeats; otherwise the first

    def query_values(self, query: bytes) -> dict[str, str]:
        """Names and values of a query string; bytes that are not UTF-8 become U+FFFD. An empty value is a value."""
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        return dict(pairs if self.last_counts else reversed(pairs))

    @property
    def knows_403(self) -> bool:
        """Whether the interface tells a key that is known and not allowed from one that is unknown."""
        return 403 in self.refusals

    def owns(self, path: str) -> bool:
        return path in self.open_paths or _is_below(path, self.prefixes)

    def needs_key(self, path: str) -> bool:
        if path in self.open_paths or any(path.startswith(prefix + "/") for prefix in self.open_below):
            return False
        return _is_below(path, self.prefixes)


def _is_below(path: str, prefixes: tuple[str, ...]) -> bool:
    return any(path == prefix or path.startswith(prefix + "/") for prefix in prefixes)


def refusal_of(error: Exception) -> Refusal:
    """What the client is answered for this error; an unexpected one is logged under an id, and only the id is sent."""
    if isinstance(error, HTTPException) and error.status_code < 500:
        return Refusal(error.status_code, error.detail, headers=error.headers or {}, cause=error)
    if isinstance(error, MailvaneError):
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
        if status == 503:
            log.warning("answered 503: %s", error.message)
            return Refusal(status, error.message, headers={"Retry-After": "5"}, cause=error)
        if status < 500:
            line = error.line if isinstance(error, InvalidEvent) else None
            return Refusal(status, error.message, line, cause=error)
    reference = uuid4().hex[:12]
    log.error("unexpected failure %s", reference, exc_info=error)
    return Refusal(500, f"unexpected failure, in the server's log as {reference}", reference=reference)


# Refusals of Mailvane's own interface: problem details as in RFC 9457.

PROBLEM_JSON = "application/problem+json"
NATIVE_PREFIX = "/mailvane/v1"


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What went wrong. The type is `about:blank`: the status says it all."""

    title: str
    status: int
    detail: str
    line: int | None = None  # the first bad line of an intake, from 1
    reference: str | None = None  # of an unexpected failure, in the server's log


def render_problem(refusal: Refusal) -> Response[bytes]:
    title = HTTPStatus(refusal.status).phrase
    problem = Problem(title, refusal.status, refusal.message, refusal.line, refusal.reference)
    headers = dict(refusal.headers)
    if refusal.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="mailvane"'
    return Response(msgspec.json.encode(problem), status_code=refusal.status, media_type=PROBLEM_JSON, headers=headers)


NATIVE = Dialect(
    name="native",
    render=render_problem,
    prefixes=(NATIVE_PREFIX,),
    refusals=frozenset({400, 401, 403, 404, 500, 503}),
    refused=Problem,
    refusal_type=PROBLEM_JSON,
)
