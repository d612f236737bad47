"""An export is refused, and nothing written, if package, report or folder is not right."""

from __future__ import annotations

import re
import shutil

import pytest
from hub_maker import project, tree

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, write_json
from fonoteka.hub.export import run


@pytest.fixture
def top(tmp_path, monkeypatch):
    folder = project(tmp_path / "project")
    monkeypatch.chdir(folder)
    return folder


def exported(top, *names, **options):
    run(names, top / "hub", **options)
    return top / "hub" / "model"


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
        # A causal model that the package does not have.
        ("realtime", "realtime.json", lambda r: r["models"].update(other=r["models"]["speech"])),
    ],
)  # fmt: skip
def test_a_report_of_another_build_is_refused(top, name, path, change):
    report = read_json(top / "reports" / path)
    change(report)
    write_json(top / "reports" / path, report)
    refused(top, r"but package\.json has .* so that the report and the package are of one build",
            name)  # fmt: skip


@pytest.mark.parametrize("text", ["{}", "[]", "1"])
@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("wavlm_ctc", "metrics/wavlm_ctc.json"), ("whisper_tuned", "words/tuned.json"),
        ("streaming", "streaming.json"), ("realtime", "realtime.json"),
    ],
)  # fmt: skip
def test_a_report_without_the_numbers_is_refused(top, name, path, text):
    (top / "reports" / path).write_text(text)
    refused(top, rf"{name}: its report in reports or its package\.json lacks a number", name)


@pytest.mark.parametrize("data_id", ["speech", "a/b/c", 'x"y', "a/b\nc", "hf:a/b"])
def test_a_name_of_the_data_that_no_hub_has_is_refused(top, data_id):
    with pytest.raises(UserError, match=r"--data-id .*: expected owner/name"):
        run(["wavlm_ctc"], top / "hub", data_id=data_id)
    assert not (top / "hub").exists()


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
