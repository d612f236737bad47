"""The losses and gradients of the parts of a batch add up to those of the whole."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from finetune_maker import PARAMS, toy_split
from model_maker import CTC, MLP, toy_corpus
from whisper_maker import tiny_whisper

from fonoteka.core.errors import UserError
from fonoteka.models.checkpoint import Checkpoint
from fonoteka.models.loop import fit
from fonoteka.models.parallel import batch_parts
from fonoteka.models.parallel.batch_parts import (
    SAMPLED,
    USABLE,
    BatchPart,
    SavedBytes,
    fitting_parts,
    parts_for,
    parts_of_rank,
)
from fonoteka.models.parallel.ranks import ALONE, Ranks
from fonoteka.shards import open_clips
from fonoteka.whisper.examples import make_examples
from fonoteka.whisper.finetune import FineTuning, Losses
from fonoteka.whisper.model import load_whisper
from stages.training.train.tasks import CtcTask, MlpTask

pytestmark = pytest.mark.torch
CPU = torch.device("cpu")
MASKED = replace(CTC, mask_fraction=0.3, frame_weight=0.5, epochs=2)


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return toy_corpus(tmp_path_factory.mktemp("toy"))


def task_of(toy, kind):
    if kind == "ctc":
        return CtcTask(toy[0], toy[1], MASKED)
    return MlpTask(toy[0], toy[3], MLP, toy[0].parent)


def gradients(task, batch, parts):
    """Return the loss and the gradients of a batch in parts."""
    torch.manual_seed(1)
    model = task.new()
    torch.manual_seed(2)
    total = 0.0
    for part in parts:
        loss = task.loss(model, batch, part)
        if loss.requires_grad:
            loss.backward()
        total += loss.item()
    return total, torch.cat([weight.grad.reshape(-1) for weight in model.parameters()])


@pytest.mark.parametrize("kind", ["ctc", "mlp"])
@pytest.mark.parametrize("count", [2, 3, 40])  # 40 are more than the items, so some are empty
def test_parts_add_up_to_the_batch(kind, count, toy):
    task = task_of(toy, kind)
    batch = max(task.batches(1), key=len)
    assert 1 < len(batch) < 40
    whole, expected = gradients(task, batch, [BatchPart()])
    loss, gradient = gradients(task, batch, parts_of_rank(ALONE, count))
    assert loss == pytest.approx(whole, rel=1e-6)
    # Sums in another order, of float32 with 24 bits.
    assert torch.allclose(gradient, expected, rtol=1e-4, atol=1e-6)


def test_the_parts_of_all_ranks_are_those_of_the_batch():
    ranks = [Ranks(rank, 3, CPU) for rank in range(3)]
    parts = [parts_of_rank(each, 2, 7, "step") for each in ranks]
    flat = [part for some in parts for part in some]
    assert [(part.index, part.count) for part in flat] == [(n, 6) for n in range(6)]
    assert sorted(i for part in flat for i in part.take(range(20))) == [*range(20)]
    assert [part.again for part in flat] == [False, True] * 3
    assert len({part.seed for part in flat}) == 6
    assert parts_of_rank(ALONE, 1, 7)[0].seed is None


def test_draws_of_a_part_leave_those_after_it_alone():
    torch.manual_seed(5)
    expected = torch.rand(2).tolist()
    torch.manual_seed(5)
    with BatchPart(0, 2, seed=9).draws():
        inside = torch.rand(2).tolist()
    assert torch.rand(2).tolist() == expected != inside


@pytest.mark.parametrize(
    ("free", "parts"), [(None, 1), (10_000, 1), (1000 / USABLE, 1), (999 / USABLE, 2), (100, 15)]
)
def test_less_memory_gives_more_parts(free, parts):
    assert parts_for(1000, free) == parts


def test_saved_tensors_are_counted_once():
    weight = torch.ones(100, 100, requires_grad=True)
    saved = SavedBytes()
    with saved.counting():
        (weight.exp() * weight.exp()).sum()
    # Each exp keeps its result, which the product keeps again.
    assert saved.total == 2 * 100 * 100 * 4


def test_memory_is_measured_on_a_small_part_if_it_is_limited(monkeypatch):
    seen = []

    def loss(part):
        seen.append(part)
        return torch.ones(250, requires_grad=True).exp()

    assert fitting_parts(ALONE, loss) == 1
    assert not seen
    monkeypatch.setattr(batch_parts, "free_bytes", lambda device: int(1000 / USABLE) + 1)
    state = torch.get_rng_state()
    assert fitting_parts(ALONE, loss) == SAMPLED
    assert seen == [BatchPart(0, SAMPLED)]
    assert torch.equal(torch.get_rng_state(), state)


def test_a_run_in_short_memory_has_the_losses_of_one_with_enough(toy, tmp_path, monkeypatch):
    histories = []
    for name, free in (("enough", None), ("short", 20_000)):
        monkeypatch.setattr(batch_parts, "free_bytes", lambda device, free=free: free)
        task, keep = task_of(toy, "ctc"), Checkpoint(tmp_path / name, "m")
        _, progress = fit(task, lambda head: 0.5, "per", MASKED, keep)
        histories.append([epoch["train_loss"] for epoch in progress.history])
    assert histories[1] == pytest.approx(histories[0], rel=1e-5)


def test_a_batch_that_does_not_fit_is_one_sentence(toy, tmp_path, monkeypatch):
    task = task_of(toy, "ctc")

    def full(*arguments):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(task, "loss", full)
    with pytest.raises(UserError, match="cpu: a batch does not fit into its memory, in parts neit"):
        fit(task, lambda head: 0.5, "per", MASKED, Checkpoint(tmp_path, "m"))


def test_steps_of_whisper_in_parts_have_the_losses_of_whole_ones(tmp_path, monkeypatch):
    utterances = toy_split(tmp_path / "audio", 6)
    clips = open_clips(tmp_path / "audio", {u.id: u.audio for u in utterances})
    base = tiny_whisper(tmp_path / "base")
    losses = []
    for free in (None, 100_000):
        monkeypatch.setattr(batch_parts, "free_bytes", lambda device, free=free: free)
        whisper = load_whisper(base)
        examples = make_examples(whisper, utterances, clips, "latin")
        run = FineTuning(Losses(whisper, PARAMS, None), examples, PARAMS)
        losses.append([run.step().loss for _ in range(3)])
        assert (run.per_rank > 1) == bool(free)
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
