"""Apprise's services, as far as they are allowed: an URL is read and told by its plugin. Blocking; needs the extra.

Apprise is made for people who run it for themselves. Here others write its URLs, so that
- only the services of `SCHEMES` are taken: all of them ask over HTTP by the library `requests` and by nothing else;
- what they send goes through a session that connects to an address which the guard has judged, and to no other:
  Apprise's own policy for URLs that are not trusted, which pins the connection to the answer of the name server;
- no parameter that names a file of this machine is taken, nothing is stored on it, and neither redirects nor proxies
  of the environment are followed; certificates are always checked.
"""

from __future__ import annotations

import logging
import socket
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import requests
from apprise import Apprise, AppriseAsset, NotifyBase, NotifyType
from apprise.manager_plugins import NotificationManager
from apprise.utils.http import HTTPPolicy, HTTPPolicySession

from mailvane.core.errors import InvalidInput
from mailvane.notify.apprise_model import Trace
from mailvane.notify.model import Severity

# Its warnings show addresses, some of which hold keys; what went wrong is told by the delivery log.
logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
logging.getLogger("urllib3").setLevel(logging.WARNING)

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of modules that plugins load which are not used here
    NotificationManager().load_modules()

TIMEOUTS = (5.0, 10.0)  # seconds: to connect, between two pieces of an answer
# Those whose plugins ask by `requests` alone. ours: which of some two hundred are of use to whoever looks after mail.
SCHEMES = frozenset(
    (
        *("barks", "bark", "betterstack", "cliq", "dingtalk", "discord", "emby", "embys", "evolution", "evolutions"),
        *("feishu", "firehydrant", "flock", "form", "forms", "gchat", "github", "goalert", "goalerts", "gotify"),
        *("gotifys", "guilded", "hassio", "hassios", "ifttt", "ilert", "incidentio", "jira", "join", "json", "jsons"),
        *("lark", "line", "mailgun", "mastodon", "mastodons", "toot", "toots", "matrix", "matrixs", "mmost", "mmosts"),
        *("msgbird", "ncloud", "nclouds", "nctalk", "nctalks", "nexmo", "notica", "noticas", "notifiarr", "notifico"),
        *("ntfy", "ntfys", "onesignal", "opsgenie", "pagerduty", "pagertree", "pbul", "plivo", "postmark", "pover"),
        *("prowl", "pushdeer", "pushdeers", "pushed", "pushy", "revolt", "rocket", "rockets", "ryver", "sendgrid"),
        *("signal", "signals", "signl4", "sinch", "slack", "sns", "sparkpost", "spike", "splunk", "spush"),
        *("squadcast", "stackfield", "synology", "synologys", "telnyx", "tgram", "threema", "twilio", "twist"),
        *("victorops", "vonage", "webex", "wxteams", "wecombot", "whatsapp", "workflow", "workflows", "xml", "xmls"),
        *("xmatters", "zoom", "zulip"),
    )
)
# What names files here, or things that are fetched: neither is anybody's business who writes an URL.
_REFUSED_PARAMETERS = frozenset(("attach", "attachment", "file", "keyfile", "path", "store", "subfile", "template"))
_KINDS = {
    Severity.INFO: NotifyType.INFO,
    Severity.WARNING: NotifyType.WARNING,
    Severity.CRITICAL: NotifyType.FAILURE,
}
_trace: ContextVar[Trace] = ContextVar("apprise_trace")


def check(url: str, check_host: Callable[[str], None]) -> None:
    """Raises InvalidInput for an URL that is none, or of a service that is not allowed; NotAllowed, as `check_host`."""
    for host in _hosts(_plugin(url)):
        with suppress(InvalidInput):  # an id in the place of a host is none
            check_host(host)


