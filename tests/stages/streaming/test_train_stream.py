"""The recogniser for streams learns from phones, frames and a teacher, repeats, survives a kill."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
import yaml
from clip_maker import save_clips, speed_alone, write_recipes
from model_maker import KilledError, killed_at
from safetensors.torch import load_file
from whisper_maker import WIDTH, tiny_whisper

from fonoteka import manifest
from fonoteka.audio.dsp import FRAME_HOP, SAMPLE_RATE_HZ
from fonoteka.audio.surroundings import Surroundings
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.models import loop
from fonoteka.models.ctc import min_ctc_frames
from fonoteka.models.heads import TdnnShape, load_head, new_head, posteriors, save_head
from fonoteka.models.loop import run_epoch
from fonoteka.models.parallel.batch_parts import BatchPart
from fonoteka.models.provenance import write_provenance
from fonoteka.models.stream.stream_encoder import StreamShape
from fonoteka.models.stream.stream_model import load_stream_model
from fonoteka.models.stream.stream_step import StreamStep
from fonoteka.phones import LABELS, NUMBER
from fonoteka.scoring.decoding import greedy
from fonoteka.scoring.error_rate import errors
from fonoteka.shards import open_arrays, open_clips, write_arrays
from stages.features import whisper_encoder
from stages.features.whisper_encoder import WhisperEncoderParams
from stages.streaming.train_stream import stage
from stages.streaming.train_stream.stage import run
from stages.streaming.train_stream.stream_task import (
    StreamExample,
    StreamTask,
    TrainStreamParams,
)

pytestmark = pytest.mark.torch
PARAMS = TrainStreamParams(
    seed=1, epochs=2, patience=2, learning_rate=0.002, warmup_fraction=0.1, weight_decay=0.0,
    max_grad_norm=1.0, shape=StreamShape(layers=2, chunk=2, look_ahead=4, history=8),
    train_chunk=4, hidden=16, dilations=(1,), dropout=0.1, head_rate=10.0, batches=4, batch_s=2.0,
    valid_clips=4, frame_weight=0.5, teacher_weight=0.5, augmented_fraction=0.3, gain_db=6.0,
    augment="speed", around=Surroundings(0.1, 15.0, 45.0), repeat={},
)  # fmt: skip
RECIPE = speed_alone(0.1)
PLAIN = replace(
    PARAMS, dropout=0.0, augmented_fraction=0.0, gain_db=0.0, around=Surroundings(0.0, 15.0, 45.0)
)
TONES_HZ = {"a": 300.0, "i": 1200.0, "e": 3000.0}
PARTS = ("model.json", "config.json", "model.safetensors", "encoder.safetensors", "provenance.json")
CONVOLUTIONS = ("conv1.", "conv2.")


def spoken(phones, frames=8):
    """Return a clip in which each phone is a tone of its own, and the times of its phones."""
    count = frames * FRAME_HOP
    time = np.arange(count) / SAMPLE_RATE_HZ
    tones = [0.2 * np.sin(2 * np.pi * TONES_HZ[phone] * time) for phone in phones]
    times = [(n * frames / 50, (n + 1) * frames / 50) for n in range(len(phones))]
    return np.concatenate(tones).astype(np.float32), tuple(times)


def phrase(seed):
    """Return five phones, of which no two in a row are equal."""
    rng = np.random.default_rng(seed)
    phones = [str(rng.choice(list(TONES_HZ)))]
    while len(phones) < 5:
        phones.append(str(rng.choice([phone for phone in TONES_HZ if phone != phones[-1]])))
    return tuple(phones)


def toy_inputs(folder):
    """Write the inputs of the stage and return them by their arguments."""
    tiny_whisper(folder / "base")
    write_provenance(folder / "base", "folder")
    whisper_encoder.run(folder / "base", folder / "encoder", WhisperEncoderParams(0))
    shape = TdnnShape(WIDTH, len(LABELS), 8, (1,), 0.0)
    torch.manual_seed(1)
    save_head(folder / "teacher", new_head(shape), shape, {"labels": list(LABELS)})
    phrases = {f"c{seed}": phrase(seed) for seed in range(16)}
    clips = {key: spoken(phones) for key, phones in phrases.items()}
    utterances = [
        replace(u, phones=phrases[u.id], phone_times_s=clips[u.id][1])
        for u in save_clips(folder / "audio", {key: signal for key, (signal, _) in clips.items()})
    ]
    rng = np.random.default_rng(2)
    (folder / "embeddings").mkdir()
    embeddings = {
        key: rng.standard_normal((len(signal) // FRAME_HOP, WIDTH)).astype(np.float32)
        for key, (signal, _) in clips.items()
    }
    write_arrays(folder / "embeddings", embeddings, 2)
    manifest.write(folder / "train.jsonl", utterances[:12])
    manifest.write(folder / "valid.jsonl", utterances[12:])
    files = {"train": "train.jsonl", "valid": "valid.jsonl"}
    names = ("encoder", "teacher", "embeddings", "train", "valid", "audio")
    return {name: folder / files.get(name, name) for name in names}


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return toy_inputs(tmp_path_factory.mktemp("toy"))


def trained(toy, folder, params=PARAMS):
    outputs = {"out": "model", "curves": "curves", "checkpoint": "checkpoint"}
    places = {key: folder / name for key, name in outputs.items()}
    run("stream_ctc", **toy, **places, params=params, recipe=RECIPE)
    return folder / "model"


@pytest.fixture(scope="module")
def whole(toy, tmp_path_factory):
    """The folder of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    trained(toy, folder)
    return folder


