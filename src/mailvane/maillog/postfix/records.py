"""The text that each Postfix daemon writes after its tag, read into fields. One line at a time, no memory.

Formats as in Postfix 2.8 to 3.11. What a line means for the mail it names is decided in `correlation`.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from mailvane.maillog.queue_id import LONG_DIGITS

_BASE52 = {digit: value for value, digit in enumerate(LONG_DIGITS)}
_MICROSECONDS = 1_000_000

# An address as Postfix 3.5 and later put it: what is in quotes may be any character (RFC 5321 section 4.1.2).
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_PATH = rf"(?:{_QUOTED}(?:@[^<>\"]*+)?|[^<>\"]*+)"
_PEER = re.compile(r"client=([^\[\s]*+)\[([^\]]*+)\](?::\w++)?")
_ORIGINAL_PEER = re.compile(r"([^\[\s]*+)\[([^\]]*+)\](?::\w++)?")
_CLIENT_FIELDS = ("sasl_method", "sasl_username", "sasl_sender", "orig_queue_id", "orig_client")
_SUBMISSION = re.compile(r"uid=(\d+) from=<(.*?)>(?: orig_id=(\w+))?$", re.DOTALL)
_ACTIVE = re.compile(r"from=<(.*)>, size=(\d{1,18}), nrcpt=(\d{1,9}) \(queue active\)")
# Nearly every line; an address with quotes is dear.
_PLAIN_ATTEMPT = re.compile(
    r"to=<([^<>\"]*+)>, ()(?:orig_to=<([^<>\"]*+)>, )?()relay=([^,]*+), (?:conn_use=\d++, )?"
    r"delay=([\d.]{1,15}), delays=[^,]*+, (?:tls=([^,]*+), )?dsn=([\d.]++), status=(\w++) \((.*)\)$"
)
_RECIPIENTS = re.compile(
    rf"to=(?:<({_PATH})>|([^,<]*+)), (?:orig_to=(?:<({_PATH})>|([^,<]*+)), )?(?=relay=)", re.DOTALL
)
_OUTCOME = re.compile(
    r"relay=([^,]*+), (?:conn_use=\d++, )?delay=([\d.]{1,15})(?:, delays=[\d./]*+)?(?:, tls=([^,]*+))?"
    r"(?:, dsn=(\d\.\d++\.\d++))?, status=([\w-]++)(?: \((.*)\)| \((.*))?",
    re.DOTALL,
)
_SAID = re.compile(
    r"(?:delivery temporarily suspended: )?host ([^\s\[]*+)\[([^\]\s]*+)\](?::\d++)? "
    r"(?:said|refused to talk to me): (.*)",
    re.DOTALL,
)
_SASL_SAID = re.compile(r"SASL (?:\[CACHED\] )?authentication failed; server [^\s\[]*+\[[^\]\s]*+\](?::\d++)? said: ")
_IN_REPLY = re.compile(r" \(in reply to [^()]*+\)")
_CUT_REMARK = re.compile(r" \((?:i|in(?: [^()]*)?)?$")
CUT = "…"  # ends a reply that the writer of the log did not write to its end
_CUT_ENVELOPE = re.compile(
    rf"; from=<(?:(?P<sender>{_PATH})>(?:,? to=<(?P<recipient>{_PATH})>)?(?:,? proto=(?P<protocol>\w++)(?= ))?"
    r"(?:,? helo=<(?P<helo>[^<>]*+)>)?[^;]*|[^>]*)$",
    re.DOTALL,
)
_CODE = re.compile(r"([2-5]\d\d)(?:[ -]|$)(?:#?([245]\.\d{1,3}\.\d{1,3})\b)?")
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})\b")
_NAMED = re.compile(r"(?:queued|forwarded) as ([0-9A-Za-z]{6,})")
_TAIL = re.compile(
    rf";(?: from=<(?P<sender>{_PATH})>)?,?(?: to=<(?P<recipient>{_PATH})>)?,?(?: proto=(?P<protocol>\w++))?,?"
    r"(?: helo=<(?P<helo>[^<>]*+)>)?,?(?: sasl_username=<(?P<login>[^<>]*+)>)?(?:$|(?=: ))",
    re.DOTALL,
)
_TAIL_STARTS = re.compile(r";(?=,? (?:from|to|proto|helo|sasl_username)=|: |$)")
_STAGE = re.compile(
    r"(?P<stage>[A-Z][A-Za-z-]*(?: content)?)(?: from (?P<name>[^\[\s]*)\[(?P<ip>[^\]]*)\](?::\d+)?)?"
    r"(?:: ?(?P<reply>.*))?$",
    re.DOTALL,
)
_CONTENT_CLIENT = re.compile(r"local|unknown|(?P<name>[^\[\s]*+)\[(?P<ip>[^\]]*+)\](?::\d++)?")
_NOTIFICATION = re.compile(r"(?:sender|postmaster) (?:non-delivery|delay|delivery status) notification: (\w+)")
_TLS = re.compile(r"\w+ TLS connection (?:established|reused) (?:from|to) (\S+): ([\w.]+)")

_VERDICTS = {
    "reject": "reject",
    "milter-reject": "reject",
    "proxy-reject": "reject",
    "discard": "discard",
    "milter-discard": "discard",
    "hold": "hold",
    "milter-hold": "hold",
    "milter-quarantine": "hold",
}


class Client(msgspec.Struct, frozen=True):
    """Who handed a mail to smtpd."""

    name: str
    ip: str
    login: str
    original_queue_id: str  # of the mail before a content filter, when the filter passed it on by XFORWARD
    original_name: str
    original_ip: str


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """What became of one recipient, by one delivery agent."""

    recipient: str
    original_recipient: str
    relay: str  # host name, or the name of a local relay; empty for "none"
    address: str  # IP address, or the path of a socket
    status: str
    code: int
    enhanced_code: str
    reply: str
    delay: int  # milliseconds
    tls: str  # security level and outcome, as Postfix 3.11 and later put it


class Refusal(msgspec.Struct, frozen=True):
    """A mail or recipient that was rejected, discarded or put on hold before it reached the queue."""

    verdict: str  # reject, discard or hold
    stage: str
    client_name: str
    client_ip: str
    code: int
    enhanced_code: str
    reply: str
    sender: str | None
    recipient: str
    protocol: str
    login: str


def creation_time(queue_id: str) -> tuple[int | None, int | None]:
    """`(milliseconds since the epoch, milliseconds within the second)` that a queue id tells; None for unknown.

    A long id begins with seconds and microseconds in base 52; a short one with microseconds in five hex digits.
    """
    head, mark, inode = queue_id.rpartition("z")
    if mark and inode and len(head) >= 10:
        micros = _base52(head[-4:])
        if micros < _MICROSECONDS:
            return _second(head[:-4]) * 1000 + micros // 1000, micros // 1000
        return None, None
    try:
        micros = int(queue_id[:5], 16)
    except ValueError:
        return None, None
    return None, micros // 1000 if micros < _MICROSECONDS else None


def _base52(digits: str) -> int:
    value = 0
    for digit in digits:
        value = value * 52 + _BASE52.get(digit, 0)
    return value


# Mails come many in a second.
_second = lru_cache(maxsize=256)(_base52)


def read_client(text: str) -> Client | None:
    peer = _PEER.match(text)
    if peer is None:
        return None
    rest = text[peer.end() :]
    if not rest:
        return Client(peer[1], peer[2], "", "", "", "")
    if rest.startswith(", sasl_method=") and ", sasl_sender=" not in rest and ", orig_" not in rest:
        return Client(peer[1], peer[2], rest.partition(", sasl_username=")[2], "", "", "")
    fields = _fields(rest)
    if fields is None:
        return None
    original = _ORIGINAL_PEER.fullmatch(fields.get("orig_client", ""))
    if original is None and "orig_client" in fields:
        return None
    name, ip = peer.groups()
    original_name, original_ip = original.groups() if original else ("", "")
    login = fields.get("sasl_username") or fields.get("sasl_sender") or ""
    return Client(name, ip, login, fields.get("orig_queue_id", ""), original_name, original_ip)


def _fields(text: str) -> dict[str, str] | None:
    """`, name=value` after `, name=value`, in the order in which smtpd puts them; None for anything else."""
    found: dict[str, str] = {}
    rest = text
    for place, name in enumerate(_CLIENT_FIELDS):
        if not rest.startswith(f", {name}="):
            continue
        rest = rest[len(name) + 3 :]
        if name == "sasl_sender":
            # What a client names in AUTH= may spell all that could follow; a filter's XFORWARD names nobody there.
            found[name], rest = rest, ""
            break
        ends = (rest.find(f", {later}=") for later in _CLIENT_FIELDS[place + 1 :])
        end = min((end for end in ends if end >= 0), default=len(rest))
        found[name], rest = rest[:end], rest[end:]
    return None if rest else found


def read_submission(text: str) -> tuple[str, str, str] | None:
    """`(user id, sender, queue id before a requeue)` of a pickup line."""
    fields = _SUBMISSION.match(text)
    return (fields[1], fields[2], fields[3] or "") if fields else None


def read_active(text: str) -> tuple[str, int, int] | None:
    """`(sender, size, recipients)` of the line that says that a mail is accepted."""
    fields = _ACTIVE.match(text)
    return (fields[1], int(fields[2]), int(fields[3])) if fields else None


def read_attempt(text: str) -> Attempt | None:
    fields = _PLAIN_ATTEMPT.match(text)
    groups = fields.groups("") if fields else _any_attempt(text)
    if groups is None:
        return None
    to, bare_to, original, bare_original, relay, delay, tls, dsn, status, said = groups
    relay, address = _relay(relay)
    code, enhanced = 0, ""
    if said[:5] == "host " or said[:9] == "delivery ":
        quoted = _SAID.fullmatch(said)
        if quoted:
            said = _without_command(quoted[3])
            relay, address = (relay, address) if address else (quoted[1], quoted[2])
    elif said[:5] == "SASL " and (quoted := _SASL_SAID.match(said)):
        code, enhanced = read_reply(said[quoted.end() :])
    if said[:1] in "2345#":
        code, enhanced = read_reply(said)
    return Attempt(
        to or bare_to,
        original or bare_original,
        relay,
        address,
        status,
        code,
        dsn or enhanced,
        said,
        _milliseconds(delay),
        tls,
    )


def _any_attempt(text: str) -> tuple[str, ...] | None:
    """The ten fields of an attempt whose addresses may be anything."""
    recipients = _RECIPIENTS.match(text)
    if recipients is not None:
        addresses, start = recipients.groups(""), recipients.end()
    else:
        # Postfix before 3.5 puts addresses as they are: where the last of them can end decides what they are.
        end = text.rfind(">, relay=")
        if end < 0 or not text.startswith("to=<"):
            return None
        to, _, original = text[4:end].partition(">, orig_to=<")
        addresses, start = (to, "", original, ""), end + 3
    outcome = _OUTCOME.match(text, start)
    if outcome is None:
        return None
    *others, said, cut = outcome.groups("")
    return (*addresses, *others, said or (_CUT_REMARK.sub("", cut).rstrip("\ufffd") + CUT if cut else ""))


def _without_command(said: str) -> str:
    """A reply without the remark that says which command it answered."""
    start = said.rfind(" (in reply to ")
    if start >= 0 and said.endswith(" command"):
        return said[:start] + CUT  # what closed the remark was taken for the end of the line
    remark = start >= 0 and said.endswith(" command)") and _IN_REPLY.fullmatch(said, start)
    return said[:start] if remark else said


@lru_cache(4096)
def _relay(relay: str) -> tuple[str, str]:
    if relay == "none":
        return "", ""
    if relay[-1:].isdigit() and "]:" in relay:
        relay = relay[: relay.rfind(":")]
    if relay[-1:] == "]":
        relay, _, address = relay[:-1].partition("[")
        return relay, address
    return relay, ""


def read_reply(text: str) -> tuple[int, str]:
    """`(code, enhanced code)` at the start of an SMTP reply; 0 and "" where there is none."""
    reply = _CODE.match(text)
    if reply:
        return int(reply[1]), reply[2] or ""
    enhanced = _ENHANCED.match(text)
    return 0, enhanced[1] if enhanced else ""


def named_queue_id(reply: str) -> str:
    """The queue id that a reply says the mail has got, the last one if several relays speak."""
    start = max(reply.rfind("queued as "), reply.rfind("forwarded as "))
    named = _NAMED.match(reply, start) if start >= 0 else None
    return named[1] if named else ""


def read_refusal(text: str) -> Refusal | None:
    """A verdict of smtpd, postscreen or cleanup (text after the queue id), None if it let the mail pass."""
    action, colon, rest = text.partition(": ")
    verdict = _VERDICTS.get(action)
    if verdict is None or not colon:
        return None
    tail = find_envelope(rest) or _CUT_ENVELOPE.search(rest)
    body = rest[: tail.start()] if tail else rest
    about = _STAGE.match(body)
    found = about.groupdict() if about else _content_stage(body)
    envelope = tail.groupdict() if tail else {}
    reply = found.get("reply") or (rest[tail.end() + 2 :] if tail else "")
    code, enhanced = read_reply(reply)
    return Refusal(
        verdict,
        found.get("stage") or "",
        found.get("name") or "",
        found.get("ip") or "",
        code,
        enhanced,
        reply,
        envelope.get("sender"),
        envelope.get("recipient") or "",
        envelope.get("protocol") or "",
        envelope.get("login") or "",
    )


def find_envelope(text: str) -> re.Match[str] | None:
    """The envelope behind a reply or a header: `sender`, `recipient`, `protocol`, `helo` and `login`.

    A reply repeats an address without its quotes, and a header is what its writer likes: either may spell an envelope,
    but not one with which the line ends, and what stands behind the true one, an action's text, spells none.
    """
    found = [tail for start in _TAIL_STARTS.finditer(text) if (tail := _TAIL.match(text, start.start()))]
    found = [tail for tail in found if tail["sender"] is not None] or found
    true: re.Match[str] | None = None
    for tail in found:
        if tail.end() == len(text):
            return tail
        # What begins within the envelope is part of an address.
        if true is None or tail.start() >= true.end():
            true = tail
    return true


def _content_stage(body: str) -> dict[str, str | None]:
    """What a verdict on the content was about: `header Subject: … from client[address]`."""
    stage, space, _ = body.partition(" ")
    start = body.rfind(" from ")
    client = _CONTENT_CLIENT.fullmatch(body, start + 6) if start >= len(stage) and space else None
    return {"stage": stage, **client.groupdict()} if client else {}


def read_notification(text: str) -> str:
    """The queue id of the notification that a bounce line tells of."""
    fields = _NOTIFICATION.match(text)
    return fields[1] if fields else ""


def read_tls(text: str) -> tuple[str, str] | None:
    """`(peer, protocol version)` of a line that tells of an encrypted connection."""
    fields = _TLS.match(text)
    return (fields[1], fields[2]) if fields else None


def _milliseconds(seconds: str) -> int:
    try:
        return int(float(seconds) * 1000 + 0.5)
    except (ValueError, OverflowError):
        return 0
