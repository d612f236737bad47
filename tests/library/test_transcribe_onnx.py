"""`transcribe --words` gives the same lines by ONNX Runtime as by torch."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import soundfile
import torch
import whisper_onnx_maker
from command_line import run_fonoteka
from safetensors.numpy import load_file, save_file
from spoken_words import LoudGate, talk
from whisper_maker import tiny_whisper

from fonoteka import transcribe_words as tool
from fonoteka.core.files import write_json
from fonoteka.packaging import record
from fonoteka.transcribe_words import Options, Transcriber
from fonoteka.whisper import model_folder
from fonoteka.whisper.model import load_whisper
from fonoteka.whisper.model_folder import open_model_folder, words_folder
from fonoteka.whisper.onnx_export import export_whisper
from fonoteka.whisper.spoken_language import spoken_language

pytestmark = pytest.mark.torch
torch.set_num_threads(1)
RATE = 16_000
WINDOWS = 26  # the project promises the same text on at least 24 clips


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The folders of one model, for torch and for ONNX Runtime.

    Random weights write nearly the same for every sound, so the decoder's attention to the sound
    is amplified.
    """
    top = tmp_path_factory.mktemp("models")
    torch_folder = tiny_whisper(top / "torch")
    write_json(torch_folder / "training.json", {})
    path = torch_folder / "model.safetensors"
    weights = load_file(path)
    save_file({n: w * (30 if ".encoder_attn." in n else 1) for n, w in weights.items()}, path)
    exported = top / "onnx"
    exported.mkdir()
    export_whisper(load_whisper(torch_folder), "tiny", exported, 17)
    shutil.copy(torch_folder / "tokenizer.json", exported)
    return torch_folder, exported


@pytest.fixture(autouse=True)
def loud(monkeypatch):
    """Let noise pass the gate, and random weights write little, once per window."""
    monkeypatch.setattr(tool, "SpeechGate", LoudGate)
    monkeypatch.setattr("fonoteka.whisper.decode.token_limit", lambda seconds: 6)
    monkeypatch.setattr("fonoteka.whisper.decode.is_loop", lambda text, finished: False)


def recording() -> np.ndarray:
    """Return noises of different lengths with pauses between them, one window each."""
    silence = np.zeros(2 * RATE, np.float32)
    parts = [talk(0.4 + 0.1 * number, number) for number in range(WINDOWS)]
    return np.concatenate([block for part in parts for block in (part, silence)])


@pytest.fixture(scope="module")
def wav(tmp_path_factory):
    path = tmp_path_factory.mktemp("recording") / "a.wav"
    soundfile.write(path, recording(), RATE, subtype="FLOAT")
    return path


@pytest.mark.parametrize("language", ["sr", "auto"])
def test_all_lines_of_a_recording_are_those_of_torch(language, folders):
    ours, theirs = (
        [*Transcriber(folder).lines([recording()], Options(language))] for folder in folders[::-1]
    )
    assert len(ours) == WINDOWS
    assert ours == theirs
    assert len({line.text for line in ours}) > WINDOWS // 2


def test_the_languages_of_a_clip_are_those_of_torch(folders):
    theirs, ours = (spoken_language(open_model_folder(f).model, talk(2.0)) for f in folders)
    assert [*ours] == [*theirs]
    for code, probability in theirs.items():
        assert ours[code] == pytest.approx(probability, abs=1e-5)  # float32 sums in another order


def test_the_command_takes_an_exported_model(folders, wav, capsys):
    printed = []
    for folder in folders:
        run_fonoteka("transcribe", "--words", "--language", "sr", wav, "--model", folder)
        printed.append(capsys.readouterr().out.splitlines())
    assert printed[0] == printed[1]
    assert len(printed[0]) == WINDOWS


def test_the_int8_files_are_used_if_they_are_asked_for(folders, wav, tmp_path_factory, capsys):
    words = ["transcribe", "--words", "--language", "sr", wav, "--int8", "--model"]
    run_fonoteka(*words, whisper_onnx_maker.exported(tmp_path_factory) / "onnx")
    assert len(capsys.readouterr().out.splitlines()) == WINDOWS
    for folder, reason in zip(folders, ("no decoder.onnx, so", "neither part has an"), strict=True):
        with pytest.raises(ValueError, match=reason):
            run_fonoteka(*words, folder)


def test_an_exported_model_gets_short_inputs(folders):
    assert Transcriber(folders[1]).short


def test_an_exported_model_without_a_file_is_one_sentence(folders, tmp_path):
    folder = shutil.copytree(folders[1], tmp_path / "half")
    (folder / "encoder.onnx").unlink()
    with pytest.raises(ValueError, match=r"encoder\.onnx: missing; run the stage export_whisper"):
        Transcriber(folder)
    (folder / "decoder.onnx").write_bytes((folder / "decoder.onnx").read_bytes()[:999])
    (folder / "encoder.onnx").touch()
    with pytest.raises(ValueError, match=r"decoder\.onnx: ONNX Runtime cannot load it"):
        Transcriber(folder)


def test_the_package_is_the_default_and_the_weights_without_one(folders, tmp_path, monkeypatch):
    monkeypatch.setattr(model_folder, "project", lambda: tmp_path)
    models = tmp_path / "data/models"
    with pytest.raises(ValueError, match=r"no model 'whisper/tuned': .* is not a folder; run make"):
        words_folder(None)
    shutil.copytree(folders[0], models / "whisper/tuned")
    assert words_folder(None) == models / "whisper/tuned"
    package = shutil.copytree(folders[1], models / "whisper_package/tuned")
    names = [path.name for path in package.iterdir()]
    write_json(package / "package.json", {"files": record(package, names)})
    assert words_folder(None) == words_folder("whisper_package/tuned") == package
    assert words_folder("tuned") == words_folder("whisper/tuned") == models / "whisper/tuned"
    (package / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match=r"tokenizer\.json: its SHA-256 is"):
        words_folder(None)
