"""How a log entry is put into words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailvane.reputation.alerts.rules import CATALOGUE
from mailvane.reputation.texts.evidence import evidence_of, headline, meanings, visible
from tests.unit.notify.letters_sent import FORGED, LISTED, NOW, entry, fired


def test_every_rule_type_has_its_words() -> None:
    assert set(meanings().types) == set(CATALOGUE)
    for name, meaning in meanings().types.items():
        assert all((meaning.title, meaning.headline, meaning.columns, meaning.meaning, meaning.advice)), name
        known = {*meanings().columns, "value"}
        assert set(meaning.columns) <= known, name
        words = dict.fromkeys(meaning.columns, "some")
        assert "{" not in meaning.headline.format_map(words), name


def test_evidence_tells_what_since_when_and_of_how_many() -> None:
    told = evidence_of(entry(FORGED))
    (finding,) = told.findings
    assert told.summary == "12,345 messages of shop.example failed DMARC"
    assert finding.heads == ("Domain", "Failed", "Of messages", "Within")
    assert finding.rows == (("shop.example", "12,345", "98,765", "one day"),)
    assert finding.moment == "Reports until 2026-09-21 13:13 UTC"
    assert finding.rule == "dmarc_dmarc_fail ≥ 100 in one day"


@pytest.mark.parametrize(
    ("kind", "item", "said"),
    [
        ("GP_USER_REPORTED_SPAM_RATIO", {"domain": "d.example", "value": 0.0034}, "0.34 % of d.example's mail"),
        ("SNDS_BOUNCE_RATE", {"ip": "192.0.2.1", "value": 12.5}, "12.5 % of 192.0.2.1's mail bounced"),
        ("SNDS_FILTER_RESULT", {"ip": "192.0.2.1", "snds_filter_result": "RED"}, "192.0.2.1 is red at Microsoft"),
        ("LOOKALIKE_REG_CREATED_DATE", {"domain": "d.example", "lookalike": "cl.example"}, "cl[.]example looks like"),
        ("GP_DMARC_SUCCESS_RATIO", {"domain": "d.example", "value": 1}, "100 % of"),
        ("NEVER_HEARD_OF", {"thing": 7}, "thing 7"),
        ("IP_IN_RBL", {"ip": "192.0.2.1"}, "192.0.2.1 is on ?"),
        (
            "MV_QUOTA",
            {"limit_of": "LOGIN", "name": "all", "window": "HOUR", "value": 90.0},
            "The login all has used up 90 % of its limit for an hour",
        ),
        ("MV_WAITING_MAIL", {"destination": "all", "value": 6}, "6 deliveries to any destination wait"),
        ("MV_WAITING_MAIL", {"destination": "all.example", "value": 6}, "6 deliveries to all.example wait"),
    ],
)
def test_a_match_is_half_a_sentence(kind: str, item: dict[str, Any], said: str) -> None:
    assert said in headline(kind, item)


def test_microsofts_less_than_is_no_number() -> None:
    rule = fired(
        "SNDS_COMPLAINT_RATE",
        [{"ip": "192.0.2.1", "value": 0.1}, {"ip": "192.0.2.2", "value": 0.1}],
        [{"ip": "192.0.2.1", "complaint_rate_upper_bound": True}, {"ip": "192.0.2.2"}],
    )
    assert evidence_of(entry(rule)).findings[0].rows == (("192.0.2.1", "< 0.1 %"), ("192.0.2.2", "0.1 %"))


def test_a_date_of_registration_is_a_date() -> None:
    rule = fired(
        "LOOKALIKE_REG_CREATED_DATE", [{"domain": "d.example", "lookalike": "cl.example", "value": NOW}],
        [{"domain": "d.example", "lookalike": "other.example", "registrar": "Wrong"},
         {"domain": "d.example", "lookalike": "cl.example", "registrar": "Right"}],
    )  # fmt: skip
    assert evidence_of(entry(rule)).findings[0].rows == (("cl[.]example", "d.example", "2026-09-21", "Right"),)


def test_what_is_too_much_is_counted() -> None:
    rule = fired("IP_IN_RBL", [{"ip": f"192.0.2.{n}", "rbl": "z.example"} for n in range(60)])
    told = evidence_of(entry(rule))
    assert (len(told.findings[0].rows), told.findings[0].left_out) == (25, 35)
    assert told.summary == "192.0.2.0 is on z.example, and 59 more like it"
    assert evidence_of(entry(LISTED)).findings[0].left_out == 0


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@example("LOOKALIKE_REG_CREATED_DATE", {"value": 2**53})
@example("LOOKALIKE_REG_CREATED_DATE", {"value": -1e300})
@given(st.sampled_from([*CATALOGUE, "OTHER"]), st.dictionaries(st.sampled_from(["ip", "value", "rbl", "x"]), ANYTHING))
def test_whatever_a_log_holds_can_be_told(kind: str, item: dict[str, Any]) -> None:
    told = evidence_of(entry(fired(kind, [item], [item], key=item)))
    assert all(cell.isprintable() for row in told.findings[0].rows for cell in row)


@given(st.text())
def test_what_others_say_is_one_short_line_without_steering_marks(text: str) -> None:
    assert visible(text).isprintable()
    assert len(visible(text)) <= 120
    assert visible("a\u202eb\x1b[31m\nc") == "a b [31m c"


def test_a_listing_tells_where_to_ask_for_removal() -> None:
    items = [{"ip": "192.0.2.1", "rbl": host} for host in ("zen.spamhaus.org", "pbl.spamhaus.org", "own.example")]
    (finding,) = evidence_of(entry(fired("IP_IN_RBL", items, ips=["192.0.2.1"]))).findings
    assert finding.advice.endswith(" Ask for removal at check.spamhaus.org/.")
    (other,) = evidence_of(entry(fired("IP_IN_RBL", items[2:], ips=["192.0.2.1"]))).findings
    assert "removal at" not in other.advice
