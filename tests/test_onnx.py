"""What is shipped says what torch says, on clips of every length, or is not shipped."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from model_maker import SIZE, encoder, noise, save_clips, save_encoder

from stages.common import manifest
from stages.common.encoder import embed, feature_extractor, frame_count, load_encoder
from stages.common.files import read_json
from stages.common.nets import MlpShape, TdnnShape, load_head, new_head, posteriors, save_head
from stages.common.phones import LABELS
from stages.common.runtime import labels_of, open_model, session_posteriors
from stages.common.shards import write_arrays
from stages.export import onnx as stage
from stages.export.onnx import OnnxParams, WholePath, prove, run, spread

PARAMS = OnnxParams(opset=17, max_error=1e-4, check_clips=4)
SHAPES = {
    "mlp": MlpShape(SIZE.hidden, len(LABELS), 8, 3, 0.1),
    "wavlm_ctc": TdnnShape(SIZE.hidden, len(LABELS), 8, (1, 2), 0.1),
}
CLIPS = {f"c{n}": noise(seconds, n) for n, seconds in enumerate((0.02, 0.31, 0.9, 1.4))}


def project(folder, name):
    """Write all that the stage reads and return its first five arguments."""
    kind = "wavlm" if name.startswith("wavlm") else "wav2vec2"
    backbone = save_encoder(folder / "backbone", kind)
    torch.manual_seed(1)
    facts = {"name": name, "backbone": kind, "labels": list(LABELS), "sample_rate_hz": 16_000}
    save_head(folder / "model", new_head(SHAPES[name]), SHAPES[name], facts)
    manifest.write(folder / "valid.jsonl", save_clips(folder / "audio", CLIPS))
    heard = {key: embed(encoder(kind), signal, True) for key, signal in CLIPS.items()}
    (folder / "embeddings").mkdir()
    write_arrays(folder / "embeddings", heard, 2)
    parts = ("model", "backbone", "embeddings", "valid.jsonl", "audio")
    return [backbone.parent / part for part in parts]


def exported(folder, name, params=PARAMS):
    run(*project(folder, name), folder / "out", folder / "report.json", params)
    return folder / "out"


@pytest.fixture(scope="module", params=sorted(SHAPES))
def shipped(request, tmp_path_factory):
    """A folder with the exported model, and its head and encoder in torch."""
    folder = tmp_path_factory.mktemp("shipped")
    exported(folder, request.param)
    kind = "wavlm" if request.param.startswith("wavlm") else "wav2vec2"
    head, _ = load_head(folder / "model")
    return folder, head, load_encoder(folder / "backbone", kind)


@pytest.mark.parametrize("samples", [1, 319, 320, 321, 1180, 4000, 16_000, 31_111])
def test_the_whole_path_says_what_torch_says_on_any_length(samples, shipped):
    folder, head, listener = shipped
    signal = noise(2.0, 9)[:samples]
    ours = session_posteriors(open_model(folder / "out" / "model.onnx"), signal[None])
    theirs = posteriors(head, embed(listener, signal, normalised=True))
    assert ours.shape == theirs.shape == (frame_count(samples), len(LABELS))
    # float32 sums in another order; a clip of one sample has only its rounding left to normalise
    assert np.abs(ours - theirs).max() < 1e-4


@pytest.mark.parametrize("frames", [1, 2, 59, 60, 61, 300])
def test_the_head_says_what_torch_says_on_any_length(frames, shipped):
    folder, head, _ = shipped
    heard = np.random.default_rng(0).standard_normal((frames, SIZE.hidden)).astype(np.float32)
    ours = session_posteriors(open_model(folder / "out" / "head.onnx"), heard[None])
    assert np.abs(ours - posteriors(head, heard)).max() < 1e-5  # float32


def test_a_head_hears_clips_of_equal_length_together(shipped):
    folder, head, _ = shipped
    batch = np.random.default_rng(0).standard_normal((3, 20, SIZE.hidden)).astype(np.float32)
    found = open_model(folder / "out" / "head.onnx").run(None, {"embeddings": batch})[0]
    with torch.inference_mode():
        assert np.abs(found - head(torch.from_numpy(batch)).numpy()).max() < 1e-5  # float32


@pytest.mark.parametrize("file", ["head.onnx", "model.onnx"])
def test_a_file_carries_its_labels_and_its_rate(file, shipped):
    path = shipped[0] / "out" / file
    session = open_model(path)
    assert labels_of(session, path) == list(LABELS)
    assert session.get_modelmeta().custom_metadata_map["sample_rate_hz"] == "16000"


def test_the_report_counts_bytes_and_parameters(shipped):
    folder, head, listener = shipped
    report = read_json(folder / "report.json")
    for name in ("head", "model"):
        assert report["bytes"][name] == (folder / "out" / f"{name}.onnx").stat().st_size
        assert report["max_error_below"][name] <= 1e-4
    assert report["clips"] == 4
    assert report["parameters"] == {
        "head": sum(p.numel() for p in head.parameters()),
        "encoder": sum(p.numel() for p in listener.parameters()),
    }


def test_the_bytes_do_not_depend_on_the_folder(tmp_path, monkeypatch):
    files = []
    for name in ("first_place", "second_place"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        out = exported(tmp_path / name, "wavlm_ctc")
        files.append({p.name: p.read_bytes() for p in out.iterdir()})
    assert files[0] == files[1]
    assert sorted(files[0]) == ["head.onnx", "model.onnx"]
    for data in files[0].values():
        assert not any(word in data for word in (b"first_place", b"site-packages", b".py"))


def test_a_changed_weight_is_refused_with_its_error(shipped):
    folder, head, _ = shipped
    with torch.no_grad():
        changed = load_head(folder / "model")[0]
        changed.output.bias[3] += 0.5
    session = open_model(folder / "out" / "head.onnx")
    batch = {"c7": np.zeros((1, 9, SIZE.hidden), dtype=np.float32)}
    assert prove(folder, session, head, batch, PARAMS) < 1e-5
    # with some 50 labels of like chance the changed one moves by nearly all of 0.5
    with pytest.raises(ValueError, match=r"off by 4\.\d\de-01 on c7; allowed is 0\.0001"):
        prove(folder, session, changed, batch, PARAMS)


def said_by(log_probs):
    """A session and a module that say something of their own."""
    session = SimpleNamespace(
        get_inputs=lambda: [SimpleNamespace(name="x")], run=lambda names, batch: [log_probs[None]]
    )
    return session, torch.nn.Identity()


def test_one_decoded_symbol_more_is_refused_however_small_the_error(tmp_path):
    theirs = np.log(np.full((3, len(LABELS)), 1 / len(LABELS), dtype=np.float32))
    ours = theirs.copy()
    ours[1, 5] += 1e-5
    with pytest.raises(ValueError, match=r"h\.onnx: decodes c differently than torch"):
        prove(tmp_path / "h.onnx", *said_by(ours), {"c": theirs[None]}, PARAMS)


def test_posteriors_that_are_no_numbers_are_refused(tmp_path):
    theirs = np.zeros((3, len(LABELS)), dtype=np.float32)
    ours = np.full_like(theirs, np.nan)
    with pytest.raises(ValueError, match=r"h\.onnx: off by nan on c"):
        prove(tmp_path / "h.onnx", *said_by(ours), {"c": theirs[None]}, PARAMS)


@pytest.mark.parametrize("wrong", ["head", "model"])
def test_nothing_is_written_unless_both_files_are_proven(wrong, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    for name in ("head", "model"):
        (tmp_path / "out" / f"{name}.onnx").write_bytes(b"earlier")

    def prove_or_refuse(path, *rest):
        if path.stem == wrong:
            raise ValueError(f"{path}: planted")
        return prove(path, *rest)

    monkeypatch.setattr(stage, "prove", prove_or_refuse)
    with pytest.raises(ValueError, match=rf"out/{wrong}\.onnx: planted"):
        exported(tmp_path, "mlp")
    files = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    assert files == {"head.onnx": b"earlier", "model.onnx": b"earlier"}
    assert not (tmp_path / "report.json").exists()


def test_an_encoder_that_does_not_normalise_is_exported_so(tmp_path):
    whole = WholePath(encoder(), False, torch.nn.Identity())
    extractor = feature_extractor()
    assert extractor.do_normalize
    signal = noise(0.3)
    with torch.inference_mode():
        found = whole(torch.from_numpy(signal)[None])[0].numpy()
    assert np.array_equal(found, embed(encoder(), signal, normalised=False))


def test_clips_are_taken_from_the_shortest_to_the_longest(tmp_path):
    told = save_clips(tmp_path, {f"c{n}": noise(0.1 * (n + 1)) for n in range(9)})
    assert [u.id for u in spread(told, 3)] == ["c0", "c4", "c8"]
    assert [u.id for u in spread(told, 20)] == [f"c{n}" for n in range(9)]


def test_without_clips_there_is_no_proof(tmp_path):
    places = project(tmp_path, "mlp")
    (tmp_path / "valid.jsonl").write_text("")
    with pytest.raises(ValueError, match=r"valid\.jsonl: no utterance to prove the export on"):
        run(*places, tmp_path / "out", tmp_path / "report.json", PARAMS)


def test_the_command_reads_params_and_paths(tmp_path, monkeypatch):
    places = project(tmp_path, "mlp")
    params = {"onnx": asdict(replace(PARAMS, check_clips=1)), "compute": {"threads": 1}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["onnx", *map(str, places), "out", "report.json"])
    stage.main()
    assert read_json(tmp_path / "report.json")["clips"] == 1
