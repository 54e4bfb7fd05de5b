"""Postfix's policy delegation protocol: bytes in, requests out, and the answer as bytes.

A request is lines of `name=value`, ended by an empty line. What is not one is refused as a whole: an answer to a
misunderstood question would be worse than none. No I/O, and no opinion about any mail.
"""

from __future__ import annotations

import msgspec

from mailvane.core.errors import InvalidInput

END_OF_MESSAGE = "END-OF-MESSAGE"
MAX_REQUEST = 64 * 1024  # bytes; what Postfix sends is around one thousand
MAX_INSTANCE = 255

_KIND = "smtpd_access_policy"
_END = b"\n\n"


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What Postfix tells of a mail, as far as it matters here. Empty: not known, or not known yet."""

    stage: str  # RCPT, DATA, END-OF-MESSAGE, ...: how far the client has come
    instance: str = ""  # the same for every request about one mail
    sender: str = ""  # empty also for bounces and notifications
    recipient: str = ""  # from DATA on only when it is the only one
    recipient_count: int = 0  # 0 before DATA
    sasl_username: str = ""
    client_address: str = ""
    service: str = ""  # which listener of the mail server asks, and in which context; Postfix 3.2 and later tell


class RequestStream:
    """Cuts the bytes of one connection into requests."""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def unfinished(self) -> bool:
        """Whether a request has begun and not ended."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[Request]:
        """The requests that are complete now. Raises InvalidInput: no byte after it can be trusted."""
        *blocks, self._rest = (self._rest + data).split(_END)
        if len(self._rest) > MAX_REQUEST:
            raise InvalidInput("a policy request does not end")
        return [_request(block) for block in blocks]


def answer(action: str) -> bytes:
    """The reply that carries an action, such as `DUNNO` or `DEFER 4.7.1 too much mail`."""
    if "\n" in action or "\0" in action:
        raise InvalidInput("an action is one line")
    return f"action={action}\n\n".encode()


def _request(block: bytes) -> Request:
    attributes = _attributes(block)
    if attributes.get("request") != _KIND:
        raise InvalidInput(f"not a policy request: it has no line request={_KIND}")
    instance = attributes.get("instance", "")
    if len(instance) > MAX_INSTANCE:
        raise InvalidInput("the instance of a policy request is too long")
    return Request(
        stage=attributes.get("protocol_state", ""),
        instance=instance,
        sender=attributes.get("sender", ""),
        recipient=attributes.get("recipient", ""),
        recipient_count=_count(attributes.get("recipient_count", "")),
        sasl_username=attributes.get("sasl_username", ""),
        client_address=attributes.get("client_address", ""),
        service=f"{attributes.get('server_port', '')} {attributes.get('policy_context', '')}".strip(),
    )


def _attributes(block: bytes) -> dict[str, str]:
    if len(block) > MAX_REQUEST:
        raise InvalidInput("a policy request is too long")
    if b"\0" in block:
        raise InvalidInput("a policy request holds a NUL")
    # What is no UTF-8 must not get as far as a store, which would refuse it together with its neighbours.
    lines = block.decode("utf-8", "replace").split("\n")
    try:
        return dict([line.split("=", 1) for line in lines])
    except ValueError:
        raise InvalidInput("a line of a policy request is not name=value") from None


def _count(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidInput("recipient_count of a policy request is not a number")
    return int(text)
