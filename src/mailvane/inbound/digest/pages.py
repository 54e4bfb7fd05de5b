"""The pages behind the links of a digest: one that asks, one that says what came of it.

Opening a link changes nothing: scanners and previews open links. Only the form's POST decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from litestar import Response

from mailvane.inbound.digest.links import Decision, HeldLink
from mailvane.inbound.model import Message, MessageStatus
from mailvane.inbound.quarantine import Decided
from mailvane.inbound.services import InboundServices
from mailvane.web.dialect import Dialect, Refusal
from mailvane.web.endpoints import Asked, Endpoint, Parameter, Pool, RouteTable

PATH = "/held-mail"
ACTOR = "digest link"
_HTML = "text/html"
_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
    "X-Content-Type-Options": "nosniff",
}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title></head>
<body style="font-family:sans-serif;max-width:36em;margin:4em auto;padding:0 1em;overflow-wrap:anywhere">
<h1 style="font-size:1.4em">{title}</h1>
{text}</body></html>
"""
_GONE = ("This link is not valid", "<p>It has expired, or is not complete. Nothing was changed.</p>")
_ASKED = {Decision.ACCEPT: "Deliver this mail?", Decision.REJECT: "Reject this mail?"}
_DONE = {
    MessageStatus.DELIVERED: "The mail was delivered",
    MessageStatus.PENDING: "The mail is on its way",
    MessageStatus.DENIED: "The mail was rejected",
}


def _rendered(refusal: Refusal) -> Response[bytes]:
    content = _page("This did not work", f"<p>{escape(refusal.message)}</p>").encode()
    return Response(content, status_code=refusal.status, headers=dict(refusal.headers), media_type=_HTML)


def _page(title: str, text: str) -> str:
    return _PAGE.format(title=escape(title), text=text)


def ask(services: InboundServices, asked: Asked) -> str:
    """A page with a form, where there is something to decide."""
    link = services.links.read(asked.query.get("t", ""), asked.now)
    message = None if link is None else services.stores.messages.message(link.workspace, link.message)
    if link is None or message is None:
        return _page(*_GONE)
    if message.status is not MessageStatus.QUARANTINED:
        return _page(f"The mail is {message.status.value} already", _told(message))
    button = "Deliver" if link.decision is Decision.ACCEPT else "Reject"
    return _page(_ASKED[link.decision], f'{_told(message)}<form method="post"><button>{button}</button></form>\n')


def decide(services: InboundServices, asked: Asked) -> str:
    """Accept or reject, once: a second time says how it is."""
    link = services.links.read(asked.query.get("t", ""), asked.now)
    if link is None:
        return _page(*_GONE)
    (decided,) = _decided(services, link, asked.now)
    message = services.stores.messages.message(link.workspace, link.message)
    if message is None:
        return _page(*_GONE)
    title = _DONE.get(message.status, f"The mail is {message.status.value}")
    reason = f"<p>{escape(decided.reason)}</p>\n" if decided.reason else ""
    return _page(title, f"{reason}{_told(message)}")


def _decided(services: InboundServices, link: HeldLink, now: int) -> list[Decided]:
    act = services.quarantine.accept if link.decision is Decision.ACCEPT else services.quarantine.reject
    return act(link.workspace, [link.message], ACTOR, now)


def _told(message: Message) -> str:
    sender = message.from_address or message.sender
    return (
        f"<p>From {escape(sender)}<br>\nto {escape(message.recipient)}<br>\n"
        f"<strong>{escape(message.subject or '(no subject)')}</strong></p>\n"
    )


# A path of its own, so that the key of the interfaces around it is not asked for.
DIALECT = Dialect(
    name="held mail", render=_rendered, prefixes=(PATH,), open_paths=frozenset({PATH}), headers=_HEADERS,
    refusal_type=_HTML,
)  # fmt: skip
_TOKEN = (Parameter("t", "The signed token of the link."),)
ROUTES = RouteTable(
    [
        Endpoint(
            "get", PATH, "held_mail_ask", "Ask before a link of a digest decides", ask, str, query=_TOKEN,
            answer_type=_HTML,
        ),
        Endpoint(
            "post", PATH, "held_mail_decide", "Accept or reject held mail", decide, str, query=_TOKEN,
            answer_type=_HTML, pool=Pool.OUTSIDE, status=200,
        ),
    ],
    services=InboundServices,
    dialect=DIALECT,
    tags=("Held mail",),
)  # fmt: skip
