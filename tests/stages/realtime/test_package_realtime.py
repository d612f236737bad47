"""The bundle of small models: its page, its package.json and its files agree."""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import yaml
from corpus_maker import utterance
from stream_maker import BANDS, BUNDLE, LICENCE, bundle_arguments, small

from fonoteka import manifest
from fonoteka.core.files import read_json, sha256_file, write_json
from fonoteka.packaging import CARD, PACKAGE, check_package
from fonoteka.realtime.frame_labels import TASKS
from fonoteka.realtime.host_files import HOST_FILES
from fonoteka.rtneural.cost import model_cost, model_t
from stages.realtime.package_realtime import stage
from stages.realtime.package_realtime.page import page
from stages.realtime.package_realtime.stage import run

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Return the arguments of the stage, which has run."""
    return bundle_arguments(small(tmp_path_factory))


@pytest.fixture
def package(inputs):
    return read_json(inputs["out"] / PACKAGE)


@pytest.fixture
def text(inputs):
    return (inputs["out"] / CARD).read_text(encoding="utf-8")


def written(inputs, tmp_path, **more):
    """Run the stage again, with other arguments."""
    run(**inputs | {"out": tmp_path / "out"} | more)
    return tmp_path / "out"


def copied(folders, tmp_path):
    """Copies of folders that a test may change."""
    return [Path(shutil.copytree(folder, tmp_path / folder.name)) for folder in folders]


def test_a_bundle_is_a_sound_package(inputs, package):
    assert check_package(inputs["out"]) == []
    models = [f"{name}.{kind}" for name in TASKS for kind in ("json", "onnx")]
    assert sorted(package["files"]) == sorted([CARD, "frontend.json", *HOST_FILES, *models])
    assert inputs["frontend"].read_bytes() == (inputs["out"] / "frontend.json").read_bytes()


@pytest.mark.parametrize("name", sorted(TASKS))
def test_package_json_agrees_with_the_files(name, inputs, package):
    entry = package["models"][name]
    document = json.loads((inputs["out"] / f"{name}.json").read_text())
    numbers = model_cost(document)
    assert {key: entry[key] for key in asdict(numbers)} == asdict(numbers)
    assert entry["model_t"] == model_t(document)
    assert entry["weight_bytes"] == 4 * entry["parameters"] == 4 * numbers.parameters
    assert (entry["inputs"], entry["outputs"]) == (BANDS, len(entry["labels"]))
    assert entry["labels"] == list(TASKS[name].names)
    scored = read_json(inputs["metrics"])["models"][name]
    assert entry["metrics"] == {key: scored[key] for key in entry["metrics"]}
    assert 0 <= entry["settling_hops"] < BUNDLE.steps


def test_sums_are_those_of_the_models(package):
    models = package["models"].values()
    assert package["weight_bytes"] == sum(model["weight_bytes"] for model in models)
    assert package["macs_per_hop"] == sum(model["macs"] for model in models)


def test_lineage_has_the_training_data(inputs, package):
    lineage = package["lineage"]
    assert lineage["times.parquet"] == sha256_file(inputs["times"])
    assert lineage["manifests"]["test.jsonl"] == sha256_file(inputs["splits"] / "test.jsonl")
    assert lineage["corpora"] == [
        {"corpus": corpus, "licence": "CC0", "synthetic": corpus == "tts",
         "clips": {"train": 1, "valid": 1, "test": 1}}
        for corpus in ("mine", "tts")
    ]  # fmt: skip
    assert package["licence"] == {
        "weights": "Apache-2.0", "training_data": ["CC0"], "to_be_read": [], "fetched_weights": {}
    }  # fmt: skip


def squeezed(text):
    """Return a text without the spaces that align the cells of a table."""
    return re.sub(" +", " ", text)


@pytest.mark.parametrize("name", sorted(TASKS))
def test_the_page_has_the_numbers_and_the_type_of_each_model(name, package, text):
    entry = package["models"][name]
    text = squeezed(text)
    (cost,) = re.findall(rf"^\| {name} \| {entry['parameters']} \|.*$", text, re.M)
    assert f" {entry['macs']} " in cost
    assert cost.endswith(f" | {entry['settling_hops']} |")
    assert f"| {entry['metrics']['score']:.3f} |" in text
    assert f"// {name}.json\n{entry['model_t']}\n" in text


@pytest.mark.parametrize(
    "word",
    ["#include <RTNeural/RTNeural.h>", "RTNeural::json_parser::parseJson<float> (file)",
     "std::unique_ptr<RTNeural::Model<float>>", "(model = std::move (loaded))->reset()",
     "model->forward (features)",
     "decider.push (model->getOutputs(), decision)", f"{BANDS} features per hop",
     "Sound of 16, 44.1, 48 kHz", "RTNeural::ModelT<float, 8, 15, ",
     "RTNeural::GRULayerT<float, 6, 8>", "RTNeural::Conv1DT<float, 8, 6, 3, 1>",
     "RTNeural::SoftmaxActivationT<float, 15>",
     "RTNeural::DenseT<float, 8, 1>", "RTNeural::SigmoidActivationT<float, 1>"],
)  # fmt: skip
def test_the_page_shows_a_host(word, text):
    assert word in text


def test_the_page_has_no_placeholder_left(text):
    assert "$" not in text
    assert "None" not in text


def test_the_host_closes_what_it_opens(text):
    for code in re.findall(r"```cpp\n(.*?)```", text, re.S):
        for opened, closed in ("{}", "()", "<>"):
            plain = code.replace("->", "").replace(" > ", "").replace("//", "")
            assert plain.count(opened) == plain.count(closed), (opened, code)


def change(package, sources=None, **corpora):
    """The package of other corpora: synthetic or not, and clips in train and test."""
    result = json.loads(json.dumps(package))
    result["lineage"]["corpora"] = [
        {"corpus": name, "licence": "CC0", "synthetic": synthetic,
         "clips": {"train": train, "valid": 0, "test": test}}
        for name, (synthetic, train, test) in corpora.items()
    ]  # fmt: skip
    for model in result["models"].values():
        model["metrics"]["sources"] = sources or {"mine": 0.5}
    return result


def test_the_page_states_which_speech_is_real(package):
    mixed = change(package, {"fsdd": 0.25, "tts": 0.75}, tts=(True, 9, 9), fsdd=(False, 0, 9))
    text = squeezed(page(mixed))
    assert "Test split: synthetic and real speech, 4 unseen speakers, " in text
    assert "| model | fsdd (real speech) | tts (synthetic speech) |" in text
    assert "| viseme | 0.250 | 0.750 |" in text
    # fsdd is in the test split alone.
    assert "The training data are synthetic speech alone." in text
    text = page(change(package, tts=(True, 9, 9)))
    assert "Test split: synthetic speech, 4 unseen speakers, " in text
    assert "(synthetic speech)" not in text
    text = page(change(package, fsdd=(False, 9, 9)))
    assert "The training data contain real speech from fsdd." in text


def test_the_page_has_a_dash_for_missing_values(package):
    for name, model in package["models"].items():
        model["metrics"] |= {"low": 0.0, "high": 0.4} if name == "onset" else {"low": None}
        model["metrics"] |= {"latency_ms_p50": None, "latency_ms_p90": None}
        model["settling_hops"] = None
    text = squeezed(page(package))
    assert re.search(r"^\| onset \| f1 \| \d.\d{3} \| 0.000-0.400 \| .* \| - \| - \|$", text, re.M)
    assert re.search(r"^\| speech \| f1 \| \d.\d{3} \| - \| ", text, re.M)
    assert re.search(r"^\| speech \| \d.* \| - \|$", text, re.M)


def test_weights_without_a_licence_say_so(inputs, tmp_path):
    shutil.copytree(inputs["splits"], tmp_path / "splits")
    u = utterance("mine/s0", 0, licence="ask me")
    manifest.write(tmp_path / "splits" / "train.jsonl", [u])
    out = written(inputs, tmp_path, splits=tmp_path / "splits")
    assert read_json(out / PACKAGE)["licence"]["weights"] is None
    assert "No licence is stated for these weights" in (out / CARD).read_text()


def test_two_bundles_are_equal_byte_for_byte(inputs, tmp_path):
    again = written(inputs, tmp_path)
    for path in inputs["out"].iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes()


def test_too_many_bytes_are_refused(inputs, package, tmp_path):
    total = package["weight_bytes"]
    params = replace(BUNDLE, max_bytes=total - 1)
    with pytest.raises(
        ValueError, match=rf"take {total} bytes, package_realtime.max_bytes allows {total - 1}"
    ):
        written(inputs, tmp_path, params=params)
    written(inputs, tmp_path, params=replace(BUNDLE, max_bytes=total))


def test_models_that_are_not_the_same_are_refused(inputs, tmp_path):
    with pytest.raises(ValueError, match=r"exports of \['phone'.* must be of the same models"):
        written(inputs, tmp_path, exports=[e for e in inputs["exports"] if e.name == "phone"])


def test_a_voice_in_two_parts_is_refused(inputs, tmp_path):
    shutil.copytree(inputs["splits"], tmp_path / "splits")
    manifest.write(tmp_path / "splits" / "valid.jsonl", [utterance("mine/s0", 5)])
    with pytest.raises(ValueError, match="voice 'mine/s0' is in train and in valid"):
        written(inputs, tmp_path, splits=tmp_path / "splits")


def test_files_of_two_models_under_each_others_names_are_refused(inputs, tmp_path):
    exports = copied(inputs["exports"], tmp_path)
    value, other = (next(e for e in exports if e.name == name) for name in ("speech", "voicing"))
    for kind in ("json", "onnx"):
        ours, theirs = value / f"speech.{kind}", other / f"voicing.{kind}"
        held = ours.read_bytes()
        ours.write_bytes(theirs.read_bytes())
        theirs.write_bytes(held)
    with pytest.raises(ValueError, match=r"speech: the name in the ONNX file .* 'voicing'|voicing"):
        written(inputs, tmp_path, exports=exports)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("name", "voicing", "speech: the name in model.json and that of its folder differ"),
        ("weights_sha256", "0" * 64, "speech: the weights' hash in the ONNX file and in"),
        ("labels", ["a", "b"], "speech: the outputs and the labels differ: 1 and 2"),
    ],
)
def test_a_model_that_is_not_the_one_exported_is_refused(key, value, words, inputs, tmp_path):
    models = copied(inputs["models"], tmp_path)
    path = tmp_path / "speech" / "model.json"
    write_json(path, read_json(path) | {key: value})
    with pytest.raises(ValueError, match=words):
        written(inputs, tmp_path, models=models)


def test_files_other_than_the_checked_ones_are_refused(inputs, tmp_path):
    exports = copied(inputs["exports"], tmp_path)
    with (tmp_path / "phone" / "phone.json").open("a") as file:
        file.write("\n")
    with pytest.raises(ValueError, match="phone: the bytes of the files and of those that were"):
        written(inputs, tmp_path, exports=exports)


def test_another_front_end_is_refused(inputs, tmp_path):
    other = read_json(inputs["frontend"])
    other |= {"bands": 7, "mel": other["mel"][1:], "mean": [0.0] * 7, "std": [1.0] * 7}
    write_json(tmp_path / "frontend.json", other)
    with pytest.raises(ValueError, match="the inputs and the front end's bands differ: 8 and 7"):
        written(inputs, tmp_path, frontend=tmp_path / "frontend.json")


def test_scores_on_corpora_that_the_test_part_lacks_are_refused(inputs, tmp_path):
    shutil.copytree(inputs["splits"], tmp_path / "splits")
    manifest.write(tmp_path / "splits" / "test.jsonl", [utterance("mine/s2", 2)])
    with pytest.raises(
        ValueError, match=r"scores on \['tts'\], but the corpora of the test part are"
    ):
        written(inputs, tmp_path, splits=tmp_path / "splits")


def test_the_page_states_the_largest_logit(package, text):
    logit = max(package["models"][name]["max_abs_logit"] for name in ("phone", "viseme"))
    assert package["models"]["speech"]["max_abs_logit"] is None
    assert f"the logits of these models are at most {logit}, for any samples." in text
    package["models"]["phone"]["max_abs_logit"] = 120
    assert "those of these models may reach 120, so check the outputs for NaN" in page(package)


def test_a_refused_bundle_leaves_the_old_one(inputs, tmp_path):
    before = {p.name: p.read_bytes() for p in inputs["out"].iterdir()}
    with pytest.raises(ValueError, match="max_bytes"):
        run(**inputs | {"params": replace(BUNDLE, max_bytes=1)})
    assert {p.name: p.read_bytes() for p in inputs["out"].iterdir()} == before


def test_the_command_reads_its_sections_and_its_paths(inputs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    licence = asdict(LICENCE) | {"compatible_licences": ["CC0"]}
    sections = {"package_realtime": asdict(BUNDLE), "package": licence}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(sections))
    names = ("streams", "times", "frontend", "splits", "metrics")
    words = [*(str(inputs[name]) for name in names), "out"]
    for name in ("exports", "models"):
        words += [f"--{name}", *map(str, inputs[name])]
    words += ["--parity-reports", str(inputs["parity_reports"])]
    monkeypatch.setattr(sys, "argv", ["package_realtime", *words])
    stage.main()
    assert (tmp_path / "out" / CARD).read_bytes() == (inputs["out"] / CARD).read_bytes()
