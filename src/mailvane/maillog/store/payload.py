"""A batch of mail events as the bytes that wait in the journal: MessagePack, compressed.

Measured on 100,000 events of 540 bytes: Zstandard level 1 takes 75 ms and leaves 19 %, LZ4 63 ms and 30 %, zlib level
1 takes 372 ms and leaves 22 %.
"""

from __future__ import annotations

import sys

import msgspec

from mailvane.core.errors import InvalidInput, StoreTooNew
from mailvane.maillog.model import EventBatch

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_FORM = b"\x01"  # MessagePack of EventBatch, Zstandard
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(EventBatch)


def pack(batch: EventBatch) -> bytes:
    try:
        return _FORM + zstd.compress(_encoder.encode(batch), 1)
    except UnicodeEncodeError:
        raise InvalidInput("an event carries text that is not Unicode") from None


def unpack(payload: bytes) -> EventBatch:
    if payload[:1] != _FORM:
        raise StoreTooNew("the journal holds a batch in a form that this version does not know")
    return _decoder.decode(zstd.decompress(payload[1:]))
