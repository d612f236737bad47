"""Lessons are in step with the sound, and the losses are those of the papers."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from clip_maker import CHANGED, noise, speed_alone
from corpus_maker import utterance
from model_maker import PRETRAIN as PARAMS

from fonoteka.audio.recipe import NONE
from fonoteka.models.frame_targets import frame_labels
from fonoteka.phones import LABELS
from stages.features.encoder.pretrain import (
    PretrainExample,
    PretrainModel,
    _masks,
    _rows,
    batches,
    clusters_of,
    mfcc,
    pretrain_examples,
    step_loss,
)

pytestmark = pytest.mark.torch


def examples_of(count=2, **more):
    clips = {f"c{n}": noise(0.4 + 0.1 * n, n) for n in range(count)}
    utterances = [utterance(f"m/{key}", id=key, **more) for key in clips]
    return pretrain_examples(utterances, clips, PARAMS)


@pytest.mark.parametrize("samples", [1, 320, 321, 8000])
def test_cepstra_have_as_many_frames_as_the_encoder(samples):
    result = mfcc(noise(1.0)[:samples])
    assert result.shape == (-(-samples // 320), 26)
    assert result.mean(axis=0) == pytest.approx(np.zeros(26), abs=1e-3)  # float32, values to 100


def test_sounds_that_differ_fall_into_clusters_that_differ():
    rng = np.random.default_rng(0)
    blocks = [rng.normal(10 * k, 0.1, size=(40, 26)) for k in range(4)]
    result = clusters_of(blocks, [40] * 4, PARAMS)
    assert [len(set(block)) for block in result] == [1, 1, 1, 1]
    assert len({block[0] for block in result}) == 4


@pytest.mark.parametrize("count", [4, 15])
def test_rows_are_those_of_all_blocks_together_in_the_order_of_the_draw(count):
    rng = np.random.default_rng(0)
    sizes = [5, 1, 7, 2]
    blocks = [rng.normal(size=(size, 3)) for size in sizes]
    chosen = rng.permutation(15)[:count]
    assert np.array_equal(_rows(blocks, sizes, chosen), np.concatenate(blocks)[chosen])


def test_too_little_sound_for_the_clusters_is_refused():
    with pytest.raises(ValueError, match=r"3 frames of training audio cannot give 4 clusters"):
        clusters_of([np.zeros((3, 26))], [3], PARAMS)


def test_a_frame_has_the_phone_at_its_time():
    u = utterance("m/a", phones=("d", "a"), phone_times_s=((0.04, 0.08), (0.1, 0.101)))
    d, a = LABELS.index("d"), LABELS.index("a")
    assert frame_labels(u, 7).tolist() == [0, 0, d, d, 0, a, 0]


def test_without_phone_times_nothing_is_known_of_any_frame():
    assert frame_labels(utterance("m/a"), 3).tolist() == [-100] * 3


def test_a_lesson_has_its_clip_its_clusters_and_its_phones():
    first, second = examples_of()
    assert (len(first.clusters), len(second.clusters)) == (20, 25)
    assert len(second.signal) == 8000
    assert first.phones.tolist() == [LABELS.index("d"), LABELS.index("a")]


def test_every_clip_is_in_one_batch_of_a_round_and_rounds_differ():
    lengths = [8000, 16_000, 4000, 8000, 12_000, 9000]
    order = batches(lengths, batch_s=1.0, seed=1)
    rounds = []
    for _ in range(2):
        result = []
        while sum(map(len, result)) < 6:
            result.append(next(order))
        rounds.append(result)
        assert sorted(i for batch in result for i in batch) == list(range(6))
        for batch in result:
            assert len(batch) * max(lengths[i] for i in batch) <= 16_000
    assert rounds[0] != rounds[1]
    again = batches(lengths, batch_s=1.0, seed=1)
    assert list(islice(again, len(rounds[0]))) == rounds[0]


def test_a_clip_longer_than_a_batch_is_a_batch_of_its_own():
    assert sorted(islice(batches([40_000, 50_000], 1.0, 1), 2)) == [[0], [1]]


def test_the_share_of_masked_frames_is_the_one_asked_for():
    result = _masks([5000], 5000, PARAMS, np.random.default_rng(0))
    # 1 - (1 - p)^span of the frames lie under a span; spans overlap, so the deviation is 0.01
    assert result.mean() == pytest.approx(0.3, abs=0.04)


def test_masks_stay_in_their_clip_and_hide_at_least_one_frame():
    params = replace(PARAMS, mask_fraction=0.0)
    result = _masks([1, 4], 6, params, np.random.default_rng(0))
    assert result.sum(axis=1).tolist() == [1, 1]
    assert not result[0, 1:].any()
    assert not result[1, 4:].any()


# transformers gives torch a mask of numbers and one of truth values
@pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask")
@pytest.mark.parametrize("name", ["wav2vec2", "wavlm"])
def test_the_loss_repeats_with_its_seed(name):
    model, examples = PretrainModel(name, PARAMS), examples_of()
    losses = [step_loss(model, examples, PARAMS, CHANGED, seed).item() for seed in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]


def test_an_untrained_model_is_as_good_as_a_uniform_guess():
    model, examples = (
        PretrainModel("wav2vec2", PARAMS),
        examples_of(phone_times_s=((0.1, 0.2), (0.2, 0.3))),
    )
    with torch.no_grad():
        for layer in (model.clusters, model.frames):
            layer.weight.zero_()
            layer.bias.zero_()
    only = {"ctc_weight": 0.0, "cluster_weight": 0.0, "frame_weight": 0.0}
    for weight, classes in (("cluster_weight", 4), ("frame_weight", len(LABELS))):
        loss = step_loss(model, examples, replace(PARAMS, **(only | {weight: 1.0})), NONE, 1)
        # the cross entropy of a uniform guess is the log of the number of classes
        assert loss.item() == pytest.approx(np.log(classes), abs=1e-5)  # float32


def test_frames_of_unknown_phone_weigh_nothing():
    examples = examples_of()
    assert all((example.frames == -100).all() for example in examples)
    model = PretrainModel("wav2vec2", PARAMS)
    first, second = (
        step_loss(model, examples, replace(PARAMS, frame_weight=w), NONE, 1).item()
        for w in (0.0, 9.0)
    )
    assert first == second


def test_a_faster_copy_takes_its_targets_from_the_clips_own_time():
    example = PretrainExample(
        "a", {"a": noise(0.4)}, 6400, np.arange(20) % 4, np.full(20, -100), np.array([1, 2])
    )
    model = PretrainModel("wav2vec2", PARAMS)
    for seed in range(4):
        assert torch.isfinite(step_loss(model, [example], PARAMS, speed_alone(0.5), seed))
