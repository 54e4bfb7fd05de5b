"""Where every HTTP request comes in: its dialect is chosen, its key is proven, its answer is counted.

This wraps the framework rather than sitting in it, because the framework's own middleware does not see requests for
unknown paths and wrong methods, and those too are answered in the dialect's shape, and only after the key.
It routes nothing. A handler that needs a principal asks for it with `principal_of`, which fails closed.

Keys that were proven a moment ago are known without asking the ledger. A key that was taken back, switched off or has
expired may thus be let in for at most `AGE_SECONDS` more; in the process that took it back, not at all. A key that was
not let in is never remembered: a new one works at once. The second counts from when the request came that asked the
ledger, and nobody waits along for a proof that began longer ago, however long the ledger takes.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from time import monotonic, perf_counter
from typing import Any, NamedTuple

from litestar import Request, Response
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from litestar.utils.path import normalize_path

from mailvane.core.errors import InvalidInput, KeyMissing, NotAllowed, NotAuthenticated
from mailvane.core.tenants.model import KeyKind, Principal
from mailvane.core.tenants.service import Tenancy
from mailvane.web.connection import PROVEN
from mailvane.web.dialect import Dialect, refusal_of
from mailvane.web.thread_pools import ThreadPools
from mailvane.web.tracing import UNTRACED, RequestSpan, Tracing

AGE_SECONDS = 1.0  # ours
_REMEMBERED = 10_000
_PATHS_KNOWN, _LONGEST_KNOWN = 4096, 200  # paths of so many characters, of which it is known whose they are


class _Proof(NamedTuple):
    principal: Principal
    until: float


class KeyCache:
    """Who presents a key: remembered, or proven anew. Safe to share between threads."""

    def __init__(self, tenancy: Tenancy, admit_client: Callable[[int, int], object], age: float = AGE_SECONDS) -> None:
        """`admit_client` is asked whether a client key (its number, now) may enter, and raises when it may not."""
        self._tenancy = tenancy
        self._admit_client = admit_client
        self._age = age
        self._proofs: dict[tuple[bytes, str | None], _Proof] = {}
        self._changes = 0

    @property
    def age(self) -> float:
        """For how many seconds a proof holds."""
        return self._age

    @property
    def changes(self) -> int:
        """Rises with every change of keys in this process: what was asked before proves nothing after."""
        return self._changes

    def recall(self, token: str, workspace: str | None, moment: float) -> Principal | None:
        """Who it was a moment ago; never blocks. The moment is of a clock that only goes forward, in seconds."""
        proof = self._proofs.get((_digest(token), workspace))
        return proof.principal if proof is not None and moment < proof.until else None

    def prove(self, token: str, workspace: str | None, now: int, moment: float) -> Principal:
        """Who it is, by the ledger. Raises NotAuthenticated, InvalidInput, NotFound, NotAllowed."""
        changes, proofs = self._changes, self._proofs
        principal = self._tenancy.authenticate(token, now, workspace)
        if principal.kind is KeyKind.CLIENT and principal.key is not None:
            self._admit_client(principal.key, now)
        if changes != self._changes:
            return principal  # the ledger may have been read before the change
        if len(proofs) >= _REMEMBERED:
            proofs.clear()
        proofs[_digest(token), workspace] = _Proof(principal, moment + self._age)
        return principal

    def forget(self) -> None:
        """A key was changed: whoever comes next is proven anew."""
        self._changes += 1
        self._proofs = {}  # a proof that is under way writes into the former


def _digest(token: str) -> bytes:
    """No secret lies in memory longer than its request."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


class _UnderWay(NamedTuple):
    task: asyncio.Task[Principal]
    until: float  # who comes later asks anew
    changes: int  # of keys, as counted when it began


Observe = Callable[[str, str, int, float], None]

_DIALECT, _PRINCIPAL, _HEAD, _SPAN = "mailvane_dialect", "mailvane_principal", "mailvane_head", "mailvane_span"


