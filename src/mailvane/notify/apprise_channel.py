"""Apprise: ntfy, Telegram, Discord, Teams, PagerDuty, Matrix and others by URL, through the guard of this server.

An URL holds tokens as often as not: it is looked up for each message, and stands in no log and no error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import ModuleType

import msgspec

from mailvane.core.egress import EgressGuard, retry_after_ms
from mailvane.core.errors import InvalidInput, Permanent, Transient
from mailvane.core.moments import DAY_MS
from mailvane.notify.apprise_model import Trace
from mailvane.notify.model import Channel, Notification, Severity
from mailvane.notify.notifier import Delivered, NotDelivered, Refused

TIMEOUT_SECONDS = 40.0  # a plugin may ask several times: a login, a room, the message
AT_ONCE = 8
_LONGEST = 500
NOT_INSTALLED = "Apprise is not installed: `pip install '.[apprise]'`"


class AppriseMessage(msgspec.Struct, frozen=True):
    """What is told, as plain text."""

    title: str
    body: str
    severity: Severity


def check_apprise_url(url: str, check_host: Callable[[str], None]) -> None:
    """Raises InvalidInput, NotAllowed."""
    _plugins().check(url, check_host)


def _plugins() -> ModuleType:
    """Loaded with the first URL: it takes half a second, and is not installed everywhere. Raises InvalidInput."""
    try:
        from mailvane.notify import apprise_plugins  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"apprise", "requests"}:
            raise
        raise InvalidInput(NOT_INSTALLED) from None
    return apprise_plugins


class AppriseNotifier:
    """Tells channels of this kind. Belongs to one event loop."""

    channel = Channel.APPRISE

    def __init__(
        self,
        guard: EgressGuard,
        url_of: Callable[[int, str], str | None],
        message_of: Callable[[Notification], AppriseMessage],
    ) -> None:
        """`url_of` gives the URL of a workspace's channel by its id; `message_of` raises Refused."""
        self._guard = guard
        self._url_of = url_of
        self._message_of = message_of
        self._threads = ThreadPoolExecutor(AT_ONCE, "apprise")

    async def deliver(self, notification: Notification, now: int) -> Delivered:
        """Raises NotDelivered, Refused, NotAllowed."""
        message = self._message_of(notification)
        url = await asyncio.to_thread(self._url_of, notification.workspace, notification.target)
        if url is None:
            raise Refused("there is no such channel any more")
        loop = asyncio.get_running_loop()

        def address_of(host: str, port: int) -> str:
            found = asyncio.run_coroutine_threadsafe(self._guard.address_of(host, port), loop)
            return found.result(TIMEOUT_SECONDS)

        trace = Trace(address_of)
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                taken = await loop.run_in_executor(self._threads, _told, url, message, trace)
        except TimeoutError:
            raise NotDelivered(f"no end within {TIMEOUT_SECONDS:g} s") from None
        return _judged(taken, trace, now)

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _told(url: str, message: AppriseMessage, trace: Trace) -> bool:
    try:
        return bool(_plugins().told(url, message.title, message.body, message.severity, trace))
    except InvalidInput as error:
        raise NotDelivered(error.message) from None  # what is installed or allowed may change
    except (Permanent, Transient):
        raise
    except Exception as error:  # noqa: BLE001 - a plugin's trouble, whose text may hold the URL
        trace.error = trace.error or NotDelivered(f"the plugin failed: {type(error).__name__}")
        return False


def _judged(taken: bool, trace: Trace, now: int) -> Delivered:
    """Raises what the guard raised, NotDelivered, and Refused on 410, as of a webhook."""
    if trace.error is not None:
        raise trace.error
    detail = f"{trace.status} {trace.answer}".strip()[:_LONGEST] if trace.status else ""
    if taken:
        return Delivered(detail)
    if trace.status == 410:
        raise Refused(detail)
    wait = retry_after_ms(trace.retry_after, datetime.fromtimestamp(now / 1000, UTC))
    raise NotDelivered(detail or "nobody answered", min(wait, DAY_MS))