def told(url: str, title: str, body: str, severity: Severity, trace: Trace) -> bool:
    """Send it; whether all of it was taken. `trace` resolves names, and hears what was answered.

    Raises InvalidInput; whatever `trace.address_of` raises is kept in `trace.error`, as plugins may swallow it.
    """
    plugin = _plugin(url)
    token = _trace.set(trace)
    try:
        return bool(plugin.notify(body=body, title=title, notify_type=_KINDS[severity], body_format="text"))
    finally:
        _trace.reset(token)


def _plugin(url: str) -> NotifyBase:
    scheme = url.partition("://")[0].strip().lower()
    if scheme not in SCHEMES:
        raise InvalidInput(f"there is no service {scheme[:20]}:// here; docs/how-to/be-told.md names those that are")
    asset = AppriseAsset(
        async_mode=False, secure_logging=True, storage_mode="memory", allow_templates=False, http_redirects=False,
        pem_autogen=False, pgp_autogen=False,
    )  # fmt: skip
    parsed = Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if not isinstance(parsed, NotifyBase):
        raise InvalidInput(f"this is no URL of the service {scheme}://")
    # Its own reading counts, not one of ours: what it takes for a parameter is one.
    given = (type(parsed).parse_url(url) or {}).get("qsd") or {}
    if refused := sorted(_REFUSED_PARAMETERS & {str(name).lower() for name in given}):
        raise InvalidInput(f"the parameter {refused[0]} is not allowed")
    _stand_in()
    return parsed


def _hosts(plugin: NotifyBase) -> Iterator[str]:
    """Of one whose URL names a host; others go to that of their service, or have an id in its place."""
    host = str(getattr(plugin, "host", "") or "")
    if host:
        yield urlsplit(f"//{host}").hostname or host if host.startswith("[") else host


# -- requests of plugins ---------------------------------------------------------------------------------------------


class _Policy(HTTPPolicy):
    """Connects to the address that the guard gave for the name, and to no other."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._trace = trace

    def resolve(self, host: str, port: int) -> list[tuple[int, int, int, str, tuple[Any, ...]]]:
        try:
            address = self._trace.address_of(host, port)
        except Exception as error:
            self._trace.error = error
            raise
        family = socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 0, "", (address, port))]


class _Requests:
    """What plugins find under the name `requests`: the module, but for what sends something."""

    def __getattr__(self, name: str) -> Any:
        return getattr(requests, name)

    def request(self, method: str, url: str, **given: Any) -> requests.Response:
        trace = _trace.get()  # outside `told` nothing is sent
        given |= {"timeout": TIMEOUTS, "allow_redirects": False, "verify": True, "proxies": None}
        with HTTPPolicySession(_Policy(trace)) as session:
            answer: requests.Response = session.request(method, url, **given)
        trace.answered(answer.status_code, answer.headers.get("Retry-After", ""), answer.content)
        return answer

    def get(self, url: str, **given: Any) -> requests.Response:
        return self.request("GET", url, **given)

    def post(self, url: str, **given: Any) -> requests.Response:
        return self.request("POST", url, **given)

    def put(self, url: str, **given: Any) -> requests.Response:
        return self.request("PUT", url, **given)

    def patch(self, url: str, **given: Any) -> requests.Response:
        return self.request("PATCH", url, **given)

    def delete(self, url: str, **given: Any) -> requests.Response:
        return self.request("DELETE", url, **given)

    def head(self, url: str, **given: Any) -> requests.Response:
        return self.request("HEAD", url, **given)

    def session(self) -> requests.Session:
        """Refused: what a session of the module's own sends is judged by nobody."""
        raise RuntimeError("a plugin would send what the egress guard does not see")

    Session = session


_REQUESTS = _Requests()


def _stand_in() -> None:
    """In every plugin that is loaded; they look the module up by its name each time they send."""
    for name, module in list(sys.modules.items()):
        if name.startswith("apprise.plugins.") and vars(module).get("requests") is requests:
            module.requests = _REQUESTS  # type: ignore[attr-defined]