def is_head(scope: HTTPScope) -> bool:
    """Whether the request came as HEAD, which is served as a GET whose body is dropped."""
    return bool(scope["state"].get(_HEAD))


def principal_of(request: Request[Any, Any, Any]) -> Principal:
    """Who is asking. Raises NotAuthenticated when nobody proved anything."""
    principal = request.scope["state"].get(_PRINCIPAL)
    if not isinstance(principal, Principal):
        raise NotAuthenticated
    return principal


def render_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The framework's handler of every exception."""
    dialect: Dialect = request.scope["state"][_DIALECT]
    return dialect.render(refusal_of(error))


class Authenticator:
    """Proves a key: at once when it was proven a moment ago, otherwise on a thread, once for all who present it."""

    def __init__(self, key_cache: KeyCache, threads: ThreadPools, clock: Callable[[], int]) -> None:
        self._key_cache = key_cache
        self._threads = threads
        self._clock = clock
        self._under_way: dict[tuple[str, str | None], _UnderWay] = {}

    async def principal(self, token: str, workspace: str | None) -> Principal:
        moment = monotonic()
        known = self._key_cache.recall(token, workspace, moment)
        if known is not None:
            return known
        presented = token, workspace
        proof = self._under_way.get(presented)
        if proof is None or moment >= proof.until or proof.changes != self._key_cache.changes:
            now = self._clock()
            task = asyncio.create_task(self._threads.quick(self._key_cache.prove, token, workspace, now, moment))
            proof = _UnderWay(task, moment + self._key_cache.age, self._key_cache.changes)
            self._under_way[presented] = proof
            task.add_done_callback(lambda _: self._end(presented, task))
        return await asyncio.shield(proof.task)  # one who goes away does not take the proof from the others

    def _end(self, presented: tuple[str, str | None], task: asyncio.Task[Principal]) -> None:
        proof = self._under_way.get(presented)
        if proof is not None and proof.task is task:
            del self._under_way[presented]


