"""load.py of an exported folder refuses what is not the packaged model, and other sound files."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import soundfile

from fonoteka.core.files import write_json
from fonoteka.hub.loader import ModelFolder, main, open_folder, read_wav
from fonoteka.packaging import PACKAGE, record


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "model.onnx").write_text("a model")
    write_json(path / PACKAGE, {"kind": "tdnn", "files": record(path, ["model.onnx"])})
    return path


def test_a_recorded_file_is_returned(folder):
    assert ModelFolder(folder).verified("model.onnx") == folder / "model.onnx"


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("model.onnx", "another", "not the packaged file; download it again"),
        ("model.onnx", None, "no such file in this model"),
        ("head.onnx", "a head", "no such file in this model"),
    ],
)
def test_a_file_that_is_not_the_packaged_one_is_refused(folder, name, text, problem):
    (folder / name).unlink(missing_ok=True)
    if text is not None:
        (folder / name).write_text(text)
    with pytest.raises(ValueError, match=f"{re.escape(name)}: {problem}"):
        ModelFolder(folder).verified(name)


def test_a_changed_model_is_refused_before_it_is_loaded(folder):
    (folder / "model.onnx").write_text("another")
    with pytest.raises(ValueError, match="not the packaged file"):
        open_folder(folder)


def test_int8_of_a_model_without_it_is_refused(folder):
    with pytest.raises(ValueError, match="no int8 file in this model; leave --int8 out"):
        open_folder(folder, int8=True)


def test_samples_are_those_of_soundfile(tmp_path):
    path = tmp_path / "clip.wav"
    signal = np.random.default_rng(1).uniform(-1, 1, 500)
    soundfile.write(path, signal, 16_000, subtype="PCM_16")
    expected, _ = soundfile.read(path, dtype="float32")
    samples = read_wav(path, 16_000)
    assert samples.dtype == np.float32
    assert np.array_equal(samples, expected)


@pytest.mark.parametrize(
    ("shape", "rate_hz", "subtype", "layout"),
    [
        ((100,), 8000, "PCM_16", "1 channels of 16 bits at 8000 Hz"),
        ((100, 2), 16_000, "PCM_16", "2 channels of 16 bits at 16000 Hz"),
        ((100,), 16_000, "PCM_24", "1 channels of 24 bits at 16000 Hz"),
    ],
)
def test_a_file_of_another_layout_is_refused_with_a_way_out(
    tmp_path, shape, rate_hz, subtype, layout
):
    path = tmp_path / "clip.wav"
    soundfile.write(path, np.zeros(shape), rate_hz, subtype=subtype)
    with pytest.raises(ValueError, match=f"{layout}; expected 1 of 16 bits at 16000 Hz, as ffmpeg"):
        read_wav(path, 16_000)


@pytest.mark.parametrize("arguments", [[], ["a.wav", "b.wav"], ["--int8"]])
def test_another_number_of_clips_prints_the_usage(arguments):
    with pytest.raises(SystemExit, match=r"usage: python load\.py clip\.wav \[--int8\]"):
        main(arguments)


def test_a_missing_package_is_one_line(monkeypatch, folder):
    monkeypatch.setattr("fonoteka.hub.loader.__file__", str(folder / "load.py"))
    (folder / PACKAGE).unlink()
    with pytest.raises(SystemExit, match=r"error: .*package\.json"):
        main(["clip.wav"])


@pytest.mark.parametrize("text", ["[]", "{}", '{"files": {}}', "{"])
def test_a_damaged_package_is_one_line(monkeypatch, folder, text):
    monkeypatch.setattr("fonoteka.hub.loader.__file__", str(folder / "load.py"))
    (folder / PACKAGE).write_text(text)
    with pytest.raises(SystemExit, match=r"error: .+"):
        main(["clip.wav"])


@pytest.mark.parametrize(("data", "problem"), [(b"RIFF", "it ends in"), (b"x" * 40, "RIFF")])
def test_a_file_that_is_not_wav_is_named_with_the_problem(tmp_path, data, problem):
    path = tmp_path / "clip.wav"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"clip\.wav: not a WAV file .*{problem}"):
        read_wav(path, 16_000)


def test_the_rate_of_a_package_without_one_is_16_khz(folder):
    assert ModelFolder(folder).rate_hz == 16_000
    package = json.loads((folder / PACKAGE).read_text()) | {"sample_rate_hz": 8000}
    write_json(folder / PACKAGE, package)
    assert ModelFolder(folder).rate_hz == 8000
