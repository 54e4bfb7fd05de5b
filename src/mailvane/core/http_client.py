"""Questions to outside sources over HTTP: time limits, bounded bodies, patience. Knows no vendor.

Neither proxies of the environment nor redirects are followed. No error names an address, which may hold a secret.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import httpx
import msgspec

from mailvane import __version__
from mailvane.core.egress import EgressGuard, GuardedTransport, HostUnknown, certificates, retry_after_ms
from mailvane.core.errors import CollectionFailed, InvalidInput, NotAllowed
from mailvane.core.unpacking import gunzipped

MOST_BYTES = 32 * 1024 * 1024
_TIMEOUT = httpx.Timeout(20.0, connect=10.0)
_ALTOGETHER_SECONDS = 120.0  # a body that trickles keeps every single read within its limit
_LONGEST_PAUSE = 20.0  # who asks for more patience is asked again another time
_PAUSES = (1.0, 4.0)

# At INFO it writes every address it asks, and those of some vendors hold the key.
logging.getLogger("httpx").setLevel(logging.WARNING)


class Answer(msgspec.Struct, frozen=True):
    """What a server said."""

    status: int
    body: bytes
    headers: Mapping[str, str]  # names in lower case

    @property
    def is_page(self) -> bool:
        """Whether it is a page for browsers."""
        return "html" in self.headers.get("content-type", "").lower() or self.body.lstrip()[:1] == b"<"


class RateLimited(CollectionFailed):
    """The source is asked too often."""

    def __init__(self, message: str, wait_ms: int) -> None:
        super().__init__(message)
        self.wait_ms = wait_ms


class HttpClient:
    """A connection pool for one source, open as a context. `whom` names the source in errors."""

    def __init__(
        self,
        whom: str,
        *,
        most_bytes: int = MOST_BYTES,
        pauses: Sequence[float] = _PAUSES,
        guard: EgressGuard | None = None,
    ) -> None:
        """`guard`: what a public question may reach; without one, the public internet alone."""
        self._whom = whom
        self._most_bytes = most_bytes
        self._pauses = tuple(pauses)
        self._guard = guard or EgressGuard()
        self._client = _client(None)
        self._public: httpx.AsyncClient | None = None  # made when it is needed: loading the roots takes its time

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()
        if self._public is not None:
            await self._public.aclose()

    async def ask(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        json: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        public: bool = False,
    ) -> Answer:
        """GET, or POST when there is something to send, as JSON or as it is. Again after a pause when that may help.

        `public`: only at an address of the public internet, because the URL is somebody else's and not of the settings.
        Whatever the status says is for the caller, except: raises RateLimited on 429, CollectionFailed on 5xx.
        """
        content = content if json is None else msgspec.json.encode(json)
        given = dict(headers or {}) | ({} if json is None else {"Content-Type": "application/json"})
        client = self._guarded() if public else self._client
        for pause in (*self._pauses, None):
            try:
                return self._judged(await self._once(client, url, params, content, given))
            except CollectionFailed as error:
                wait = error.wait_ms / 1000 if isinstance(error, RateLimited) else 0.0
                if pause is None or wait > _LONGEST_PAUSE:
                    raise
            await asyncio.sleep(max(wait, pause * random.uniform(0.5, 1.5)))  # noqa: S311
        raise AssertionError("the last try returns or raises")

    def _guarded(self) -> httpx.AsyncClient:
        if self._public is None:
            self._public = _client(GuardedTransport(self._guard))
        return self._public

    async def _once(
        self,
        client: httpx.AsyncClient,
        url: str,
        params: Mapping[str, str] | None,
        content: bytes | None,
        headers: Mapping[str, str],
    ) -> Answer:
        try:
            async with asyncio.timeout(_ALTOGETHER_SECONDS):
                method = "GET" if content is None else "POST"
                async with client.stream(
                    method, url, params=params, content=content, headers=dict(headers)
                ) as response:
                    body = await self._body(response)
                    return Answer(response.status_code, body, {k.lower(): v for k, v in response.headers.items()})
        except (httpx.TimeoutException, TimeoutError):
            raise CollectionFailed(f"{self._whom} did not answer in time") from None
        except (NotAllowed, HostUnknown) as error:
            raise CollectionFailed(f"{self._whom} names an address that is not asked: {error.message}") from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise CollectionFailed(f"the address of {self._whom} in the settings is none") from None
        except (httpx.HTTPError, OSError) as error:
            raise CollectionFailed(f"{self._whom} cannot be reached ({type(error).__name__})") from None

    async def _body(self, response: httpx.Response) -> bytes:
        """Unpacked here: the client would unpack without a bound, and as often as the answer says that it is packed."""
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > self._most_bytes:
                raise CollectionFailed(f"{self._whom} answered with more than {self._most_bytes:,} bytes")
        encoding = response.headers.get("content-encoding", "").strip().lower()
        if encoding in {"", "identity"}:
            return bytes(body)
        if encoding not in {"gzip", "x-gzip"}:
            raise CollectionFailed(f"{self._whom} answered in an encoding that was not asked for")
        try:
            return await asyncio.to_thread(gunzipped, bytes(body), self._most_bytes)
        except InvalidInput as error:
            raise CollectionFailed(f"{self._whom} answered with what cannot be unpacked: {error.message}") from None

    def _judged(self, answer: Answer) -> Answer:
        if answer.status == httpx.codes.TOO_MANY_REQUESTS:
            wait = retry_after_ms(answer.headers.get("retry-after", ""))
            raise RateLimited(f"{self._whom} asks for patience (status 429, {wait // 1000} s)", wait)
        if answer.status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise CollectionFailed(f"{self._whom} has trouble of its own (status {answer.status})")
        return answer


def _client(transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        verify=certificates(),
        transport=transport,
        trust_env=False,
        follow_redirects=False,
        timeout=_TIMEOUT,
        headers={"User-Agent": f"Mailvane/{__version__}", "Accept-Encoding": "gzip"},
    )
