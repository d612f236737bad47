"""What is worse is told from what is chance, and never guessed."""

from __future__ import annotations

import math
import re

import pytest

from fonoteka.pipeline.diff import compare_metric, significance
from fonoteka.pipeline.diff.compare_metric import BETTER, NEW, SAME, UNDECIDED, WORSE, Number
from fonoteka.pipeline.diff.significance import APART, PAIRED, chance
from fonoteka.scoring.error_rate import Errors, paired_bootstrap

FILE = "reports/metrics/one.json"
PER = Number(FILE, "per", "lower", limit=0.2, tolerance=0.005)


def report(*errors, phones=100, **more):
    """Return a report of as many speakers as there are numbers of errors."""
    rows = {f"s{n}": {"errors": wrong, "phones": phones} for n, wrong in enumerate(errors)}
    return {"per": sum(errors) / phones / len(errors), "by_speaker": rows} | more


def judged(here, base, asked=PER):
    return compare_metric.judge(asked, {FILE: here}.get, {FILE: base}.get)


def test_what_every_speaker_finds_worse_is_worse_however_wide_either_interval():
    # Speakers differ by 30 points and more; each is worse by one or two.
    base = report(2, 10, 32, 5, per_low=0.02, per_high=0.32)
    found = judged(report(3, 12, 34, 6, per_low=0.03, per_high=0.34), base)
    assert found.verdict == WORSE
    assert (found.chance.how, found.chance.low > 0) == (PAIRED, True)
    assert (
        "0.1375 is worse by 0.015 than 0.1225 at the base, and 0.005 is tolerated" in found.reason
    )


def test_a_number_that_is_better_for_every_speaker_is_better():
    found = judged(report(2, 10, 32, 5), report(3, 12, 34, 6))
    assert found.verdict == BETTER
    assert found.chance.high < 0


def test_what_one_speaker_finds_worse_and_the_others_not_is_chance():
    found = judged(report(2, 10, 50, 4), report(2, 10, 32, 5))
    assert found.verdict == SAME
    assert found.chance.low < 0 < found.chance.high
    assert not found.reason


def test_the_paired_interval_is_that_of_the_models_compared_within_one_revision():
    ours, theirs = (3, 12, 34, 6), (2, 10, 32, 5)
    expected, _ = paired_bootstrap(
        *({f"s{n}": Errors(e, 0, 0, 100) for n, e in enumerate(side)} for side in (ours, theirs)),
        significance.RESAMPLES, significance.SEED,
    )  # fmt: skip
    found = chance("per", report(*ours), report(*theirs))
    assert (found.low, found.high) == (expected.low, expected.high)


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
    here, base = changed | bounds, report(2, 10, 32, 5) | bounds
    assert chance("per", here, base).how == APART
    assert chance("per", changed, base) is None  # an interval on one side alone is none


def test_what_was_measured_apart_has_the_interval_of_two_independent_numbers():
    here = {"ece": 0.06, "ece_low": 0.05, "ece_high": 0.08}
    base = {"ece": 0.03, "ece_low": 0.02, "ece_high": 0.05}
    found = chance("ece", here, base)
    assert found.how == APART
    assert found.low == pytest.approx(0.03 - math.hypot(0.01, 0.02))
    assert found.high == pytest.approx(0.03 + math.hypot(0.02, 0.01))
    assert judged(here, base, Number(FILE, "ece", "lower", 1, 0)).verdict == WORSE


def test_the_segment_accuracy_is_paired_where_every_phone_has_a_segment():
    def side(*rates):
        rows = {f"s{n}": {"segment_accuracy": r, "phones": 50} for n, r in enumerate(rates)}
        return {
            "segment_accuracy": sum(rates) / len(rates), "phones": 100, "segments": 100,
            "by_speaker": rows,
        }  # fmt: skip

    found = chance("segment_accuracy", side(0.8, 0.6), side(0.9, 0.7))
    assert (found.how, found.low, found.high) == (PAIRED, pytest.approx(-0.1), pytest.approx(-0.1))
    assert chance("segment_accuracy", side(0.8, 0.6) | {"segments": 99}, side(0.9, 0.7)) is None
    assert chance("segment_accuracy", side(0.8, 0.6), side(0.9, 0.7) | {"by_speaker": None}) is None


def test_a_speaker_without_a_rate_leaves_nothing_to_pair():
    rows = {"a": {"segment_accuracy": None, "phones": 5}}
    side = {"segment_accuracy": 0.9, "phones": 5, "segments": 5, "by_speaker": rows}
    assert chance("segment_accuracy", side, side) is None


def test_a_report_from_before_speakers_were_counted_has_nothing_to_pair():
    old = {"per": 0.2, "segment_accuracy": 0.9, "by_speaker": {"s0": {"per": 0.2}}}
    assert chance("per", report(1, 2), old) is None
    assert chance("segment_accuracy", old, old) is None


def test_one_speaker_allows_no_paired_interval():
    assert chance("per", report(3), report(2)) is None


def test_a_number_further_down_has_the_interval_that_stands_beside_it():
    side = {"languages": {"en": {"per": 0.1, "per_low": 0.0, "per_high": 0.2}}}
    assert chance("languages.en.per", side, side).how == APART


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
    assert judged({"per": value}, {"per": base}).verdict == verdict


def test_a_sure_difference_within_the_tolerance_is_the_same():
    found = judged(report(11, 11, 11), report(10.6, 10.6, 10.6))
    assert found.chance.low > 0
    assert found.verdict == SAME


def test_a_limit_counts_whatever_was_at_the_base():
    for base in ({"per": 0.3}, {"other": 1}, None):
        found = judged({"per": 0.21}, base)
        assert (found.past, "0.21 is above its limit 0.2" in found.reason) == (True, True)
    assert judged({"per": 0.21}, None).verdict == NEW


@pytest.mark.parametrize(
    ("here", "base", "why"),
    [
        (None, {"per": 0.1}, "no such report"),
        ({"per": None}, {"per": 0.1}, "per is None and not a number"),
        ({"per": 0.1}, {"per": "low"}, "at the base .*per is 'low' and not a number"),
        (report(1, 2), report(1, 2) | {"by_speaker": {"a": {"errors": "x", "phones": 1}}},
         r"at the base .*one.json: by_speaker.a: expected a number, found 'x'"),
    ],
)  # fmt: skip
def test_what_can_not_be_read_is_undecided(here, base, why):
    found = judged(here, base)
    assert found.verdict == UNDECIDED
    assert re.search(why, found.reason)
