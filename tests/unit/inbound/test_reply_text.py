"""The text of a reply without what it quotes, and the thread that its header names."""

from __future__ import annotations

import pytest

from mailvane.inbound.headers import read_headers
from mailvane.inbound.reply_text import reply_text

PLAIN = "Content-Type: text/plain; charset=utf-8\r\n\r\n"
PAGE = "Content-Type: text/html; charset=utf-8\r\n\r\n"
TEXTS = [
    (PLAIN + "Yes, gladly.\r\n", "Yes, gladly."),
    ("\r\nYes.\r\n> quoted\r\n > too\r\nAnd more.\r\n-- \r\nAnn, Director\r\n", "Yes.\nAnd more."),
    (PLAIN + "Yes.\r\n\r\nOn Mon, 2 Nov 2026 at 10:00, Bob <b@x.example> wrote:\r\nquoted\r\n", "Yes."),
    (PLAIN + "Ja.\r\n\r\nAm Mo., 2. Nov. 2026 um 10:00 Uhr schrieb Bob <b@x.example>:\r\nalt\r\n", "Ja."),
    (PLAIN + "Yes.\r\n-----Original Message-----\r\nFrom: Bob\r\n", "Yes."),
    (PLAIN + "Yes.\r\n________________________________\r\nFrom: Bob\r\n", "Yes."),
    (PAGE + "<style>a{}</style><p>Yes, <b>gladly</b>.</p><blockquote>quoted</blockquote>", "Yes, gladly."),
    (
        'Content-Type: multipart/alternative; boundary="x"\r\n\r\n--x\r\n'
        + PLAIN + "plain\r\n--x\r\n" + PAGE + "<p>page</p>\r\n--x--\r\n",
        "plain",
    ),
    ("Content-Type: image/png\r\n\r\nxx", ""),
    ("Content-Type: text/plain; charset=no-such\r\nContent-Transfer-Encoding: base64\r\n\r\n%%%", ""),
    ("", ""),
]  # fmt: skip


@pytest.mark.parametrize(("mail", "text"), TEXTS)
def test_what_the_author_wrote(mail: str, text: str) -> None:
    assert reply_text(mail.encode()) == text


def test_hostile_mail_has_a_bounded_text() -> None:
    assert len(reply_text((PLAIN + "a" * 1_000_000).encode())) == 4000
    nested = "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" * 3000
    assert reply_text(nested.encode()) == ""
    assert reply_text((PAGE + "<blockquote>" * 20_000 + "x").encode()) == ""
    assert reply_text(bytes(range(256)) * 100) is not None


def test_the_thread_of_a_header() -> None:
    references = "".join(f"\r\n <{n}@x.example>" for n in range(30))
    found = read_headers(f"In-Reply-To: Your mail of Monday <a@x.example>\r\nReferences:{references}\r\n\r\n".encode())
    assert found.ids("in-reply-to") == "<a@x.example>"
    assert found.ids("references") == " ".join(f"<{n}@x.example>" for n in range(10, 30))
    assert (found.ids("x-none"), found.is_automatic) == ("", False)
    for line in ("Auto-Submitted: auto-replied", "X-Autoreply: yes", "Precedence: auto_reply"):
        assert read_headers(f"{line}\r\n\r\n".encode()).is_automatic
    assert not read_headers(b"Auto-Submitted: no\r\n\r\n").is_automatic
