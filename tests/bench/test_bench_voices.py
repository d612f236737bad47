"""The error rates of voices add up: on rates that are known, and on a folder of made voices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from clip_maker import noise

from fonoteka.bench.voices.verification_errors import equal_error, pair_errors
from fonoteka.bench.voices.voice_errors import page, run, two_people
from fonoteka.voices.compare_voices import AuditVoicesParams
from fonoteka.voices.encoder_wheel import EncoderPackageParams
from fonoteka.voices.pieces import EmbedVoicesParams
from fonoteka.voices.store import quantised
from stages.corpus.speaker_encoder import SpeakerEncoderParams
from stages.corpus.speaker_encoder import run as write_encoder

LIMITS = AuditVoicesParams("report", same_voice=0.84, two_voices=0.6, listed=20)
PARAMS = EmbedVoicesParams(piece_s=2.0, pieces=4)


def test_the_equal_error_of_two_normal_distributions_is_that_of_the_textbook():
    random = np.random.default_rng(0)
    same, different = random.normal(2, 1, 20_000), random.normal(0, 1, 20_000)
    rate, threshold = equal_error(same, different, np.ones(20_000), np.ones(20_000))
    # Phi(-1) = 0.1587 at the middle; 20,000 draws have a standard error of 0.0026.
    assert rate == pytest.approx(0.1587, abs=0.008)
    assert threshold == pytest.approx(1.0, abs=0.03)


def test_a_weight_of_two_counts_as_the_score_twice():
    weighted = equal_error([0.9, 0.3], [0.5, 0.1], [2, 1], [1, 1])
    assert weighted == equal_error([0.9, 0.9, 0.3], [0.5, 0.1], [1, 1, 1], [1, 1])


def test_misses_and_false_alarms_are_counted_over_pairs():
    cosines = np.full((8, 8), 0.1)
    np.fill_diagonal(cosines, [0.9] * 6 + [0.5] * 2)
    cosines[0, 1] = 0.95
    errors = pair_errors(cosines, 0.8, resamples=200, seed=1)
    assert (errors["same_pairs"], errors["different_pairs"]) == (8, 56)
    assert errors["misses"]["value"] == 1 / 4
    assert errors["false_alarms"]["value"] == pytest.approx(1 / 56)
    assert errors["misses"]["low"] <= 1 / 4 <= errors["misses"]["high"]


def test_two_speakers_have_rates_and_no_interval():
    # One draw in two has one speaker twice, who forms no pair of two.
    errors = pair_errors(np.array([[0.9, 0.1], [0.1, 0.9]]), 0.8, resamples=20, seed=1)
    assert errors["false_alarms"] == {"value": 0.0, "low": None, "high": None}
    assert errors["equal_error"] == {"value": 0.0, "low": None, "high": None}


def test_two_people_with_voices_at_right_angles_are_divided_without_error():
    people = [(quantised(axis)[None].repeat(2, 0),) * 2 for axis in np.eye(256)[:5]]
    result = two_people(people, 4, 0.6)
    assert (result["people"], result["false_alarms"]) == (5, 0.0)
    assert result["2 of 4"] == {
        "names": 20, "misses": 0.0, "equal_error": 0.0, "equal_error_threshold": 1.0,
    }  # fmt: skip
    assert two_people(people[:1], 4, 0.6) == {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model and three recordings, of which one is too short for two halves."""
    top = tmp_path_factory.mktemp("voices")
    package = EncoderPackageParams("0", "", "", "")
    write_encoder(top / "model", SpeakerEncoderParams("untrained", package, ""))
    lines = ["path\tspeaker"]
    for name, seconds in {"a": 8.5, "b": 8.5, "c": 3.0}.items():
        soundfile.write(top / f"{name}.wav", noise(seconds, ord(name)), 16_000)
        lines.append(f"{name}.wav\t{name}")
    (top / "labels.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return top


@pytest.mark.torch
def test_the_report_counts_recordings_and_pieces(folder):
    result = run(folder, folder / "model", LIMITS, PARAMS)
    assert (result["recordings"], result["too_short"], result["embedded_pieces"]) == (2, 1, 8)
    assert [*result["two_names"]] == ["1", "2"]
    assert result["two_names"]["2"]["different_pairs"] == 2
    assert "two names, 2 pieces each" in page(result)
    assert "two people, 1 of 4 pieces" in page(result)


@pytest.mark.torch
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a.wav\tx", "b.wav\tx"], "speaker 'x' has two recordings; expected one each"),
        (["c.wav\tc"], "0 recordings with a piece in both halves, 1 too short; expected at least"),
    ],
    ids=["twice", "short"],
)
def test_a_folder_that_cannot_be_measured_is_refused(rows, message, folder, tmp_path):
    for name in "abc":
        Path(tmp_path, f"{name}.wav").symlink_to(folder / f"{name}.wav")
    (tmp_path / "labels.tsv").write_text("\n".join(["path\tspeaker", *rows]) + "\n")
    with pytest.raises(ValueError, match=message):
        run(tmp_path, folder / "model", LIMITS, PARAMS)
