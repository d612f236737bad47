"""The encoder comes from a folder, from a hub at a pinned revision, or is taught here."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from clip_maker import noise, save_clips, write_recipes
from fake_hub import REVISION, hub
from huggingface_hub import constants
from model_maker import PRETRAIN, KilledError, encoder, killed_at, save_encoder
from stage_logs import events, log_lines, logged

from fonoteka import manifest
from fonoteka.audio.recipe import NONE
from fonoteka.models.checkpoint import Checkpoint
from fonoteka.models.encoders import embed, load_encoder
from fonoteka.models.provenance import read_provenance
from fonoteka.whisper.conversion.hub import HubRevision
from stages.features.encoder import stage
from stages.features.encoder.pretrain import PretrainModel, pretrain_examples
from stages.features.encoder.stage import EncoderParams, pretrain, run, train_model

pytestmark = pytest.mark.torch
ROOT = Path(__file__).resolve().parents[3]
MODELS = ("wav2vec2", "wavlm")
FILES = ["config.json", "model.safetensors", "preprocessor_config.json",
         "provenance.json"]  # fmt: skip


@pytest.fixture
def corpus(tmp_path):
    """train.jsonl and data/audio of three clips."""
    clips = {f"c{n}": noise(0.4 + 0.1 * n, n) for n in range(3)}
    manifest.write(tmp_path / "train.jsonl", save_clips(tmp_path / "audio", clips))
    return tmp_path / "train.jsonl", tmp_path / "audio"


FROM_HUB = EncoderParams("hub", PRETRAIN)


# One process for all of them: to import transformers takes 15 CPU seconds.
EACH = """
import sys
from stages.features.encoder import stage
for word in sys.argv[1:]:
    name, _, hub = word.partition("=")
    sys.argv = ["encoder", name, hub, "train.jsonl", "audio", f"out/{name}", "--checkpoint", "c"]
    stage.main()
