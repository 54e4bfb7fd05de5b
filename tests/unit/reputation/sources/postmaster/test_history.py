"""Saved records of the first interface, in every form in which people have them."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.core.errors import InvalidInput
from mailvane.reputation.sources.postmaster.history import history

RECORD: dict[str, Any] = {
    "name": "domains/Shop.example/trafficStats/20250310",
    "userReportedSpamRatio": 0.01,
    "domainReputation": "MEDIUM",
    "ipReputations": [
        {"reputation": "BAD", "ipCount": "2", "sampleIps": ["192.0.2.7", "192.0.2.8"]},
        {"reputation": "HIGH"},
    ],
    "deliveryErrors": [{"errorClass": "PERMANENT_ERROR", "errorType": "IP_IN_RBL", "errorRatio": 0.2}],
    "spammyFeedbackLoops": [{"id": "x", "spamRatio": 0.1}],
    "madeUpLater": True,
}
DAY = 1_741_564_800_000


def read(raw: bytes) -> dict[str, Any]:
    return history(io.BytesIO(raw), "v1.json")


@pytest.mark.parametrize(
    "form",
    [
        RECORD,
        [RECORD],
        {"trafficStats": [RECORD], "nextPageToken": "x"},
    ],
)
@pytest.mark.parametrize("times", [1, 2])
def test_each_form_says_the_same_alone_or_one_a_line(form: Any, times: int) -> None:
    found = read(b"\n".join([msgspec.json.encode(form)] * times))
    assert found == {"shop.example": {DAY: {name: RECORD[name] for name in RECORD if name != "madeUpLater"}}}


def test_days_and_domains_are_told_apart() -> None:
    other = {**RECORD, "name": "domains/shop.example/trafficStats/2025-03-11"}
    third = {**RECORD, "name": "domains/news.example/trafficStats/20250311"}
    found = read(msgspec.json.encode([RECORD, other, third]))
    assert {domain: len(days) for domain, days in found.items()} == {"shop.example": 2, "news.example": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"name": "domains/shop.example"},
        {"name": "domains/shop.example/trafficStats/20251310"},
        {"domainReputation": "FINE"},
        {"userReportedSpamRatio": 1.5},
        {"ipReputations": [{}]},
        {"ipReputations": 7},
    ],
)
def test_a_record_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"v1\.json"):
        read(msgspec.json.encode({**RECORD, **change}))


@pytest.mark.parametrize("raw", [b"7", b"{}", b'"x"', b"{", b'{"trafficStats":7}', b"\xff", b"[" * 2000])
def test_what_is_no_record_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"v1\.json"):
        read(raw)


def test_an_empty_file_says_nothing() -> None:
    assert read(b"") == {}
    assert read(b"[]") == {}


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*RECORD, "trafficStats"]), inner),
    )
)
def test_any_document_is_read_or_refused(told: Any) -> None:
    try:
        read(msgspec.json.encode(told))
    except InvalidInput:
        return
