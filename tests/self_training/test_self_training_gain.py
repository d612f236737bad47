"""Pseudo-labels of a head, and the difference that training with them makes."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from dvc_yaml import TOP

from fonoteka import manifest
from fonoteka.audio.dsp import rms_dbfs
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.core.params import load
from fonoteka.g2p.espeak import speak
from fonoteka.manifest import Utterance
from fonoteka.phones import INVENTORY, LABELS, NUMBER
from fonoteka.scoring.error_rate import Errors
from fonoteka.self_training import label_command, simulation
from fonoteka.self_training.gain import compared, join_manifests, train_head, verdict
from fonoteka.self_training.head_labels import predicted, pseudo_labels
from fonoteka.self_training.simulation import (
    LEVEL_DBFS,
    SimulationOptions,
    encoder_frames,
    run,
)
from fonoteka.shards import write_arrays
from stages.training.train import stage as training
from stages.training.train.tasks import CtcParams

pytestmark = pytest.mark.torch
WIDTH = len(LABELS)
PHONES = INVENTORY[:6]


@pytest.fixture
def in_process(monkeypatch):
    """Train in this process: each program would import torch for 4 CPU seconds."""

    def train(name, embeddings, targets, valid, out, top):
        params = load("ctc", CtcParams, top / "params.yaml")
        model = out / name
        training.run(
            name, embeddings, targets, valid, model, out / "curves", out / "checkpoint", params
        )
        return model

    for module in (label_command, simulation):
        monkeypatch.setattr(module, "train_head", train)


def utterance(name, speaker, phones):
    return Utterance(
        name, "", f"mine/{speaker}", "hr", "da", "da", tuple(phones), 1.0, "mine", "CC0", False
    )


def clips(speakers, count, noise, seed=1):
    """Return utterances and embeddings that show their phones: one-hot frames with noise."""
    rng = np.random.default_rng(seed)
    utterances, arrays = [], {}
    for speaker in speakers:
        for number in range(count):
            phones = [PHONES[index] for index in rng.integers(0, len(PHONES), 3)]
            frames = np.zeros((16, WIDTH), dtype=np.float32)
            for place, phone in enumerate(phones):
                frames[2 + 5 * place : 5 + 5 * place, NUMBER[phone]] = 4
            name = f"{speaker}-{number}"
            arrays[name] = frames + noise * rng.standard_normal(frames.shape).astype(np.float32)
            utterances.append(utterance(name, speaker, phones))
    return utterances, arrays


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a folder with embeddings, manifests and a head that was trained on one speaker."""
    folder = tmp_path_factory.mktemp("self_training")
    utterances, arrays = clips("abcde", 40, noise=0.3)
    (folder / "embeddings").mkdir()
    write_arrays(folder / "embeddings", arrays, 2)
    parts = {"train": "a", "valid": "b", "hidden": "c", "test": "de"}
    for part, speakers in parts.items():
        rows = [u for u in utterances if u.speaker[-1] in speakers]
        manifest.write(folder / f"{part}.jsonl", rows)
    params = yaml.safe_load((TOP / "params.yaml").read_text(encoding="utf-8"))
    params["ctc"] |= {
        "epochs": 100,
        "patience": 100,
        "learning_rate": 0.01,
        "mask_fraction": 0.0,
    }  # of few steps: there are 40 clips
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    train_head("first", folder / "embeddings", folder / "train.jsonl", folder / "valid.jsonl",
               folder, folder)  # fmt: skip
    return folder


