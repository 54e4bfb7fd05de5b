"""Mail events on their way into the store and out again: the order of columns, and the two encodings. No SQL."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Mapping
from hashlib import blake2b

import msgspec

from mailvane.maillog.model import DeliveryStatus, EventBatch, EventType, MailEvent, MailKind, ReasonFamily
from mailvane.maillog.queries import Delivery

EVENT_COLUMNS = MailEvent.__struct_fields__
BATCH_COLUMNS = ("workspace", "keep_days", "batch")
COLUMNS = (*BATCH_COLUMNS, *EVENT_COLUMNS)
FOR_EVER = 65535
# The engine's times end in 2106, and a sum beyond begins anew in 1970: whoever keeps for fifty years keeps for ever.
_LONGEST = 20_000

# Each batch becomes one block, formed in one way only: its parts then carry the same marks when it comes again, and
# every table, the views' included, knows what it has of it.
INSERT_SETTINGS = {
    "deduplicate_blocks_in_dependent_materialized_views": "1",
    "input_format_parallel_parsing": "0",
    "max_insert_block_size": "10000000",
    "min_insert_block_size_rows": "10000000",
    "min_insert_block_size_bytes": "10000000000",
    "max_partitions_per_insert_block": "0",
    "async_insert": "0",
    "parallel_view_processing": "1",
    "distributed_foreground_insert": "1",
}

STATUSES = (
    DeliveryStatus.QUEUED,
    DeliveryStatus.HELD,
    DeliveryStatus.DEFERRED,
    DeliveryStatus.DISCARDED,
    DeliveryStatus.EXPIRED,
    DeliveryStatus.BOUNCED,
    DeliveryStatus.DELIVERED,
)  # by how final they are: the place of a status is its rank in `state`
AT_BIAS = 1 << 44  # added to the time since acceptance, so that stamps of a wrong clock stay positive
REACTIONS = ("complained_at", "opened_at", "clicked_at", "replied_at", "unsubscribed_at")
REACTIVE = frozenset(
    {EventType.COMPLAINED, EventType.OPENED, EventType.CLICKED, EventType.REPLIED, EventType.UNSUBSCRIBED}
)  # what sets them
_PREFIX = 16  # hexadecimal digits that lead `via` and `outcome`
_SEPARATOR = "\x1f"


class Stored(msgspec.Struct, array_like=True, gc=False):
    """A row of `deliveries` as schema.sql keeps it; its columns are asked for in this order."""

    relay: int
    accepted_at: int
    number: int
    recipient: str
    original_recipient: str
    recipient_number: int
    kind: MailKind
    sender: str
    subject: str
    message_id: str
    header_from: str
    reply_to: str
    in_reply_to: str
    origin: str
    client_name: str
    login: str
    protocol: str
    interface: str
    size: int
    queue_id: str
    host: str
    state: int
    via: str
    outcome: str
    attempts: int


_TEXTS = (
    "recipient", "original_recipient", "sender", "subject", "message_id", "header_from", "reply_to", "in_reply_to",
    "references", "origin", "queue_id", "reply", "raw", "current_queue_id",
)  # fmt: skip
# How the fields of an event travel in columns. An enumeration is a text on its way.
EVENT_TYPES = {
    name: {
        "relay": "UInt32", "accepted_at": "Int64", "number": "UInt32", "at": "Int64", "waiting": "Int8",
        "recipient_number": "UInt32", "size": "UInt64", "recipients": "UInt32", "code": "UInt16", "delay": "Int64",
        "hard": "Bool", "line": "UInt64", "step": "UInt16", "automatic": "Bool", "positive": "Bool",
        **dict.fromkeys(_TEXTS, "String"),
    }.get(name, "LowCardinality(String)")
    for name in EVENT_COLUMNS
}  # fmt: skip
_PIECE = 1000
_encoder = msgspec.json.Encoder()
_events = msgspec.json.Decoder(MailEvent)
_stored = msgspec.json.Decoder(Stored)
_names = msgspec.json.Decoder(tuple[int, int, int, str])
_counts = msgspec.json.Decoder(tuple[int, int])
_total = msgspec.json.Decoder(tuple[int, list[int]])
_NO_REACTION = (0,) * len(REACTIONS)
_NO_OUTCOME = [""] * 9
_SURROGATES = re.compile("[\ud800-\udfff]")


def encode_batch(batch: EventBatch) -> Generator[bytes]:
    """One JSON array a line, in the order of BATCH_COLUMNS and EVENT_COLUMNS; in pieces small enough for a cache."""
    head = b"[%d,%d,%d," % (batch.workspace, kept_days(batch.retention_days), batch_mark(batch))
    between = b"\n" + head
    for start in range(0, len(batch.events), _PIECE):
        # A line break within a text is escaped in JSON: every one that stands in the bytes ends an event.
        lines = encode_events(batch.events[start : start + _PIECE])[:-1].split(b"\n")
        yield head + between.join([line[1:] for line in lines]) + b"\n"


def encode_events(events: list[MailEvent]) -> bytes:
    """One JSON array a line, in the order of EVENT_COLUMNS."""
    try:
        return _encoder.encode_lines(events)
    except UnicodeEncodeError:
        return _encoder.encode_lines([_storable(event) for event in events])


def batch_mark(batch: EventBatch) -> int:
    """A number that stands for the batch's token in its workspace."""
    return int.from_bytes(blake2b(f"{batch.workspace}:{batch.token}".encode(), digest_size=8).digest(), "big")


