"""What is told of each rule type is what it takes."""

from __future__ import annotations

import pytest

from mailvane.core.errors import InvalidFields
from mailvane.reputation.alerts.configuration import example_of, parameters_of
from mailvane.reputation.alerts.rules import CATALOGUE, read_rule


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_example_of_a_type_is_taken_and_needs_each_field_that_is_told(name: str) -> None:
    rule = CATALOGUE[name]
    read_rule(example_of(rule), "rules[0]")
    for parameter in parameters_of(rule):
        raw = example_of(rule)
        field, _, inner = parameter.name.partition(".")
        del (raw[field] if inner else raw)[inner or field]
        with pytest.raises(InvalidFields):
            read_rule(raw, "rules[0]")


def test_ranges_and_words_are_told() -> None:
    told = {each.name: each.takes for name in CATALOGUE for each in parameters_of(CATALOGUE[name])}
    assert told["gp_spf_success_ratio.value"] == "number from 0 to 1"
    assert told["snds_bounce_rate.value"] == "number from 0 to 100"
    assert told["dmarc_spf_fail.value"] == "number, 0 or more"
    assert told["dmarc_spf_fail.time_range"] == "one of `ONE_DAY`, `ONE_WEEK`, `ONE_MONTH`"
    assert told["lookalike_reg_created_date.operator"] == "one of `gt`, `lt`"
    assert told["snds_filter_result"] == "list of `GREEN`, `YELLOW`, `RED`"
    assert told["rbls"] == "list of host names of blocklists, or `HIGH_REPUTATION` for all that are held in high esteem"
