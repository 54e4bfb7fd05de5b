"""The dashboard as an application of its own beside the APIs: cookie, origin, headers, errors, threads.

It never takes a key, and the APIs never read its cookie. Nothing that it sends runs a script or loads a style but its
own files: the policy below is part of every answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4
from zoneinfo import ZoneInfo

from litestar import Request, Response
from litestar.datastructures import Cookie
from litestar.enums import HttpMethod
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from mailvane.core.errors import MailvaneError, NotAllowed, NotAuthenticated, NotFound, StoreFull, Transient
from mailvane.core.priority import lower_priority
from mailvane.dashboard.badges import Badges
from mailvane.dashboard.bound_services import bound_services
from mailvane.dashboard.live.streams import Streams
from mailvane.dashboard.oidc.attempt import LONGEST_MS
from mailvane.dashboard.pages import PAGES
from mailvane.dashboard.parts.local_time import zone_named
from mailvane.dashboard.people.model import Role
from mailvane.dashboard.people.service import Browser, ProofNeeded, Visitor
from mailvane.dashboard.rendering import Renderer
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.static_files import StaticFiles
from mailvane.dashboard.visits import File, Html, Page, Redirect, Reply, Visit
from mailvane.web.application import Application, Handler, Routes
from mailvane.web.connection import ENDING, PROVEN
from mailvane.web.gateway import is_head

AnyRequest = Request[Any, Any, Any]
T = TypeVar("T")
log = logging.getLogger(__name__)

PREFIX = "/ui"
_THREADS = 4
_LARGEST_FORM = 64 * 1024
_MOST_FIELDS = 200
_COOKIE, _LOOPBACK_COOKIE = "__Host-mailvane", "mailvane"
_ZONE_COOKIE = "mailvane-zone"  # written by our script, and nothing but the name of a zone
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_COOKIE_SECONDS = 30 * 24 * 3600
_UNAVAILABLE = 503
_SAFE_METHODS = frozenset({"GET", "HEAD"})

TICKS = Page("get", "/{workspace:int}/ticks", None, Role.VIEWER)

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Dashboard:
    """Answers requests for pages."""

    def __init__(self, services: DashboardServices, clock: Callable[[], int]) -> None:
        self._services = services
        self._clock = clock
        self._static = StaticFiles()
        provider = services.oidc.name if services.oidc else ""
        self._badges = Badges(services)
        self._renderer = Renderer(self._static, self._badges.of, provider, services.followed)
        self._threads = ThreadPoolExecutor(_THREADS, "dashboard", initializer=lower_priority)
        self._streams = Streams(services.changes, clock)

    def handlers(self) -> Routes:
        return Routes([*(self._handler(page) for page in PAGES), self._ticks_handler(), self._static_handler()])

    async def close(self) -> None:
        await self._streams.close()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _handler(self, page: Page) -> HTTPRouteHandler:
        async def answer(request: AnyRequest) -> Response[bytes]:
            _check_origin(request)
            form = await _form_of(request) if page.method == "post" else {}
            return await self._run(partial(self._reply, page, request, form, self._clock()))

        serve = Handler(
            PREFIX + page.path, http_method=HttpMethod(page.method.upper()), request_max_body_size=_LARGEST_FORM,
            name=f"ui {page.method} {page.path}",
        )  # fmt: skip
        made: HTTPRouteHandler = serve(answer)
        return made

    async def _run(self, function: Callable[[], T]) -> T:
        tracing = self._services.tracing
        with tracing.waiting("dashboard"):
            work = tracing.working("dashboard", function)
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _ticks_handler(self) -> HTTPRouteHandler:
        """The stream that an open page listens to. Refused in plain words: no person reads them."""

        async def ticks(request: AnyRequest) -> Response[Any]:
            visit = _visit(request, {}, self._clock(), self._services.zone)
            visit = await self._run(partial(self._admitted, TICKS, visit, request))
            headers = {**HEADERS, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would collect it
            if is_head(request.scope):
                return Response(b"", headers=headers, media_type="text/event-stream")
            known = request.headers.get("last-event-id") or visit.asked("v")
            told = self._streams.ticks(
                visit.visitor.user.id, visit.workspace.id, known, request.scope["state"].get(ENDING)
            )
            return Stream(told, headers=headers, media_type="text/event-stream")

        made: HTTPRouteHandler = Handler(PREFIX + TICKS.path, http_method=HttpMethod.GET, name="ui ticks")(ticks)
        return made

    def _static_handler(self) -> HTTPRouteHandler:
        async def static(request: AnyRequest) -> Response[bytes]:
            found = self._static.file(str(request.path_params["name"]))
            headers = {**HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}
            return Response(found.content, media_type=found.media_type, headers=headers)

        made: HTTPRouteHandler = Handler(f"{PREFIX}/static/{{name:str}}", http_method=HttpMethod.GET, name="ui static")(
            static
        )
        return made

    def _reply(self, page: Page, request: AnyRequest, form: Mapping[str, list[str]], now: int) -> Response[bytes]:
        """Blocking. Whatever fails becomes a page."""
        visit = _visit(request, form, now, self._services.zone)
        try:
            visit = self._admitted(page, visit, request)
            reply = page.function(self._services_of(visit), visit)
            if page.method == "post" and visit.place is not None:
                self._badges.forget(visit.place.id)
        except Transient as error:
            status, words = _worded(error)
            since = self._services.outages.failed(page.path, now)
            reply = Html("refused.html", {"status": status, "words": words, "since": since}, status)
        except Exception as error:  # noqa: BLE001 - a person gets a page, whatever it is
            reply = _refused(error, _stood_on(request) if page.method == "post" else visit.address)
        else:
            if not (isinstance(reply, Html) and reply.status == _UNAVAILABLE):
                self._services.outages.answered(page.path)
        if isinstance(reply, Redirect) and _asks_by_itself(request):
            headers = {**HEADERS, "Cache-Control": "no-store", "HX-Redirect": reply.to}
            return Response(b"", status_code=401, headers=headers, media_type="text/plain")
        return self._response(reply, visit, is_loopback=_is_loopback(request))

    def _admitted(self, page: Page, visit: Visit, request: AnyRequest) -> Visit:
        """With who it is, and which workspace is meant. Raises NotAuthenticated, NotFound, NotAllowed."""
        known = self._known(request, visit.now)
        if page.role is None:
            return _with(visit, known, None)
        if known is None:
            raise NotAuthenticated("log in first")
        number = visit.path.get("workspace")
        if number is None:
            return _with(visit, known, None)
        known.require(int(number), page.role)
        visit = _with(visit, known, self._services.tenancy.workspace_of(int(number)))
        if visit.reach is not None and not page.of_domains:
            visit.reach.refuse()
        return visit

    def _services_of(self, visit: Visit) -> DashboardServices:
        """All of them; those that know some domains only for who is bound to these."""
        return self._services if visit.reach is None else bound_services(self._services, visit.reach)

    def _known(self, request: AnyRequest, now: int) -> Visitor | None:
        token = request.cookies.get(_LOOPBACK_COOKIE if _is_loopback(request) else _COOKIE, "")
        try:
            known = self._services.people.visitor(token, now, by_itself=_asks_by_itself(request))
        except NotAuthenticated:
            return None
        if (prove := request.scope["state"].get(PROVEN)) is not None:
            prove()
        return known

    def _response(self, reply: Reply, visit: Visit, *, is_loopback: bool) -> Response[bytes]:
        headers = {**HEADERS, "Cache-Control": "no-store"}
        if isinstance(reply, Redirect):
            headers["Location"] = reply.to
            if reply.token is not None:
                headers["Set-Cookie"] = _cookie(reply.token, is_loopback=is_loopback)
            cookies = [] if reply.attempt is None else [_attempt_cookie(reply.attempt, is_loopback=is_loopback)]
            return Response(b"", status_code=303, headers=headers, cookies=cookies, media_type="text/plain")
        if isinstance(reply, File):
            headers["Content-Disposition"] = f'attachment; filename="{reply.name}"'
            return Response(reply.content, headers=headers, media_type=reply.media_type)
        content = self._renderer.page(reply, visit)
        return Response(content, status_code=reply.status, headers=headers, media_type="text/html")


def create_dashboard(services: DashboardServices, clock: Callable[[], int]) -> Application:
    """The application that answers below /ui."""
    dashboard = Dashboard(services, clock)
    return Application(
        route_handlers=[dashboard.handlers()],
        exception_handlers={Exception: dashboard_error},
        request_max_body_size=_LARGEST_FORM,
        openapi_config=None,
        logging_config=None,
        on_shutdown=[dashboard.close],
    )


def dashboard_error(_request: AnyRequest, error: Exception) -> Response[bytes]:
    """What fails before a page is asked: no such path, another method, a form that is too large or from elsewhere."""
    status, words = _worded(error)
    return Response(f"{status}: {words}\n".encode(), status_code=status, headers=HEADERS, media_type="text/plain")


def _visit(request: AnyRequest, form: Mapping[str, list[str]], now: int, usual: ZoneInfo) -> Visit:
    query = _fields(request.scope["query_string"])
    client = request.client.host if request.client else ""
    search = request.scope["query_string"].decode("latin-1")
    return Visit(
        path={name: str(value) for name, value in request.path_params.items()},
        query=query,
        form=form,
        browser=Browser(client, request.headers.get("user-agent", "")),
        now=now,
        address=request.scope["path"] + (f"?{search}" if search else ""),
        zone=_zone(request, usual),
        attempt=request.cookies.get(_attempt_name(is_loopback=_is_loopback(request)), ""),
        origin=f"{'http' if _is_loopback(request) else 'https'}://{request.headers.get('host', '')}",
    )


def _zone(request: AnyRequest, usual: ZoneInfo) -> ZoneInfo:
    """What the browser said where it is; the server's zone where it said nothing, or none that is known here."""
    return zone_named(unquote(request.cookies.get(_ZONE_COOKIE, "")), usual)


