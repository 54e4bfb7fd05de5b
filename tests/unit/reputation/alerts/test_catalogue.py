"""From what a user wrote to a rule; every fault is named by its field."""

from __future__ import annotations

from typing import Any

import pytest

from mailvane.core.errors import InvalidFields
from mailvane.reputation.alerts.rule import Address, ZoneName
from mailvane.reputation.alerts.rules import read_rule
from mailvane.reputation.alerts.rules.blocklists import IpInRbl


def test_a_rule_is_read_whatever_else_stands_beside_its_fields() -> None:
    raw = {"type": "IP_IN_RBL", "key": "r1", "ips": ["192.0.2.1"], "rbls": ["bl.example"], "colour": "red"}
    assert read_rule(raw, "rules[0]") == IpInRbl(ips=(Address("192.0.2.1"),), rbls=(ZoneName("bl.example"),))


@pytest.mark.parametrize(
    ("raw", "field", "reason"),
    [
        ("IP_IN_RBL", "rules[2]", "a rule is an object"),
        ({}, "rules[2].type", "no such rule type"),
        ({"type": 5}, "rules[2].type", "no such rule type"),
        ({"type": "ip_in_rbl"}, "rules[2].type", "no such rule type"),
        ({"type": "IP_IN_RBL", "rbls": ["x"]}, "rules[2].ips", "required"),
        ({"type": "IP_IN_RBL", "ips": [], "rbls": ["x"]}, "rules[2].ips", "length >= 1"),
        ({"type": "IP_IN_RBL", "ips": "ALL_IPS", "rbls": ["x"]}, "rules[2].ips", "array"),
        ({"type": "IP_IN_RBL", "ips": ["192.0.2.1", 5], "rbls": ["x"]}, "rules[2].ips[1]", "str"),
        ({"type": "IP_IN_RBL", "ips": ["192.0.2.1", "a"], "rbls": ["x"]}, "rules[2].ips[1]", "'a' is no IP address"),
        ({"type": "TRAPS_IP", "traps_ips": ["ALL_TRAPS"]}, "rules[2].traps_ips[0]", "no IP address"),
        ({"type": "DOMAIN_IN_RBL", "domains": ["a b"], "rbls": ["x"]}, "rules[2].domains[0]", "name of a domain"),
        (
            {"type": "GP_DOMAIN_REPUTATION", "gp_domains": ["a"], "gp_domain_reputations": ["FAIR"]},
            "rules[2].gp_domain_reputations[0]",
            "FAIR",
        ),
        (
            {"type": "GP_SPF_SUCCESS_RATIO", "gp_spf_success_ratio": {"value": 1.2, "operator": "gt"}},
            "rules[2].gp_spf_success_ratio.value",
            "<= 1",
        ),
        (
            {"type": "GP_SPF_SUCCESS_RATIO", "gp_spf_success_ratio": {"value": 0.2, "operator": "above"}},
            "rules[2].gp_spf_success_ratio.operator",
            "above",
        ),
        (
            {"type": "SNDS_BOUNCE_RATE", "snds_bounce_rate": {"value": 101, "operator": "gt"}},
            "rules[2].snds_bounce_rate.value",
            "<= 100",
        ),
        (
            {"type": "SNDS_TRAP_HITS", "snds_trap_hits": {"value": -1, "operator": "gt"}},
            "rules[2].snds_trap_hits.value",
            ">= 0",
        ),
        (
            {
                "type": "LOOKALIKE_REG_CREATED_DATE",
                "lookalike_reg_created_date": {"value": "ONE_DAY", "operator": "eq"},
            },
            "rules[2].lookalike_reg_created_date.operator",
            "eq",
        ),
        (
            {"type": "DMARC_SPF_FAIL", "dmarc_spf_fail": {"value": 1, "operator": "gt", "time_range": "ONE_YEAR"}},
            "rules[2].dmarc_spf_fail.time_range",
            "ONE_YEAR",
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_field(raw: Any, field: str, reason: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        read_rule(raw, "rules[2]")
    ((where, why),) = refused.value.fields
    assert where == field
    assert reason in why
