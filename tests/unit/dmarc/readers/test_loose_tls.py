"""A TLS report that is not quite as RFC 8460 has it is read as it is meant, and says so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mailvane.core.errors import InvalidInput
from mailvane.dmarc.intake import TlsSessions
from mailvane.dmarc.readers.tls import as_it_is_meant, read_tls, sessions
from tests.unit.dmarc.reports import policy, tls


def changed(*path: str | int, to: object) -> bytes:
    """A report of which one value is another."""
    told = json.loads(tls(policy(succeeded=5, failures=(3,)), policy("other.example", succeeded=1)))
    place: Any = told
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return json.dumps(told).encode()


def read(content: bytes) -> list[TlsSessions]:
    return list(sessions(read_tls(content), "f"))


SUMMARY = ("policies", 0, "summary")
FAILURES = ("policies", 0, "failure-details")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (changed(*SUMMARY, "total-successful-session-count", to="5"), "taken as 5"),
        (changed(*SUMMARY, "total-successful-session-count", to=5.0), ""),
        (changed(*SUMMARY, "total-successful-session-count", to=" 5.0"), "taken as 5"),
        (changed(*FAILURES, to={"result-type": "certificate-expired", "failed-session-count": 3}), "a list of one"),
        (changed(*FAILURES, 0, "failed-session-count", to="3"), "taken as 3"),
        (changed(*FAILURES, 0, "result-type", to=7), "is a number: taken as text"),
        (changed(*FAILURES, 0, "receiving-ip", to={"a": 1}), "it is no text"),
        (changed("policies", 0, "policy", "policy-type", to=None), "not as RFC 8460 has it"),
        (changed("policies", 0, "policy", "mx-host", to=7), "is a number"),
        (changed("policies", 0, "policy", "policy-string", to=[None, 1]), "is a number"),
        (changed("report-id", to=17), "report-id is a number: taken as text"),
        (changed("contact-info", to=["a"]), "contact-info was passed over"),
        (changed("date-range", "start-datetime", to=1_767_225_600), "not as RFC 8460 has it"),
    ],
)
def test_what_is_written_otherwise_is_taken_as_it_is_meant(content: bytes, told: str) -> None:
    first, second = read(content)
    assert (first.succeeded, first.failed, second.succeeded) == (5, 3, 1)
    assert told in "; ".join(first.remarks)
    assert first.remarks == second.remarks


@pytest.mark.parametrize(
    ("content", "counts", "told"),
    [
        (changed(*SUMMARY, "total-failure-session-count", to="many"), [(5, 0), (1, 0)], "no number of sessions"),
        (changed(*SUMMARY, "total-failure-session-count", to=-1), [(5, 0), (1, 0)], "no number of sessions"),
        (changed(*SUMMARY, "total-failure-session-count", to=True), [(5, 0), (1, 0)], "no number of sessions"),
        (changed(*SUMMARY, to=None), [(0, 0), (1, 0)], "summary is missing"),
        (changed("policies", 0, to="nothing"), [(1, 0)], "policies[0] was passed over"),
        (changed("policies", 0, "policy", to=None), [(1, 0)], "does not say which policy"),
        (changed(*FAILURES, to=[None]), [(5, 3), (1, 0)], "it is no object"),
    ],
)
def test_what_cannot_be_understood_is_passed_over_and_the_rest_is_read(
    content: bytes, counts: list[tuple[int, int]], told: str
) -> None:
    found = read(content)
    assert [(each.succeeded, each.failed) for each in found] == counts
    assert told in "; ".join(found[0].remarks)


@pytest.mark.parametrize(
    "content", [b"[]", b"7", b'"x"', b"{}", changed("policies", to=None), changed("policies", to=[])]
)
def test_what_is_no_report_stays_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput):
        read(content)


def test_remarks_are_few_however_much_is_wrong() -> None:
    told = json.loads(tls(*(policy(f"d{number}.example") for number in range(50))))
    for each in told["policies"]:
        each["summary"]["total-successful-session-count"] = "1"
    assert len(as_it_is_meant(told)[1]) == 10


def test_which_of_several_policies_of_a_domain_failed_is_kept() -> None:
    told = json.loads(tls(policy(succeeded=100), policy(succeeded=0, failures=(100,))))
    told["policies"][1]["policy"]["policy-type"] = "tlsa"
    (found,) = read(json.dumps(told).encode())
    assert found.data["policies"] == [
        {"policy_type": "sts", "succeeded": 100, "failed": 0},
        {"policy_type": "tlsa", "succeeded": 0, "failed": 100},
    ]
    assert [each["policy_type"] for each in found.data["failures"]] == ["tlsa"]