def test_kept_labels_are_as_right_as_expected_and_state_their_origin(trained, tmp_path, capsys):
    label_command.label(
        trained / "embeddings", trained / "valid.jsonl", trained / "hidden.jsonl",
        trained / "first", tmp_path / "new", 0.9,
    )  # fmt: skip
    truth = {u.id: u for u in manifest.read(trained / "hidden.jsonl")}
    retained = manifest.read(tmp_path / "new/pseudo.jsonl")
    assert 10 <= len(retained) <= len(truth)
    assert {u.source for u in retained} == {"pseudo-mine"}
    assert {(u.text, u.licence) for u in retained} == {("", "CC0")}
    right = np.mean([u.phones == truth[u.id].phones for u in retained])
    report = read_json(tmp_path / "new/labels.json")
    # 40 clips: three standard errors of a share of 0.9 are 0.14.
    assert right >= report["expected_precision"] - 0.15
    assert report["kept"] + sum(report["left_out"].values()) == len(truth)
    with (tmp_path / "new/confidence.csv").open(encoding="utf-8", newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == sorted(u.id for u in retained)
    with pytest.raises(UserError, match="exists already"):
        label_command.label(
            trained / "embeddings", trained / "valid.jsonl", trained / "hidden.jsonl",
            trained / "first", tmp_path / "new", 0.9,
        )  # fmt: skip


def test_the_gain_is_that_of_two_trainings(trained, tmp_path, in_process):
    manifest.write(tmp_path / "pseudo.jsonl", manifest.read(trained / "hidden.jsonl"))
    label_command.gain(
        trained / "embeddings", trained / "train.jsonl", trained / "valid.jsonl",
        trained / "test.jsonl", tmp_path / "pseudo.jsonl", tmp_path / "report.json", trained,
    )  # fmt: skip
    report = read_json(tmp_path / "report.json")
    assert report["clips"] == {"labelled": 40, "pseudo": 40, "test": 80}
    assert report["gain"] == pytest.approx(report["per_without"] - report["per_with"], abs=1e-4)
    assert report["gain_low"] <= report["gain"] <= report["gain_high"]
    assert report["speakers"] == 2


def test_a_training_that_fails_is_reported_with_its_last_line(trained, tmp_path):
    with pytest.raises(UserError, match=r"training x failed with 1: error: .*no such manifest"):
        train_head("x", trained / "embeddings", tmp_path / "none.jsonl", trained / "valid.jsonl",
                   tmp_path, trained)  # fmt: skip


def test_a_clip_without_a_phone_has_the_score_zero():
    blank = np.log(np.array([[0.9, 0.1], [0.8, 0.2]], dtype=np.float32))
    assert predicted(blank, ["", "a"]).score == 0
    assert predicted(blank, ["", "a"]).phones == ()


@pytest.mark.parametrize(
    ("valid", "hidden", "message"),
    [
        ("", "c", "0 labelled and 1 untranscribed clips"),
        ("b", "", "1 labelled and 0 untranscribed clips"),
        ("b", "b", "speaker 'mine/b' has labelled and untranscribed clips"),
    ],
)
def test_parts_that_cannot_be_labelled_are_refused(valid, hidden, message):
    parts = ([utterance(f"{name}0", name, "a") for name in text] for text in (valid, hidden))
    with pytest.raises(UserError, match=message):
        pseudo_labels(None, *parts, {}, 0.9)


def test_a_clip_with_two_labels_and_a_test_speaker_are_refused():
    labelled = [utterance("1", "a", "a")]
    with pytest.raises(UserError, match="clip '1' has a label and a pseudo-label"):
        join_manifests(labelled, labelled, [])
    with pytest.raises(UserError, match="speaker 'mine/b' is in the test split"):
        join_manifests(labelled, [utterance("2", "b", "a")], [utterance("3", "b", "a")])


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [((1, 1), "gain"), ((5, 5), "loss"), ((1, 5), "undecided"), ((3,), "undecided")],
    ids=["better", "worse", "mixed", "one speaker"],
)
def test_the_verdict_needs_an_interval_on_one_side(wrong, expected):
    ours = {str(n): Errors(count, reference=20) for n, count in enumerate(wrong)}
    theirs = {str(n): Errors(3, reference=20) for n in range(len(wrong))}
    result = compared(ours, theirs)
    assert verdict(result) == expected
    assert result["gain"] == pytest.approx(result["per_without"] - result["per_with"], abs=1e-4)


def test_an_encoder_gets_clips_at_the_level_of_prepared_ones(monkeypatch):
    class Same:
        embed = staticmethod(lambda signal: signal)

    monkeypatch.setattr("fonoteka.models.clip_encoder.load_clip_encoder", lambda _: Same)
    quiet = 0.001 * np.sin(np.arange(1600, dtype=np.float32))
    assert rms_dbfs(encoder_frames(Path("any"))(quiet)) == pytest.approx(LEVEL_DBFS, abs=0.01)


def test_a_simulation_tests_each_speaker_once(tmp_path, in_process):
    folder = tmp_path / "digits"
    (folder / "audio").mkdir(parents=True)
    lines = ["path\tspeaker\ttext"]
    for speaker in ("f2", "m3", "anika", "boris", "f4"):
        for number in range(12):
            text = ("one", "two", "six")[number % 3]
            speech = speak(text, "en", speaker, rate_wpm=140 + number)
            soundfile.write(
                folder / f"audio/{speaker}{number}.wav", speech.samples, speech.sample_rate_hz
            )
            lines.append(f"audio/{speaker}{number}.wav\t{speaker}\t{text}")
    (folder / "labels.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    options = SimulationOptions("en", precision=0.05, per_speaker=10, epochs=12)
    run(folder, tmp_path / "report.json", options, TOP)
    report = read_json(tmp_path / "report.json")
    assert report["clips"] == 50
    assert sorted(fold["test"] for fold in report["folds"]) == sorted(
        f"digits/{name}" for name in ("f2", "m3", "anika", "boris", "f4")
    )
    for fold in report["folds"]:
        assert fold["kept"] + sum(fold["left_out"].values()) == 20
    assert report["pseudo_labels"]["speakers"] == 5
    assert report["pseudo_labels"]["verdict"] in ("gain", "loss", "undecided")
