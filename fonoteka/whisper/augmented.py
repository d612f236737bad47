"""Fine-tuning on changed clips: each step draws its own changes of each clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.audio.recipe import AugmentRecipe
from fonoteka.core.errors import UserError
from fonoteka.models.determinism import seed_of
from fonoteka.whisper.examples import LONGEST_S, TextClip


def augmented_examples(
    batch: Sequence[TextClip], recipe: AugmentRecipe, seed: int, step: int
) -> Sequence[TextClip]:
    """Return the clips of a batch as the recipe changes them.

    The changes of a clip depend on the seed, its id and the step alone, so a run that resumes
    draws the same ones.
    """
    if not recipe.changes:
        return batch
    from fonoteka.audio.augment import augment

    changed = []
    for example in batch:
        rng = np.random.default_rng(seed_of(seed, "augment", example.id, step))
        samples, _ = augment(example.samples, recipe, rng)
        changed.append(replace(example, count=len(samples), sound=partial(np.asarray, samples)))
    return changed


def check_recipe(examples: Sequence[TextClip], recipe: AugmentRecipe, trainable: str) -> None:
    """Refuse a recipe that the training cannot use.

    Raises:
        UserError: the encoder is not trained, so its states are stored; or a clip may become too
            long for Whisper's window.
    """
    if not recipe.changes:
        return
    if trainable == "decoder":
        raise UserError(
            f"train_whisper: the recipe {recipe.name!r} needs an encoder in training, and "
            "trainable is 'decoder'; set augment to none in params.yaml"
        )
    longest = max(examples, key=lambda example: example.count)
    seconds = longest.count / SAMPLE_RATE_HZ
    if seconds * recipe.slowest > LONGEST_S:
        raise UserError(
            f"{longest.id}: a clip of {seconds:.1f} s becomes up to {seconds * recipe.slowest:.1f} "
            f"s with the recipe {recipe.name!r}, and Whisper learns from at most {LONGEST_S:.0f} "
            "s; cut it, or choose a recipe that slows less"
        )
