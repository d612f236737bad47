"""An exported model has the numbers of the reports, and is refused if its package or they are not.

The models themselves are run in test_hub_pipeline.py.
"""

from __future__ import annotations

import json
import re
import shutil
import warnings

import pytest
from dvc_yaml import TOP
from hub_maker import OPENAI, project
from huggingface_hub import metadata_load
from huggingface_hub.repocard_data import model_index_to_eval_results

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, write_json
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


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


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
    found = {
        (result.metric_type, result.metric_name, result.dataset_config): result.metric_value
        for result in model_index_to_eval_results(data["model-index"])[1]
    }
    if name == "wavlm_ctc":
        report = read_json(reports / "metrics/wavlm_ctc.json")
        assert found["per", "phone error rate (PER)", "all"] == report["per"]
        for code, part in report["languages"].items():
            assert found["per", "phone error rate (PER)", code] == part["per"]
        assert len(found) == 3 * 5
    elif name == "whisper_tuned":
        report = read_json(reports / "words/tuned.json")["tuned"]
        canonical = report["languages"]["sr"]["wer"]["canonical"]["rate"]
        assert found["wer", "word error rate (WER), canonical", "sr"] == canonical
        written = report["wer"]["as_written"]["rate"]
        assert found["wer", "word error rate (WER), as written", "all"] == written
        assert len(found) == 3 * 5
    elif name == "streaming":
        report = read_json(reports / "streaming.json")["models"]["stream_ctc"]["exact"]
        assert [*found.values()] == [report["per"]]
    else:
        models = read_json(reports / "realtime.json")["models"]
        assert sorted(found.values()) == sorted(model["score"] for model in models.values())
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


def test_a_card_goes_on_with_the_text_of_the_package(top):
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


def refused(top, match, *names, **options):
    with pytest.raises(UserError, match=match):
        run(names, top / "hub", **options)
    assert not [path for path in (top / "hub").rglob("*") if path.is_file()]


def test_an_unknown_model_is_refused_with_the_known_ones(top):
    refused(top, "'wavlm': not a model; expected realtime, streaming, wavlm_ctc, whisper_tuned",
            "wavlm_ctc", "wavlm")  # fmt: skip


def test_a_model_without_a_package_is_refused(top):
    (top / "data/models/encoder").mkdir()
    refused(top, "'encoder': has no package.json", "encoder")


def test_a_project_without_models_is_refused(top):
    shutil.rmtree(top / "data/models")
    refused(top, "no packaged model; run dvc pull")


def test_a_package_with_a_changed_file_is_refused_before_anything_is_written(top):
    (top / "data/models/wavlm_ctc/model.onnx").write_text("another")
    refused(top, r"wavlm_ctc is not exported: .*model\.onnx: its SHA-256 is")


def test_a_package_with_a_foreign_file_is_refused(top):
    (top / "data/models/streaming/notes.txt").write_text("another")
    refused(top, r"streaming is not exported: .*notes\.txt: not recorded", "streaming")


def test_a_missing_report_is_refused(top):
    (top / "reports/metrics/wavlm_ctc.json").unlink()
    refused(top, r"wavlm_ctc\.json: no such report, so the card would have no score")


@pytest.mark.parametrize(
    ("name", "path", "change"),
    [
        ("wavlm_ctc", "metrics/wavlm_ctc.json", lambda r: r.update(per=0.5)),
        ("whisper_tuned", "words/tuned.json",
         lambda r: r["tuned"]["wer"]["canonical"].update(rate=0.5)),
        ("streaming", "streaming.json", lambda r: r["models"]["stream_ctc"]["exact"].update(per=9)),
        ("realtime", "realtime.json", lambda r: r["models"]["speech"].update(score=0.5)),
    ],
)  # fmt: skip
def test_a_report_of_another_build_is_refused(top, name, path, change):
    report = read_json(top / "reports" / path)
    change(report)
    write_json(top / "reports" / path, report)
    refused(top, r"but package\.json has .* so that the report and the package are of one build",
            name)  # fmt: skip


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_weights_of_another_training_are_refused(top, name):
    (top / "data/models/whisper/tuned" / name).write_text("another")
    refused(top, f"{re.escape(name)}: not the file that", "whisper_tuned")


def test_a_whisper_without_its_weights_is_refused(top):
    shutil.rmtree(top / "data/models/whisper")
    refused(top, r"config\.json: no such file; run dvc pull", "whisper_tuned")


def test_an_export_is_replaced_by_the_next_one(top):
    folder = exported(top, "streaming") / "streaming"
    first = tree(folder)
    exported(top, "streaming", data_id="someone/speech")
    second = tree(folder)
    assert first.keys() == second.keys()
    assert first["README.md"] != second["README.md"]
    exported(top, "streaming")
    assert tree(folder) == first


@pytest.mark.parametrize("name", ["notes.txt", "README.md"])
def test_a_folder_with_other_files_is_not_replaced(top, name):
    models = exported(top)
    (models / "streaming" / name).write_text("mine")
    before = tree(models)
    with pytest.raises(UserError, match="streaming: not empty, and it would be replaced"):
        exported(top, data_id="someone/speech")
    assert tree(models) == before


def test_a_file_in_place_of_the_folder_is_refused(top):
    (top / "hub/model").mkdir(parents=True)
    (top / "hub/model/streaming").write_text("mine")
    with pytest.raises(UserError, match="streaming: not a folder"):
        exported(top, "streaming")
    assert (top / "hub/model/streaming").read_text() == "mine"


def test_an_error_while_writing_leaves_the_earlier_export(top, monkeypatch):
    models = exported(top, "streaming")
    before = tree(models)

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fonoteka.hub.export_model.write_record", full)
    with pytest.raises(OSError, match="No space left"):
        exported(top, "streaming", data_id="someone/speech")
    assert tree(models) == before


def test_the_record_has_every_file_once(top):
    folder = exported(top, "wavlm_ctc") / "wavlm_ctc"
    entries = json.loads((folder / RECORD).read_text())["files"]
    assert {*entries} == {*tree(folder)} - {RECORD}
    assert open_hub_folder(folder).total_bytes == sum(
        len(data) for name, data in tree(folder).items() if name != RECORD
    )


def test_the_metadata_of_a_card_raises_no_warning(top):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metadata_load(exported(top, "wavlm_ctc") / "wavlm_ctc" / "README.md")
