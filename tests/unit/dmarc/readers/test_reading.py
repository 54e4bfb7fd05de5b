"""Reports are found in files and mails, whatever these are called and say that they hold."""

from __future__ import annotations

import base64
import gzip
import io

import pytest

from mailvane.core.errors import InvalidInput
from mailvane.dmarc.intake import Aggregate, Failure, Found, TlsSessions, Unread
from mailvane.dmarc.readers import reading
from mailvane.dmarc.readers.reading import read_reports
from tests.unit.dmarc.readers.test_containers import zipped
from tests.unit.dmarc.reports import aggregate, complaint, mail_with, policy, record, tls


def read(content: bytes, name: str = "f") -> list[Found]:
    return list(read_reports(io.BytesIO(content), name))


def said(content: bytes, name: str = "f") -> list[tuple[str, str]]:
    """What was found: the kind with the report's id, or the reason why not."""
    return [(each.name, _short(each)) for each in read(content, name)]


def _short(found: Found) -> str:
    if isinstance(found, Unread):
        return found.reason
    return "failure" if isinstance(found, Failure) else f"{type(found).__name__} {found.report_id}"


def test_an_aggregate_comes_with_its_rows() -> None:
    for found in read_reports(io.BytesIO(gzip.compress(aggregate(record(count=3), record(count="bad")))), "f.xml.gz"):
        assert isinstance(found, Aggregate)
        assert [row["count"] for row in found.rows] == [3]
        assert (found.row_count, found.counts.messages, len(found.remarks)) == (1, 3, 1)


@pytest.mark.parametrize(
    "kind", ["application/gzip", "application/zip", "text/xml", "image/png", "application/octet-stream"]
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda content: zipped(("r.xml", content))])
def test_an_attachment_is_read_for_what_it_is_not_for_what_it_says(kind: str, pack: object) -> None:
    assert callable(pack)
    ((_, found),) = said(mail_with((kind, "report.dat", pack(aggregate()))))
    assert found == "Aggregate r1"


def test_every_report_of_a_mail_and_of_an_archive_is_read() -> None:
    archive = zipped(("one", aggregate()), ("two", aggregate(report_id="r2")), ("three", b"<feedback>"))
    content = mail_with(("application/zip", "a.zip", archive), ("application/tlsrpt+gzip", "t", gzip.compress(tls())))
    assert [name for name, _ in said(content)] == ["f: a.zip: one", "f: a.zip: two", "f: a.zip: three", "f: t"]
    kinds = [found for _, found in said(content)]
    assert kinds[:2] == ["Aggregate r1", "Aggregate r2"]
    assert kinds[2].startswith("not XML that can be read")
    assert kinds[3] == "TlsSessions t1"


def test_a_mail_that_is_nothing_but_a_report_is_read() -> None:
    head = b"From: a@b.example\r\nContent-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    assert said(head + base64.encodebytes(gzip.compress(aggregate()))) == [("f: part", "Aggregate r1")]


def test_a_report_in_a_forwarded_mail_is_found() -> None:
    inner = mail_with(("application/gzip", "r.gz", gzip.compress(aggregate())))
    outer = (
        b"From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n"
        b"--o\r\nContent-Type: message/rfc822\r\n\r\n" + inner + b"\r\n--o--\r\n"
    )
    assert said(outer) == [("f: r.gz", "Aggregate r1")]


@pytest.mark.parametrize(
    ("kind", "name"), [("application/octet-stream", "report.EML"), ("application/eml", "x.eml"), ("message/rfc822", "")]
)
def test_a_report_in_a_mail_that_is_attached_is_found(kind: str, name: str) -> None:
    inner = mail_with(("application/gzip", "r.gz", gzip.compress(aggregate())))
    head = f'--o\r\nContent-Type: {kind}; name="{name}"\r\nContent-Transfer-Encoding: base64\r\n\r\n'.encode()
    outer = (
        b"From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n"
        + head + base64.encodebytes(inner) + b"\r\n--o--\r\n"
    )  # fmt: skip
    assert said(outer) == [("f: r.gz", "Aggregate r1")]


def test_what_was_packed_twice_is_unpacked_twice_and_no_more() -> None:
    packed = gzip.compress(gzip.compress(aggregate()))
    assert said(packed) == [("f", "Aggregate r1")]
    assert said(zipped(("r.gz", gzip.compress(aggregate())))) == [("f: r.gz", "Aggregate r1")]
    assert said(zipped(("r.gz.gz", packed))) == [("f: r.gz.gz", "an archive in an archive")]
    with pytest.raises(InvalidInput, match="an archive in an archive"):
        read(gzip.compress(packed))


def test_a_report_that_is_nearly_well_formed_is_read_with_a_remark() -> None:
    content = aggregate(record(count=3), organisation="Miller & Sons")
    for found in read_reports(io.BytesIO(mail_with(("text/xml", "r.xml", content))), "f"):
        assert isinstance(found, Aggregate)
        assert [row["count"] for row in found.rows] == [3]
        assert (found.organisation, found.counts.messages) == ("Miller & Sons", 3)
        assert found.remarks == (
            "it is not well-formed: an ampersand or angle bracket that is not escaped was taken as it is meant",
        )
    long = content.replace(b"</feedback>", b"<!--" + b"x" * 5_000_000 + b"--></feedback>")
    ((_, told),) = said(long)
    assert told.startswith("not XML that can be read")


