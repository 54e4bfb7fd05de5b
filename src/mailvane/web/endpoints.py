"""Routes as rows of a table: each says what is asked for, which function of a room answers, and where it runs.

A function gets what was asked as a value, and gives its reply as a value. It knows no framework. Only where that does
not do (a body that is read in parts, the most frequent question of all) a function on the event loop takes the request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, TypeVar

from litestar import Request

from mailvane.core.errors import InvalidInput, NotAuthenticated
from mailvane.core.tenants.model import KeyKind, Principal
from mailvane.web.dialect import JSON, Dialect
from mailvane.web.thread_pools import ThreadPools
from mailvane.web.wanted import Wanted

T = TypeVar("T")


def services_of(request: Request[Any, Any, Any], kind: type[T]) -> T:
    """The services of one room that the application was made with."""
    services: Mapping[type[Any], Any] = request.app.state.services
    found: T = services[kind]
    return found


def clock_of(request: Request[Any, Any, Any]) -> Callable[[], int]:
    """The clock that the application was made with: milliseconds since the epoch, UTC."""
    clock: Callable[[], int] = request.app.state.clock
    return clock


def threads_of(request: Request[Any, Any, Any]) -> ThreadPools:
    """The threads that the application was made with."""
    threads: ThreadPools = request.app.state.threads
    return threads


PLAIN = "text/plain"
NO_CONTENT = 204
_USUAL_STATUS = {"delete": NO_CONTENT}
_USUAL_BODY = 64 * 1024


TEXT: Mapping[str, Any] = {"type": "string"}


class Pool(Enum):
    """Where a function runs: a pool of threads (`thread_pools.ThreadPools`), or the event loop."""

    LEDGER = auto()  # a moment, in the workspace's turn; given up when the client leaves
    LENGTHY = auto()  # the same for what may take many seconds, and must not keep keys from being looked up
    MAIL_LOG = auto()  # a question to the mail log, in the workspace's turn; equal ones are asked once
    OUTSIDE = auto()  # waits for a server of somebody else
    UPKEEP = auto()  # minutes, one at a time
    LOOP = auto()  # no thread: a coroutine function of the services and the framework's request


@dataclass(frozen=True)
class Parameter:
    """Something of the query, or a header, that a function reads."""

    name: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: TEXT)
    required: bool = False
    place: str = "query"

    def described(self) -> dict[str, Any]:
        """As the OpenAPI document has it."""
        return {
            "name": self.name,
            "in": self.place,
            "description": self.description,
            "required": self.required,
            "schema": dict(self.schema),
        }


@dataclass(frozen=True)
class Asked:
    """A request, as far as a function may look at it."""

    proven: Principal | None  # None: the route is open to all
    path: Mapping[str, str]
    query: Mapping[str, str]  # what the row names, and nothing else
    body: bytes
    now: int
    wanted: Wanted = field(default_factory=Wanted)
    headers: Mapping[str, str] = field(default_factory=dict)  # what the row names

    @property
    def principal(self) -> Principal:
        """Who asks. Raises NotAuthenticated when nobody proved anything."""
        if self.proven is None:
            raise NotAuthenticated
        return self.proven

    @property
    def workspace(self) -> int:
        """Raises InvalidInput when the key opens several and none was named."""
        if self.principal.workspace is None:
            raise InvalidInput("name the workspace in the X-Workspace-Id header")
        return self.principal.workspace

    @property
    def by(self) -> str:
        """Who, for what is written down of it."""
        return "master token" if self.principal.kind is KeyKind.MASTER else f"key {self.principal.key}"


# Of the services value of the room and an Asked, blocking; for Pool.LOOP a coroutine function of services and request.
Function = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Endpoint:
    """A row."""

    method: str
    path: str
    name: str  # unique in the whole application
    summary: str
    function: Function
    answer: Any  # model of what is answered; None: nothing
    body: Any = None  # model of what is read
    status: int = 0  # of success; 0: 200, or 204 for what removes
    media_type: str = JSON  # of the body
    largest: int = _USUAL_BODY
    pool: Pool = Pool.LEDGER
    query: tuple[Parameter, ...] = ()
    refusals: tuple[int, ...] = ()  # statuses beyond those that any request of its dialect may meet
    answer_type: str = JSON  # media type of the answer; of another type than JSON it is text
    forgets_keys: bool = False  # when done, what was known of keys is looked up again
    is_described: bool = True  # in the OpenAPI document

    @property
    def success(self) -> int:
        return self.status or _USUAL_STATUS.get(self.method, 200)


@dataclass(frozen=True)
class RouteTable:
    """The rows that one room serves in a dialect."""

    rows: Sequence[Endpoint]
    services: type[Any]  # what the functions take
    dialect: Dialect
    tags: tuple[str, ...]
    prefix: str = ""
    clients: bool = False  # whether functions see requests with a client's key, and refuse them themselves

    def path(self, row: Endpoint) -> str:
        """Where it is served, as the framework writes it."""
        return self.prefix + row.path

    def is_open(self, row: Endpoint) -> bool:
        """No key is needed."""
        return not self.dialect.needs_key(self.path(row))
