"""Where mail programs and browsers ask for tracking links: the paths below `/t`, open to all. An ASGI application.

`/t/o/TOKEN.gif` is a pixel, `/t/c/TOKEN` leads on, `/t/u/TOKEN` unsubscribes (RFC 8058). What is counted is in the
ledger before it is answered, together with what came meanwhile; what was counted a moment ago is known. A token that is
forged, cut or changed is not found, and says nothing about anybody. HEAD and prefetching count nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from email.message import Message as Headers
from email.parser import BytesParser
from email.policy import HTTP
from time import monotonic
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from litestar.enums import ScopeType
from litestar.types import HTTPScope, Receive, Scope, Send

from mailvane.core.errors import MailvaneError
from mailvane.core.group_commit import CommitLimits, GroupCommit
from mailvane.mailboxes.tracking.clients import Proxies, Rates
from mailvane.mailboxes.tracking.links import Link, LinkKind
from mailvane.mailboxes.tracking.machines import Machines
from mailvane.mailboxes.tracking.model import Reaction, reaction_of
from mailvane.mailboxes.tracking.pages import PIXEL, confirmation, unsubscribed
from mailvane.mailboxes.tracking.secrets import Secrets
from mailvane.web.gateway import is_head

PREFIX = "/t"
PATHS = {"o": LinkKind.OPEN, "c": LinkKind.CLICK, "u": LinkKind.UNSUBSCRIBE}
_LONGEST_FORM = 4 * 1024  # bytes
_AT_ONCE = 2_000  # reactions of one transaction
_WAITING = CommitLimits(of_key=50_000, total=50_000)
_REMEMBERED = 100_000
_PREFETCHING = frozenset({b"purpose", b"sec-purpose", b"x-purpose", b"x-moz"})
_UNTOLD = ((b"cache-control", b"no-store, private, max-age=0"), (b"referrer-policy", b"no-referrer"))

Run = Callable[..., Awaitable[Any]]


class _Answer(NamedTuple):
    status: int
    body: bytes = b""
    content_type: bytes = b"text/plain; charset=utf-8"
    headers: tuple[tuple[bytes, bytes], ...] = ()


_NOT_FOUND = _Answer(404, b"not found\n")
_TOO_MANY = _Answer(429, b"too many requests\n", headers=((b"retry-after", b"1"),))
_LATER = _Answer(503, b"try again later\n", headers=((b"retry-after", b"5"),))
_PIXEL = _Answer(200, PIXEL, b"image/gif")
_HTML = b"text/html; charset=utf-8"
_LOCKED = ((b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"),)


class TrackingApp:
    """Belongs to one event loop."""

    def __init__(
        self,
        secrets: Secrets,
        keep: Callable[[Sequence[Reaction]], None],
        machines: Machines,
        rates: Rates,
        proxies: Proxies,
    ) -> None:
        """`keep` makes reactions durable; it blocks, and raises StoreUnavailable."""
        self._secrets = secrets
        self._keep = keep
        self._machines = machines
        self._rates = rates
        self._proxies = proxies
        self._recent: dict[bytes, None] = {}

    def serving(self, run: Run, clock: Callable[[], int]) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
        """The application. `run` runs what blocks on a thread; the clock tells milliseconds."""

        async def commit(_key: None, reactions: Sequence[Reaction]) -> Sequence[None]:
            await run(self._keep, reactions)
            return [None] * len(reactions)

        commits = GroupCommit[None, Reaction, None](commit, _AT_ONCE, limits=_WAITING)

        serving = _Serving(run, clock, commits)

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == ScopeType.HTTP:
                await _send(send, await self._answered(scope, receive, serving))

        return application

    async def _answered(self, scope: HTTPScope, receive: Receive, serving: _Serving) -> _Answer:
        scope["path_template"] = PREFIX
        headers = _Given(scope["headers"])
        address = self._proxies.client((scope["client"] or ("", 0))[0], headers.all(b"x-forwarded-for"))
        if not self._rates.admits(address, monotonic()):
            return _TOO_MANY
        try:
            link = await self._link(scope["path"], serving.run)
        except MailvaneError:
            return _LATER
        if link is None:
            return _NOT_FOUND
        method = "HEAD" if is_head(scope) else scope["method"]
        if link.kind is LinkKind.UNSUBSCRIBE:
            return await self._unsubscribe(link, method, _Body(receive, headers.first(b"content-type")), serving)
        if method not in {"GET", "HEAD"}:
            return _Answer(405, b"not allowed\n", headers=((b"allow", b"GET, HEAD"),))
        answer = _PIXEL if link.kind is LinkKind.OPEN else _led(link)
        if method == "HEAD" or headers.is_prefetch:
            return answer
        agent = headers.first(b"user-agent")
        reaction = reaction_of(link, serving.clock(), self._machines.named(agent, address), address, agent)
        kept = await self._kept(reaction, serving)
        # A person who follows a link is led on all the same.
        return answer if kept or link.kind is LinkKind.CLICK else _LATER

    async def _link(self, path: str, run: Run) -> Link | None:
        kind, _, token = path.removeprefix(PREFIX + "/").partition("/")
        expected = PATHS.get(kind)
        if expected is None:
            return None
        token = token.removesuffix(".gif") if expected is LinkKind.OPEN else token
        moment = monotonic()
        if self._secrets.is_unknown(token, moment):
            await run(self._secrets.learn, moment)
        link = self._secrets.read(token)
        return link if link is not None and link.kind is expected else None

    async def _unsubscribe(self, link: Link, method: str, body: _Body, serving: _Serving) -> _Answer:
        if method in {"GET", "HEAD"}:
            return _Answer(200, confirmation(), _HTML, _LOCKED)
        if method != "POST":
            return _Answer(405, b"not allowed\n", headers=((b"allow", b"GET, HEAD, POST"),))
        if not await body.says_one_click():
            return _Answer(400, b"expected List-Unsubscribe=One-Click\n")
        kept = await self._kept(reaction_of(link, serving.clock(), "", "", ""), serving)
        return _Answer(200, unsubscribed(), _HTML, _LOCKED) if kept else _LATER

    async def _kept(self, reaction: Reaction, serving: _Serving) -> bool:
        """Whether it is in the ledger now."""
        if reaction.digest in self._recent:
            return True
        try:
            await serving.commits.add(None, reaction)
        except MailvaneError:
            return False
        if len(self._recent) >= _REMEMBERED:
            self._recent = {}
        self._recent[reaction.digest] = None
        return True


class _Serving(NamedTuple):
    run: Run
    clock: Callable[[], int]
    commits: GroupCommit[None, Reaction, None]


class _Given:
    """The headers of a request."""

    def __init__(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self._headers = list(headers)

    def all(self, name: bytes) -> list[str]:
        return [value.decode("latin-1") for each, value in self._headers if each == name]

    def first(self, name: bytes) -> str:
        return next((value.decode("latin-1") for each, value in self._headers if each == name), "")

    @property
    def is_prefetch(self) -> bool:
        """Somebody may ask for it later: https://fetch.spec.whatwg.org/#sec-purpose-header and its forerunners."""
        return any(
            name in _PREFETCHING and (b"prefetch" in value.lower() or b"preview" in value.lower())
            for name, value in self._headers
        )