"""


def write_params(folder):
    folder.mkdir(exist_ok=True)
    text = yaml.safe_dump({"encoder": asdict(FROM_HUB), "compute": {"threads": 1, "device": "cpu"}})
    (folder / "params.yaml").write_text(text)
    write_recipes(folder)


def command(folder, endpoint, **names):
    """Run the stage for each encoder, with a hub at `endpoint` and an empty cache."""
    write_params(folder)
    return subprocess.run(
        [sys.executable, "-c", EACH, *(f"{k}={name}@{REVISION}" for k, name in names.items())],
        cwd=folder, capture_output=True, text=True, check=False,
        env=os.environ | {
            "HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "cache"), "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_TELEMETRY": "1", "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1",
        },
    )  # fmt: skip


def ask_at(monkeypatch, address):
    """Let this process ask a hub at another address than the public one."""
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


def test_an_encoder_comes_from_a_local_folder(tmp_path):
    source = save_encoder(tmp_path / "mine")
    hub = HubRevision(str(source), REVISION)
    run("wav2vec2", hub, tmp_path, tmp_path, tmp_path / "out", tmp_path / "c", FROM_HUB, NONE)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == FILES
    records = embed(load_encoder(tmp_path / "out", "wav2vec2"), noise(0.3), normalised=True)
    assert np.array_equal(records, embed(encoder(), noise(0.3), normalised=True))


def test_encoders_come_from_the_hub_at_the_pinned_revision(tmp_path):
    served = {f"me/{model}": save_encoder(tmp_path / model, model) for model in MODELS}
    # As WavLM's real weights are; transformers would ask the hub to convert them.
    torch.save(encoder("wavlm").state_dict(), served["me/wavlm"] / "pytorch_model.bin")
    (served["me/wavlm"] / "model.safetensors").unlink()
    with hub(served) as (address, requests):
        done = command(tmp_path / "run", address, **{model: f"me/{model}" for model in MODELS})
    assert done.returncode == 0, done.stderr
    for model in MODELS:
        own = [path for path in requests if path.startswith(f"/me/{model}/resolve/{REVISION}/")]
        assert own, requests
        requests = [path for path in requests if path not in own]
        out = tmp_path / "run" / "out" / model
        assert sorted(p.name for p in out.iterdir()) == FILES
        records = embed(load_encoder(out, model), noise(0.3), normalised=True)
        assert np.array_equal(records, embed(encoder(model), noise(0.3), normalised=True))
        assert read_provenance(out) == {
            "source": "hub",
            "fetched": f"me/{model}@{REVISION}",
            "licence": None,
        }
    assert requests == []


def test_a_hub_that_does_not_answer_is_one_sentence_and_earlier_output_stays(tmp_path, monkeypatch):
    earlier = tmp_path / "run" / "out" / "model.safetensors"
    earlier.parent.mkdir(parents=True)
    earlier.write_bytes(b"earlier")
    write_params(tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run")
    options = f"wav2vec2 me/tiny@{REVISION} train.jsonl audio out --checkpoint checkpoint"
    monkeypatch.setattr(sys, "argv", ["encoder", *options.split()])
    with hub({}) as (address, _):
        ask_at(monkeypatch, address)
    message = (
        rf"^encoder: cannot get 'me/tiny' at revision '{REVISION}'; .*"
        r"set encoder\.source to pretrain \(http://127"
    )
    with pytest.raises(ValueError, match=message):  # the port is closed now
        stage.main()
    assert [p.name for p in earlier.parent.iterdir()] == ["model.safetensors"]
    assert earlier.read_bytes() == b"earlier"


@pytest.mark.parametrize(
    ("name", "revision"), [("me/other", REVISION), ("me/tiny", "f" * 40), ("me/tiny", REVISION)]
)
def test_a_hub_is_asked_once_for_what_it_does_not_have(name, revision, tmp_path, monkeypatch):
    with hub({"me/tiny": tmp_path}) as (address, requests):
        ask_at(monkeypatch, address)
        with pytest.raises(ValueError, match=f"encoder: cannot get '{name}' .*404"):
            run("wav2vec2", HubRevision(name, revision), *[tmp_path] * 4, FROM_HUB, NONE)
    assert [x for x in requests if "/resolve/" in x] == [f"/{name}/resolve/{revision}/config.json"]


def test_a_folder_without_an_encoder_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"encoder: cannot get .*check the network and encoders"):
        run("wav2vec2", HubRevision(str(tmp_path), REVISION), *[tmp_path] * 4, FROM_HUB, NONE)


def test_what_is_in_the_cache_is_not_asked_for(monkeypatch, tmp_path):
    monkeypatch.setattr(stage, "try_to_load_from_cache", lambda *args, **kwargs: "config.json")
    monkeypatch.setattr(stage, "get_hf_file_metadata", None)
    stage.ask(HubRevision("me/tiny", REVISION))


def test_another_source_and_an_encoder_without_a_commit_are_refused(tmp_path, monkeypatch):
    hub, web = HubRevision("me/tiny", REVISION), EncoderParams("web", PRETRAIN)
    with pytest.raises(ValueError, match=r"encoder\.source must be one of .* found 'web'"):
        run("wav2vec2", hub, *[tmp_path] * 4, web, NONE)
    write_params(tmp_path)
    monkeypatch.chdir(tmp_path)
    for text in ("me/tiny", "me/tiny@", "@abc", "me/tiny@main"):
        words = ["encoder", "wav2vec2", text, "train.jsonl", "audio", "out", "--checkpoint", "c"]
        monkeypatch.setattr(sys, "argv", words)
        message = f"^encoders: hub must be owner/name@commit with 40 .*, got '{text}'$"
        with pytest.raises(ValueError, match=message):
            stage.main()


def test_pretraining_repeats_byte_for_byte_and_clears_its_checkpoint(corpus, tmp_path):
    for name in ("a", "b"):
        hub, local = HubRevision("none", REVISION), EncoderParams("pretrain", PRETRAIN)
        run("wav2vec2", hub, *corpus, tmp_path / name, tmp_path / "checkpoint", local, NONE)
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == FILES
    for file in FILES:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert not (tmp_path / "checkpoint").exists()
    load_encoder(tmp_path / "a", "wav2vec2")


@pytest.mark.parametrize("kill", [2, 3, 4])
def test_pretraining_that_was_killed_ends_in_the_same_bytes(kill, corpus, tmp_path, monkeypatch):
    params = replace(PRETRAIN, steps=4, round_steps=2)
    pretrain("wav2vec2", *corpus, tmp_path / "whole", tmp_path / "c1", params, NONE)
    with monkeypatch.context() as patch:
        patch.setattr(stage, "step_loss", killed_at(kill, stage.step_loss))
        with pytest.raises(KilledError, match="killed"):
            pretrain("wav2vec2", *corpus, tmp_path / "out", tmp_path / "c2", params, NONE)
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "c2").exists() == (kill > 2)
    pretrain("wav2vec2", *corpus, tmp_path / "out", tmp_path / "c2", params, NONE)
    whole, resumed = (tmp_path / n / "model.safetensors" for n in ("whole", "out"))
    assert whole.read_bytes() == resumed.read_bytes()


def test_a_log_changes_no_byte_of_an_encoder_and_has_each_step(corpus, tmp_path):
    params = replace(PRETRAIN, steps=3)
    pretrain("wav2vec2", *corpus, tmp_path / "quiet", tmp_path / "c1", params, NONE)
    with logged(tmp_path / "logs"):
        pretrain("wav2vec2", *corpus, tmp_path / "out", tmp_path / "c2", params, NONE)
    quiet, out = (tmp_path / name / "model.safetensors" for name in ("quiet", "out"))
    assert quiet.read_bytes() == out.read_bytes()
    steps = events(log_lines(tmp_path / "logs", "toy"), "step")
    assert [line["step"] for line in steps] == [1, 2, 3]
    assert min(line[key] for line in steps for key in ("loss", "learning_rate")) > 0


def test_training_continues_from_the_checkpoint(corpus, tmp_path, monkeypatch):
    utterances = manifest.read(corpus[0])
    params = replace(PRETRAIN, steps=4, round_steps=2)
    examples = pretrain_examples(utterances, {u.id: noise(0.4) for u in utterances}, params)
    keep = Checkpoint(tmp_path / "c", "m")
    train_model(PretrainModel("wav2vec2", params), examples, params, NONE, keep)
    seen = []
    monkeypatch.setattr(stage, "step_loss", lambda *args: seen.append(args))
    model = train_model(PretrainModel("wav2vec2", params), examples, params, NONE, keep)
    assert seen == []
    assert model.training


def test_an_empty_training_part_is_refused(corpus, tmp_path):
    corpus[0].write_text("")
    with pytest.raises(ValueError, match=r"train\.jsonl: no utterance to pretrain on"):
        pretrain("wav2vec2", *corpus, tmp_path / "out", tmp_path / "c", PRETRAIN, NONE)


def test_the_command_reads_params_and_paths(corpus, tmp_path, monkeypatch):
    save_encoder(tmp_path / "models/mine")  # in the current folder a name may be a folder's
    hub = f"models/mine@{REVISION}"
    write_params(tmp_path)
    monkeypatch.chdir(tmp_path)
    line = ["encoder", "wav2vec2", hub, "train.jsonl", "audio", "out", "--checkpoint", "c"]
    monkeypatch.setattr(sys, "argv", line)
    stage.main()
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == FILES
