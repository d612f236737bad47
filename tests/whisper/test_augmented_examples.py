"""Fine-tuning changes training clips by a recipe: seed, clip and step decide each draw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from clip_maker import CHANGED, noise, speed_alone
from finetune_maker import PARAMS, outputs, toy_run, trained

from fonoteka.audio.recipe import NONE, AugmentRecipe, Gain, Speed
from fonoteka.core.files import read_json
from fonoteka.whisper.augmented import augmented_examples, check_recipe
from fonoteka.whisper.examples import TextClip
from fonoteka.whisper.finetune import Losses

pytestmark = pytest.mark.torch
LOUDER = AugmentRecipe("louder", (Gain("gain", 1.0, (6.0, 6.0)),))


def clip(name, seconds=0.5):
    samples = noise(seconds)
    return TextClip(name, "hr", len(samples), lambda: samples, (1, 2), (3, 4))


def samples_of(batch):
    return [example.samples.tobytes() for example in batch]


def test_a_batch_is_as_it_was_without_a_change():
    batch = [clip("a"), clip("b")]
    assert augmented_examples(batch, NONE, 1, 0) is batch


def test_changes_depend_on_the_seed_the_clip_and_the_step():
    first = samples_of(augmented_examples([clip("a"), clip("b")], CHANGED, 1, 5))
    assert samples_of(augmented_examples([clip("b")], CHANGED, 1, 5)) == first[1:]
    assert first[0] != first[1]
    assert samples_of(augmented_examples([clip("a")], CHANGED, 2, 5)) != first[:1]
    assert samples_of(augmented_examples([clip("a")], CHANGED, 1, 6)) != first[:1]


def test_a_changed_clip_keeps_all_but_its_samples():
    (changed,) = augmented_examples([clip("a")], LOUDER, 1, 0)
    assert np.allclose(changed.samples, noise(0.5) * 10**0.3)
    assert (changed.count, changed.prompt) == (8000, clip("a").prompt)
    assert (changed.id, changed.language, changed.tokens) == ("a", "hr", (3, 4))


def test_a_clip_that_may_become_too_long_is_refused():
    batch = [clip("short", 2.0), clip("long", 25.0)]
    check_recipe(batch, speed_alone(0.1), "all")  # 27.5 s
    message = r"^long: a clip of 25\.0 s becomes up to 30\.0 s with the recipe 'speed', and Whisper"
    with pytest.raises(ValueError, match=message):
        check_recipe(batch, speed_alone(0.2), "all")
    check_recipe(batch, AugmentRecipe("off", (Speed("speed", 0.0, 0.2),)), "all")


def test_a_recipe_without_an_encoder_in_training_is_refused():
    check_recipe([clip("a")], NONE, "decoder")
    with pytest.raises(ValueError, match=r"recipe 'louder' needs an encoder in training"):
        check_recipe([clip("a")], LOUDER, "decoder")


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return toy_run(tmp_path_factory.mktemp("toy"))


def test_a_run_with_a_recipe_has_other_weights_and_names_it(toy, tmp_path):
    params = replace(PARAMS, steps=2)
    trained(toy, tmp_path / "plain", params)
    trained(toy, tmp_path / "changed", replace(params, augment="changed"), CHANGED)
    trained(toy, tmp_path / "again", replace(params, augment="changed"), CHANGED)
    records = [read_json(tmp_path / name / "model/training.json") for name in ("plain", "changed")]
    assert [record["params"].get("augment") for record in records] == [None, "changed"]
    assert records[0]["weights_sha256"] != records[1]["weights_sha256"]
    assert outputs(tmp_path / "changed") == outputs(tmp_path / "again")


def test_validation_uses_clips_as_they_are(monkeypatch):
    losses = Losses.__new__(Losses)
    losses.params, losses.recipe, seen = PARAMS, LOUDER, []
    monkeypatch.setattr(
        losses, "_sum", lambda batch, *others: seen.append(batch) or torch.tensor(1.0)
    )
    losses.whisper = type("Toy", (), {"model": torch.nn.Identity()})()
    losses.train([clip("a")], 0)
    losses.valid([clip("a")])
    assert samples_of(seen[0]) != samples_of([clip("a")]) == samples_of(seen[1])