def task_of(toy, params=PLAIN, recipe=RECIPE):
    names = ("encoder", "teacher", "embeddings", "train", "audio")
    return StreamTask(*(toy[name] for name in names), params, recipe)


def changed_inputs(toy, tmp_path, name, change):
    """Return the inputs with one manifest whose utterances were changed."""
    path = tmp_path / toy[name].name
    manifest.write(path, change(manifest.read(toy[name])))
    return toy | {name: path}


def same_bytes(first, second):
    return [name for name in PARTS if (first / name).read_bytes() != (second / name).read_bytes()]


def test_the_written_model_has_the_shape_of_the_stream_and_not_of_training(whole):
    step, metadata = load_stream_model(whole / "model")
    assert step.encoder.shape == PARAMS.shape != PARAMS.train_shape
    assert (metadata["labels"], metadata["name"]) == (list(LABELS), "stream_ctc")
    assert read_json(whole / "model" / "provenance.json")["source"] == "folder"


def test_the_stated_error_is_that_of_the_written_weights(whole, toy):
    step, metadata = load_stream_model(whole / "model")
    utterances = manifest.read(toy["valid"])
    signals = open_clips(toy["audio"], {u.id: u.audio for u in utterances})
    decoded = []
    with torch.inference_mode():
        for u in utterances:
            frames = step.head(step.encoder(torch.from_numpy(signals[u.id])[None]))[0]
            decoded.append([segment.symbol for segment in greedy(frames.numpy())])
    rate = errors([u.phones for u in utterances], decoded).rate
    assert metadata["valid_per"] == round(rate, 6)


def test_it_learns_phones_of_one_tone_each(toy, tmp_path):
    params = replace(
        PLAIN, epochs=8, patience=8, batches=12, learning_rate=0.001, head_rate=20.0,
        teacher_weight=0.0,
    )  # fmt: skip
    metadata = read_json(trained(toy, tmp_path, params) / "model.json")
    assert metadata["valid_per"] < 0.5  # it is 0.3; without learning it is 0.8 or more


def test_the_convolutions_stay_and_the_layers_of_the_encoder_do_not(whole, toy):
    before = load_file(toy["encoder"] / "model.safetensors")
    after = load_file(whole / "model" / "encoder.safetensors")
    shared = sorted(before.keys() & after.keys())
    stays = {name: torch.equal(before[name].half(), after[name]) for name in shared}
    convolutions = {name for name in shared if name.startswith(CONVOLUTIONS)}
    layers = {name for name in shared if name.startswith("layers.")}
    assert len(convolutions) == 4
    assert all(stays[name] for name in convolutions)
    assert {name.split(".")[1] for name in layers} == {"0", "1"}
    assert not any(stays[name] for name in layers)