class Gateway:
    """The outermost ASGI application."""

    def __init__(
        self,
        inner: ASGIApp,
        dialects: Sequence[Dialect],
        proofs: Authenticator,
        observe: Observe,
        beside: Mapping[str, ASGIApp] | None = None,
        tracing: Tracing = UNTRACED,
    ) -> None:
        """`beside`: applications that prove by themselves who asks, and the prefix of each one's paths."""
        self._inner = inner
        self._beside = beside or {}
        self._dialects = dialects  # the last one takes what no other owns
        self._proofs = proofs
        self._observe = observe
        self._tracing = tracing
        self._surface = lru_cache(_PATHS_KNOWN)(self._surface_of)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            with self._tracing.request(scope["method"], scope["headers"]) as span:
                scope["state"][_SPAN] = span
                await self._answer(scope, receive, send)
        else:
            await self._inner(scope, receive, send)

    async def _answer(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        path = normalize_path(scope["path"])
        bodiless = scope["method"] == "HEAD"
        if bodiless:  # in a scope of our own: the server below still has to know
            scope = {**scope, "method": "GET"}
        prefix = "/" + path.split("/", 2)[1]
        scope["state"][_HEAD] = bodiless
        if prefix in self._beside:
            await self._pass_on(prefix, scope, receive, send, bodiless=bodiless)
            return
        dialect, needs_key = (self._surface if len(path) <= _LONGEST_KNOWN else self._surface_of)(path)
        scope["state"][_DIALECT] = dialect
        answer = _Answer(send, dialect, bodiless=bodiless)
        try:
            await self._serve(scope, receive, answer, needs_key)
        finally:
            self._tell(dialect.name, scope, answer.status, started)

    def _surface_of(self, path: str) -> tuple[Dialect, bool]:
        """Whose path it is, and whether it needs a key."""
        dialect = next((each for each in self._dialects if each.owns(path)), self._dialects[-1])
        return dialect, dialect.needs_key(path)

    async def _pass_on(self, prefix: str, scope: HTTPScope, receive: Receive, send: Send, *, bodiless: bool) -> None:
        started, dialect = perf_counter(), self._dialects[-1]
        answer = _Answer(send, dialect, bodiless=bodiless)
        try:
            try:
                _check_host(scope)
            except InvalidInput as error:
                await _send(dialect.render(refusal_of(error)), scope, receive, answer)
                return
            await self._beside[prefix](scope, receive, answer)
        finally:
            self._tell(prefix.removeprefix("/"), scope, answer.status, started)

    def _tell(self, surface: str, scope: HTTPScope, status: int, started: float) -> None:
        route = str(scope.get("path_template") or "unmatched")
        self._observe(surface, route, status, perf_counter() - started)
        span: RequestSpan = scope["state"][_SPAN]
        span.answered(surface, route, status, _workspace_of(scope, status))

    async def _serve(self, scope: HTTPScope, receive: Receive, answer: _Answer, needs_key: bool) -> None:
        preflight = scope["method"] == "OPTIONS"
        try:
            _check_host(scope)
            if needs_key and not preflight:
                scope["state"][_PRINCIPAL] = await self._proven(scope, answer.dialect)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer in its own shape
            await _send(answer.dialect.render(refusal_of(error)), scope, receive, answer)
            return
        if preflight:
            await _send(Response(b"", status_code=200, media_type="text/plain"), scope, receive, answer)
        else:
            await self._inner(scope, receive, answer)

    async def _proven(self, scope: HTTPScope, dialect: Dialect) -> Principal:
        token, workspace = presented(scope["headers"])
        if not token:
            raise KeyMissing
        principal = await self._proofs.principal(token, workspace)
        if principal.kind not in dialect.kinds:
            raise NotAllowed("a key of this kind may not do this") if dialect.knows_403 else NotAuthenticated
        prove = scope["state"].get(PROVEN)
        if prove is not None:
            prove()
        return principal


def _workspace_of(scope: HTTPScope, status: int) -> int | None:
    """Whose request it was: by its key, or by the path of a page that was shown."""
    principal = scope["state"].get(_PRINCIPAL)
    if isinstance(principal, Principal):
        return principal.workspace
    named: object = scope.get("path_params", {}).get("workspace")
    return named if isinstance(named, int) and status < 400 else None


def _check_host(scope: HTTPScope) -> None:
    """Raises InvalidInput where it is not said, or not clearly, which host is meant (RFC 9112, section 3.2)."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if len(hosts) != 1 and (hosts or scope["http_version"] != "1.0"):
        raise InvalidInput("expected exactly one Host header")
    if hosts and not _HOST.fullmatch(hosts[0]):
        raise InvalidInput("the Host header holds no name of a host")


def presented(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, str | None]:
    """The key and the workspace that the headers name; empty when there is none."""
    found = {name: value.decode("latin-1").strip() for name, value in headers if name in _OURS}
    workspace = found.get(b"x-workspace-id") or None
    if found.get(b"x-api-key"):
        return found[b"x-api-key"], workspace
    scheme, _, token = found.get(b"authorization", "").partition(" ")
    return (token.strip() if scheme.lower() == "bearer" else ""), workspace


# uri-host [":" port] (RFC 9110, section 7.2), which may be empty.
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?")
_OURS = frozenset({b"x-api-key", b"authorization", b"x-workspace-id"})


class _Answer:
    """The way back to the client: remembers the status, adds the dialect's headers, drops the body of a HEAD."""

    def __init__(self, send: Send, dialect: Dialect, bodiless: bool) -> None:
        self._send = send
        self._bodiless = bodiless
        self.dialect = dialect
        self.status = 500

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            extra = [(name.lower().encode(), value.encode()) for name, value in self.dialect.headers.items()]
            message["headers"] = [*message["headers"], *extra]
        elif message["type"] == "http.response.body" and self._bodiless:
            message["body"] = b""
        await self._send(message)


async def _send(response: Response[bytes], scope: HTTPScope, receive: Receive, send: Send) -> None:
    request: Request[Any, Any, Any] = Request(scope)
    await response.to_asgi_response(app=None, request=request)(scope, receive, send)
