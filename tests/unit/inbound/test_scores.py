"""How spam filters write scores into headers, and what is believed of who sent a mail."""

from __future__ import annotations

import pytest

from mailvane.inbound.authentication import from_results, is_proven, is_refuted
from mailvane.inbound.headers import Headers, read_headers
from mailvane.inbound.scores import Symbol, from_headers


def headers(text: str) -> Headers:
    return read_headers(text.replace("\n", "\r\n").encode() + b"\r\n\r\nbody\r\n")


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("X-Spamd-Result: default: False [8.10 / 15.00];\n\tBAYES_SPAM(5.10)[100.00%];\n\tR_SPF_FAIL(1.00)[-all]", 8.1),
        ("X-Spamd-Result: default: True [-2.60 / 15.00]; ARC_NA(0.00)[]", -2.6),
        ("X-Spam-Status: Yes, score=7.2 required=5.0 tests=BAYES_99=3.5,HTML_MESSAGE=0.001 autolearn=no", 7.2),
        ("X-Spam-Status: No, score=-1.9 required=5.0 tests=[ALL_TRUSTED=-1]", -1.9),
        ("X-Spam-Status: No, hits=0.4 required=5", 0.4),
        ("X-Spam-Score: 3.1", 3.1),
        ("X-Rspamd-Score: 0", 0.0),
        ("X-Spam-Score: ****", None),
        ("X-Spam-Status: Yes", None),
        ("X-Spamd-Result: default: False [. / 15.00]", None),
        ("X-Spam-Score: 1e99", None),
        ("X-Spam-Score: nan", None),
        ("Subject: X-Spam-Score: 3", None),
        # The relay in front writes above what the sender wrote.
        ("X-Spam-Score: 9\nX-Spam-Score: 0", 9.0),
    ],
)
def test_a_score_is_read(text: str, score: float | None) -> None:
    found = from_headers(headers(text))
    assert found.value == score
    assert bool(found.problem) is (score is None)


def test_symbols_are_read() -> None:
    rspamd = from_headers(
        headers("X-Spamd-Result: default: False [8 / 15];\n R_SPF_ALLOW(-0.20)[+ip4];\n DMARC_NA(0.00)[x]")
    )
    assert rspamd.symbols == (Symbol("R_SPF_ALLOW", -0.2), Symbol("DMARC_NA", 0.0))
    assert rspamd.authentication == {"spf": "pass", "dmarc": "none"}
    text = "X-Spam-Status: Yes, score=7 required=5 tests=BAYES_99=3.5,\n\tHTML_MESSAGE,RDNS_NONE=0.8 autolearn=no"
    assassin = from_headers(headers(text))
    assert assassin.symbols == (Symbol("BAYES_99", 3.5), Symbol("HTML_MESSAGE", 0.0), Symbol("RDNS_NONE", 0.8))


RESULTS = """Authentication-Results: mx.front.example;
\tdkim=fail header.d=y.example; dkim=pass header.d=x.example;
\tspf=softfail smtp.mailfrom=a@x.example; dmarc=pass header.from=x.example"""


@pytest.mark.parametrize(
    ("text", "authserv", "found"),
    [
        (RESULTS, "mx.front.example", {"dkim": "pass", "spf": "softfail", "dmarc": "pass"}),
        (RESULTS, "MX.Front.Example", {"dkim": "pass", "spf": "softfail", "dmarc": "pass"}),
        (RESULTS, "other.example", {}),
        (RESULTS, "", {}),
        ("Authentication-Results: mx.front.example; none", "mx.front.example", {}),
        ("Authentication-Results: ;;;", "mx.front.example", {}),
        ("Subject: x", "mx.front.example", {}),
        # Only the topmost of that name: a sender may have written the other.
        (f"Authentication-Results: mx.front.example; dmarc=fail\n{RESULTS}", "mx.front.example", {"dmarc": "fail"}),
    ],
)
def test_only_the_relay_in_front_is_believed(text: str, authserv: str, found: dict[str, str]) -> None:
    assert from_results(headers(text), authserv) == found


def test_unknown_is_neither_proven_nor_refuted() -> None:
    for results in ({}, {"dmarc": "none"}, {"dmarc": "temperror"}, {"spf": "pass"}, {"dkim": "fail"}):
        assert not is_proven(results)
        assert not is_refuted(results)
    assert is_proven({"dmarc": "pass"})
    assert is_refuted({"dmarc": "fail"})
