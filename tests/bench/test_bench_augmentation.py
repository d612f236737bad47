"""The value of a recipe: heads trained with its copies, tested on speakers they never saw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from clip_maker import noise

from fonoteka.audio.recipe import NONE, load_recipe
from fonoteka.bench.alignment.digits import DIGITS
from fonoteka.bench.augmentation import command
from fonoteka.bench.augmentation.command import page, recipe_names, row_of
from fonoteka.bench.augmentation.recipe_comparison import (
    AugmentBenchParams,
    RecipeComparison,
    digit_clips,
)
from fonoteka.core.files import read_json
from fonoteka.g2p.g2p import phones_of
from fonoteka.scoring.error_rate import Errors

pytestmark = pytest.mark.torch
SMALL = AugmentBenchParams(
    train_clips=10, test_clips=10, copies=1, epochs=150, held_out=1, seeds=1
)  # fmt: skip
torch.set_num_threads(1)  # idle threads of OpenMP wait in a loop beside other processes
SPEAKERS = ("ana", "eva", "ivo")


class BandEncoder:
    """Levels of 16 bands in each 20 ms, which separate the tones of the digits."""

    def embed(self, signal):
        frames = np.pad(signal, (0, -len(signal) % 320)).reshape(-1, 320)
        power = np.abs(np.fft.rfft(frames))[:, :160].reshape(len(frames), 16, 10).mean(-1)
        return np.log(power + 1e-3).astype(np.float32)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Two takes of ten digits by three speakers: a tone of each digit in noise."""
    folder = tmp_path_factory.mktemp("digits")
    time = np.arange(3200) / 8000
    for number, speaker in enumerate(SPEAKERS):
        for digit in range(10):
            for take in range(2):
                tone = np.sin(2 * np.pi * (300 + 350 * digit + 10 * number) * time)
                signal = 0.3 * tone + 0.01 * noise(0.2, take)[:3200]
                soundfile.write(folder / f"{digit}_{speaker}_{take}.wav", signal, 8000)
    return folder


def test_training_and_test_clips_are_different_takes_of_all_digits(digits):
    clips = digit_clips(digits, SMALL)
    assert sorted(clips) == list(SPEAKERS)
    assert [clip.id for clip in clips["ivo"][:10]] == [f"{d}_ivo_0" for d in range(10)]
    assert {clip.id.split("_")[2] for clip in clips["ivo"][10:]} == {"1"}
    assert clips["ana"][3].phones == phones_of("three", "en")
    assert len(clips["ana"][3].signal) == 6400  # at 16 kHz


@pytest.mark.parametrize(
    "changed", [{"test_clips": 11}, {"held_out": 3}], ids=["clips", "speakers"]
)
def test_a_folder_that_is_too_small_is_refused(changed, digits):
    with pytest.raises(ValueError, match="3 speakers with at least 20 digits each; give a folder"):
        digit_clips(digits, replace(SMALL, **changed))


def test_a_folder_without_digits_is_refused(tmp_path):
    with pytest.raises(ValueError, match="0 speakers with at least 0 digits each"):
        digit_clips(tmp_path, SMALL)


def test_each_speaker_is_held_out_once_and_heads_learn_from_the_others(digits):
    comparison = RecipeComparison(digits, BandEncoder(), SMALL)
    assert comparison.pairs == [["ana"], ["eva"], ["ivo"]]
    result = comparison.errors_with(NONE)
    for condition in ("recorded", "telephone"):
        assert sorted(result[condition]) == list(SPEAKERS)
        references = {errors.reference for errors in result[condition].values()}
        assert references == {sum(len(phones_of(word, "en")) for word in DIGITS)}
    # Guesses are wrong in nine of ten phones; the tones of the others tell the digits apart.
    assert sum(result["recorded"].values(), Errors()).rate < 0.5


def test_two_measurements_are_equal_and_a_recipe_differs_from_none(digits):
    comparison = RecipeComparison(digits, BandEncoder(), replace(SMALL, epochs=2))
    recipe = load_recipe("default", "name")
    first, second = (comparison.errors_with(recipe) for _ in range(2))
    assert first == second
    assert first != comparison.errors_with(NONE)


def test_a_row_has_the_paired_difference_over_speakers():
    none = {"ana": Errors(4, reference=10), "ivo": Errors(2, reference=10)}
    ours = {"ana": Errors(2, reference=10), "ivo": Errors(1, reference=10)}
    row = row_of(ours, none)
    assert (row["per"], row["difference"]) == (0.15, -0.15)
    # Two speakers: a draw has both, or one of them twice.
    assert (row["difference_low"], row["difference_high"]) == (-0.2, -0.1)
    assert row["by_speaker"] == {"ana": 0.2, "ivo": 0.1}


def test_the_report_and_its_table_have_each_recipe(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "load_clip_encoder", lambda folder: BandEncoder())
    monkeypatch.setattr(command, "REPORT", tmp_path / "augment.json")
    monkeypatch.setattr(command, "AugmentBenchParams", lambda: replace(SMALL, epochs=1))
    command.bench_augment(digits)
    report = read_json(tmp_path / "augment.json")
    assert sorted(report["recipes"]) == sorted(recipe_names())
    assert report["recipes"]["none"]["recorded"]["difference"] == 0
    rows = page(report).splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(report["recipes"])
    assert all(row["cpu_ms_per_s"] >= 0 for row in report["recipes"].values())
    assert torch.get_num_threads() == 1


def test_the_recipes_of_a_missing_file_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"augment\.yaml: no such file; run from the top"):
        recipe_names(tmp_path / "augment.yaml")
