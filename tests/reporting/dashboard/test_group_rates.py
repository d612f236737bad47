"""Intervals that no report has are those of the project's bootstrap over speakers."""

from __future__ import annotations

import pytest
from corpus_maker import utterance

from fonoteka.reporting.dashboard.clips import Privacy, clips_of
from fonoteka.reporting.dashboard.group_rates import (
    Draws,
    computed_rates,
    group_rows,
    groups_by,
    groups_by_length,
)
from fonoteka.scoring.error_rate import Errors, bootstrap

DRAWS = Draws(resamples=200, seed=1, digits=4)
# Clips of three speakers; the last was not decoded and the one before has no reference.
SPEAKERS = ("m/ana", "m/ana", "m/ivo", "m/eva", "m/eva", "m/eva")
ERRORS = (
    Errors(1, reference=10), Errors(0, 1, 0, 5), Errors(3, reference=10), Errors(reference=20),
    Errors(insertions=2), None,
)  # fmt: skip


@pytest.fixture
def clips():
    rows = [utterance(name, id=f"c{n}") for n, name in enumerate(SPEAKERS)]
    return clips_of(rows, Privacy(True, {}, ()))


def test_errors_are_summed_per_speaker_before_speakers_are_drawn(clips):
    own = computed_rates(clips, ERRORS, [0, 1, 2, 3], DRAWS)
    interval = bootstrap([(2, 15), (0, 20), (3, 10)], DRAWS.resamples, DRAWS.seed)
    assert own == {
        "rate": round(5 / 45, 4), "low": round(interval.low, 4), "high": round(interval.high, 4),
        "units": 45, "clips": 4,
    }  # fmt: skip


def test_one_speaker_has_a_rate_and_no_interval(clips):
    own = computed_rates(clips, ERRORS, [0, 1], DRAWS)
    assert (own["rate"], own["low"], own["high"]) == (round(2 / 15, 4), None, None)


def test_groups_have_decoded_clips_with_a_reference_alone(clips):
    assert groups_by(clips, ERRORS, "speaker") == {"m/ana": [0, 1], "m/eva": [3], "m/ivo": [2]}
    assert groups_by_length(ERRORS, [5, 10]) == {"01-05": [1], "06-10": [0, 2], "11-": [3]}


def test_a_number_of_the_report_is_kept_and_the_others_are_named(clips):
    report = {"m/ana": {"rate": 0.5, "clips": 7}}
    rows = group_rows(clips, ERRORS, groups_by(clips, ERRORS, "speaker"), report, DRAWS)
    assert rows[0] == {
        "value": "m/ana", "rate": 0.5, "low": None, "high": None, "units": 15, "clips": 7,
        "computed": ["units"],
    }  # fmt: skip
    assert rows[1]["computed"] == ["rate", "units", "clips"]
