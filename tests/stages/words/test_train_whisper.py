"""The stage writes a model that loads, and a run that was killed ends in the same bytes."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from finetune_maker import NO_MASKS, PARAMS, plain, toy_run, write_params
from safetensors.torch import load_file
from toy import become, forked

from fonoteka.core.files import read_json
from fonoteka.models import step_checkpoints
from fonoteka.shards import read_clips
from fonoteka.whisper.decode import recognise
from fonoteka.whisper.examples import MaskParams
from fonoteka.whisper.model import load_whisper
from stages.words.train_whisper import stage
from stages.words.train_whisper.stage import run

pytestmark = pytest.mark.torch
OUT = ("model", "curves", "checkpoint")
MASKED = replace(
    PARAMS, masks=MaskParams(time_masks=1, time_frames=20, band_masks=1, bands=10), valid_every=3
)


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """The inputs of the stage: base, train.jsonl, valid.jsonl, audio."""
    return toy_run(tmp_path_factory.mktemp("toy"))


def trained(toy, folder, params=PARAMS):
    run("toy", *toy, *(folder / name for name in OUT), params)
    return folder / "model"


def outputs(folder):
    """Return the bytes of everything that DVC tracks."""
    paths = [p for name in OUT[:2] for p in sorted((folder / name).rglob("*")) if p.is_file()]
    return {str(p.relative_to(folder)): p.read_bytes() for p in paths}


@pytest.fixture(scope="module")
def whole(toy, tmp_path_factory):
    """The outputs of a run that was left alone."""
    folder = tmp_path_factory.mktemp("whole")
    torch.set_num_threads(1)
    trained(toy, folder, MASKED)
    return outputs(folder)


def test_the_result_has_the_files_of_the_base_and_loads_as_it_does(toy, tmp_path):
    out = trained(toy, tmp_path)
    base = toy[0]
    copied = [p.name for p in base.iterdir() if p.name != "model.safetensors"]
    assert {p.name for p in out.iterdir()} == {*copied, "model.safetensors", "training.json"}
    for name in copied:
        assert (out / name).read_bytes() == (base / name).read_bytes()
    before, after = (load_file(folder / "model.safetensors") for folder in (base, out))
    assert {n: t.dtype for n, t in before.items()} == {n: t.dtype for n, t in after.items()}
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert same == {"model.encoder.embed_positions.weight"}
    clips = dict(read_clips(toy[3], {"c00": "shard-00.tar/c00.flac"}))
    assert len(recognise(load_whisper(out), [clips["c00"]], ["hr"])) == 1


def test_the_record_of_the_training_has_no_times(toy, tmp_path):
    record = read_json(trained(toy, tmp_path) / "training.json")
    assert record["params"] == plain(asdict(PARAMS))
    assert (record["steps"], record["clips"]) == (6, {"train": 10, "valid": 4})
    assert record["valid_loss"]["after"] < record["valid_loss"]["before"]
    assert len(record["training_data_sha256"]) == len(record["weights_sha256"]) == 64
    assert not [key for key in json.dumps(record).split('"') if "second" in key or "time" == key]


def test_the_log_has_times_and_stays_while_the_checkpoints_go(toy, tmp_path, capsys):
    trained(toy, tmp_path)
    assert [p.name for p in (tmp_path / "checkpoint").iterdir()] == ["log.jsonl"]
    rows = [json.loads(x) for x in (tmp_path / "checkpoint/log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert all(row["seconds"] > 0 and row["cpu_seconds"] > 0 for row in rows)
    if sys.platform == "linux":
        assert all(row["peak_mib"] > 50 for row in rows)
    assert "step 6 of 6: loss " in capsys.readouterr().out


def test_curves_begin_with_the_base(toy, tmp_path):
    trained(toy, tmp_path)
    rows = (tmp_path / "curves" / "valid_loss.tsv").read_text().splitlines()
    assert [row.split("\t")[0] for row in rows] == ["step", "0", "2", "4", "6"]
    rows = (tmp_path / "curves" / "train_loss.tsv").read_text().splitlines()
    assert [row.split("\t")[0] for row in rows] == ["step", "1", "2", "3", "4", "5", "6"]


def test_float16_weights_stay_float16_and_are_what_was_validated(toy, tmp_path):
    base = tmp_path / "half"
    shutil.copytree(toy[0], base)
    weights = {n: t.half() for n, t in load_file(base / "model.safetensors").items()}
    step_checkpoints.write_tensors(base / "model.safetensors", weights, {"format": "pt"})
    out = trained([base, *toy[1:]], tmp_path)
    assert {t.dtype for t in load_file(out / "model.safetensors").values()} == {torch.float16}
    record = read_json(out / "training.json")
    whisper = load_whisper(out)
    chosen = stage.evenly_drawn(stage.read_split(toy[2], "validate"), 4)
    examples = stage.read_examples(whisper, chosen, toy[3], PARAMS)
    loss = stage.Losses(whisper, PARAMS, None).valid(examples)
    assert record["valid_loss"]["after"] == pytest.approx(loss, abs=1e-6)


def test_an_adapter_is_written_beside_the_merged_model(toy, tmp_path):
    params = replace(PARAMS, trainable="lora", learning_rate=0.05)
    out = trained(toy, tmp_path, params)
    factors = load_file(out / "adapter.safetensors")
    before, after = (load_file(f / "model.safetensors") for f in (toy[0], out))
    layers = {name.rpartition(".")[0] for name in factors}
    assert len(layers) == 2 * 2 + 2 * 4  # q and v of 2 encoder and 2 decoder layers, 3 attentions
    for name in before:
        layer = name.removesuffix(".weight")
        expected = before[name]
        if layer in layers:
            expected = expected + 2.0 * factors[f"{layer}.up"] @ factors[f"{layer}.down"]
        torch.testing.assert_close(after[name], expected)
    load_whisper(out)


@pytest.mark.parametrize("mode", ["all", "decoder", "lora"])
def test_two_runs_are_equal_byte_for_byte(mode, toy, tmp_path):
    params = replace(PARAMS, trainable=mode, steps=3, masks=NO_MASKS)
    results = []
    for name in "ab":
        trained(toy, tmp_path / name, params)
        results.append(outputs(tmp_path / name))
    assert results[0] == results[1]
    assert not (tmp_path / "a" / "checkpoint" / "states").exists()


def test_repeated_corpora_are_counted(toy, tmp_path):
    with pytest.raises(ValueError, match=r"repeat: \{none: 2\} is not valid for the corpora"):
        trained(toy, tmp_path, replace(PARAMS, repeat={"none": 2}))
    trained(toy, tmp_path, replace(PARAMS, repeat={"mine": 2}, steps=1))


@pytest.mark.parametrize(("name", "purpose"), [("train", "train"), ("valid", "validate")])
def test_an_empty_split_is_one_sentence(name, purpose, toy, tmp_path):
    empty = tmp_path / f"{name}.jsonl"
    empty.write_text("")
    paths = [empty if path.name == empty.name else path for path in toy]
    with pytest.raises(ValueError, match=rf"{name}\.jsonl: no utterance to {purpose} on"):
        trained(paths, tmp_path)
    assert not (tmp_path / "model").exists()


# A real process that trains, killed with SIGKILL. It is a fork of this one, because imports of
# torch and transformers take 8 CPU seconds.


class Child:
    """A forked run of the stage, whose output is read while it runs."""

    def __init__(self, toy, folder, params=MASKED, prepare=None):
        self.code, self.path = None, folder / "out.txt"
        sys.stdout.flush()
        with self.path.open("w") as out:
            self.pid = os.fork()
            if self.pid == 0:

                def main():
                    if prepare:
                        prepare()
                    trained(toy, folder, params)

                become(main, folder, None, out.fileno(), out.fileno())

    def text(self):
        return self.path.read_text()

    def wait_for(self, text):
        """Wait until the child has printed a text or has ended."""
        deadline = time.monotonic() + 120
        while text not in self.text() and not self.ended():
            assert time.monotonic() < deadline, self.text()
            time.sleep(0.01)

    def ended(self):
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is not None

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def resumed(toy, folder, params=MASKED):
    return forked(lambda: trained(toy, folder, params) and None)


@pytest.mark.parametrize("number", random.Random(7).sample(range(1, 6), 3))
def test_a_run_killed_at_a_random_step_ends_in_the_same_bytes(number, toy, whole, tmp_path):
    child = Child(toy, tmp_path)
    child.wait_for(f"step {number} of 6")
    child.kill()
    assert child.code == -signal.SIGKILL
    assert not (tmp_path / "model").exists()
    again = resumed(toy, tmp_path)
    assert again.returncode == 0, again.stderr
    if number > PARAMS.checkpoint_every:
        assert "continues after step" in again.stdout
        assert "step 1 of 6" not in again.stdout
    assert outputs(tmp_path) == whole
    rows = (tmp_path / "checkpoint/log.jsonl").read_text().splitlines()
    assert [json.loads(row)["step"] for row in rows] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("checkpoint", [1, 2])
def test_a_run_killed_inside_the_writing_of_a_checkpoint_ends_in_the_same_bytes(
    checkpoint, toy, whole, tmp_path
):
    def prepare():
        """Let the process kill itself after half of the tensors of a checkpoint."""
        real, calls = step_checkpoints._bytes, []

        def counted(tensor):
            calls.append(tensor)
            if len(calls) == per_file * (checkpoint - 1) + per_file // 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(tensor)

        step_checkpoints._bytes = counted

    per_file = 100  # tensors: fewer than a checkpoint has
    child = Child(toy, tmp_path, prepare=prepare)
    child.wait_for("never printed")
    assert child.code == -signal.SIGKILL
    parts = [p.name for p in (tmp_path / "checkpoint").iterdir() if p.name.endswith(".part")]
    assert len(parts) == 1
    again = resumed(toy, tmp_path)
    assert again.returncode == 0, again.stderr
    assert outputs(tmp_path) == whole
    assert [p.name for p in (tmp_path / "checkpoint").iterdir()] == ["log.jsonl"]


def test_a_killed_run_of_other_parameters_is_not_continued(toy, whole, tmp_path):
    child = Child(toy, tmp_path, replace(MASKED, seed=2))
    child.wait_for("step 5 of 6")
    child.kill()
    again = resumed(toy, tmp_path)
    assert "ignored, because it is of other data, parameters or code" in again.stdout
    assert "step 1 of 6" in again.stdout
    assert outputs(tmp_path) == whole


def test_a_killed_run_of_the_decoder_computes_no_state_twice(toy, tmp_path):
    params = replace(PARAMS, trainable="decoder")
    expected = tmp_path / "whole"
    trained(toy, expected, params)
    child = Child(toy, tmp_path, params)
    child.wait_for("step 3 of 6")
    child.kill()
    states = {p: p.stat().st_mtime_ns for p in (tmp_path / "checkpoint/states").iterdir()}
    assert states
    child = Child(toy, tmp_path, params)
    child.wait_for("step 4 of 6")
    assert {p: p.stat().st_mtime_ns for p in states if p.exists()} in (states, {})
    child.wait_for("never printed")
    assert outputs(tmp_path) == outputs(expected)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_one_sentence_and_room_is_all_that_is_needed(
    toy, whole, tmp_path, monkeypatch
):
    write = step_checkpoints.write_tensors

    def full(path, *rest):
        write(Path("/dev/full") if "000004" in path.name else path, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(step_checkpoints, "write_tensors", full)
        with pytest.raises(ValueError, match="No space left on device for a checkpoint of"):
            trained(toy, tmp_path, MASKED)
    names = sorted(p.name for p in (tmp_path / "checkpoint").iterdir())
    assert names == ["log.jsonl", "step-000002.safetensors"]
    again = resumed(toy, tmp_path)
    assert "continues after step 2 of 6" in again.stdout
    assert outputs(tmp_path) == whole


def test_the_command_line_runs_the_stage(toy, tmp_path, monkeypatch):
    write_params(tmp_path, replace(PARAMS, steps=1))
    monkeypatch.chdir(tmp_path)
    places = ["--checkpoint", "checkpoints/whisper/toy"]
    arguments = ["toy", *map(str, toy), "models/toy", "curves/toy", *places]
    monkeypatch.setattr(sys, "argv", ["train_whisper", *arguments])
    stage.main()
    assert read_json(tmp_path / "models/toy/training.json")["name"] == "toy"
    assert (tmp_path / "curves/toy/train_loss.tsv").is_file()
