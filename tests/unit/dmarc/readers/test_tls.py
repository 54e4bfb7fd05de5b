"""TLS reports: sessions by policy domain, and what is wrong with those that cannot be read."""

from __future__ import annotations

import pytest

from mailvane.core.errors import InvalidInput
from mailvane.dmarc.intake import TlsSessions
from mailvane.dmarc.readers.tls import read_tls, sessions
from tests.unit.dmarc.reports import BEGINS, ENDS, policy, tls


def read(content: bytes, domain: str = "") -> list[TlsSessions]:
    return list(sessions(read_tls(content), "f", domain))


def test_sessions_are_added_up_by_policy_domain() -> None:
    first, second = read(
        tls(policy(succeeded=10, failures=(2, 3)), policy("Other.Example"), policy(succeeded=5, failures=(4,)))
    )
    assert (first.domain, first.succeeded, first.failed) == ("shop.example", 15, 9)
    assert (second.domain, second.succeeded, second.failed) == ("other.example", 10, 0)
    assert (first.organisation, first.report_id) == ("Mail Sender", "t1")
    assert (first.begins, first.ends) == (BEGINS * 1000, ENDS * 1000)
    assert first.data == {
        "policy_types": ["sts"],
        "policies": [
            {"policy_type": "sts", "succeeded": 10, "failed": 5},
            {"policy_type": "sts", "succeeded": 5, "failed": 4},
        ],
        "contact": "tls@sender.example",
        "failures": [
            {
                "result_type": "certificate-expired",
                "failed_session_count": count,
                "receiving_ip": "192.0.2.9",
                "policy_type": "sts",
            }
            for count in (4, 3, 2)
        ],
    }


def test_a_policy_without_a_domain_has_that_of_the_mail() -> None:
    (found,) = read(tls(policy(None)), "shop.example")
    assert found.domain == "shop.example"


def test_a_policy_without_any_domain_is_passed_over_with_a_remark() -> None:
    (found,) = sessions(read_tls(tls(policy(None), policy())), "f")
    assert found.domain == "shop.example"
    assert len(found.data["policies"]) == 1
    (remark,) = found.remarks
    assert remark.startswith("1 of its policies name no policy-domain: passed over, of ")


def test_a_report_of_no_domain_at_all_is_refused() -> None:
    with pytest.raises(InvalidInput, match="name no policy-domain"):
        list(sessions(read_tls(tls(policy(None))), "f"))


def test_times_in_other_zones_and_the_wrong_way_round_are_understood() -> None:
    span = {"start-datetime": "2026-01-02T00:59:59+01:00", "end-datetime": "2026-01-01T00:00:00"}
    (found,) = read(tls(**{"date-range": span}))
    assert (found.begins, found.ends) == (BEGINS * 1000, ENDS * 1000)
    assert "ends before it begins" in found.remarks[0]


def test_what_is_not_known_is_passed_over_and_much_is_cut() -> None:
    told = policy(failures=range(1, 201))
    told["future"] = {"x": 1}
    told["failure-details"][0]["additional-information"] = "x" * 10_000
    (found,) = read(tls(told, future=1))
    assert len(found.data["failures"]) == 100
    assert found.data["failures"][0]["failed_session_count"] == 200
    assert found.failed == 200 * 201 // 2


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "not a TLS report"),
        (b"[]", "not a TLS report: Expected `object`"),
        (b"\xff{}", "not a TLS report"),
        (b'{"a": "\xff"}', "not a TLS report"),
        (b"[" * 100_000, "not a TLS report"),
        (tls(policies=[]), "there is no policy in it"),
        (tls(**{"organization-name": " "}), "organization-name or report-id is empty"),
        (tls(**{"report-id": "ü" * 501}), "more than 1,000 bytes"),
        (tls(policy(succeeded=6 * 10**11), policy(succeeded=6 * 10**11)), "more than 1,000,000,000,000 sessions"),
        (tls(*(policy(f"d{number}.example") for number in range(101))), "of more than 100 domains"),
        (tls(**{"report-id": "x" * 1001}), "more than 1,000 bytes"),
        (tls(**{"date-range": {"start-datetime": "x", "end-datetime": "y"}}), "date-range says 'x'"),
    ],
)
def test_what_is_no_tls_report_is_refused_with_a_reason(content: bytes, told: str) -> None:
    with pytest.raises(InvalidInput) as error:
        read(content)
    assert told in error.value.message


def test_what_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not a TLS report"):
        read_tls(b'{"x":' * 20_000)