class _Body:
    """A form, as a mail program posts it (RFC 8058, section 3.1)."""

    def __init__(self, receive: Receive, content_type: str) -> None:
        self._receive = receive
        self._content_type = content_type

    async def says_one_click(self) -> bool:
        body, more = b"", True
        while more and len(body) <= _LONGEST_FORM:
            message: Mapping[str, Any] = await self._receive()
            body += message.get("body", b"")
            more = message["type"] == "http.request" and message.get("more_body", False)
        return len(body) <= _LONGEST_FORM and _field(body, self._content_type).strip().lower() == "one-click"


def _field(body: bytes, content_type: str) -> str:
    """The value of List-Unsubscribe; empty: there is none."""
    if content_type.lower().startswith("multipart/form-data"):
        head = b"Content-Type: " + content_type.encode("latin-1", "replace") + b"\r\n\r\n"
        for part in BytesParser(policy=HTTP).parsebytes(head + body).walk():
            if part.get_param("name", header="content-disposition") == "List-Unsubscribe":
                return _text(part)
        return ""
    return parse_qs(body.decode("latin-1")).get("List-Unsubscribe", [""])[0]


def _text(part: Headers) -> str:
    payload = part.get_payload(decode=True)
    return payload.decode("latin-1") if isinstance(payload, bytes) else ""


def _led(link: Link) -> _Answer:
    return _Answer(302, headers=((b"location", link.target.encode("ascii")), (b"x-robots-tag", b"noindex, nofollow")))


async def _send(send: Send, answer: _Answer) -> None:
    headers = [
        (b"content-type", answer.content_type),
        (b"content-length", b"%d" % len(answer.body)),
        (b"x-content-type-options", b"nosniff"),
        *_UNTOLD,
        *answer.headers,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})
