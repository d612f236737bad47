"""An exported Whisper decodes what the model in torch decodes, without torch."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
import torch
import whisper_onnx_maker
from clip_maker import noise
from dvc_yaml import loaded_at_start, program
from whisper_onnx_maker import copy_of

from fonoteka.whisper.decode import recognise
from fonoteka.whisper.model import load_whisper
from fonoteka.whisper.onnx_check import CheckClip, batches_of, check_parity
from fonoteka.whisper.onnx_export import export_whisper, metadata
from fonoteka.whisper.onnx_session import byte_vocabulary, open_parts, open_whisper, rules_of
from fonoteka.whisper.rules import padded_samples

pytestmark = pytest.mark.torch
SHARED = Path("../shared/corpora/librispeech251/audio")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return whisper_onnx_maker.exported(tmp_path_factory)


@pytest.fixture(scope="module")
def both(folder):
    """The model in torch and its exported files."""
    return whisper_onnx_maker.torch_model(folder), open_whisper(folder / "onnx")


@pytest.mark.parametrize(("input_s", "batch"), [(1.5, 1), (2.0, 3), (30.0, 1)])
def test_states_agree_with_torch_for_any_length_and_batch(input_s, batch, both):
    signals = [noise(input_s - 1, seed) for seed in range(batch)]
    with torch.inference_mode():
        expected = both[0].states(signals, input_s).numpy()
    actual = both[1].encoded(padded_samples(signals, input_s))["states"]
    assert actual.shape == expected.shape == (batch, round(50 * input_s), 32)
    assert np.abs(actual - expected).max() < 1e-4  # float32 sums in another order


@pytest.mark.parametrize("batch", [1, 3])
def test_each_step_agrees_with_torch_from_an_empty_past_on(batch, both):
    signals = [noise(0.5, seed) for seed in range(batch)]
    ours, theirs = (model.start(signals, 1.5) for model in both[::-1])
    tokens = np.array([both[0].rules.prompt("sr")] * batch)
    for _ in range(5):
        logits = theirs(tokens)
        assert np.abs(ours(tokens) - logits).max() < 1e-4
        tokens = logits.argmax(axis=1)[:, None]


def test_several_tokens_after_others_agree_with_the_same_tokens_one_by_one(both):
    whole, single = (both[1].start([noise(0.5)], 1.5) for _ in range(2))
    tokens = np.array([[*both[0].rules.prompt("hr"), 40, 41, 42, 43]])
    whole(tokens[:, :3])
    for token in tokens.T[:-1]:
        single(token[None])
    assert np.abs(whole(tokens[:, 3:]) - single(tokens[:, -1:])).max() < 1e-4


def test_recognise_returns_the_same_texts_from_torch_and_from_onnx(both):
    signals = [noise(seconds, seed) for seed, seconds in enumerate((0.2, 0.3, 0.9))]
    ours, theirs = (recognise(model, signals, ["sr", "en", "bs"], batch=2) for model in both)
    assert [result.text for result in ours] == [result.text for result in theirs]
    assert any(result.text for result in ours)
    for own, other in zip(ours, theirs, strict=True):
        assert own.log_prob == pytest.approx(other.log_prob, abs=1e-4)
        assert (own.looped, own.loops) == (other.looped, other.loops)


def test_bytes_of_any_tokens_become_the_text_of_the_tokenizer(both):
    rng = np.random.default_rng(0)
    whisper, exported = both
    for _ in range(50):
        tokens = rng.integers(0, len(exported.vocabulary) + 3, size=12).tolist()
        assert exported.text(tokens) == whisper.text(tokens)
    text = "Čačak, ђачки џеп!"
    assert exported.text(whisper.tokens(text)) == text


def test_the_rules_are_in_the_metadata_of_both_files(both, folder):
    whisper, exported = both
    assert exported.rules == whisper.rules
    expected = metadata("tiny", whisper.rules)
    for part in ("encoder", "decoder"):
        properties = onnx.load(folder / "onnx" / f"{part}.onnx").metadata_props
        assert {entry.key: entry.value for entry in properties} == expected
    assert json.loads(expected["margin_s"]) == 1.0
    assert json.loads(expected["languages"])["sr"] == whisper.rules.languages["sr"]


def test_the_embeddings_are_in_the_file_once(both, folder):
    graph = onnx.load(folder / "onnx" / "decoder.onnx").graph
    size = both[0].model.model.decoder.embed_tokens.weight.numel()
    assert [np.prod(t.dims) for t in graph.initializer].count(size) == 1


def test_equal_models_give_equal_bytes(both, folder, tmp_path):
    export_whisper(both[0], "tiny", tmp_path, 17)
    for part in ("encoder.onnx", "decoder.onnx"):
        assert (tmp_path / part).read_bytes() == (folder / "onnx" / part).read_bytes()


def test_recognition_with_onnx_loads_neither_torch_nor_transformers():
    loaded = loaded_at_start(program("fonoteka.whisper.onnx_session"))
    assert "onnxruntime" in loaded
    assert not {"torch", "transformers"} & {*loaded}


@pytest.mark.parametrize("name", ["encoder.onnx", "decoder.onnx", "tokenizer.json"])
def test_a_missing_file_is_named(name, folder, tmp_path):
    target = copy_of(folder, tmp_path / "copy")
    (target / name).unlink()
    with pytest.raises(ValueError, match=f"{name}: missing; run the stage export_whisper"):
        open_whisper(target)


def test_a_damaged_file_is_named(folder, tmp_path):
    target = copy_of(folder, tmp_path / "copy")
    (target / "decoder.onnx").write_bytes(b"none")
    with pytest.raises(ValueError, match=r"decoder\.onnx: ONNX Runtime cannot load it"):
        open_whisper(target)


def test_int8_is_refused_if_there_is_no_such_file(folder, tmp_path):
    target = copy_of(folder, tmp_path / "copy")
    for path in target.glob("*.int8.onnx"):
        path.unlink()
    with pytest.raises(ValueError, match="neither part has an int8 file; use the fp32 files"):
        open_whisper(target, int8=True)


def test_a_file_without_rules_is_refused(folder):
    path = folder / "onnx" / "encoder.onnx"
    with pytest.raises(ValueError, match="no 'start' in its metadata"):
        rules_of({"name": "x"}, path)


def test_a_vocabulary_that_lacks_a_token_is_refused(folder, tmp_path, both):
    content = json.loads((folder / "onnx" / "tokenizer.json").read_text(encoding="utf-8"))
    del content["model"]["vocab"]["a"]
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="no byte-level vocabulary of"):
        byte_vocabulary(tmp_path / "tokenizer.json", both[0].rules.end)


def real_weights() -> Path:
    """Return the folder of whisper-base, or skip."""
    folder = Path(os.environ.get("FONOTEKA_WHISPER_BASE", "data/models/whisper_base"))
    if not (folder / "model.safetensors").is_file():
        pytest.skip(f"{folder} has no Whisper weights")
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is missing: no recordings to decode")
    return folder


def test_whisper_base_decodes_24_real_clips_as_torch_does(tmp_path):
    whisper = load_whisper(real_weights())
    export_whisper(whisper, "base", tmp_path, 17)
    vocabulary = real_weights() / "tokenizer.json"
    exported = open_parts(tmp_path / "encoder.onnx", tmp_path / "decoder.onnx", vocabulary)
    paths = sorted(SHARED.glob("*.flac"))[::10][:24]
    signals = [
        soundfile.read(p, dtype="float32")[0][: 24_000 + 500 * n] for n, p in enumerate(paths)
    ]
    clips = [CheckClip(str(n), "en", "", signal) for n, signal in enumerate(signals)]
    assert len(clips) == 24
    batches = list(batches_of(clips, [8]))
    assert check_parity("base", exported, whisper, batches, 1e-3) > 0
    # 186 MiB: the embeddings are 101 of them, and once in the file
    assert (tmp_path / "decoder.onnx").stat().st_size < 200e6
