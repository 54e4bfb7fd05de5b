"""The example of each rule type, as the vendor's guide gives it; where it gives none, ours in its manner."""

from __future__ import annotations

from typing import Any

ABOVE = {"value": 0.2, "operator": "gt"}
COUNTED = {"value": 2, "operator": "gt", "time_range": "ONE_DAY"}
RATIOS = (
    *("gp_user_reported_spam_ratio", "gp_spf_success_ratio", "gp_dkim_success_ratio", "gp_dmarc_success_ratio"),
    *("gp_inbound_encryption_ratio", "gp_outbound_encryption_ratio", "gp_delivery_error_ratio"),
)
FAILURES = ("spf_fail", "dkim_fail", "dmarc_fail", "spf_alignment_fail", "dkim_alignment_fail")
EXAMPLES: list[dict[str, Any]] = [
    {"type": "IP_IN_RBL", "ips": ["1.1.1.1", "123.123.123.123"], "rbls": ["hostname.one", "hostname.two"]},
    {"type": "DOMAIN_IN_RBL", "domains": ["ALL_IPS"], "rbls": ["HIGH_REPUTATION"]},
    {"type": "GP_DOMAIN_REPUTATION", "gp_domains": ["ALL_GP_DOMAINS"], "gp_domain_reputations": ["BAD", "LOW"]},
    {"type": "GP_IP_REPUTATION", "gp_ips": ["1.1.1.1"], "gp_ip_reputations": ["BAD", "LOW"]},
    *({"type": name.upper(), name: ABOVE} for name in RATIOS),
    {"type": "SNDS_FILTER_RESULT", "snds_ips": ["ALL_SNDS_IPS"], "snds_filter_result": ["RED", "YELLOW"]},
    {"type": "SNDS_BOUNCE_RATE", "snds_bounce_rate": {"value": 50, "operator": "gt"}},
    {"type": "SNDS_COMPLAINT_RATE", "snds_complaint_rate": {"value": 50, "operator": "gt"}},
    {"type": "SNDS_TRAP_HITS", "snds_trap_hits": {"value": 2, "operator": "gt"}},
    {"type": "LOOKALIKE_REG_CREATED_DATE", "lookalike_reg_created_date": {"value": "ONE_DAY", "operator": "lt"}},
    {"type": "LOOKALIKE_REG_UPDATED_DATE", "lookalike_reg_updated_date": {"value": "ONE_DAY", "operator": "lt"}},
    *({"type": f"DMARC_{name.upper()}", f"dmarc_{name}": COUNTED} for name in FAILURES),
    {"type": "TRAPS_IP", "traps_ips": ["ALL_TRAPS_IPS"]},
    {"type": "TRAPS_DOMAIN_FROM", "traps_domains_from": ["one.com", "two.com"]},
    {"type": "HONEYTOKEN_DOMAIN_COUNT_PER_PERIOD", "honeytoken_domain_count_per_period": COUNTED},
]
