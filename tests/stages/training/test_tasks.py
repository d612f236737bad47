"""What a head is trained on: every clip once, every segment with its phone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from corpus_maker import utterance
from model_maker import CTC, MLP, TOY_PHONES, toy_corpus, write_segments

from fonoteka import manifest
from fonoteka.models.frame_targets import UNKNOWN
from fonoteka.shards import write_arrays
from stages.training.train.tasks import NUMBER, CtcTask, MlpTask

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """Embeddings, train.jsonl, valid.jsonl and segments.parquet of the toy problem."""
    return toy_corpus(tmp_path_factory.mktemp("toy"), train=48)


@pytest.mark.parametrize("bad", [{"epochs": 0}, {"patience": 0}])
def test_no_epoch_and_no_patience_train_nothing_and_are_refused(bad):
    with pytest.raises(ValueError, match="epochs and patience must be at least 1, found"):
        replace(CTC, **bad)


def test_segments_of_other_parts_are_not_trained_on(toy, tmp_path):
    write_segments(tmp_path / "s.parquet", manifest.read(toy[1]), part="test")
    with pytest.raises(ValueError, match=r"s\.parquet: no segment of the training part"):
        MlpTask(toy[0], tmp_path / "s.parquet", MLP, tmp_path)


def test_a_training_clip_without_its_embedding_is_refused(toy, tmp_path):
    manifest.write(tmp_path / "t.jsonl", [*manifest.read(toy[1]), utterance("m/new", id="new")])
    with pytest.raises(ValueError, match="1 embeddings are missing, first 'new'"):
        CtcTask(toy[0], tmp_path / "t.jsonl", CTC)


def test_views_are_trained_on_with_the_phones_of_their_clip(tmp_path):
    manifest.write(tmp_path / "t.jsonl", [utterance("m/a", id="a", phones=("d", "a"))])
    frames = np.zeros((6, 4), dtype=np.float32)
    write_arrays(tmp_path, {"a": frames, "a#1": frames[:5], "b": frames}, 2)
    task = CtcTask(tmp_path, tmp_path / "t.jsonl", CTC)
    assert [len(example.labels) for example in task.items] == [6, 5]
    assert [example.phones.tolist() for example in task.items] == 2 * [[NUMBER["d"], NUMBER["a"]]]


def test_a_clip_has_the_phones_of_its_frames_and_a_changed_copy_has_none(tmp_path):
    timed = utterance(
        "m/a", id="a", phones=("d", "a"), phone_times_s=((0.02, 0.06), (0.06, 0.1)),
    )  # fmt: skip
    manifest.write(tmp_path / "t.jsonl", [timed])
    frames = np.zeros((6, 4), dtype=np.float32)
    write_arrays(tmp_path, {"a": frames, "a#1": frames[:5]}, 2)
    own, copy = CtcTask(tmp_path, tmp_path / "t.jsonl", CTC).items
    d, a = NUMBER["d"], NUMBER["a"]
    assert own.labels.tolist() == [0, d, d, a, a, 0]
    assert copy.labels.tolist() == [UNKNOWN] * 5


def test_the_loss_of_frames_is_added_with_its_weight(tmp_path):
    timed = utterance("m/a", id="a", phones=("d",), phone_times_s=((0.0, 0.1),))
    manifest.write(tmp_path / "t.jsonl", [timed])
    write_arrays(tmp_path, {"a": np.zeros((6, 4), dtype=np.float32)}, 1)
    losses = []
    for weight in (0.0, 0.5, 1.0):
        task = CtcTask(tmp_path, tmp_path / "t.jsonl", replace(CTC, frame_weight=weight))
        torch.manual_seed(1)
        losses.append(task.loss(task.new().eval(), [0]).item())
    assert losses[1] - losses[0] == pytest.approx((losses[2] - losses[0]) / 2, rel=1e-5)
    assert losses[1] > losses[0] + 0.5  # an untrained head is far from sure of a phone


def test_every_clip_is_in_one_batch_of_an_epoch_and_none_is_too_long(toy):
    task = CtcTask(toy[0], toy[1], CTC)
    batches = task.batches(seed=1)
    assert sorted(i for batch in batches for i in batch) == list(range(48))
    for batch in batches:
        assert len(batch) * max(len(task.items[i].labels) for i in batch) <= CTC.batch_frames
    assert batches == task.batches(seed=1) != task.batches(seed=2)


def test_masks_hide_the_share_of_frames_asked_for(toy):
    task = CtcTask(toy[0], toy[1], replace(CTC, mask_fraction=0.2, mask_frames=4))
    torch.manual_seed(0)
    hidden = (task._masked(torch.ones(20_000, 1)) == 0).float().mean().item()
    # spans of 4 start in 5 % of the frames; overlaps leave 1 - 0.95^4 = 0.185
    assert hidden == pytest.approx(1 - 0.95**4, abs=0.02)  # six standard deviations


def test_the_mlp_reads_the_mean_of_a_segment_and_silence_as_the_blank(toy, tmp_path):
    task = MlpTask(toy[0], toy[3], MLP, tmp_path / "checkpoint")

    def means(label):
        return task.means.rows((task.labels == label).nonzero()[:, 0])

    phones = [u.phones for u in manifest.read(toy[1])]
    assert len(task.labels) == sum(map(len, phones)) + 48
    silent = means(0)
    assert len(silent) == 48
    # the mean of two frames of noise of 0.05 on 8 axes
    assert silent.norm(dim=1).mean() == pytest.approx(0.05 * np.sqrt(8 / 2), rel=0.2)
    for number, phone in enumerate(TOY_PHONES):
        assert (means(NUMBER[phone]).argmax(dim=1) == number).all()