def test_what_a_complaint_holds_is_no_report_of_ours() -> None:
    trick = mail_with(("application/gzip", "r.gz", gzip.compress(aggregate()))).decode()
    assert said(complaint("Feedback-Type: abuse\r\nReported-Domain: shop.example", trick)) == [("f", "failure")]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (tls(policy(None)), "sender.example!shop.example!1!2.json"),
        (gzip.compress(tls(policy(None))), "sender.example!shop.example!1!2!x.json.gz"),
        (zipped(("sender.example!shop.example!1!2.json", tls(policy(None)))), "any.zip"),
        (mail_with(("application/tlsrpt", "a!shop.example!1!2.json", tls(policy(None)))), "mail"),
        (mail_with(("a/b", "t", tls(policy(None))), headers={"TLS-Report-Domain": "shop.example"}), "mail"),
    ],
)
def test_the_domain_of_a_tls_report_is_where_somebody_says_it(content: bytes, name: str) -> None:
    (found,) = read(content, name)
    assert isinstance(found, TlsSessions)
    assert found.domain == "shop.example"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "it is empty"),
        (b"%PDF-1.7", "it is a PDF document: neither XML, JSON, an archive nor a mail"),
        (b"<!DOCTYPE html><html></html>", "an HTML page, not a report"),
        (b"\n <HTML><body>404</body></HTML>", "an HTML page, not a report"),
        (mail_with(), "a mail without a report"),
        (mail_with(("text/html", "", b"<html></html>")), "a mail without a report"),
        (mail_with(("text/xml", "r.xml", b"<feedback/>")), "org_name is missing"),
        (mail_with(("application/zip", "r.zip", b"PK\x03\x04")), "the zip archive is cut off"),
        (mail_with(("application/gzip", "r.gz", gzip.compress(aggregate())[:-9])), "the gzip file is cut off"),
        (mail_with(*[("a/b", str(number), b"x") for number in range(120)]), "more than 100 parts"),
        (b"From: a\n\n" + b"x" * 17_000_000, "more than 16,777,216 bytes"),
        (gzip.compress(mail_with(("text/xml", "r.xml", b"<feedback/>"))), "org_name is missing"),
        (gzip.compress(aggregate())[:-200], "the gzip file is cut off"),
        (tls() + b"x" * 9_000_000, "more than 8,388,608 bytes"),
    ],
)
def test_what_cannot_be_read_is_said(content: bytes, told: str) -> None:
    ((_, reason),) = said(content)
    assert told in reason


def test_a_mail_in_a_mails_archive_is_not_opened() -> None:
    content = mail_with(("application/zip", "r.zip", zipped(("m.eml", mail_with()))))
    assert said(content) == [("f: r.zip: m.eml", "neither XML, JSON, an archive nor a mail")]


def test_an_archive_that_cannot_be_opened_is_refused_as_a_whole() -> None:
    with pytest.raises(InvalidInput, match="the archive is empty"):
        read(zipped())


def test_a_file_name_that_nobody_can_print_is_made_fit_to_be_shown() -> None:
    content = mail_with(("text/xml", "name", aggregate())).replace(b'"name"', b'"a\xff\x07b"')
    ((name, found),) = said(content)
    assert found == "Aggregate r1"
    assert name.isprintable()


def test_all_that_is_attached_to_a_mail_unpacks_to_so_much_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = gzip.compress(aggregate())
    monkeypatch.setattr(reading, "MOST_IN_MAIL", 2 * len(aggregate()) + 10)
    found = said(mail_with(*[("application/gzip", str(number), packed) for number in range(4)]))
    assert [name for name, _ in found] == ["f: 0", "f: 1", "f: 2", "f: 3"]
    assert [told.startswith("more than") for _, told in found] == [False, False, True, True]


@pytest.mark.parametrize("place", ["read_aggregate", "read_tls"])
def test_a_report_that_makes_its_reader_fail_is_refused_and_the_others_are_read(
    place: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(*_: object) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr(reading, place, failing)
    content = mail_with(
        ("application/zip", "a.zip", zipped(("one", aggregate()), ("two", tls()))), ("a/b", "t", tls()),
        ("a/b", "x", aggregate()),
    )  # fmt: skip
    found = [told for _, told in said(content)]
    failed = [told for told in found if told == "it made the reader fail: RecursionError"]
    assert (len(found), len(failed)) == (4, 2)
    assert "f: a.zip: " in caplog.text


def test_errors_of_the_system_say_nothing_about_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reading, "read_aggregate", full)
    with pytest.raises(OSError, match="No space left"):
        said(mail_with(("a/b", "x", aggregate())))


def test_a_container_that_makes_its_reader_fail_is_refused_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(reading, "documents", failing)
    with pytest.raises(InvalidInput, match="it made the reader fail: AssertionError"):
        read(aggregate())
