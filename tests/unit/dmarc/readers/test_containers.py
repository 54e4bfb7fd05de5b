"""What a file holds is told by its bytes, and nothing unpacks to more than anybody can want."""

from __future__ import annotations

import gzip
import io
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.core.errors import InvalidInput
from mailvane.dmarc.readers import containers
from mailvane.dmarc.readers.containers import Form, documents, form_of
from tests.unit.dmarc.reports import aggregate, mail_with, tls

REPORT = aggregate()


def zipped(*members: tuple[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def opened(content: bytes, name: str = "f") -> list[tuple[str, Form, bytes]]:
    found = []
    for document in documents(io.BytesIO(content), name):
        pieces = []
        try:
            while piece := document.stream.read(1000):
                pieces.append(piece)
        except InvalidInput as error:
            pieces = [error.message.encode()]
        found.append((document.name, document.form, b"".join(pieces)))
    return found


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (REPORT, Form.XML),
        (b"\xef\xbb\xbf\r\n" + REPORT, Form.XML),
        (REPORT.decode().encode("utf-16"), Form.XML),
        (REPORT.decode().encode("utf-16-le"), Form.XML),
        (tls(), Form.JSON),
        (gzip.compress(REPORT), Form.GZIP),
        (zipped(("a", REPORT)), Form.ZIP),
        (zipped(), Form.ZIP),
        (mail_with(), Form.MAIL),
        (b"From somebody Thu Jan  1 00:00:00 2026\n" + mail_with(), Form.MAIL),
        (b"hello", Form.OTHER),
        (b"\0\0\0\0", Form.OTHER),
        (b"", Form.NOTHING),
        (b" \r\n", Form.NOTHING),
    ],
)
def test_the_first_bytes_tell_what_it_is(content: bytes, form: Form) -> None:
    assert form_of(content[:1024]) is form


def test_a_report_comes_out_as_it_is_from_every_container() -> None:
    assert opened(REPORT) == [("f", Form.XML, REPORT)]
    assert opened(gzip.compress(REPORT)) == [("f", Form.XML, REPORT)]
    assert opened(zipped(("a.xml", REPORT), ("b/", b""), ("b/c.json", tls()), ("__MACOSX/a", b"x"))) == [
        ("f: a.xml", Form.XML, REPORT),
        ("f: b/c.json", Form.JSON, tls()),
    ]


@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=4), st.binary(max_size=3))
def test_parts_of_a_gzip_file_are_joined_and_padding_is_not_read(parts: list[bytes], padding: bytes) -> None:
    whole = b"<" + b"".join(parts)
    file = gzip.compress(b"<") + b"".join(gzip.compress(part) for part in parts) + b"\0" + padding
    assert opened(file) == [("f", Form.XML, whole)]


@pytest.mark.parametrize("cut", [1, 4, 8, 9, 30])
def test_a_gzip_file_that_is_cut_off_says_so(cut: int) -> None:
    content = gzip.compress(REPORT)[:-cut]
    with pytest.raises(InvalidInput, match=r"the gzip file is cut off after .* nothing of it was kept"):
        list(read_all(content))


def read_all(content: bytes) -> list[bytes]:
    pieces = []
    for document in documents(io.BytesIO(content), "f"):
        while piece := document.stream.read(1000):
            pieces.append(piece)
    return pieces


def test_a_gzip_file_with_a_wrong_checksum_is_broken() -> None:
    content = bytearray(gzip.compress(REPORT))
    content[-5] ^= 1
    with pytest.raises(InvalidInput, match="the gzip file is broken"):
        read_all(bytes(content))


def test_a_zip_archive_that_is_cut_off_says_so() -> None:
    with pytest.raises(InvalidInput, match="the zip archive is cut off"):
        read_all(zipped(("a", REPORT))[:-30])


def test_a_broken_member_keeps_no_other_from_being_read() -> None:
    content = zipped(("a", b"<a>" + b"x" * 100), ("b", REPORT), kind=zipfile.ZIP_STORED).replace(b"xxx", b"yyy", 1)
    (first, second) = opened(content)
    assert b"the zip archive is broken: Bad CRC-32" in first[2]
    assert second == ("f: b", Form.XML, REPORT)


@pytest.mark.parametrize("inner", [gzip.compress(gzip.compress(REPORT)), zipped(("a", REPORT))])
def test_an_archive_in_an_archive_is_not_opened(inner: bytes) -> None:
    assert opened(zipped(("a", inner), ("b", REPORT)))[0][2] == b"an archive in an archive"
    with pytest.raises(InvalidInput, match="an archive in an archive"):
        read_all(gzip.compress(inner))


def test_a_bomb_is_refused_before_it_goes_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "RATIO_MATTERS", 1_000_000)
    bomb = b"<" + b" " * 2_000_000
    with pytest.raises(InvalidInput, match="unpacks to more than 200 times its size"):
        read_all(gzip.compress(bomb))
    assert b"unpacks to more than 200 times its size" in opened(zipped(("a", bomb)))[0][2]


def test_a_lie_about_the_length_of_a_member_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "RATIO_MATTERS", 1_000_000)
    bomb = b"<" + b" " * 2_000_000
    content = zipped(("a", bomb)).replace(len(bomb).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    assert b"unpacks" in opened(content)[0][2] or b"broken" in opened(content)[0][2]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda content: zipped(("a", content))])
def test_a_report_that_is_too_long_is_refused(pack: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "MOST_BYTES", 100_000)
    assert callable(pack)
    assert b"more than 100,000 bytes" in opened(pack(b"<" + bytes(range(256)) * 500))[0][2]


def test_an_archive_of_very_many_members_is_refused() -> None:
    with pytest.raises(InvalidInput, match="more than 100 members"):
        read_all(zipped(*((str(number), b"<") for number in range(101))))
    with pytest.raises(InvalidInput, match="more than 100 members"):
        read_all(zipped(*((str(number), b"") for number in range(10_000)), kind=zipfile.ZIP_STORED))


def test_an_empty_archive_is_refused() -> None:
    with pytest.raises(InvalidInput, match="the archive is empty"):
        read_all(zipped())


def test_what_is_encrypted_or_packed_otherwise_is_said() -> None:
    content = bytearray(zipped(("a", REPORT)))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert opened(bytes(content))[0][2] == b"it is encrypted"
    assert opened(zipped(("a", REPORT), kind=zipfile.ZIP_BZIP2))[0][2] == b"it is packed in a way that is not read"


def test_a_name_in_an_archive_is_a_label_and_no_path() -> None:
    (found,) = opened(zipped(("../../etc/pass\nwd", REPORT)))
    assert found == ("f: ../../etc/pass?wd", Form.XML, REPORT)


@given(st.binary(max_size=400))
def test_nothing_that_is_broken_does_anything_but_say_so(garbage: bytes) -> None:
    for content in (b"\x1f\x8b" + garbage, b"PK\x03\x04" + garbage, garbage, gzip.compress(REPORT)[:12] + garbage):
        with suppress(InvalidInput):
            read_all(content)
