"""A recording of any shape is heard by the model that was packaged, or by none."""

from __future__ import annotations

import shutil
import sys

import numpy as np
import pytest
import soundfile
import torch
from clip_maker import noise
from model_maker import encoder

from stages.common.decoding import greedy
from stages.common.encoder import embed
from stages.common.exporting import MODEL_AXES, Listener, WholePath, export
from stages.common.files import write_json
from stages.common.nets import TdnnShape, new_head, posteriors
from stages.common.package import record
from stages.common.phones import LABELS
from stages.tools import transcribe as tool

pytestmark = pytest.mark.torch
SHAPE = TdnnShape(inputs=32, outputs=len(LABELS), hidden=8, dilations=(1,), dropout=0.0)
FACTS = {"labels": LABELS, "name": "toy", "sample_rate_hz": 16_000}


def head():
    torch.manual_seed(1)
    return new_head(SHAPE).eval()


@pytest.fixture(scope="module")
def packaged(tmp_path_factory):
    """A package with one file."""
    folder = tmp_path_factory.mktemp("toy")
    whole = WholePath(Listener(encoder(), True), head()).eval()
    export(whole, torch.zeros(1, 16_000), MODEL_AXES, FACTS, folder / "model.onnx", 17)
    write_json(folder / "package.json", {"files": record(folder, ["model.onnx"])})
    return folder


@pytest.fixture
def model(packaged, tmp_path):
    """A copy of it, to be worked with."""
    return shutil.copytree(packaged, tmp_path / "toy")


def said(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["transcribe", *map(str, words)])
    tool.main()
    return capsys.readouterr().out


def test_the_phones_are_those_that_torch_hears(model, tmp_path, monkeypatch, capsys):
    clip = noise(0.7)
    soundfile.write(tmp_path / "a.wav", clip, 16_000, subtype="FLOAT")
    spoken = greedy(posteriors(head(), embed(encoder(), clip, True)))
    assert spoken
    out = said(monkeypatch, capsys, model, tmp_path / "a.wav")
    assert out == " ".join(s.symbol for s in spoken) + "\n"
    rows = said(monkeypatch, capsys, model, tmp_path / "a.wav", "--times").splitlines()
    assert [row.split("\t")[2] for row in rows] == [s.symbol for s in spoken]
    assert rows[0].startswith(f"{spoken[0].start / 50:.2f}\t{spoken[0].end / 50:.2f}\t")


def test_stereo_at_another_rate_is_heard_too(model, tmp_path, monkeypatch, capsys):
    both = np.stack([noise(0.7), noise(0.7, 1)], axis=1)
    soundfile.write(tmp_path / "a.wav", both, 44_100)
    soundfile.write(tmp_path / "b.flac", both, 8_000)
    out = said(monkeypatch, capsys, model, tmp_path / "a.wav", tmp_path / "b.flac")
    assert [line.split(":")[0] for line in out.splitlines()] == [
        str(tmp_path / "a.wav"), str(tmp_path / "b.flac"),
    ]  # fmt: skip


def test_a_model_of_other_bytes_is_refused_though_it_would_load(
    model, tmp_path, monkeypatch, capsys
):
    path = model / "model.onnx"
    path.write_bytes(path.read_bytes().replace(b"toy", b"tot"))
    soundfile.write(tmp_path / "a.wav", noise(0.3), 16_000)
    with pytest.raises(ValueError, match=r"model\.onnx: its SHA-256 is .* dvc pull"):
        said(monkeypatch, capsys, model, tmp_path / "a.wav")
    with pytest.raises(ValueError, match=r"model\.int8\.onnx: not recorded"):
        said(monkeypatch, capsys, model, tmp_path / "a.wav", "--int8")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda path: path.unlink(), r"a\.wav: no such file"),
        (lambda path: path.write_bytes(b"RIFF"), r"a\.wav: not a recording that can be read"),
        (lambda path: soundfile.write(path, np.zeros(0), 16_000), r"a\.wav: holds no sample"),
        (
            lambda path: soundfile.write(path, np.full(9, np.nan), 16_000, subtype="FLOAT"),
            r"a\.wav: holds a sample that is no number",
        ),
    ],
)
def test_what_is_no_recording_is_refused(spoil, why, model, tmp_path, monkeypatch, capsys):
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(0.3), 16_000)
    spoil(path)
    with pytest.raises(ValueError, match=why):
        said(monkeypatch, capsys, model, path)
