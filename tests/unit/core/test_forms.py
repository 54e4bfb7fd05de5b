"""What a stream is, by how it begins."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.core.forms import NEEDED, Form, form_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = b"Oct 10 09:00:00 mx1 postfix/qmgr[1]: 4TF: removed\n"


def tar(form: int) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        member = tarfile.TarInfo("mail.log")
        member.size = len(TEXT)
        archive.addfile(member, io.BytesIO(TEXT))
    return file.getvalue()


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("mail.log", TEXT)
    return file.getvalue()


# The header of version 7 of Unix, which has no magic: that of ustar without it, and the sum anew.
OLD_TAR = tar(tarfile.USTAR_FORMAT).replace(b"ustar\x0000", bytes(8), 1)
CASES = {
    "nothing": (b"", Form.NOTHING),
    "text": (TEXT, Form.PLAIN),
    "one letter": (b"x", Form.PLAIN),
    "holes that a copied log begins with": (bytes(600) + TEXT, Form.PLAIN),
    "gzip": (gzip.compress(TEXT), Form.GZIP),
    "bzip2": (bz2.compress(TEXT), Form.BZIP2),
    "xz": (lzma.compress(TEXT), Form.XZ),
    "lzma": (lzma.compress(TEXT, lzma.FORMAT_ALONE), Form.XZ),
    "zstd": (zstd.compress(TEXT), Form.ZSTD),
    "zstd behind a frame to skip": (b"\x50\x2a\x4d\x18\x01\0\0\0x" + zstd.compress(TEXT), Form.ZSTD),
    "zip": (archive(), Form.ZIP),
    "an empty zip": (b"PK\x05\x06" + bytes(18), Form.ZIP),
    "tar": (tar(tarfile.USTAR_FORMAT), Form.TAR),
    "tar of GNU": (tar(tarfile.GNU_FORMAT), Form.TAR),
    "tar of pax": (tar(tarfile.PAX_FORMAT), Form.TAR),
    "PDF": (b"%PDF-1.7\n", Form.PDF),
    "a journal": (b"LPKSHHRH" + bytes(200), Form.JOURNAL),
    "UTF-8 with a mark": (TEXT.decode().encode("utf-8-sig"), Form.PLAIN),
    "UTF-16 with a mark": (TEXT.decode().encode("utf-16"), Form.UTF_16_LE),
    "UTF-16, the other way": (b"\xfe\xff" + TEXT.decode().encode("utf-16-be"), Form.UTF_16_BE),
    "UTF-16 without a mark": (TEXT.decode().encode("utf-16-le"), Form.UTF_16_LE),
    "UTF-16 without a mark, the other way": (TEXT.decode().encode("utf-16-be"), Form.UTF_16_BE),
    "UTF-32": (TEXT.decode().encode("utf-32"), Form.UTF_32_LE),
}


@pytest.mark.parametrize(("content", "form"), CASES.values(), ids=CASES)
def test_a_stream_is_told_by_its_beginning(content: bytes, form: Form) -> None:
    assert form_of(content[:NEEDED]) is form


def test_an_archive_of_old_is_told_by_the_sum_of_its_header() -> None:
    header = OLD_TAR[:148] + b" " * 8 + OLD_TAR[156:512]
    old = OLD_TAR[:148] + b"%06o\0 " % sum(header) + OLD_TAR[156:]
    assert b"ustar" not in old[:512]
    assert form_of(old) is Form.TAR


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1).map(lambda text: f"Oct {text}\n"))
def test_lines_of_a_log_are_text(text: str) -> None:
    assert form_of(text.encode()) is Form.PLAIN
    assert form_of(text.encode("utf-16-le")) is Form.UTF_16_LE
