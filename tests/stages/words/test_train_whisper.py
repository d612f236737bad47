"""The stage writes a model that loads, and a run that was killed ends in the same bytes."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from dataclasses import asdict, replace

import pytest
import torch
from finetune_maker import (
    MASKED,
    PARAMS,
    RunProcess,
    checkpoint_files,
    killed_in_checkpoint,
    outputs,
    plain,
    resumed,
    toy_run,
    trained,
    write_params,
)
from safetensors.torch import load_file
from stage_logs import events, log_lines, logged

from fonoteka.core.files import read_json
from fonoteka.models.step_checkpoints import write_tensors
from fonoteka.shards import open_clips
from fonoteka.whisper.decode import recognise
from fonoteka.whisper.model import load_whisper
from stages.words.train_whisper import stage

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """The inputs of the stage: base, train.jsonl, valid.jsonl, audio."""
    torch.set_num_threads(1)
    return toy_run(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def whole(toy, tmp_path_factory):
    """The folder of a run that was left alone."""
    folder = tmp_path_factory.mktemp("whole")
    trained(toy, folder, MASKED)
    return folder


def test_a_log_changes_no_byte_and_has_each_step_and_validation(toy, whole, tmp_path):
    with logged(tmp_path / "logs"):
        trained(toy, tmp_path, MASKED)
    assert outputs(tmp_path) == outputs(whole)
    lines = log_lines(tmp_path / "logs", "toy")
    steps = events(lines, "step")
    assert [line["step"] for line in steps] == [1, 2, 3, 4, 5, 6]
    assert min(line[key] for line in steps for key in ("loss", "learning_rate")) > 0
    assert [line["step"] for line in events(lines, "valid")] == [0, 3, 6]


def test_the_result_has_the_files_of_the_base_and_loads_as_it_does(toy, whole):
    base, out = toy[0], whole / "model"
    copied = [p.name for p in base.iterdir() if p.name != "model.safetensors"]
    assert {p.name for p in out.iterdir()} == {*copied, "model.safetensors", "training.json"}
    for name in copied:
        assert (out / name).read_bytes() == (base / name).read_bytes()
    before, after = (load_file(folder / "model.safetensors") for folder in (base, out))
    assert {n: t.dtype for n, t in before.items()} == {n: t.dtype for n, t in after.items()}
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert same == {"model.encoder.embed_positions.weight"}
    clips = open_clips(toy[3], {"c00": "shard-00.tar/c00.flac"})
    assert len(recognise(load_whisper(out), [clips["c00"]], ["hr"])) == 1


def test_the_record_of_the_training_has_no_times(whole):
    record = read_json(whole / "model" / "training.json")
    # Without a recipe the record is as before recipes existed.
    assert record["params"] | {"augment": "none"} == plain(asdict(MASKED)) | {"device": "cpu"}
    assert "augment" not in record["params"]
    assert (record["steps"], record["clips"]) == (6, {"train": 10, "valid": 4})
    assert record["valid_loss"]["after"] < record["valid_loss"]["before"]
    assert len(record["training_data_sha256"]) == len(record["weights_sha256"]) == 64
    assert not {"seconds", "cpu_seconds", "peak_mib"} & {*record}


def test_the_log_has_times_and_stays_while_the_checkpoints_go(whole):
    assert checkpoint_files(whole) == ["log.jsonl"]
    rows = [json.loads(x) for x in (whole / "checkpoint/log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert all(row["seconds"] > 0 and row["cpu_seconds"] > 0 for row in rows)
    if sys.platform == "linux":
        assert all(row["peak_mib"] > 50 for row in rows)


def test_curves_begin_with_the_base(whole):
    rows = (whole / "curves" / "valid_loss.tsv").read_text().splitlines()
    assert [row.split("\t")[0] for row in rows] == ["step", "0", "3", "6"]
    rows = (whole / "curves" / "train_loss.tsv").read_text().splitlines()
    assert [row.split("\t")[0] for row in rows] == ["step", "1", "2", "3", "4", "5", "6"]


def test_float16_weights_stay_float16_and_are_what_was_validated(toy, tmp_path):
    base, params = tmp_path / "half", replace(PARAMS, steps=2)
    shutil.copytree(toy[0], base)
    weights = {n: t.half() for n, t in load_file(base / "model.safetensors").items()}
    write_tensors(base / "model.safetensors", weights, {"format": "pt"})
    out = trained([base, *toy[1:]], tmp_path, params)
    assert {t.dtype for t in load_file(out / "model.safetensors").values()} == {torch.float16}
    whisper = load_whisper(out)
    chosen = stage.evenly_drawn(stage.read_split(toy[2], "validate"), 4)
    examples = stage.read_examples(whisper, chosen, toy[3], params)
    loss = stage.Losses(whisper, params, None).valid(examples)
    after = read_json(out / "training.json")["valid_loss"]["after"]
    assert after == pytest.approx(loss, abs=1e-6)


def test_an_adapter_is_written_beside_the_merged_model(toy, tmp_path):
    params = replace(PARAMS, trainable="lora", learning_rate=0.05, steps=3)
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
            assert not torch.equal(after[name], before[name])
        torch.testing.assert_close(after[name], expected)


def test_two_runs_are_equal_byte_for_byte(toy, whole, tmp_path):
    trained(toy, tmp_path, MASKED)
    assert outputs(tmp_path) == outputs(whole)
    trained(toy, tmp_path, replace(MASKED, seed=2))
    assert outputs(tmp_path) != outputs(whole)


def test_a_run_killed_at_a_step_ends_in_the_same_bytes(toy, whole, tmp_path):
    child = RunProcess(toy, tmp_path)
    child.wait_for("step 3 of 6")
    child.kill()
    assert child.code == -signal.SIGKILL
    assert not (tmp_path / "model").exists()
    again = resumed(toy, tmp_path)
    assert again.returncode == 0, again.stderr
    assert "continues after step 2 of 6" in again.stdout
    assert outputs(tmp_path) == outputs(whole)


def test_a_run_killed_inside_the_writing_of_a_checkpoint_ends_in_the_same_bytes(
    toy, whole, tmp_path
):
    child = RunProcess(toy, tmp_path, prepare=killed_in_checkpoint(1))
    child.wait_for("never printed")
    assert child.code == -signal.SIGKILL
    assert checkpoint_files(tmp_path)[0].startswith(".step-000002.safetensors.")
    again = resumed(toy, tmp_path)
    assert again.returncode == 0, again.stderr
    assert outputs(tmp_path) == outputs(whole)
    assert checkpoint_files(tmp_path) == ["log.jsonl"]


def test_repeated_corpora_must_exist(toy, tmp_path):
    with pytest.raises(ValueError, match=r"repeat: \{none: 2\} is not valid for the corpora"):
        trained(toy, tmp_path, replace(PARAMS, repeat={"none": 2}))


@pytest.mark.parametrize(("name", "purpose"), [("train", "train"), ("valid", "validate")])
def test_an_empty_split_is_one_sentence(name, purpose, toy, tmp_path):
    empty = tmp_path / f"{name}.jsonl"
    empty.write_text("")
    paths = [empty if path.name == empty.name else path for path in toy]
    with pytest.raises(ValueError, match=rf"{name}\.jsonl: no utterance to {purpose} on"):
        trained(paths, tmp_path)
    assert not (tmp_path / "model").exists()


def test_the_command_line_runs_the_stage(toy, tmp_path, monkeypatch):
    write_params(tmp_path, replace(PARAMS, steps=1, repeat={"mine": 2}))
    monkeypatch.chdir(tmp_path)
    places = ["--checkpoint", "checkpoints/whisper/toy"]
    arguments = ["toy", *map(str, toy), "models/toy", "curves/toy", *places]
    monkeypatch.setattr(sys, "argv", ["train_whisper", *arguments])
    stage.main()
    assert read_json(tmp_path / "models/toy/training.json")["name"] == "toy"
    assert (tmp_path / "curves/toy/train_loss.tsv").is_file()
