"""What a stream of bytes is, recognised by its first bytes: names and content types lie. Pure."""

from __future__ import annotations

from enum import StrEnum

NEEDED = 512  # bytes of the beginning, if there are so many: the header of a tar archive
_TAR_NAME, _TAR_SUM = slice(0, 100), slice(148, 156)  # POSIX.1-1988, ustar interchange format
_WIDE_SAMPLE = 16  # bytes


class Form(StrEnum):
    """The values are shown in messages."""

    NOTHING = "empty"
    PLAIN = "plain"  # none of the others: text, or not known
    GZIP = "a gzip file"
    BZIP2 = "a bzip2 file"
    XZ = "an xz file"
    ZSTD = "a zstd file"
    ZIP = "a zip archive"
    TAR = "a tar archive"
    SEVEN_ZIP = "a 7-Zip archive"
    RAR = "a RAR archive"
    LZ4 = "an lz4 file"
    LZIP = "an lzip file"
    COMPRESS = "a file of compress (.Z)"
    PDF = "a PDF document"
    OFFICE = "an Office document"
    IMAGE = "an image"
    PROGRAM = "a program"
    DATABASE = "an SQLite database"
    JOURNAL = "a systemd journal: let journalctl write it as text"
    UTF_16_LE = "text in UTF-16 (little-endian)"
    UTF_16_BE = "text in UTF-16 (big-endian)"
    UTF_32_LE = "text in UTF-32 (little-endian)"
    UTF_32_BE = "text in UTF-32 (big-endian)"


CODECS = {
    Form.UTF_16_LE: "utf-16-le",
    Form.UTF_16_BE: "utf-16-be",
    Form.UTF_32_LE: "utf-32-le",
    Form.UTF_32_BE: "utf-32-be",
}

# The first that fits.
_MAGIC: tuple[tuple[bytes, Form], ...] = (
    (b"\x1f\x8b", Form.GZIP),
    (b"BZh", Form.BZIP2),
    (b"\xfd7zXZ\x00", Form.XZ),
    (b"\x5d\x00\x00", Form.XZ),  # the form before xz: .lzma
    (b"\x28\xb5\x2f\xfd", Form.ZSTD),
    *((bytes((low,)) + b"\x2a\x4d\x18", Form.ZSTD) for low in range(0x50, 0x60)),  # RFC 8878, 3.1.2: to be skipped
    (b"PK\x03\x04", Form.ZIP),
    (b"PK\x05\x06", Form.ZIP),
    (b"PK\x07\x08", Form.ZIP),
    (b"7z\xbc\xaf\x27\x1c", Form.SEVEN_ZIP),
    (b"Rar!\x1a\x07", Form.RAR),
    (b"\x04\x22\x4d\x18", Form.LZ4),
    (b"LZIP", Form.LZIP),
    (b"\x1f\x9d", Form.COMPRESS),
    (b"%PDF-", Form.PDF),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Form.OFFICE),
    (b"\x89PNG\r\n\x1a\n", Form.IMAGE),
    (b"\xff\xd8\xff", Form.IMAGE),
    (b"GIF8", Form.IMAGE),
    (b"\x7fELF", Form.PROGRAM),
    (b"SQLite format 3\x00", Form.DATABASE),
    (b"LPKSHHRH", Form.JOURNAL),
    (b"\xff\xfe\x00\x00", Form.UTF_32_LE),
    (b"\x00\x00\xfe\xff", Form.UTF_32_BE),
    (b"\xff\xfe", Form.UTF_16_LE),
    (b"\xfe\xff", Form.UTF_16_BE),
)


def form_of(beginning: bytes) -> Form:
    """Of a stream that begins so; `NEEDED` bytes are enough."""
    if not beginning:
        return Form.NOTHING
    found = next((form for magic, form in _MAGIC if beginning.startswith(magic)), None)
    if found is None and _is_tar(beginning):
        return Form.TAR
    return found or _unmarked(beginning)


def _is_tar(beginning: bytes) -> bool:
    """By the sum of the header, as old archives have no magic."""
    if len(beginning) < NEEDED or not beginning[_TAR_NAME].strip(b"\0"):
        return False
    checksum = beginning[_TAR_SUM].strip(b" \0")
    if not checksum or not set(checksum) <= set(b"01234567"):
        return False
    header = beginning[: _TAR_SUM.start] + b" " * 8 + beginning[_TAR_SUM.stop : NEEDED]
    return int(checksum, 8) == sum(header)


def _unmarked(beginning: bytes) -> Form:
    """Text of Latin letters in two bytes each, without a mark."""
    sample = beginning[: _WIDE_SAMPLE if len(beginning) >= _WIDE_SAMPLE else len(beginning) // 2 * 2]
    even, odd = sample[::2], sample[1::2]
    if len(sample) >= 4:
        if not any(odd) and all(even):
            return Form.UTF_16_LE
        if not any(even) and all(odd):
            return Form.UTF_16_BE
    return Form.PLAIN
