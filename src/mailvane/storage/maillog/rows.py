"""Mail events on their way into the store and out again: the order of columns, and the two encodings. No SQL."""

from __future__ import annotations

import re
from hashlib import blake2b

import msgspec

from mailvane.domain.history import Delivery
from mailvane.domain.mail import EventBatch, MailEvent

EVENT_COLUMNS = MailEvent.__struct_fields__
BATCH_COLUMNS = ("workspace", "keep_days", "batch")
FOR_EVER = 65535

_encoder = msgspec.json.Encoder()
_events = msgspec.json.Decoder(MailEvent)
_deliveries = msgspec.json.Decoder(Delivery)
_SURROGATES = re.compile("[\ud800-\udfff]")


def encode_batch(batch: EventBatch) -> bytes:
    """One JSON array a line, in the order of BATCH_COLUMNS and EVENT_COLUMNS."""
    try:
        lines = _encoder.encode_lines(batch.events)
    except UnicodeEncodeError:
        lines = _encoder.encode_lines([_storable(event) for event in batch.events])
    head = b"[%d,%d,%d," % (batch.workspace, kept_days(batch.retention_days), batch_mark(batch))
    # A line break within a text is escaped in JSON: every one that stands in the bytes ends an event.
    return b"[" + head[1:] + lines[1:-1].replace(b"\n[", b"\n" + head) + b"\n"


def batch_mark(batch: EventBatch) -> int:
    """A number that stands for the batch's token in its workspace."""
    return int.from_bytes(blake2b(f"{batch.workspace}:{batch.token}".encode(), digest_size=8).digest(), "big")


def kept_days(retention_days: int) -> int:
    """As stored: 0 keeps for ever, and so does what no calendar reaches; the greatest number then keeps longest."""
    return retention_days if 0 < retention_days < FOR_EVER else FOR_EVER


def _storable(event: MailEvent) -> MailEvent:
    texts = {name: value for name, value in msgspec.structs.asdict(event).items() if type(value) is str}
    return msgspec.structs.replace(event, **{name: _SURROGATES.sub("\ufffd", text) for name, text in texts.items()})


def decode_events(lines: bytes) -> list[MailEvent]:
    return _events.decode_lines(lines)


def decode_deliveries(lines: bytes) -> list[Delivery]:
    return _deliveries.decode_lines(lines)
