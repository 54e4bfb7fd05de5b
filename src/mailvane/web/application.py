"""The framework's application, put together with less of its work: a server starts with hundreds of routes.

Nothing here changes how a request is answered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from types import CodeType
from typing import Any, Self

from litestar import Litestar, Request, Response, Router
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin
from litestar.utils.signature import ParsedSignature

_signatures: dict[CodeType, ParsedSignature] = {}


class Handler(HTTPRouteHandler):
    """What is made of one `def` has one signature: the framework takes it apart once, not for each route."""

    __slots__ = ()

    @property
    def parsed_fn_signature(self) -> ParsedSignature:
        code: CodeType = self.fn.__code__  # of a function
        found = _signatures.get(code)
        if found is None:
            found = _signatures[code] = super().parsed_fn_signature
        return found


class Routes(Router):
    """Handed over at once: the framework looks through all routes after each thing that is handed over. Belongs to one
    application, so it need not be copied for it."""

    __slots__ = ()

    def __init__(self, handlers: Iterable[HTTPRouteHandler]) -> None:
        given = list(handlers)
        super().__init__("/", route_handlers=[*given, *_options(given)])

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        return self


def _options(handlers: Iterable[HTTPRouteHandler]) -> list[HTTPRouteHandler]:
    """What answers OPTIONS, as the framework would: it takes apart the signature of its own for each path."""
    methods: dict[str, set[str]] = defaultdict(set)
    for handler in handlers:
        for path in handler.paths:
            methods[path] |= handler.http_methods
    return [_allowing(path, allowed) for path, allowed in methods.items()]


def _allowing(path: str, methods: Iterable[str]) -> HTTPRouteHandler:
    allowed = ", ".join(sorted({*methods, "OPTIONS"}))

    async def options(request: Request[Any, Any, Any]) -> Response[None]:  # noqa: ARG001 - the framework's name for it
        return Response(None, status_code=204, headers={"Allow": allowed}, media_type="text/plain")

    made: HTTPRouteHandler = Handler(path, http_method=HttpMethod.OPTIONS, status_code=204)(options)
    return made


class Application(Litestar):
    """Without what reads types of pydantic and attrs, whose modules take a tenth of a second where they are there."""

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]
