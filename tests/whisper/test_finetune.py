"""A fine-tuning learns, trains what it is asked to, and depends on the seed and the step alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from finetune_maker import PARAMS, toy_split
from whisper_maker import tiny_whisper

from fonoteka.models import device
from fonoteka.models.determinism import seed_of
from fonoteka.models.step_checkpoints import StepCheckpoints
from fonoteka.shards import open_clips
from fonoteka.whisper.encoder_states import EncoderStates
from fonoteka.whisper.examples import MaskParams, make_examples, make_targets
from fonoteka.whisper.finetune import (
    BatchOrder,
    FineTuning,
    Losses,
    fine_tune,
    trainable_weights,
)
from fonoteka.whisper.finetune_params import FineTuneParams
from fonoteka.whisper.model import load_whisper, padded

pytestmark = pytest.mark.torch
MASKS = MaskParams(time_masks=1, time_frames=30, band_masks=1, bands=20)


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """The folder of a tiny model, and twelve utterances with their clips."""
    folder = tmp_path_factory.mktemp("toy")
    utterances = toy_split(folder / "audio", 12)
    clips = open_clips(folder / "audio", {u.id: u.audio for u in utterances})
    return tiny_whisper(folder / "base"), utterances, clips


def loaded(toy):
    base, utterances, clips = toy
    torch.set_num_threads(1)
    whisper = load_whisper(base)
    return whisper, make_examples(whisper, utterances, clips, "latin")


def new_run(toy, params=PARAMS):
    whisper, examples = loaded(toy)
    return FineTuning(Losses(whisper, params, None), examples, params)


def tuned(toy, folder, params, stored=None):
    whisper, examples = loaded(toy)
    if params.trainable == "decoder":
        stored = EncoderStates(folder / "states", "m")
        stored.prepare(whisper, examples)
    records = []
    keep = StepCheckpoints(folder, "m")
    run = fine_tune(whisper, examples[:8], examples[8:], params, keep, stored, records.append)
    return run, records


@pytest.mark.parametrize(
    "params",
    [
        replace(PARAMS, steps=30, valid_every=15),
        replace(PARAMS, steps=30, valid_every=15, trainable="decoder"),
        replace(PARAMS, steps=30, valid_every=15, trainable="lora", learning_rate=0.1),
    ],
    ids=lambda params: params.trainable,
)
def test_every_mode_learns(params, toy, tmp_path):
    run, records = tuned(toy, tmp_path, params)
    before = run.progress.history[0]["valid_loss"]
    assert run.progress.best < 0.6 * before
    assert [record.step for record in records] == list(range(1, 31))
    assert records[0].learning_rate < records[4].learning_rate > records[-1].learning_rate > 0
    assert all(record.seconds > 0 for record in records)


def test_the_loss_is_that_of_transformers_for_equal_lengths(toy):
    whisper, examples = loaded(toy)
    batch = [e for e in examples if e.input_s == examples[0].input_s]
    targets = make_targets(batch, whisper.rules.end)
    states = whisper.states([e.samples for e in batch], batch[0].input_s)
    with torch.no_grad():
        logits = whisper.model(
            decoder_input_ids=targets.inputs, encoder_outputs=(states,)
        ).logits.flatten(0, 1)
    expected = F.cross_entropy(logits, targets.labels.flatten())
    assert Losses(whisper, PARAMS, None).valid(batch) == pytest.approx(expected.item(), rel=1e-5)


def names_of(toy, **changed):
    whisper, _ = loaded(toy)
    weights = trainable_weights(whisper.model, replace(PARAMS, **changed))
    return {*weights}, {name for name, _ in whisper.model.named_parameters()}


def test_all_weights_but_the_positions_of_the_encoder_are_trained(toy):
    trained, every = names_of(toy)
    assert every - trained == {"model.encoder.embed_positions.weight"}


def test_parts_can_be_frozen(toy):
    trained, every = names_of(toy, frozen=("embeddings",), frozen_layers=1)
    frozen = every - trained
    assert "model.decoder.embed_tokens.weight" in frozen
    assert {name.split(".")[2] for name in frozen if ".encoder." in name} == {
        "conv1", "conv2", "embed_positions", "layers",
    }  # fmt: skip
    assert {name.split(".")[3] for name in frozen if ".layers." in name} == {"0"}


def test_the_decoder_alone_is_trained_on_stored_states(toy, tmp_path):
    trained, every = names_of(toy, trainable="decoder")
    assert trained == {name for name in every if name.startswith("model.decoder.")}
    whisper, _ = loaded(toy)
    before = {n: w.clone() for n, w in whisper.model.named_parameters()}
    run, _ = tuned(toy, tmp_path, replace(PARAMS, trainable="decoder"))
    changed = {n for n, w in run.model.named_parameters() if not torch.equal(w, before[n])}
    assert changed <= trained
    assert "model.decoder.layers.0.fc1.weight" in changed


def test_stored_states_are_those_of_the_encoder_within_half_precision(toy, tmp_path):
    whisper, examples = loaded(toy)
    stored = EncoderStates(tmp_path, "m")
    stored.prepare(whisper, examples)
    for e in examples:
        expected = whisper.states([e.samples], e.input_s).detach()
        torch.testing.assert_close(stored.read([e]), expected, atol=2e-3, rtol=1e-3)


def test_stored_states_are_computed_once_and_again_for_another_mark(toy, tmp_path):
    whisper, examples = loaded(toy)
    EncoderStates(tmp_path, "m").prepare(whisper, examples)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    half = sorted(files)[0]
    half.write_bytes(half.read_bytes()[:100])
    EncoderStates(tmp_path, "m").prepare(whisper, examples)
    again = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert {path for path in files if files[path] != again[path]} == {half}
    EncoderStates(tmp_path, "n").prepare(whisper, examples)
    assert all(path.stat().st_mtime_ns > again[path] for path in again)


def test_accumulated_batches_have_the_gradient_of_one_large_batch(toy):
    _, examples = loaded(toy)
    same = [e for e in examples if e.input_s == examples[0].input_s][:4]
    gradients = []
    for size, times in ((4, 1), (2, 2)):
        run = new_run(toy, replace(PARAMS, batch=size, accumulate=times))
        run.order = BatchOrder(same, run.params)
        run._gradients(0)
        gradients.append({n: w.grad.clone() for n, w in run.weights.items()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], atol=1e-6, rtol=1e-4)


def test_every_clip_is_in_each_epoch_once(toy):
    order = new_run(toy).order
    batches = [[e.id for e in order.batch(number)] for number in range(9)]
    epochs = [[e for batch in batches[start : start + 3] for e in batch] for start in (0, 3, 6)]
    for ids in epochs:
        assert sorted(ids) == sorted(e.id for e in order.examples)
    assert epochs[0] != epochs[1]
    # A resumed run asks for a later batch first.
    later = BatchOrder(order.examples, order.params)
    assert [[e.id for e in later.batch(number)] for number in (7, 2)] == [batches[7], batches[2]]


def test_a_language_can_have_a_share_of_its_clips_per_epoch(toy):
    order = new_run(toy, replace(PARAMS, batch=1, language_share={"en": 0.5})).order
    drawn = [[order.batch(epoch * 10 + n)[0] for n in range(10)] for epoch in range(6)]
    for clips in drawn:
        assert Counter(e.language for e in clips) == {"hr": 4, "sr": 4, "en": 2}
        assert len({e.id for e in clips}) == 10
    assert {e.id for clips in drawn for e in clips} == {e.id for e in order.examples}


@pytest.mark.parametrize("share", [{"en": 0.0}, {"en": 1.1}, {"de": 0.5}])
def test_a_share_out_of_range_or_of_another_language_is_refused(share, toy):
    with pytest.raises(ValueError, match=r"language_share: \{.*\['en', 'hr', 'sr'\]; name one of"):
        new_run(toy, replace(PARAMS, language_share=share))


def test_masks_depend_on_the_seed_the_clip_and_the_step(toy, monkeypatch):
    whisper, examples = loaded(toy)
    seeds = []
    monkeypatch.setattr(
        "fonoteka.whisper.finetune.mask_spectrogram",
        lambda mel, masks, some, frames: seeds.append((some, frames)) or mel,
    )
    losses = Losses(whisper, replace(PARAMS, masks=MASKS), None)
    losses.train(examples[:2], 5)
    losses.valid(examples[:2])  # is not masked
    expected = [seed_of(1, "masks", e.id, 5) for e in examples[:2]]
    assert seeds == [(expected, [len(e.samples) // 160 for e in examples[:2]])]


def test_masks_change_the_loss(toy):
    whisper, examples = loaded(toy)
    losses = [
        Losses(whisper, replace(PARAMS, masks=masks), None).train(examples[:2], 0).item()
        for masks in (PARAMS.masks, MASKS)
    ]
    assert losses[0] != losses[1]


def test_training_stops_after_its_patience_and_keeps_the_best_weights(toy, tmp_path, monkeypatch):
    scripted = iter([0.9, 0.5, 0.6, 0.5, 0.1])
    monkeypatch.setattr(Losses, "valid", lambda *_: next(scripted))
    copies = []
    step = FineTuning.step

    def stepped(run):
        record = step(run)
        copies.append({n: w.detach().clone() for n, w in run.weights.items()})
        return record

    monkeypatch.setattr(FineTuning, "step", stepped)
    run, _ = tuned(toy, tmp_path, replace(PARAMS, steps=9, valid_every=1, patience=2))
    progress = run.progress
    assert (progress.step, progress.best_step, progress.best) == (3, 1, 0.5)
    assert [values["valid_loss"] for values in progress.history] == [0.9, 0.5, 0.6, 0.5]
    for name, weight in run.weights.items():
        assert torch.equal(weight, copies[0][name])
        if "fc1.weight" in name:
            assert not torch.equal(weight, copies[2][name])


def test_a_model_that_never_improves_is_the_base(toy, tmp_path, monkeypatch):
    scripted = iter([0.1, 0.5, 0.6])
    monkeypatch.setattr(Losses, "valid", lambda *_: next(scripted))
    before = {n: w.clone() for n, w in loaded(toy)[0].model.named_parameters()}
    run, _ = tuned(toy, tmp_path, replace(PARAMS, steps=2, valid_every=1))
    assert run.progress.best_step == 0
    assert all(torch.equal(w, before[n]) for n, w in run.model.named_parameters())


def test_a_loss_that_is_not_a_number_names_the_rate(toy):
    run = new_run(toy)
    with torch.no_grad():
        next(iter(run.weights.values())).fill_(float("nan"))
    message = r"step 1: the loss is nan; lower train_whisper\.learning_rate, now 0\.01"
    with pytest.raises(ValueError, match=message):
        run.step()


def test_a_batch_beyond_the_memory_names_the_parameter(toy, monkeypatch):
    def train(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Losses, "train", train)
    with pytest.raises(ValueError, match=r"step 1: a batch of 4 clips does not fit .* lower train"):
        new_run(toy).step()


def test_bfloat16_has_nearly_the_loss_and_the_gradients_of_float32(toy, monkeypatch):
    gradients, totals = [], []
    for kinds in (("cuda",), ("cpu",)):
        run = new_run(toy)
        monkeypatch.setattr(device, "HALF_DEVICES", kinds)  # the processor computes as a GPU does
        totals.append(run._gradients(0))
        gradients.append(torch.cat([w.grad.flatten() for w in run.weights.values()]))
        assert {w.grad.dtype for w in run.weights.values()} == {torch.float32}
    assert totals[0] == pytest.approx(totals[1], rel=0.01)  # of 8 bits: 0.4 % per product
    assert totals[0] != totals[1]
    assert F.cosine_similarity(*gradients, dim=0) > 0.99


def test_dropout_of_the_config_is_on_in_training_only_and_repeats(toy):
    losses = []
    for _ in range(2):
        run = new_run(toy)
        for module in run.model.modules():
            if hasattr(module, "dropout") and isinstance(module.dropout, float):
                module.dropout = 0.5
        examples = run.order.examples
        losses.append((run.losses.valid(examples), run.step().loss, run.step().loss))
    assert losses[0] == losses[1]
    plain = new_run(toy)
    assert losses[0][0] == plain.losses.valid(plain.order.examples)
    assert losses[0][1] != plain.step().loss


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"trainable": "encoder"}, "trainable: 'encoder' is not one of all, decoder, lora"),
        ({"script": "greek"}, "script: 'greek' is not one of latin, as_written"),
        ({"frozen": ("tokens",)}, "frozen: 'tokens' is not one of"),
        ({"steps": 0}, "steps must be at least 1, found 0"),
        ({"trainable": "decoder", "masks": MASKS}, "masks need an encoder in training"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        replace(PARAMS, **changed)


def test_a_clip_of_a_batch_is_padded_to_the_longest_one_of_it(toy, monkeypatch):
    whisper, examples = loaded(toy)
    lengths = []
    monkeypatch.setattr(
        "fonoteka.whisper.finetune.padded",
        lambda clips, seconds: lengths.append(seconds) or padded(clips, seconds),
    )
    Losses(whisper, PARAMS, None).train(examples, 0)
    assert lengths == [max(e.input_s for e in examples)]
    assert isinstance(PARAMS, FineTuneParams)
    assert np.isclose(lengths[0] % 0.5, 0)
