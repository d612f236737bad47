"""What `export-hub` writes of a built pipeline is read by transformers, datasets and a stranger."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from clones import PYTHON, to_read
from dvc_yaml import TOP
from hub_maker import require_torchcodec
from huggingface_hub import metadata_load
from huggingface_hub.repocard_data import model_index_to_eval_results

from fonoteka.core.files import read_json
from fonoteka.packaging import check_package
from fonoteka.realtime.frontend import FrontEnd
from fonoteka.shards import read_clips

pytestmark = [
    pytest.mark.pipeline,
    pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning"),  # dvc uses pygtrie
]
CLIPS = ("mlp", "wav2vec2_ctc", "wavlm_ctc", "whisper_ctc", "ensemble")
MODELS = (*CLIPS, "realtime", "streaming", "whisper_tuned")


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    return to_read(tmp_path_factory)


@pytest.fixture(scope="module")
def hub(clone, tmp_path_factory):
    out = tmp_path_factory.mktemp("hub")
    clone.run(*PYTHON, "fonoteka", "export-hub", "--out", str(out))
    clone.run(*PYTHON, "fonoteka", "export-hub", "--dataset", "--out", str(out))
    return out


@pytest.fixture(scope="module")
def clip(clone, tmp_path_factory):
    """The longest test clip as a WAV file."""
    rows = map(json.loads, (clone / "data/splits/test.jsonl").read_text().splitlines())
    row = max(rows, key=lambda row: row["duration_s"])
    ((_, signal),) = read_clips(clone / "data/audio", {row["id"]: row["audio"]})
    path = tmp_path_factory.mktemp("clip") / "clip.wav"
    soundfile.write(path, signal, 16_000, subtype="PCM_16")
    return path


def loaded_alone(folder: Path, *arguments: str) -> str:
    """Return what load.py prints in an interpreter that has neither this project nor torch."""
    blocked = ["fonoteka", "stages", "torch", "transformers", "soundfile", "scipy"]
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({blocked!r})); import runpy; "
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-c", program, str(folder / "load.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("options", [(), ("--int8",)])
def test_a_clip_has_the_same_phones_by_the_loader_as_by_transcribe(clone, hub, clip, name, options):
    expected = clone.run(*PYTHON, "fonoteka", "transcribe", str(clip), "--model", name, *options)
    assert loaded_alone(hub / "model" / name, str(clip), *options) == expected
    assert len(expected.split()) >= 1


@pytest.mark.parametrize(("name", "longest_s"), [("wavlm_ctc", 60), ("whisper_ctc", 30)])
def test_a_clip_above_the_longest_input_and_an_empty_one_are_refused(hub, name, longest_s):
    from fonoteka.hub.loader import open_folder

    model = open_folder(hub / "model" / name)
    for samples in (0, longest_s * model.rate_hz + 1):
        with pytest.raises(ValueError, match=f"at most {longest_s} s, so cut it at a pause"):
            model.phones(np.zeros(samples, np.float32))


def test_a_stream_has_the_same_phones_by_the_loader_as_by_listen(clone, hub, clip):
    listened = clone.run(*PYTHON, "fonoteka", "listen", "--wav", str(clip), "--jsonl")
    rows = [json.loads(line) for line in listened.splitlines()]
    committed = [phone["symbol"] for row in rows for phone in row.get("committed", [])]
    printed = loaded_alone(hub / "model" / "streaming", str(clip)).split()
    assert printed == committed
    assert len(printed) > 5


def test_a_stream_in_small_pieces_has_the_phones_of_the_whole(hub, clip):
    from fonoteka.hub.loader import open_folder, read_wav

    model = open_folder(hub / "model" / "streaming")
    samples = read_wav(clip, model.rate_hz)
    pieces = [model.push(piece) for piece in np.split(samples, range(701, len(samples), 701))]
    phones = [phone for piece in pieces for phone in piece]
    assert phones + model.finish() == model.phones(samples)


def test_the_causal_models_have_the_outputs_of_the_library_by_the_loader(clone, hub, clip):
    from fonoteka.hub.loader import open_folder, read_wav
    from fonoteka.onnx_export.session import open_model
    from fonoteka.onnx_export.stateful_session import StatefulSession

    folder = hub / "model" / "realtime"
    models = open_folder(folder)
    samples = read_wav(clip, models.rate_hz)
    blocks = [models.push(piece) for piece in np.split(samples, range(999, len(samples), 999))]
    frames = FrontEnd.from_json(read_json(clone / "data/models/realtime/frontend.json"))(samples)
    for name in models.labels:
        path = clone / f"data/models/realtime/{name}.onnx"
        expected = StatefulSession(open_model(path)).run(frames)
        joined = np.concatenate([block[name] for block in blocks])
        # Block sizes change the order of float32 sums.
        np.testing.assert_allclose(joined, expected, atol=1e-5)
    table = loaded_alone(folder, str(clip)).splitlines()
    assert table[0].split("\t") == ["seconds", *models.labels]
    assert len(table) == len(frames) + 1


def test_transformers_reads_the_whisper_and_gives_the_tokens_of_torch(clone, hub, clip):
    import torch
    from transformers import AutoModelForSpeechSeq2Seq, AutoProcessor

    from fonoteka.whisper.model import load_whisper

    folder = hub / "model" / "whisper_tuned"
    processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
    model = AutoModelForSpeechSeq2Seq.from_pretrained(
        folder, local_files_only=True, dtype=torch.float32
    )
    samples, rate_hz = soundfile.read(clip, dtype="float32")
    inputs = processor(samples, sampling_rate=rate_hz, return_tensors="pt")
    own = load_whisper(Path(clone / "data/models/whisper/tuned"))
    with torch.inference_mode():
        states = model.model.encoder(inputs.input_features).last_hidden_state
        expected = own.states([samples], 30.0)
        tokens = model.generate(
            inputs.input_features, language="hr", task="transcribe", max_new_tokens=8
        )
    # The two log-mel front ends differ by rounding.
    assert states.shape == expected.shape
    assert float((states - expected).abs().max()) < 1e-2
    assert tokens.shape[0] == 1
    assert isinstance(processor.batch_decode(tokens, skip_special_tokens=True)[0], str)


def test_transcribe_reads_the_exported_folders(clone, hub, clip):
    folder = hub / "model" / "wavlm_ctc"
    expected = clone.run(*PYTHON, "fonoteka", "transcribe", str(clip), "--model", "wavlm_ctc")
    printed = clone.run(*PYTHON, "fonoteka", "transcribe", str(clip), "--model", str(folder))
    assert printed == expected
    words = ("transcribe", "--words", "--language", "hr", str(clip), "--model")
    expected = clone.run(*PYTHON, "fonoteka", *words, "whisper_package/tuned")
    assert clone.run(*PYTHON, "fonoteka", *words, str(hub / "model/whisper_tuned")) == expected
    for name in MODELS:
        assert check_package(hub / "model" / name) == []


def numbers_of_report(top: Path, name: str) -> dict[tuple[str, str], float]:
    """Return `{(metric, language): value}` of the report of a model, read without the exporter."""
    reports = top / "reports"
    # By kind of model, as each has a report of its own layout.
    if name == "whisper_tuned":
        report = read_json(reports / "words/tuned.json")["tuned"]
        parts = {"all": report} | report["languages"]
        kinds = (("wer", "canonical"), ("wer", "as_written"), ("cer", "canonical"))
        return {
            (f"{unit} {spelling}", code): part[unit][spelling]["rate"]
            for code, part in parts.items()
            for unit, spelling in kinds
        }
    if name == "streaming":
        report = read_json(reports / "streaming.json")["models"]["stream_ctc"]["exact"]
        return {("per", "all"): report["per"]}
    if name == "realtime":
        models = read_json(reports / "realtime.json")["models"]
        return {(f"{m['metric']} of {n}", "all"): m["score"] for n, m in models.items()}
    report = read_json(reports / f"metrics/{name}.json")
    parts = {"all": report} | report["languages"]
    keys = ("per", "segment_accuracy", "ece")
    return {
        (key, code): part[key]
        for code, part in parts.items()
        for key in keys
        if part.get(key) is not None
    }


def metric_of(result) -> str:
    """Return the key of a result in `numbers_of_report`."""
    name = result.metric_name
    if result.metric_type in ("wer", "cer"):
        return f"{result.metric_type} {name.rpartition(', ')[2].replace(' ', '_')}"
    if result.task_type == "audio-classification":
        return f"{result.metric_type} of {name.rpartition(' ')[2]}"
    return result.metric_type


@pytest.mark.parametrize("name", MODELS)
def test_the_index_of_a_card_has_the_numbers_of_the_report_and_no_other(clone, hub, name):
    data = metadata_load(hub / "model" / name / "README.md")
    model_name, results = model_index_to_eval_results(data["model-index"])
    assert model_name == name
    values = {(metric_of(r), r.dataset_config): r.metric_value for r in results}
    assert values == numbers_of_report(clone.folder, name)
    assert len(values) == len(results)
    assert {r.dataset_split for r in results} == {"test"}
    assert all("embedded (synthetic speech)" in r.dataset_name for r in results)
    assert data["language"] == ["bs", "en", "hr", "sr"]
    assert data["datasets"] == ["embedded"]
    assert data["library_name"] == ("transformers" if name == "whisper_tuned" else "onnx")


def test_datasets_reads_the_folder_of_the_data_with_the_samples_of_the_pipeline(
    clone, hub, tmp_path
):
    require_torchcodec()
    from datasets import Audio, load_dataset

    folder = hub / "dataset"
    data = load_dataset("audiofolder", data_dir=str(folder), cache_dir=str(tmp_path))
    # The program of docs/hub.md, with the places of this test.
    (program,) = re.findall(
        r"```python\n(from datasets.*?)```", (TOP / "docs/hub.md").read_text("utf-8"), re.DOTALL
    )
    places = f'data_dir="{folder}", cache_dir="{tmp_path}"'
    scope: dict = {}
    exec(program.replace('data_dir="hub/dataset"', places), scope)
    assert scope["data"].num_rows == data.num_rows
    names = {"train": "train", "valid": "validation", "test": "test"}
    assert {*data} == {*names.values()}
    rows = {}
    for part, split in names.items():
        lines = (clone / f"data/splits/{part}.jsonl").read_text(encoding="utf-8").splitlines()
        rows[split] = [json.loads(line) for line in lines]
        assert len(data[split]) == len(lines)
    test = data["test"].cast_column("audio", Audio(decode=False))
    # Ids are not published; in the embedded corpus a speaker reads each text once.
    by_text = {(row["speaker"], row["text"]): row for row in rows["test"]}
    for example in test:
        row = by_text[example["speaker"], example["text"]]
        assert example["phones"].split(" ") == row["phones"]
        assert example["language"] == row["language"]
        bytes_or_path = example["audio"]["bytes"] or Path(example["audio"]["path"]).read_bytes()
        samples, rate_hz = soundfile.read(io.BytesIO(bytes_or_path), dtype="float32")
        ((_, expected),) = read_clips(clone / "data/audio", {row["id"]: row["audio"]})
        assert rate_hz == 16_000
        assert np.array_equal(samples, expected)
        assert example["seconds"] == pytest.approx(len(samples) / rate_hz, abs=1e-4)
