"""An exported model has the numbers of the reports, and is refused if its package or they are not.

The models themselves are run in test_hub_pipeline.py.
"""

from __future__ import annotations

import json
import re
import warnings

import pytest
from dvc_yaml import TOP
from hub_maker import OPENAI, project, tree
from huggingface_hub import metadata_load
from huggingface_hub.repocard_data import model_index_to_eval_results

from fonoteka.core.files import read_json
from fonoteka.hub import loader
from fonoteka.hub.export import run
from fonoteka.hub.hub_folder import RECORD, open_hub_folder
from fonoteka.hub.model_card import base_models
from fonoteka.hub.params import HubParams
from fonoteka.packaging import PACKAGE, check_package

NAMES = ("realtime", "streaming", "wavlm_ctc", "whisper_tuned")


@pytest.fixture
def top(tmp_path, monkeypatch):
    folder = project(tmp_path / "project")
    monkeypatch.chdir(folder)
    return folder


def exported(top, *names, **options):
    run(names, top / "hub", **options)
    return top / "hub" / "model"


def test_all_packages_are_exported_by_default_and_their_records_are_right(top, capsys):
    models = exported(top)
    assert sorted(path.name for path in models.iterdir()) == sorted(NAMES)
    assert not (top / "hub" / "dataset").exists()
    for name in NAMES:
        assert check_package(models / name) == []
        assert open_hub_folder(models / name).name == name
    printed = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[0] for line in printed] == [str(models / name) for name in NAMES]


def test_named_models_are_exported_alone(top):
    assert [path.name for path in exported(top, "streaming").iterdir()] == ["streaming"]


def test_a_recogniser_has_its_files_and_the_loader(top):
    folder = exported(top, "wavlm_ctc") / "wavlm_ctc"
    assert {path.name for path in folder.iterdir()} == {
        "model.onnx", "model.int8.onnx", "load.py", "README.md", PACKAGE, RECORD,
    }  # fmt: skip
    source = top / "data/models/wavlm_ctc/model.onnx"
    assert (folder / "model.onnx").read_bytes() == source.read_bytes()
    loader_bytes = (TOP / "fonoteka/hub/loader.py").read_bytes()
    assert (folder / "load.py").read_bytes() == loader_bytes
    assert loader.__file__ == str(TOP / "fonoteka/hub/loader.py")


def test_a_whisper_has_what_transformers_reads_and_the_onnx_files(top):
    folder = exported(top, "whisper_tuned") / "whisper_tuned"
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "generation_config.json", "model.safetensors", "preprocessor_config.json",
        "tokenizer.json", "tokenizer_config.json", "encoder.onnx", "decoder.onnx", "README.md",
        PACKAGE, RECORD,
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_card_states_scores_data_base_and_licence(top, name):
    folder = exported(top, name) / name
    data = metadata_load(folder / "README.md")
    reports = top / "reports"
    # The values of the index by metric, name and language.
    values = {
        (result.metric_type, result.metric_name, result.dataset_config): result.metric_value
        for result in model_index_to_eval_results(data["model-index"])[1]
    }
    if name == "wavlm_ctc":
        report = read_json(reports / "metrics/wavlm_ctc.json")
        assert values["per", "phone error rate (PER)", "all"] == report["per"]
        for code, part in report["languages"].items():
            assert values["per", "phone error rate (PER)", code] == part["per"]
        assert len(values) == 3 * 5
    elif name == "whisper_tuned":
        report = read_json(reports / "words/tuned.json")["tuned"]
        canonical = report["languages"]["sr"]["wer"]["canonical"]["rate"]
        assert values["wer", "word error rate (WER), canonical", "sr"] == canonical
        written = report["wer"]["as_written"]["rate"]
        assert values["wer", "word error rate (WER), as written", "all"] == written
        assert len(values) == 3 * 5
    elif name == "streaming":
        report = read_json(reports / "streaming.json")["models"]["stream_ctc"]["exact"]
        assert [*values.values()] == [report["per"]]
    else:
        models = read_json(reports / "realtime.json")["models"]
        assert sorted(values.values()) == sorted(model["score"] for model in models.values())
    base = {"wavlm_ctc": ["microsoft/wavlm-base"], "whisper_tuned": ["openai/whisper-base"]}
    assert data.get("base_model") == base.get(name)
    assert data["datasets"] == ["embedded", "mine", "more"]
    assert data["license"] == "apache-2.0"
    languages = ["bs", "en", "hr", "sr"] if name == "realtime" else ["hr", "sr"]
    assert data["language"] == languages


