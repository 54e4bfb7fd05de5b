"""Refusals of Mailvane's own interface: problem details as in RFC 9457."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from litestar import Response

from mailvane.web.dialect import Dialect, Refusal

MEDIA_TYPE = "application/problem+json"
PREFIX = "/mailvane/v1"


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What went wrong. The type is `about:blank`: the status says it all."""

    title: str
    status: int
    detail: str
    line: int | None = None  # the first bad line of an intake, from 1
    reference: str | None = None  # of an unexpected failure, in the server's log


def render(refusal: Refusal) -> Response[bytes]:
    title = HTTPStatus(refusal.status).phrase
    problem = Problem(title, refusal.status, refusal.message, refusal.line, refusal.reference)
    headers = dict(refusal.headers)
    if refusal.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="mailvane"'
    return Response(msgspec.json.encode(problem), status_code=refusal.status, media_type=MEDIA_TYPE, headers=headers)


DIALECT = Dialect(
    name="native",
    render=render,
    prefixes=(PREFIX,),
    refusals=frozenset({400, 401, 403, 404, 500, 503}),
    refused=Problem,
    refusal_type=MEDIA_TYPE,
)
