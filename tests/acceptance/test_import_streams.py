"""What a stream is, is told by what it holds: from a file, on standard input and over HTTP it is read, or refused."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import resource
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.installation import Installation
from tests.waiting import PATIENCE

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GIBIBYTE = 1 << 30
Pack = Callable[[bytes], bytes]


def utf_16(codec: str, mark: str) -> Pack:
    return lambda text: (mark + text.decode()).encode(codec)


def tar_gz(text: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("mail.log")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    return packed.getvalue()


def zipped(text: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mail.log", text)
    return packed.getvalue()


READ: dict[str, Pack] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd.compress,
    "UTF-16 LE, marked": utf_16("utf-16-le", "\ufeff"),
    "UTF-16 BE, marked": utf_16("utf-16-be", "\ufeff"),
    "UTF-16 LE": utf_16("utf-16-le", ""),
    "UTF-16 BE": utf_16("utf-16-be", ""),
    "UTF-16 in gzip": lambda text: gzip.compress(text.decode().encode("utf-16")),
}
REFUSED: dict[str, tuple[Pack, str]] = {
    "tar.gz": (tar_gz, "a gzip file that holds a tar archive, and no log: unpack it first"),
    "zip": (zipped, "a zip archive, and no log"),
    "PDF": (lambda text: b"%PDF-1.7\n" + text, "a PDF document, and no log"),
    "empty": (lambda _: b"", "empty: there is nothing to read"),
    "empty gzip": (lambda _: gzip.compress(b""), "empty: there is nothing to read"),
    "gzip in gzip": (lambda text: gzip.compress(gzip.compress(text)), "a gzip file that holds a gzip file, and no log"),
}


def mail(number: int, recipient: str) -> bytes:
    """What Postfix logs of one mail that is delivered."""
    start, queue_id = f"2026-10-26T03:{number:02}:05.000000+00:00 mx", f"4BxT{number:02}Zzz9z1"
    return (
        f"{start} postfix/qmgr[7]: {queue_id}: from=<a@shop.example>, size=100, nrcpt=1 (queue active)\n"
        f"{start} postfix/smtp[8]: {queue_id}: to=<{recipient}>, relay=mx.isp.example[192.0.2.1]:25, delay=1,"
        " delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)\n"
        f"{start} postfix/qmgr[7]: {queue_id}: removed\n"
    ).encode()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, str]]:
    """A server, beside which commands only read, and the key of its workspace."""
    installation = Installation(tmp_path_factory.mktemp("streams") / "data")
    _, key = installation.tenant("acme")
    with installation.serving():
        yield installation, key


def imported(installation: Installation, name: str, given: bytes | None = None) -> subprocess.CompletedProcess[str]:
    return installation.run("import", "postfix", name, "--workspace", "acme", given=given, succeeds=False)


def recipients(installation: Installation, key: str) -> list[str]:
    return sorted(row["to"] for row in installation.get("/mail/log", key, limit=10_000)["emails"])


def test_every_form_of_a_log_is_read_from_files(place: tuple[Installation, str], tmp_path: Path) -> None:
    installation, key = place
    paths = [tmp_path / f"{number}.log" for number in range(len(READ))]
    for number, (path, pack) in enumerate(zip(paths, READ.values(), strict=True)):
        path.write_bytes(pack(mail(number, f"file{number}@isp.example")))
    summary = installation.answer("import", "postfix", *map(str, paths), "--workspace", "acme")
    assert (summary["lines"], summary["deliveries"], summary["not_understood"]) == (3 * len(READ), len(READ), {})
    found = {each for each in recipients(installation, key) if each.startswith("file")}
    assert found == {f"file{number}@isp.example" for number in range(len(READ))}


@pytest.mark.parametrize("form", list(READ))
def test_every_form_of_a_log_is_read_on_standard_input(place: tuple[Installation, str], form: str) -> None:
    installation, key = place
    number = 20 + list(READ).index(form)
    done = imported(installation, "-", READ[form](mail(number, f"pipe{number}@isp.example")))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"pipe{number}@isp.example" in recipients(installation, key)


@pytest.mark.parametrize("form", list(REFUSED))
@pytest.mark.parametrize("is_file", [True, False], ids=["file", "standard input"])
def test_what_is_no_log_is_refused_in_one_line(
    place: tuple[Installation, str], tmp_path: Path, form: str, is_file: bool
) -> None:
    installation, key = place
    pack, said = REFUSED[form]
    content, path = pack(mail(50, "nobody@isp.example")), tmp_path / "mail.log"
    path.write_bytes(content)
    done = imported(installation, str(path)) if is_file else imported(installation, "-", content)
    assert done.returncode == 1
    assert done.stderr.startswith(f"mailvane: {path if is_file else 'standard input'}: {said}")
    assert len(done.stderr.splitlines()) == 1
    assert "nobody@isp.example" not in recipients(installation, key)


def test_a_directory_is_refused_in_one_line(place: tuple[Installation, str], tmp_path: Path) -> None:
    done = imported(place[0], str(tmp_path))
    assert (done.returncode, done.stderr) == (1, f"mailvane: {tmp_path}: not a file\n")


def test_ten_gigabytes_in_ten_megabytes_are_refused_without_being_unpacked(
    place: tuple[Installation, str], tmp_path: Path
) -> None:
    """One line without an end, of which no more is read than it takes to see that no log is like that."""
    installation, _ = place
    path = tmp_path / "mail.log.gz"
    path.write_bytes(gzip.compress(bytes(GIBIBYTE >> 3)) * 80)
    limits = (resource.RLIMIT_AS, (2 * GIBIBYTE, 2 * GIBIBYTE))
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "preexec_fn": lambda: resource.setrlimit(*limits)}
    with installation.running("import", "postfix", str(path), "--workspace", "acme", **options) as process:
        _, said = process.communicate(timeout=2 * PATIENCE)
    told = f"mailvane: {path}: a gzip file that unpacks to more than 200 times its size: no log does\n"
    assert (process.returncode, said) == (1, told)


@pytest.mark.parametrize(
    ("pack", "encoding", "status"),
    [
        (bytes, "", 200),
        (gzip.compress, "gzip", 200),
        (gzip.compress, "", 415),
        (lambda text: gzip.compress(gzip.compress(text)), "gzip", 415),
        (zipped, "", 415),
        (zipped, "gzip", 400),
        (lambda text: gzip.compress(zipped(text)), "gzip", 415),
        (utf_16("utf-16-le", "\ufeff"), "", 415),
        (utf_16("utf-16-be", ""), "", 415),
        (zstd.compress, "zstd", 415),
        (lambda text: gzip.compress(text)[:-9], "gzip", 400),
    ],
    ids=[
        *("plain", "gzip", "gzip without a word", "gzip in gzip", "zip", "zip for gzip", "zip in gzip"),
        *("UTF-16, marked", "UTF-16", "zstd", "cut off"),
    ],
)
def test_a_body_of_the_intake_is_read_or_refused(
    place: tuple[Installation, str], request: pytest.FixtureRequest, pack: Pack, encoding: str, status: int
) -> None:
    installation, key = place
    name = request.node.callspec.id.replace(" ", "-")
    event = f'{{"id":"{name}","type":"accepted","time":1790000000,"mail":"{name}","recipient":"c@d.example"}}\n'
    headers = {"X-API-KEY": key, "Content-Type": "application/x-ndjson"}
    answer = httpx.post(
        f"{installation.url}/mailvane/v1/events",
        content=pack(event.encode()),
        headers=headers | ({"Content-Encoding": encoding} if encoding else {}),
        timeout=PATIENCE,
    )
    assert answer.status_code == status
    if status == 200:
        assert answer.json() == {"accepted": 1, "duplicates": 0}
    else:
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert "\n" not in answer.json()["detail"]
