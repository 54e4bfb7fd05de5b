"""What broken and hostile files do: nothing but be refused, or read in part, with a reason and in little memory.

One process of its own reads them all, so its peak is above each one's.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.unit.dmarc.readers.test_containers import zipped
from tests.unit.dmarc.reports import BEGINS, ENDS, aggregate, complaint, mail_with, policy, record, tls
from tests.waiting import PATIENCE

MOST_MEGABYTES = 100
READING = """
import json, sys
from pathlib import Path
from mailvane.dmarc.readers.reading import read_reports
from mailvane.core.errors import InvalidInput
from mailvane.dmarc.intake import Unread

def peak():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024

before = peak()
told = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    found = []
    with path.open("rb") as file:
        try:
            for each in read_reports(file, path.name):
                if isinstance(each, Unread):
                    found.append([None, each.name + ": " + each.reason])
                else:
                    found.append([sum(1 for _ in getattr(each, "rows", ())), "; ".join(each.remarks)])
        except InvalidInput as error:
            found.append([None, error.message])
    told[path.name] = {"found": found, "megabytes": peak() - before}
print(json.dumps(told))
"""
LAUGHS = "".join(f'<!ENTITY l{number} "{f"&l{number - 1};" * 10}">' for number in range(1, 10))
BODY = aggregate().decode().partition("?>")[2]
PLAIN = aggregate(record(), record("192.0.2.2", 2))
LONG = "x" * 10_000_000
TOO_LONG = "more than 4,194,304 bytes"
DECLARED = "declares a document type"


def declared(declaration: str) -> bytes:
    text = f'<?xml version="1.0"?><!DOCTYPE feedback [{declaration}]>{BODY}'
    return text.replace("Mail Receiver", "&l9;").encode()


def bomb(megabytes: int) -> bytes:
    """Gzip of very many spaces, made without ever holding them."""
    engine = zlib.compressobj(1, wbits=31)
    packed = [engine.compress(b"<feedback>")]
    packed += [engine.compress(b" " * 1_000_000) for _ in range(megabytes)]
    return b"".join([*packed, engine.flush()])


def zip_bomb(megabytes: int) -> bytes:
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("r.xml", "w") as member,
    ):
        member.write(b"<feedback>")
        for _ in range(megabytes):
            member.write(b" " * 1_000_000)
    return file.getvalue()


def overlapping() -> bytes:
    """An archive whose directory names one member very many times."""
    content = zipped(("a", aggregate()))
    begins = content.index(b"PK\x01\x02")
    ends = content.index(b"PK\x05\x06")
    entries = content[begins:ends] * 5000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 5000, 5000, len(entries), begins, 0)
    return content[:begins] + entries + end


def without_name(archive: bytes) -> bytes:
    """The first member, whose name is one letter, has none."""
    told = bytearray(archive)
    told[26:28] = b"\0\0"  # length of the name in the local header
    del told[30]
    for place in [found.start() for found in re.finditer(b"PK\x01\x02", told)][1:]:
        _lower(told, place + 42)  # where the other members begin
    first = told.index(b"PK\x01\x02")
    told[first + 28 : first + 30] = b"\0\0"
    del told[first + 46]
    end = told.index(b"PK\x05\x06")
    _lower(told, end + 12)  # length of the directory, and where it begins
    _lower(told, end + 16)
    return bytes(told)


def _lower(told: bytearray, place: int) -> None:
    told[place : place + 4] = (int.from_bytes(told[place : place + 4], "little") - 1).to_bytes(4, "little")


# What is read (rows of each report, None for what is refused) and a part of what is said about it.
Wanted = tuple[list[int | None], str]
INPUTS: Mapping[str, tuple[Callable[[], bytes], Wanted]] = {
    "truncated gzip": (lambda: gzip.compress(PLAIN)[:-100], ([None], "the gzip file is cut off")),
    "gzip without its end": (lambda: gzip.compress(PLAIN)[:-8], ([None], "the gzip file is cut off")),
    "gzip with a wrong checksum": (lambda: gzip.compress(PLAIN)[:-8] + b"\0" * 8, ([None], "the gzip file is broken")),
    "gzip bomb": (lambda: bomb(150), ([None], "one part of it has more than")),
    "gzip bomb of records": (
        lambda: gzip.compress(PLAIN.replace(b"</feedback>", record().encode() * 60_000), 9),
        ([None], "200 times its size"),
    ),
    "zip bomb": (lambda: zip_bomb(150), ([None], "one part of it has more than")),
    "zip that names one member very often": (overlapping, ([None], "more than 100 members")),
    "zip in a zip": (
        lambda: zipped(("r.zip", zip_bomb(50)), ("r.xml", PLAIN)),
        ([None, 2], "an archive in an archive"),
    ),
    "gzip in a gzip": (lambda: gzip.compress(bomb(50)), ([None], "one part of it has more than")),
    "gzip in a gzip in a gzip": (
        lambda: gzip.compress(gzip.compress(gzip.compress(PLAIN))),
        ([None], "an archive in an archive"),
    ),
    "zip with path traversal": (lambda: zipped(("../../../tmp/r.xml", PLAIN), ("/etc/r.xml", PLAIN)), ([2, 2], "")),
    "truncated zip": (lambda: zipped(("r.xml", PLAIN))[:-40], ([None], "the zip archive is cut off")),
    "billion laughs": (lambda: declared(f'<!ENTITY l0 "ha">{LAUGHS}'), ([None], DECLARED)),
    "quadratic entities": (
        lambda: declared(f'<!ENTITY l9 "{"x" * 100_000}">').replace(b"&l9;", b"&l9;" * 10_000),
        ([None], DECLARED),
    ),
    "external entity": (lambda: declared('<!ENTITY l9 SYSTEM "file:///etc/hostname">'), ([None], DECLARED)),
    "external entity of parameters": (
        lambda: declared('<!ENTITY % p SYSTEM "http://127.0.0.1/x.dtd">%p;'),
        ([None], DECLARED),
    ),
    "undeclared entity": (lambda: PLAIN.replace(b"Mail", b"&mail;"), ([2], "is not escaped")),
    "wrong encoding": (lambda: PLAIN.replace(b"Mail", b"M\xe4il"), ([2], "bytes that are not of its encoding")),
    "unknown encoding": (lambda: PLAIN.replace(b"UTF-8", b"x-klingon"), ([None], "encoding")),
    "UTF-16": (lambda: PLAIN.decode().replace("UTF-8", "UTF-16").encode("utf-16"), ([2], "")),
    "half of UTF-16": (lambda: PLAIN.decode().encode("utf-16")[:-101], ([None], "not XML that can be read")),
    "empty": (lambda: b"", ([None], "it is empty")),
    "empty gzip": (lambda: gzip.compress(b""), ([None], "it is empty")),
    "empty zip": (zipped, ([None], "the archive is empty")),
    "ampersands and angles without an end": (
        lambda: PLAIN.replace(b"Mail", b"&<" * 1_000_000),
        ([None], "not XML that can be read"),
    ),
    "four megabytes of comments without an end": (
        lambda: PLAIN.replace(b"Mail", b"<!--" * 1_000_000 + b"&"),
        ([None], "not XML that can be read"),
    ),
    "very many unclosed elements": (
        lambda: PLAIN.replace(b"Mail", b"&" + b"<a>" * 1_000_000),
        ([None], "not XML that can be read"),
    ),
    "very many attributes": (
        lambda: PLAIN.replace(b"Mail", b"<a " + b"b='c' " * 600_000 + b"&"),
        ([None], "has more than 1,000 bytes"),
    ),
    "a declared document with an ampersand": (
        lambda: declared(f'<!ENTITY l0 "ha">{LAUGHS}').replace(b"r1<", b"r1 & r2<"),
        ([None], DECLARED),
    ),
    "negative counts": (
        lambda: aggregate(record(count=-3), record(count=3)),
        ([1], "count '-3' is not a number from 0"),
    ),
    "huge counts": (lambda: aggregate(record(count="9" * 5000), record(count=3)), ([1], "is not a number from 0 to")),
    "invalid addresses": (
        lambda: aggregate(record("1.2.3"), record("::g"), record()),
        ([3], "'1.2.3' is no address: counted as unknown address"),
    ),
    "missing policy": (
        lambda: PLAIN.partition(b"<policy_published>")[0] + PLAIN.partition(b"</policy_published>")[2],
        ([None], "policy_published/domain is missing"),
    ),
    "no records": (lambda: aggregate(" "), ([0], "there is no record in it")),
    "one id twice": (lambda: zipped(("a", PLAIN), ("b", PLAIN)), ([2, 2], "")),
    "dates reversed": (lambda: aggregate(span=(ENDS, BEGINS)), ([1], "ends before it begins")),
    "dates that are words": (lambda: aggregate(span=("today", "tomorrow")), ([None], "date_range says 'today'")),
    "HTML error page": (lambda: b"<!DOCTYPE html>\n<html><h1>502 Bad Gateway</h1></html>", ([None], "an HTML page")),
    "10 MB in one value": (lambda: aggregate(record(results=f"<dkim>{LONG}</dkim>")), ([None], TOO_LONG)),
    "10 MB in an organisation's name": (lambda: aggregate(organisation=LONG), ([None], TOO_LONG)),
    "10 MB in an attribute": (
        lambda: PLAIN.replace(b"<version>", b'<version a="' + LONG.encode() + b'">'),
        ([None], TOO_LONG),
    ),
    "a million levels": (
        lambda: PLAIN.replace(b"<version>", b"<a>" * 1_000_000),
        ([None], "more than 4,194,304 bytes or 50,000 elements"),
    ),
    "a million names": (
        lambda: PLAIN.replace(
            b"<version>", b"<!-- -->" + b"".join(b"<record><n%d/></record>" % n for n in range(500_000)) + b"<version>"
        ),
        ([None], "10,000 different names"),
    ),
    "a million elements that are no records": (
        lambda: PLAIN.replace(b"<version>", b"<a>x</a>" * 1_000_000 + b"<version>"),
        ([None], "more than 1,000 elements beside the records"),
    ),
    "a zip member without a name": (
        lambda: without_name(zipped(("n", b"<html>"), ("r.xml", PLAIN))),
        ([None, 2], "a member without a name"),
    ),
    "a million results": (lambda: aggregate(record(results="<dkim/>" * 1_000_000)), ([None], TOO_LONG)),
    "NUL bytes": (lambda: PLAIN.replace(b"Mail", b"M\0il"), ([2], "XML does not allow")),
    "NUL bytes at the end": (lambda: PLAIN + b"\0" * 512, ([2], "outside of the report")),
    "control characters": (lambda: PLAIN.replace(b"Mail", b"M\x07il"), ([2], "XML does not allow")),
    "a control character by reference": (
        lambda: PLAIN.replace(b"Mail", b"M&#7;il"),
        ([2], "XML does not allow"),
    ),
    "mail with a bomb": (
        lambda: mail_with(("application/gzip", "r.gz", bomb(100))),
        ([None], "one part of it has more than"),
    ),
    "mail without an end": (
        lambda: mail_with(("application/gzip", "r.gz", gzip.compress(PLAIN)))[:-150],
        ([None], "the gzip file is"),
    ),
    "mail of very many parts": (lambda: mail_with(*[("a/b", "x", b"")] * 2000), ([None], "more than 100 parts")),
    "mail of 15 MB": (
        lambda: mail_with(("application/gzip", "r.gz", b"x" * 11_000_000)),
        ([None], "a mail without a report"),
    ),
    "TLS report of very deep JSON": (lambda: b'{"policies":' + b"[" * 1_000_000, ([None], "not a TLS report")),
    "TLS report of negative sessions": (lambda: tls(policy(succeeded=-1)), ([0], "it is no number of sessions")),
    "complaint without fields": (lambda: complaint(""), ([None], "does not say of what type it is")),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    folder = tmp_path_factory.mktemp("malformed")
    for name, (make, _) in INPUTS.items():
        (folder / name).write_bytes(make())
    answer = subprocess.run(
        [sys.executable, "-c", READING, str(folder)], check=True, capture_output=True, timeout=PATIENCE
    )
    found: Mapping[str, Any] = json.loads(answer.stdout)
    return found


@pytest.mark.parametrize("name", INPUTS)
def test_it_is_refused_or_read_in_part_with_a_reason(name: str, told: Mapping[str, Any]) -> None:
    rows, reason = INPUTS[name][1]
    found = told[name]["found"]
    assert [each for each, _ in found] == rows
    assert reason in "; ".join(said for _, said in found)


def test_none_takes_much_memory(told: Mapping[str, Any]) -> None:
    assert len(told) == len(INPUTS) > 20
    most = max(told.items(), key=lambda pair: pair[1]["megabytes"])
    assert most[1]["megabytes"] < MOST_MEGABYTES, most[0]


def test_no_name_in_an_archive_becomes_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "r.zip").write_bytes(zipped(("../../r.xml", PLAIN)))
    subprocess.run([sys.executable, "-c", READING, str(folder)], check=True, capture_output=True, cwd=folder)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["r.zip"]