def kept_days(retention_days: int) -> int:
    """As stored: 0 keeps for ever, and so does what the engine cannot reckon. The greatest number keeps longest."""
    return retention_days if 0 < retention_days <= _LONGEST else FOR_EVER


def _storable(event: MailEvent) -> MailEvent:
    texts = {name: value for name, value in msgspec.structs.asdict(event).items() if type(value) is str}
    return msgspec.structs.replace(event, **{name: _SURROGATES.sub("\ufffd", text) for name, text in texts.items()})


def decode_events(lines: bytes) -> list[MailEvent]:
    return _events.decode_lines(lines)


Name = tuple[int, int, int, str]
"""What tells a delivery from others of its workspace: relay, acceptance, number, recipient."""
Reactions = Mapping[Name, tuple[int, ...]]
"""The times of REACTIONS, by the delivery's name."""


def decode_names(lines: bytes) -> list[Name]:
    return _names.decode_lines(lines)


def decode_counts(lines: bytes) -> list[tuple[int, int]]:
    """Pairs of a bucket of time and the rows in it."""
    return _counts.decode_lines(lines)


def decode_total(lines: bytes) -> tuple[int, list[int]]:
    """How many rows pass, and moments of as many as the page reaches to."""
    return _total.decode(lines)


def decode_rows(lines: bytes) -> dict[Name, Stored]:
    """The rows of `deliveries` in an answer, in its order."""
    return {(row.relay, row.accepted_at, row.number, row.recipient): row for row in _stored.decode_lines(lines)}


def newest_reactions(rows: Iterable[tuple[object, ...]]) -> Reactions:
    """The greatest times of each delivery, of partial rows that begin with its name."""
    newest: dict[Name, tuple[int, ...]] = {}
    for relay, accepted_at, number, recipient, *times in rows:
        name = (int(str(relay)), int(str(accepted_at)), int(str(number)), str(recipient))
        moments = tuple(int(str(time)) for time in times)
        newest[name] = tuple(map(max, newest.get(name, moments), moments))
    return newest


def delivery(row: Stored, reactions: Reactions) -> Delivery:
    """A row as the domain knows it, with what its recipient did."""
    reaction = reactions.get((row.relay, row.accepted_at, row.number, row.recipient), _NO_REACTION)
    family, hard, code, enhanced_code, transport, mx_ip, delay, tls, reply = (
        row.outcome[_PREFIX:].split(_SEPARATOR, 8) if row.outcome else _NO_OUTCOME
    )
    return Delivery(
        relay=row.relay, accepted_at=row.accepted_at, number=row.number, recipient=row.recipient,
        original_recipient=row.original_recipient, recipient_number=row.recipient_number, kind=row.kind,
        status=STATUSES[row.state & 15], at=row.accepted_at + (row.state >> 4) - AT_BIAS if row.state else 0,
        attempts=row.attempts, sender=row.sender, subject=row.subject, message_id=row.message_id,
        header_from=row.header_from, reply_to=row.reply_to, in_reply_to=row.in_reply_to, origin=row.origin,
        client_name=row.client_name, login=row.login, protocol=row.protocol, interface=row.interface, size=row.size,
        queue_id=row.queue_id, host=row.host, transport=transport, mx_host=row.via[_PREFIX:], mx_ip=mx_ip,
        code=int(code or 0), enhanced_code=enhanced_code, reply=reply, delay=int(delay or 0), tls=tls,
        family=ReasonFamily(family), hard=bool(hard), complained_at=reaction[0], opened_at=reaction[1],
        clicked_at=reaction[2], replied_at=reaction[3], unsubscribed_at=reaction[4],
    )  # fmt: skip