def test_the_intervals_of_a_card_are_those_of_the_report(top):
    text = (exported(top, "wavlm_ctc") / "wavlm_ctc" / "README.md").read_text(encoding="utf-8")
    report = read_json(top / "reports/metrics/wavlm_ctc.json")
    rows = {
        tuple(cell.strip() for cell in line.split("|")[1:3]): line.split("|")[3:5]
        for line in text.splitlines()
        if line.startswith("| phone error rate")
    }
    parts = {"all": report} | report["languages"]
    assert {language for _, language in rows} == {*parts}
    for (_, language), (value, interval) in rows.items():
        numbers = [float(n) for n in re.findall(r"[\d.]+", value + interval)]
        expected = [100 * parts[language][key] for key in ("per", "per_low", "per_high")]
        assert numbers == pytest.approx(expected, abs=0.05 + 1e-9)
    counts = f"{report['speakers']} speakers, {report['utterances']} utterances"
    assert f"(embedded: synthetic speech; mine: recorded speech): {counts}" in text


def test_a_card_names_only_corpora_of_the_test_split_in_its_index(top):
    data = metadata_load(exported(top, "streaming") / "streaming" / "README.md")
    (result,) = model_index_to_eval_results(data["model-index"])[1]
    assert result.dataset_name == (
        "unseen speakers of embedded (synthetic speech), mine (recorded speech)"
    )


def test_a_card_names_the_published_data_set(top):
    folder = exported(top, "streaming", data_id="someone/speech") / "streaming"
    data = metadata_load(folder / "README.md")
    assert data["datasets"] == ["someone/speech"]
    (result,) = model_index_to_eval_results(data["model-index"])[1]
    assert result.dataset_type == "someone/speech"


def test_a_card_continues_with_the_text_of_the_package(top):
    text = (exported(top, "wavlm_ctc") / "wavlm_ctc" / "README.md").read_text(encoding="utf-8")
    headings = re.findall(r"^#+ .*", text, re.MULTILINE)
    assert headings == ["# wavlm_ctc", "## Load", "## Scores in the index", "## Limits"]
    assert text.count("\n---\n") == 1


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (None, []),
        ({"fetched": None}, []),
        ({"fetched": OPENAI}, ["openai/whisper-base"]),
        ({"fetched": "wheel-part1==1.0.0 wheel-part2==1.0.0"}, ["owner/of-the-wheel"]),
        ({"fetched": "other==1.0.0"}, []),
    ],
)
def test_a_base_model_is_named_if_the_hub_has_it(origin, expected):
    params = HubParams({"wheel-": "owner/of-the-wheel"}, {}, "")
    assert base_models({"lineage": {"base": origin}}, params) == expected


def test_the_record_has_every_file_once(top):
    folder = exported(top, "wavlm_ctc") / "wavlm_ctc"
    entries = json.loads((folder / RECORD).read_text())["files"]
    assert {*entries} == {*tree(folder)} - {RECORD}
    sizes = {name: len(data) for name, data in tree(folder).items() if name != RECORD}
    assert {name: entry["bytes"] for name, entry in open_hub_folder(folder).files.items()} == sizes


def test_the_metadata_of_a_card_raises_no_warning(top):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metadata_load(exported(top, "wavlm_ctc") / "wavlm_ctc" / "README.md")