def test_equal_inputs_give_equal_bytes_and_another_seed_does_not(whole, toy, tmp_path):
    assert same_bytes(whole / "model", trained(toy, tmp_path / "again")) == []
    other = trained(toy, tmp_path / "other", replace(PARAMS, seed=2))
    assert {"model.safetensors", "encoder.safetensors"} <= {*same_bytes(whole / "model", other)}


def test_a_run_that_was_killed_at_its_end_trains_no_more(whole, toy, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(stage, "save_stream_model", killed_at(1, stage.save_stream_model))
        with pytest.raises(KilledError, match="killed"):
            trained(toy, tmp_path)
    assert not (tmp_path / "model").exists()
    monkeypatch.setattr(loop, "run_epoch", killed_at(1, run_epoch))
    assert same_bytes(whole / "model", trained(toy, tmp_path)) == []


@pytest.mark.parametrize("kill", [1, 2])
def test_a_run_that_was_killed_ends_in_the_same_bytes(kill, whole, toy, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(loop, "run_epoch", killed_at(kill, loop.run_epoch))
        with pytest.raises(KilledError, match="killed"):
            trained(toy, tmp_path)
    assert (tmp_path / "checkpoint").exists() == (kill > 1)
    assert not (tmp_path / "model").exists()
    epochs = []
    monkeypatch.setattr(loop, "run_epoch", lambda *a: epochs.append(a[3]) or run_epoch(*a))
    assert same_bytes(whole / "model", trained(toy, tmp_path)) == []
    assert epochs == [*range(kill - 1, PARAMS.epochs)]
    for path in (whole / "curves").iterdir():
        assert (tmp_path / "curves" / path.name).read_bytes() == path.read_bytes()
    assert not (tmp_path / "checkpoint").exists()


class Drawn:
    """A generator with one answer for `uniform` between -1 and 1, and 0 for all others."""

    def __init__(self, *answers):
        self.answers = iter(answers)

    def uniform(self, low, high):
        return next(self.answers) if (low, high) == (-1, 1) else 0.0

    def random(self):
        return 0.0


def staircase(frames):
    """Return an example whose frame `t` has the level, the label and the teacher's row `t`."""
    levels = np.arange(frames, dtype=np.float32)
    return StreamExample(
        np.repeat(levels, FRAME_HOP), torch.tensor([1]), np.arange(frames),
        np.eye(frames, dtype=np.float32),
    )  # fmt: skip


def speed_only(toy, speed):
    return task_of(toy, replace(PLAIN, augmented_fraction=1.0), speed_alone(speed))


@pytest.mark.parametrize(
    ("draw", "places"),
    [(1.0, [0, 2, 4, 6, 8]), (-1.0, [n // 2 for n in range(20)]), (0.0, [*range(10)])],
    ids=["twice as fast", "half as fast", "as fast"],
)
def test_the_frames_of_a_changed_clip_have_the_targets_of_their_sound(draw, places, toy):
    example = staircase(10)
    changed = speed_only(toy, 1.0)._changed(example, Drawn(0.0, draw))
    assert len(changed.signal) == len(places) * FRAME_HOP
    assert changed.labels.tolist() == places
    assert np.array_equal(changed.teacher, example.teacher[places])
    assert torch.equal(changed.phones, example.phones)


def test_targets_follow_the_sound_at_any_speed(toy):
    task, counts = speed_only(toy, 0.3), set()
    for seed in range(20):
        changed = task._changed(staircase(30), np.random.default_rng(seed))
        # Between two samples the level rises to the next, so the frame of a place is its floor.
        levels = np.floor(changed.signal[::FRAME_HOP] + 1e-4).astype(int)
        assert changed.labels.tolist() == levels.tolist()
        assert changed.teacher.argmax(axis=1).tolist() == levels.tolist()
        counts.add(len(levels))
    assert min(counts) < 26 < 35 < max(counts)  # 30 frames, up to 1.3 times as fast or as slow


def test_a_gain_changes_the_level_alone(toy):
    task, example = task_of(toy, replace(PLAIN, gain_db=20.0)), task_of(toy).example(0)
    audible = example.signal != 0
    gains = []
    for seed in range(20):
        changed = task._changed(example, np.random.default_rng(seed))
        ratios = changed.signal[audible] / example.signal[audible]
        assert np.ptp(ratios) < 1e-4 * ratios.max()  # float32
        assert np.array_equal(changed.labels, example.labels)
        assert np.array_equal(changed.teacher, example.teacher)
        gains.append(20 * np.log10(ratios[0]))
    assert -20 <= min(gains) < -10
    assert 10 < max(gains) <= 20
    loudest = task._changed(example, Drawn(1.0, 0.0))
    assert np.allclose(loudest.signal, 10 * example.signal)


def test_a_clip_is_between_silences_without_a_phone(toy):
    params = replace(PLAIN, around=Surroundings(0.1, 200.0, 200.0))
    task, example = task_of(toy, params), task_of(toy).example(0)
    added = set()
    for seed in range(40):
        changed = task._changed(example, np.random.default_rng(seed))
        quiet = np.abs(changed.signal.reshape(-1, FRAME_HOP)).max(axis=1) < 1e-4
        before, after = int(quiet.argmin()), int(quiet[::-1].argmin())
        inside = slice(before, len(quiet) - after)
        assert len(changed.labels) == len(changed.teacher) == len(quiet)
        assert np.array_equal(changed.labels[inside], example.labels)
        assert np.array_equal(changed.teacher[inside], example.teacher)
        assert not changed.labels[quiet].any()
        assert (changed.teacher[quiet] == np.eye(len(LABELS))[0]).all()
        added |= {before, after}
    assert added == {0, 1, 2, 3, 4, 5}  # frames of 20 ms


def test_an_example_has_the_labels_of_its_times_and_the_posteriors_of_the_teacher(toy):
    task, utterances = task_of(toy), manifest.read(toy["train"])
    head, _ = load_head(toy["teacher"])
    embeddings = open_arrays(toy["embeddings"], [u.id for u in utterances])
    assert len(task.items) == len(utterances)
    for number, u in enumerate(utterances):
        example = task.example(number)
        assert example.labels.tolist() == [NUMBER[phone] for phone in u.phones for _ in range(8)]
        assert example.phones.tolist() == [NUMBER[phone] for phone in u.phones]
        expected = np.exp(posteriors(head, embeddings[u.id]))
        assert np.array_equal(example.teacher, expected)
        assert np.allclose(example.teacher.sum(axis=1), 1, atol=1e-5)


def with_long_texts(count):
    """Return a change that gives the first utterances more phones than they have frames."""

    def change(utterances):
        long = [replace(u, phones=("a", "i") * 21, phone_times_s=None) for u in utterances[:count]]
        return long + utterances[count:]

    return change


def test_clips_with_fewer_frames_than_phones_are_left_out_and_counted(toy, tmp_path):
    inputs = changed_inputs(toy, tmp_path, "train", with_long_texts(2))
    params = replace(PLAIN, epochs=1, batches=1, repeat={"mine": 3})
    task = task_of(inputs, params)
    assert (task.left_out, len(task.items)) == (2, 3 * 10)
    assert all(len(e.labels) >= min_ctc_frames(e.phones.tolist()) for e in task.items)
    metadata = read_json(trained(inputs, tmp_path, params) / "model.json")
    assert metadata["training_clips_too_short"] == 2


def test_a_corpus_without_a_clip_that_is_long_enough_is_refused(toy, tmp_path):
    inputs = changed_inputs(toy, tmp_path, "train", with_long_texts(12))
    with pytest.raises(UserError, match=r"train\.jsonl: every clip has fewer frames than phones"):
        trained(inputs, tmp_path)


@pytest.mark.parametrize("name", ["train", "valid"])
def test_an_empty_part_is_one_clear_sentence(name, toy, tmp_path):
    inputs = changed_inputs(toy, tmp_path, name, lambda _: [])
    with pytest.raises(UserError, match=rf"{name}\.jsonl: no utterance to (train|validate) on"):
        trained(inputs, tmp_path)
    assert not (tmp_path / "model").exists()


def test_the_head_learns_at_its_own_rate_and_the_convolutions_at_none(toy):
    task = task_of(toy)
    model = task.new()
    assert isinstance(model, StreamStep)
    optimizer = torch.optim.AdamW(task.groups(model), PLAIN.learning_rate)
    run_epoch(task, model, optimizer, 0, replace(PLAIN, batches=1))
    encoder, head = optimizer.param_groups
    assert head["lr"] == pytest.approx(PLAIN.head_rate * encoder["lr"])
    assert 0 < encoder["lr"] <= PLAIN.learning_rate
    assert {*map(id, head["params"])} == {*map(id, model.head.parameters())}
    names = {id(weights): name for name, weights in model.encoder.named_parameters()}
    left = {*names.values()} - {names[id(weights)] for weights in encoder["params"]}
    assert {name.rpartition(".")[0] for name in left} == {"conv1", "conv2"}


def test_the_batches_of_an_epoch_have_no_clip_twice_and_are_limited(toy):
    batches = task_of(toy).batches(5)
    clips = [clip for _, numbers in batches for clip in numbers]
    assert len(clips) == len({*clips})
    assert len(batches) == PLAIN.batches
    assert all(len(numbers) * 0.8 <= PLAIN.batch_s for _, numbers in batches)
    assert len({seed for seed, _ in batches}) == len(batches)


BATCH = (3, [0, 4])


def losses(toy, teachers=None):
    """Return a model in eval mode, and its losses with and without the teacher's part."""
    tasks = [task_of(toy, replace(PLAIN, teacher_weight=weight)) for weight in (1.0, 0.0)]
    torch.manual_seed(1)
    model = tasks[0].new().eval()
    examples = {clip: tasks[0].example(clip) for clip in BATCH[1]}
    for clip, teacher in (teachers or {}).items():
        examples[clip] = replace(examples[clip], teacher=teacher)
    for task in tasks:
        task.example = examples.__getitem__
    return model, tasks[0], [task.loss(model, BATCH) for task in tasks]


def own_posteriors(toy):
    """Return the posteriors of the untrained model for the clips of the batch."""
    model, task, _ = losses(toy)
    samples = torch.from_numpy(np.stack([task.example(clip).signal for clip in BATCH[1]]))
    with torch.inference_mode():
        log_probs = model.head(model.encoder(samples)).numpy()
    return dict(zip(BATCH[1], np.exp(log_probs), strict=True))


def test_the_part_of_the_teacher_is_the_cross_entropy_of_all_frames(toy):
    own = own_posteriors(toy)
    _, task, (with_teacher, without) = losses(toy)
    rows = np.concatenate([task.example(clip).teacher * np.log(own[clip]) for clip in BATCH[1]])
    part = float((with_teacher - without).detach())
    assert part == pytest.approx(-rows.sum(axis=1).mean(), rel=1e-4)  # float32


def test_frames_after_a_short_clip_do_not_count(toy):
    task = task_of(toy, replace(PLAIN, frame_weight=0.0))
    torch.manual_seed(1)
    model = task.new().eval()
    short = task.example(0)
    half = len(short.labels) // 2
    cut = StreamExample(
        short.signal[: half * FRAME_HOP], short.phones[:2], short.labels[:half],
        short.teacher[:half],
    )  # fmt: skip
    task.example = {0: cut, 2: short}.__getitem__
    together = task.loss(model, (3, [0, 2]))
    alone = [task.loss(model, (3, [clip])) for clip in (0, 2)]
    # Teacher: a mean of 20 and 40 frames. CTC: per phone, of 2 and 5 phones.
    plain = task_of(toy, replace(PLAIN, frame_weight=0.0, teacher_weight=0.0))
    plain.example = task.example
    ctc = [plain.loss(model, (3, [clip])) for clip in (0, 2)]
    teacher = [whole - part for whole, part in zip(alone, ctc, strict=True)]
    expected = plain.loss(model, (3, [0, 2])) + (teacher[0] * half + teacher[1] * 2 * half) / (
        3 * half
    )
    assert float(together.detach()) == pytest.approx(float(expected.detach()), rel=1e-4)


def pull(toy, teachers):
    """Return the gradient of the teacher's part of the loss, for the output of the head."""
    model, _, (with_teacher, without) = losses(toy, teachers)
    (gradient,) = torch.autograd.grad(with_teacher - without, model.head.output.bias)
    return gradient.numpy()


def test_a_teacher_pulls_the_posteriors_towards_its_own(toy):
    own = own_posteriors(toy)
    # A teacher of the same opinion has nothing to teach; the tolerance is that of float32.
    assert np.abs(pull(toy, own)).max() < 1e-6
    sure = np.zeros(len(LABELS), dtype=np.float32)
    sure[NUMBER["e"]] = 1.0
    gradient = pull(toy, {clip: np.tile(sure, (len(own[clip]), 1)) for clip in own})
    # A step against the gradient raises the score of this label alone.
    mean = np.concatenate([*own.values()]).mean(axis=0)
    assert np.allclose(gradient, mean - sure, atol=1e-5)
    assert np.flatnonzero(gradient < 0).tolist() == [NUMBER["e"]]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"batches": 0}, "found 0, 4 and 10.0"),
        ({"valid_clips": 0}, "found 4, 0 and 10.0"),
        ({"head_rate": 0.0}, "found 4, 4 and 0.0"),
        ({"head_rate": float("nan")}, "found 4, 4 and nan"),
    ],
)
def test_impossible_parameters_are_refused(change, expected):
    with pytest.raises(UserError, match=f"train_stream: batches, .* must be above 0, {expected}"):
        replace(PARAMS, **change)


@pytest.mark.parametrize(("train_chunk", "look_ahead"), [(2, 4), (4, 2)])
def test_training_sees_as_far_as_the_stream(train_chunk, look_ahead):
    shape = replace(PARAMS, train_chunk=train_chunk).train_shape
    assert (shape.chunk, shape.look_ahead) == (train_chunk, look_ahead)
    assert shape.look_ahead_s == PARAMS.shape.look_ahead_s
    assert (shape.layers, shape.history) == (PARAMS.shape.layers, PARAMS.shape.history)


@pytest.mark.parametrize("train_chunk", [0, 3, 8])  # 3 does not divide the history, 8 is too long
def test_a_chunk_that_the_stream_does_not_allow_is_refused(train_chunk):
    words = f"train_chunk must be 1 to 6 frames, .* history, 8, found {train_chunk};"
    with pytest.raises(UserError, match=words):
        replace(PARAMS, train_chunk=train_chunk)


def test_the_curves_have_a_row_per_epoch(whole):
    for name in ("train_loss", "valid_per"):
        rows = (whole / "curves" / f"{name}.tsv").read_text().splitlines()
        assert [row.split("\t")[0] for row in rows] == ["step", "0", "1"]


def test_the_command_reads_its_sections_and_its_paths(whole, toy, tmp_path, monkeypatch):
    sections = {"train_stream": asdict(PARAMS), "compute": {"threads": 1, "device": "cpu"}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(sections))
    write_recipes(tmp_path, RECIPE)
    monkeypatch.chdir(tmp_path)
    line = ["stream_ctc", *map(str, toy.values()), "out", "curves", "--checkpoint", "c"]
    monkeypatch.setattr(sys, "argv", ["train_stream", *line])
    stage.main()
    assert same_bytes(whole / "model", tmp_path / "out") == []


def test_the_parts_of_a_batch_add_up_to_it(toy):
    task = task_of(toy)
    batch = max(task.batches(1), key=lambda pair: len(pair[1]))
    torch.manual_seed(1)
    model = task.new()
    model.eval()
    whole = task.loss(model, batch).item()
    parts = [BatchPart(n, 3, again=n > 0) for n in range(3)]
    losses = [task.loss(model, batch, part).item() for part in parts]
    assert max(losses) < whole
    assert sum(losses) == pytest.approx(whole, rel=1e-5)