def _with(visit: Visit, known: Visitor | None, place: Any) -> Visit:
    fields = {
        name: getattr(visit, name)
        for name in ("path", "query", "form", "browser", "now", "address", "origin", "zone", "attempt")
    }
    return Visit(**fields, known=known, place=place)


def _fields(encoded: bytes) -> dict[str, list[str]]:
    try:
        return parse_qs(encoded.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise HTTPException(status_code=400, detail="too many fields") from None


async def _form_of(request: AnyRequest) -> dict[str, list[str]]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind and kind != "application/x-www-form-urlencoded":
        raise HTTPException(status_code=415, detail="expected a form")
    return _fields(await request.body())


def _check_origin(request: AnyRequest) -> None:
    """A form counts only when it stood on a page of ours. Raises HTTPException."""
    if request.method in _SAFE_METHODS:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        is_ours = site in {"same-origin", "none"}
    else:
        origin = urlsplit(request.headers.get("origin", ""))
        is_ours = bool(origin.netloc) and origin.netloc == request.headers.get("host")
    if not is_ours:
        raise HTTPException(status_code=403, detail="this form stood on a page of another server")


def _asks_by_itself(request: AnyRequest) -> bool:
    """Whether an open page asks for a part of itself, or what has changed, rather than a person for a page."""
    return "hx-request" in request.headers or request.scope["path"].endswith("/ticks")


def _is_loopback(request: AnyRequest) -> bool:
    """Whether the browser speaks to this machine itself, where a cookie needs no TLS."""
    host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    return host in _LOOPBACK


def _cookie(token: str, *, is_loopback: bool) -> str:
    name = _LOOPBACK_COOKIE if is_loopback else _COOKIE
    age = _COOKIE_SECONDS if token else 0
    secure = "" if is_loopback else "; Secure"
    return f"{name}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}"


def _attempt_name(*, is_loopback: bool) -> str:
    return f"{_LOOPBACK_COOKIE if is_loopback else _COOKIE}-login"


def _attempt_cookie(text: str, *, is_loopback: bool) -> Cookie:
    """Lax: the provider sends the browser back by a link of its own."""
    return Cookie(
        key=_attempt_name(is_loopback=is_loopback), value=text, max_age=LONGEST_MS // 1000 if text else 0, path="/",
        secure=not is_loopback, httponly=True, samesite="lax",
    )  # fmt: skip


def _stood_on(request: AnyRequest) -> str:
    """The page that a form was sent from; the workspaces where the browser does not say."""
    place = urlsplit(request.headers.get("referer", ""))
    if place.netloc != request.headers.get("host") or not place.path.startswith(f"{PREFIX}/"):
        return f"{PREFIX}/workspaces"
    return place.path + (f"?{place.query}" if place.query else "")


def _refused(error: Exception, back: str) -> Reply:
    if isinstance(error, ProofNeeded):
        return Html("prove.html", {"back": back}, 403)
    if isinstance(error, NotAuthenticated):
        return Redirect(f"{PREFIX}/login")
    status, words = _worded(error)
    return Html("refused.html", {"status": status, "words": words, "since": 0}, status)


_STATUS: Iterable[tuple[type[Exception], int]] = (
    (NotFound, 404),
    (NotAuthenticated, 401),
    (NotAllowed, 403),
    (StoreFull, 507),
    (Transient, 503),
)


def _worded(error: Exception) -> tuple[int, str]:
    if isinstance(error, HTTPException) and error.status_code < 500:
        return error.status_code, error.detail
    if isinstance(error, MailvaneError):
        return next((status for kind, status in _STATUS if isinstance(error, kind)), 400), error.message
    reference = uuid4().hex[:12]
    log.error("unexpected failure %s", reference, exc_info=error)
    return 500, f"unexpected failure, in the server's log as {reference}"
