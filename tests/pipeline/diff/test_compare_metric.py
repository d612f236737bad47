"""Differences are separated from chance, and never guessed."""

from __future__ import annotations

import math
import re

import pytest

from fonoteka.pipeline.diff import compare_metric, significance
from fonoteka.pipeline.diff.compare_metric import BETTER, NEW, SAME, UNDECIDED, WORSE, MetricSpec
from fonoteka.pipeline.diff.significance import APART, PAIRED, difference_interval
from fonoteka.scoring.error_rate import Errors, paired_bootstrap

FILE = "reports/metrics/one.json"
PER = MetricSpec(FILE, "per", "lower", limit=0.2, tolerance=0.005)


def report(*errors, phones=100, **more):
    """Return a report with one speaker per number of errors."""
    rows = {f"s{n}": {"errors": wrong, "phones": phones} for n, wrong in enumerate(errors)}
    return {"per": sum(errors) / phones / len(errors), "by_speaker": rows} | more


def compared(current, base, spec=PER):
    return compare_metric.evaluate(spec, {FILE: current}.get, {FILE: base}.get)


def test_a_number_that_is_worse_for_every_speaker_is_worse_however_wide_either_interval():
    # Speakers differ by 30 points and more; each is worse by one or two.
    base = report(2, 10, 32, 5, per_low=0.02, per_high=0.32)
    result = compared(report(3, 12, 34, 6, per_low=0.03, per_high=0.34), base)
    assert result.verdict == WORSE
    assert (result.interval.method, result.interval.low > 0) == (PAIRED, True)
    assert (
        "0.1375 is worse by 0.015 than 0.1225 at the base, and the tolerance is 0.005"
        in result.reason
    )


def test_a_number_that_is_better_for_every_speaker_is_better():
    result = compared(report(2, 10, 32, 5), report(3, 12, 34, 6))
    assert result.verdict == BETTER
    assert result.interval.high < 0


def test_a_number_that_is_worse_for_one_speaker_alone_is_the_same():
    result = compared(report(2, 10, 50, 4), report(2, 10, 32, 5))
    assert result.verdict == SAME
    assert result.interval.low < 0 < result.interval.high
    assert not result.reason


def test_the_paired_interval_is_that_of_the_models_compared_within_one_revision():
    ours, theirs = (3, 12, 34, 6), (2, 10, 32, 5)
    expected, _ = paired_bootstrap(
        *({f"s{n}": Errors(e, 0, 0, 100) for n, e in enumerate(side)} for side in (ours, theirs)),
        significance.RESAMPLES, significance.SEED,
    )  # fmt: skip
    result = difference_interval("per", report(*ours), report(*theirs))
    assert (result.low, result.high) == (expected.low, expected.high)


@pytest.mark.parametrize(
    "changed",
    [
        report(3, 12, 34, 6, phones=101),
        report(3, 12, 34),
        {"per": 0.1375},
        report(3, 12, 34, 6) | {"by_speaker": {}},
    ],
)
def test_without_the_same_speakers_on_both_sides_nothing_is_paired(changed):
    bounds = {"per_low": 0.1, "per_high": 0.2}
    current, base = changed | bounds, report(2, 10, 32, 5) | bounds
    assert difference_interval("per", current, base).method == APART
    assert difference_interval("per", changed, base) is None  # one side alone has an interval


def test_unpaired_numbers_have_the_interval_of_two_independent_numbers():
    current = {"ece": 0.06, "ece_low": 0.05, "ece_high": 0.08}
    base = {"ece": 0.03, "ece_low": 0.02, "ece_high": 0.05}
    result = difference_interval("ece", current, base)
    assert result.method == APART
    assert result.low == pytest.approx(0.03 - math.hypot(0.01, 0.02))
    assert result.high == pytest.approx(0.03 + math.hypot(0.02, 0.01))
    assert compared(current, base, MetricSpec(FILE, "ece", "lower", 1, 0)).verdict == WORSE


def test_the_segment_accuracy_is_paired_if_every_phone_has_a_segment():
    def side(*rates):
        rows = {f"s{n}": {"segment_accuracy": r, "phones": 50} for n, r in enumerate(rates)}
        return {
            "segment_accuracy": sum(rates) / len(rates), "phones": 100, "segments": 100,
            "by_speaker": rows,
        }  # fmt: skip

    result = difference_interval("segment_accuracy", side(0.8, 0.6), side(0.9, 0.7))
    assert (result.method, result.low, result.high) == (
        PAIRED,
        pytest.approx(-0.1),
        pytest.approx(-0.1),
    )
    assert (
        difference_interval("segment_accuracy", side(0.8, 0.6) | {"segments": 99}, side(0.9, 0.7))
        is None
    )
    assert (
        difference_interval(
            "segment_accuracy", side(0.8, 0.6), side(0.9, 0.7) | {"by_speaker": None}
        )
        is None
    )


def test_a_speaker_without_a_rate_leaves_nothing_to_pair():
    rows = {"a": {"segment_accuracy": None, "phones": 5}}
    side = {"segment_accuracy": 0.9, "phones": 5, "segments": 5, "by_speaker": rows}
    assert difference_interval("segment_accuracy", side, side) is None


def test_a_report_from_before_speakers_were_counted_has_nothing_to_pair():
    old = {"per": 0.2, "segment_accuracy": 0.9, "by_speaker": {"s0": {"per": 0.2}}}
    assert difference_interval("per", report(1, 2), old) is None
    assert difference_interval("segment_accuracy", old, old) is None


def test_one_speaker_allows_no_paired_interval():
    assert difference_interval("per", report(3), report(2)) is None


def test_a_nested_number_has_the_interval_beside_it():
    side = {"languages": {"en": {"per": 0.1, "per_low": 0.0, "per_high": 0.2}}}
    assert difference_interval("languages.en.per", side, side).method == APART


@pytest.mark.parametrize(
    ("value", "base", "verdict"),
    [
        (0.095, 0.09, SAME),  # in binary this is more than 0.005
        (0.0951, 0.09, WORSE),
        (0.09, 0.095, SAME),
        (0.08, 0.09, BETTER),
    ],
)
def test_without_an_interval_the_tolerance_alone_counts(value, base, verdict):
    assert compared({"per": value}, {"per": base}).verdict == verdict


def test_a_significant_difference_within_the_tolerance_is_the_same():
    result = compared(report(11, 11, 11), report(10.6, 10.6, 10.6))
    assert result.interval.low > 0
    assert result.verdict == SAME


def test_a_limit_applies_whatever_the_base_has():
    for base in ({"per": 0.3}, {"other": 1}, None):
        result = compared({"per": 0.21}, base)
        assert (result.past_limit, "0.21 is above its limit 0.2" in result.reason) == (True, True)
    assert compared({"per": 0.21}, None).verdict == NEW


@pytest.mark.parametrize(
    ("current", "base", "reason"),
    [
        (None, {"per": 0.1}, "no such report"),
        ({"per": None}, {"per": 0.1}, "per is null: nothing was measured"),
        ({"per": 0.1}, {"per": "low"}, "at the base .*per is 'low' and not a number"),
        (report(1, 2), report(1, 2) | {"by_speaker": {"a": {"errors": "x", "phones": 1}}},
         r"at the base .*one.json: by_speaker.a: expected a number, found 'x'"),
    ],
)  # fmt: skip
def test_what_can_not_be_read_is_undecided(current, base, reason):
    result = compared(current, base)
    assert result.verdict == UNDECIDED
    assert re.search(reason, result.reason)
