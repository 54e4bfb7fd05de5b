"""What rows add up to, and that remarks stay few."""

from __future__ import annotations

from mailvane.dmarc.counts import Counts, alignment_pattern, result_pattern
from mailvane.dmarc.readers.tally import Tally


def test_a_failure_of_both_alignments_is_a_failure_of_dmarc() -> None:
    tally = Tally()
    for spf, dkim, messages in ((False, False, 1), (False, True, 2), (True, False, 4), (None, False, 8)):
        tally.count(alignment_pattern({"spf_aligned": spf, "dkim_aligned": dkim}), messages)
    assert tally.counts == Counts(messages=15, dmarc_fail=1, spf_alignment_fail=3, dkim_alignment_fail=13)


def test_one_pass_among_results_is_a_pass() -> None:
    tally = Tally()
    tally.count(result_pattern({"spf": [{"result": "fail"}, {"result": "pass"}], "dkim": [{"result": "neutral"}]}), 3)
    tally.count(result_pattern({"spf": [], "dkim": [{"result": "pass"}]}), 5)
    assert tally.counts == Counts(messages=8, spf_fail=5, dkim_fail=3)


def test_the_same_is_remarked_once_and_not_without_end() -> None:
    tally = Tally()
    for number in (1, 1, *range(100)):
        tally.remark(f"trouble {number}")
    assert len(tally.remarks) == 10
    assert tally.remarks[:2] == ("trouble 1", "trouble 0")


def test_it_is_empty_until_a_record_came() -> None:
    tally = Tally()
    before = tally.is_empty
    tally.passed_over("no address")
    assert (before, tally.is_empty, tally.rows) == (True, False, 0)
