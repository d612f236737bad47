"""A packaged model is described and is trusted only while every byte is what was packaged."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from clones import GIT
from corpus_maker import utterance
from toy import call_dvc

from fonoteka import manifest
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, sha256_file, write_json
from fonoteka.lineage import PackageParams, licence_of
from fonoteka.models.provenance import write_provenance
from fonoteka.packaging import CARD, PACKAGE, check_package, record, verified
from fonoteka.phones import LABELS
from stages.export.package import stage
from stages.export.package.card import PROGRAM, TITLES, card
from stages.export.package.stage import run

PARAMS = PackageParams("Apache-2.0", ("CC0", "synthetic: *"))
SIX = ("head.int8.onnx", "head.onnx", "model.int8.onnx", "model.json", "model.onnx",
       "model.safetensors")  # fmt: skip


def rate(key, value):
    return {key: value, f"{key}_low": value - 0.03, f"{key}_high": value + 0.03}


METRICS = {
    **rate("per", 0.09), **rate("segment_accuracy", 0.9), **rate("top3", 0.97),
    **rate("balanced_accuracy", 0.88), "ece": 0.04, "ece_low": None, "ece_high": None,
    "speakers": 2, "utterances": 3, "phones": 60, "synthetic": True,
    "languages": {"en": rate("per", 0.14), "hr": rate("per", 0.07)},
    "int8": rate("per", 0.091) | rate("difference", 0.001),
    "most_frequent_substitutions": [
        {"reference": "a", "hypothesis": symbol, "count": 99 - n}
        for n, symbol in enumerate(LABELS[2:14])
    ],
}  # fmt: skip


def sources(folder, name="mlp", kind="mlp", corpus=None, fetched=None, **voices):
    """Write all that the stage reads and return its arguments but `params`."""
    model = folder / "models" / name
    model.mkdir(parents=True)
    metadata = {"name": name, "kind": kind, "labels": list(LABELS), "sample_rate_hz": 16_000,
             "frames_per_second": 50}  # fmt: skip
    if kind == "ensemble":
        members = (("mlp", 0.25, "wav2vec2"), ("wavlm_ctc", 0.75, "wavlm"))
        metadata["members"] = [{"name": n, "weight": w, "encoder": b} for n, w, b in members]
    else:
        metadata |= {"encoder": "wav2vec2", "training_data_sha256": "5" * 64}
    write_json(model / "model.json", metadata)
    for file in SIX:
        if file != "model.json" and (kind != "ensemble" or file in stage.MODEL_FILES):
            (model / file).write_text(f"{file} of {name}")
    corpus = corpus or {"licence": "synthetic: spoken by espeak-ng", "synthetic": True}
    for number, part in enumerate(stage.PARTS):
        spoken = [
            utterance(f"embedded/{voices.get(part, part)}", n + 10 * number, language, **corpus)
            for n, language in enumerate(("en", "hr", "hr"))
        ]
        manifest.write(folder / "splits" / f"{part}.jsonl", spoken)
    for kind_of_folder in ("encoder", "embeddings"):
        for encoder in ("wav2vec2", "wavlm"):
            path = folder / kind_of_folder / encoder
            path.mkdir(parents=True)
            (path / "model.safetensors").write_text(f"{kind_of_folder} of {encoder}")
            if kind_of_folder == "encoder":
                write_provenance(path, "hub" if fetched else "pretrain", fetched)
    (folder / "segments.parquet").write_text("segments")
    write_json(folder / "metrics.json", METRICS)
    sizes = {key: (model / file).stat().st_size for key, file in stage.EXPORTED.items()
             if (model / file).exists()}  # fmt: skip
    light = {"size_ratio": 0.5, "valid_per_fp32": 0.08, "valid_per_int8": 0.079}
    counts = {"head": 62_899, "encoder": 1_746_304}
    write_json(folder / "onnx.json", {"bytes": sizes, "int8": {"model": light},
                                      "parameters": counts})  # fmt: skip
    return {
        "model": model, "splits": folder / "splits", "segments": folder / "segments.parquet",
        "metrics": folder / "metrics.json", "exported": folder / "onnx.json",
        "encoder_folders": [folder / "encoder" / "wav2vec2"],
        "embeddings": [folder / "embeddings" / "wav2vec2"],
    }  # fmt: skip


def packaged(folder, params=PARAMS, **more):
    args = sources(folder, **more)
    run(**args, params=params)
    return args["model"]


def card_of(model):
    """Return the card; in its tables one space is around each cell."""
    return re.sub(" {2,}", " ", (model / CARD).read_text(encoding="utf-8"))


def front_of(model):
    text = (model / CARD).read_text(encoding="utf-8")
    return yaml.safe_load(text.split("---\n")[1])


@pytest.fixture
def model(tmp_path):
    return packaged(tmp_path)


def test_every_file_is_recorded_with_its_size_and_hash(model):
    files = read_json(model / PACKAGE)["files"]
    assert sorted(files) == sorted([*SIX, CARD])
    for name, description in files.items():
        path = model / name
        assert description == {"bytes": path.stat().st_size, "sha256": sha256_file(path)}


def test_a_package_is_sound_and_its_files_are_given(model):
    assert check_package(model) == []
    assert verified(model, "model.onnx") == model / "model.onnx"


@pytest.mark.parametrize("name", [*SIX, CARD])
def test_one_changed_byte_is_found(name, model):
    data = bytearray((model / name).read_bytes())
    data[-1] ^= 1  # the size stays
    (model / name).write_bytes(data)
    message = (
        f"{re.escape(str(model / name))}: its SHA-256 is [0-9a-f]{{12}}, but package.json records"
    )
    with pytest.raises(
        ValueError, match=message + " [0-9a-f]{12}; run dvc checkout, or dvc pull it"
    ):
        verified(model, name)
    (problem,) = check_package(model)
    assert re.match(message, problem)


@pytest.mark.parametrize("name", SIX)
def test_an_empty_and_a_missing_file_are_found(name, model):
    (model / name).write_bytes(b"")
    with pytest.raises(ValueError, match=f"{name}: empty, but package.json records it"):
        verified(model, name)
    (model / name).unlink()
    with pytest.raises(ValueError, match=f"{name}: missing, but package.json records it"):
        verified(model, name)
    assert len(check_package(model)) == 1


@pytest.mark.parametrize("name", ["other.onnx", "../mlp/model.onnx", "", PACKAGE])
def test_a_file_that_is_not_recorded_is_not_given(name, model):
    (model / "other.onnx").write_text("from somewhere")
    with pytest.raises(ValueError, match="not recorded in"):
        verified(model, name)


def test_a_file_without_a_record_is_a_problem_and_one_with_a_dot_is_a_tool_s(model):
    (model / ".DS_Store").write_text("")
    assert check_package(model) == []
    (model / "other.onnx").write_text("from somewhere")
    (problem,) = check_package(model)
    assert problem.startswith(f"{model / 'other.onnx'}: not recorded in")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "missing, so no file beside it can be trusted"),
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[]", "records no size and SHA-256 of files"),
        ("{}", "records no size and SHA-256 of files"),
        ('{"files": {}}', "records no size and SHA-256 of files"),
        ('{"files": {"model.onnx": {"bytes": 1}}}', "records no size and SHA-256 of files"),
        ('{"files": {"model.onnx": {"bytes": 0, "sha256": "%s"}}}' % ("0" * 64), "records no size"),
        ('{"files": {"../a": {"bytes": 1, "sha256": "%s"}}}' % ("0" * 64), "records no size"),
    ],
)
def test_a_package_json_that_says_nothing_vouches_for_nothing(text, message, model):
    (model / PACKAGE).unlink()
    if text is not None:
        (model / PACKAGE).write_text(text)
    with pytest.raises(ValueError, match=message):
        verified(model, "model.onnx")
    (problem,) = check_package(model)
    assert message in problem


def test_a_file_that_is_empty_can_not_be_recorded(tmp_path):
    (tmp_path / "model.onnx").touch()
    with pytest.raises(ValueError, match=r"model\.onnx: empty, so it cannot be recorded"):
        record(tmp_path, ["model.onnx"])
    with pytest.raises(ValueError, match=r"head\.onnx: missing, so it cannot be recorded"):
        record(tmp_path, ["head.onnx"])


def test_two_runs_write_the_same_bytes(tmp_path):
    entry, other = packaged(tmp_path / "one"), packaged(tmp_path / "other")
    for name in (CARD, PACKAGE):
        assert (entry / name).read_bytes() == (other / name).read_bytes()
    before = (entry / PACKAGE).read_bytes()
    again = sources(tmp_path / "third")  # beside an old card and package
    again["model"] = entry
    run(**again, params=PARAMS)
    assert (entry / PACKAGE).read_bytes() == before


def test_lineage_names_what_the_model_was_made_from(model, tmp_path):
    lineage = read_json(model / PACKAGE)["lineage"]
    assert lineage["manifests"]["train.jsonl"] == sha256_file(tmp_path / "splits/train.jsonl")
    assert lineage["segments.parquet"] == sha256_file(tmp_path / "segments.parquet")
    weights = "wav2vec2/model.safetensors"
    encoder_folder = tmp_path / "encoder" / "wav2vec2"
    assert lineage["encoders"] == {
        "wav2vec2": {p.name: sha256_file(p) for p in sorted(encoder_folder.iterdir())}
    }
    assert lineage["embeddings"]["wav2vec2"]["model.safetensors"] == sha256_file(
        tmp_path / "embeddings" / weights
    )
    assert lineage["training_data_sha256"] == "5" * 64
    assert lineage["corpora"] == [
        {
            "corpus": "embedded", "licence": "synthetic: spoken by espeak-ng", "synthetic": True,
            "clips": {"train": 3, "valid": 3, "test": 3},
        }
    ]  # fmt: skip


def test_metrics_come_with_intervals_and_the_test_part_they_are_of(model):
    metrics = read_json(model / PACKAGE)["metrics"]
    assert metrics["test"] == {"speakers": 2, "utterances": 3, "phones": 60, "synthetic": True}
    assert metrics["per"] == {"value": 0.09, "low": 0.06, "high": 0.12}
    assert metrics["languages"]["en"]["per"]["value"] == 0.14
    assert metrics["languages"]["en"]["ece"]["value"] is None
    assert len(metrics["confusions"]) == 10


def test_the_front_matter_is_what_hubs_read(model):
    front = front_of(model)
    assert front["language"] == ["en", "hr"]
    assert front["license"] == "apache-2.0"
    assert front["library_name"] == "onnx"
    assert front["metrics"] == list(TITLES)
    (entry,) = front["model-index"]
    assert entry["name"] == "mlp"
    (result,) = entry["results"]
    assert result["task"]["type"] == front["pipeline_tag"] == "automatic-speech-recognition"
    assert result["dataset"] == {
        "type": "unseen-speakers", "name": "unseen speakers, synthetic speech", "split": "test",
    }  # fmt: skip
    assert result["metrics"][0] == {
        "type": "per", "name": "phone error rate (PER)", "value": 0.09,
    }  # fmt: skip


def test_a_hub_s_own_reader_understands_the_card(model):
    from huggingface_hub import ModelCard

    card_of_hub = ModelCard.load(model / CARD)
    read = card_of_hub.data
    assert (read.license, read.language, read.library_name) == ("apache-2.0", ["en", "hr"], "onnx")
    assert [e.metric_value for e in read.eval_results] == [0.09, 0.9, 0.97, 0.88, 0.04]
    assert {e.dataset_split for e in read.eval_results} == {"test"}
    assert str(card_of_hub) == (model / CARD).read_text(encoding="utf-8")  # nothing is lost


def test_the_card_has_metrics_lineage_limits_and_licences(model):
    text = card_of(model)
    for line in (
        "# mlp",
        "| phone error rate (PER) | 9.0 % (6.0 to 12.0) | 14.0 % (11.0 to 17.0) | "
        "7.0 % (4.0 to 10.0) |",
        "| expected calibration error (ECE) | 4.0 % | not measured | not measured |",
        "| model, test split | 9.0 % (6.0 to 12.0) | 9.1 % (6.1 to 12.1) | 0.1 % (-2.9 to 3.1) |",
        "| model, validation split | 8.0 % | 7.9 % | -0.1 % |",
        "| embedded | synthetic: spoken by espeak-ng | synthetic | 3 | 3 | 3 |",
        f"- train.jsonl `{sha256_file(model.parents[1] / 'splits/train.jsonl')}`",
        "| a | d | 98 |",
        "- 3 of 3 training clips are synthetic speech. Scores on synthetic speech do not predict "
        "the scores on real speech.",
        "Weights: Apache-2.0. Licences of the training data: synthetic: spoken by espeak-ng. Their "
        "terms apply.",
    ):
        assert line in text.splitlines(), line
    assert f"```python\n{PROGRAM}```" in (model / CARD).read_text(encoding="utf-8")
    assert text.count("| a | ") == 10  # `headline` returns at most ten confusions
    for word in (
        "reports/bench",
        " 95 % interval, a bootstrap over speakers",
        "batches of one clip",
    ):
        assert word in text


def test_the_card_lists_every_file_with_its_hash(model):
    text = card_of(model)
    for name in SIX:
        assert re.search(rf"\| `{name}` \| .* \| `{sha256_file(model / name)[:12]}` \|", text)


def test_every_table_of_a_card_has_as_many_cells_in_each_row(model):
    tables = re.findall(r"(?:^\|.*\n)+", (model / CARD).read_text(encoding="utf-8"), re.M)
    assert len(tables) == 5
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table


def test_real_speech_is_not_called_synthetic(tmp_path):
    people = {"licence": "CC0", "synthetic": False}
    text = card_of(packaged(tmp_path, corpus=people))
    assert "clips are synthetic speech" not in text
    assert "| embedded | CC0 | real | 3 | 3 | 3 |" in text


@pytest.mark.parametrize("licence", ["CC BY-SA 4.0", "CC BY-NC 4.0", "unknown", "CC0 or so"])
def test_a_licence_not_listed_as_compatible_leaves_the_weights_without_one(licence, tmp_path):
    model = packaged(tmp_path, corpus={"licence": licence, "synthetic": False})
    front, text = front_of(model), (model / CARD).read_text(encoding="utf-8")
    assert (front["license"], front["license_name"]) == ("other", "see-training-data")
    assert "No licence is stated for these weights." in text
    assert f"Licences of the training data: {licence}. Their terms apply." in text
    assert read_json(model / PACKAGE)["licence"] == {
        "weights": None, "training_data": [licence], "to_be_read": [licence],
        "fetched_weights": {},
    }  # fmt: skip


def test_a_licence_is_compared_without_case_and_as_a_whole():
    params = replace(PARAMS, compatible_licences=("cc by 4.0",))

    def weights(licence):
        manifests = {"train": [SimpleNamespace(licence=licence)], "valid": []}
        return licence_of(manifests, {}, params)["weights"]

    assert weights("CC BY 4.0") == "Apache-2.0"
    assert weights("CC BY 4.0 ") is None


def test_an_encoder_from_a_hub_has_terms_of_its_own(tmp_path):
    source = "facebook/wav2vec2-base@0b5b8e8"
    model = packaged(tmp_path, fetched=source)
    package = read_json(model / PACKAGE)
    assert package["encoder"] == {"wav2vec2": {"source": "hub", "fetched": source, "licence": None}}
    assert package["licence"]["weights"] is None
    assert f"read the terms of their sources: {source}." in (model / CARD).read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "provenance.json: missing; run dvc repro"),
        ('{"source": "web", "fetched": null}', "source 'web' with fetched None; expected"),
        ('{"source": "hub", "fetched": null}', "source 'hub' with fetched None; expected"),
        ('{"source": "pretrain", "fetched": "a/b@c"}', "source 'pretrain' with fetched 'a/b@c'"),
    ],
)
def test_an_encoder_of_unknown_source_is_refused(text, message, tmp_path):
    args = sources(tmp_path)
    path = args["encoder_folders"][0] / "provenance.json"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(UserError, match=message):
        run(**args, params=PARAMS)
    assert not (args["model"] / PACKAGE).exists()


def test_an_ensemble_has_fewer_files_and_names_its_members(tmp_path):
    args = sources(tmp_path, "ensemble", "ensemble")
    for kind in ("encoder_folders", "embeddings"):
        args[kind].append(args[kind][0].with_name("wavlm"))
    run(**args, params=PARAMS)
    package = read_json(args["model"] / PACKAGE)
    assert sorted(package["files"]) == [CARD, "model.int8.onnx", "model.json", "model.onnx"]
    assert sorted(package["encoder"]) == sorted(package["lineage"]["encoders"])
    text = (args["model"] / CARD).read_text(encoding="utf-8")
    assert "Members and their weights: `mlp` 0.25, `wavlm_ctc` 0.75." in text


def test_an_encoder_that_was_not_given_is_refused(tmp_path):
    args = sources(tmp_path, "ensemble", "ensemble")
    message = r"--encoders: the model needs \['wavlm'\], given were \['wav2vec2'\]"
    with pytest.raises(ValueError, match=message):
        run(**args, params=PARAMS)


def test_a_model_without_an_int8_file_is_not_packaged(tmp_path):
    args = sources(tmp_path)
    (args["model"] / "model.int8.onnx").unlink()
    with pytest.raises(ValueError, match=r"model\.int8\.onnx: missing, so it cannot be recorded"):
        run(**args, params=PARAMS)
    assert not (args["model"] / PACKAGE).exists()


def test_a_file_that_belongs_to_no_model_does_not_go_out_with_it(tmp_path):
    args = sources(tmp_path)
    (args["model"] / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"\['notes.txt'\] are not files of this model; move them"):
        run(**args, params=PARAMS)


def test_a_report_about_another_build_is_refused(tmp_path):
    args = sources(tmp_path)
    (args["model"] / "head.onnx").write_text("another build")
    with pytest.raises(
        ValueError, match=r"states 16 bytes for .*head.onnx, found 13; run dvc repro"
    ):
        run(**args, params=PARAMS)


def test_a_voice_in_two_parts_is_not_packaged(tmp_path):
    args = sources(tmp_path, test="train")
    with pytest.raises(ValueError, match="voice 'embedded/train' is in train and in test"):
        run(**args, params=PARAMS)


def test_a_folder_of_embeddings_without_files_is_refused(tmp_path):
    args = sources(tmp_path)
    (args["embeddings"][0] / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="wav2vec2: no files there; run dvc repro"):
        run(**args, params=PARAMS)


def test_a_kind_without_a_description_has_no_card(tmp_path):
    with pytest.raises(ValueError, match="kind 'svm' has no description"):
        packaged(tmp_path, kind="svm")


def test_the_card_states_what_was_not_measured(tmp_path):
    package = read_json(packaged(tmp_path) / PACKAGE)
    package["metrics"] |= {"confusions": [], "int8": {"test": None, "valid": {}}, "parameters": {}}
    text = card(package)
    assert "The confusions of phones were not evaluated." in text
    assert "The int8 files were not evaluated." in text
    assert f"`{CARD}`" not in text  # a card cannot contain its own hash


def test_the_command_line_leads_to_the_same_package(tmp_path, monkeypatch):
    expected = (packaged(tmp_path / "one") / PACKAGE).read_bytes()
    args = sources(tmp_path / "two")
    (tmp_path / "params.yaml").write_text(
        yaml.safe_dump(
            {"package": {"licence": "Apache-2.0", "compatible_licences": ["CC0", "synthetic: *"]}}
        )
    )
    monkeypatch.chdir(tmp_path)
    words = [str(args[k]) for k in ("model", "splits", "segments", "metrics", "exported")]
    for option, key in (("encoders", "encoder_folders"), ("embeddings", "embeddings")):
        words += [f"--{option}", *map(str, args[key])]
    monkeypatch.setattr(sys, "argv", ["package", *words])
    stage.main()
    assert (args["model"] / PACKAGE).read_bytes() == expected


PIPELINE = """\
stages:
  train:
    cmd: python make.py data/models/wavlm_ctc model.json model.onnx
    outs:
      - data/models/wavlm_ctc/model.json
      - data/models/wavlm_ctc/model.onnx
  package:
    cmd: python make.py data/models/wavlm_ctc README.md package.json
    deps:
      - data/models/wavlm_ctc/model.json
      - data/models/wavlm_ctc/model.onnx
    outs:
      - data/models/wavlm_ctc/README.md
      - data/models/wavlm_ctc/package.json
artifacts:
  wavlm_ctc:
    path: data/models/wavlm_ctc
    type: model
"""
MAKE = """\
import pathlib, sys
folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for name in sys.argv[2:]:
    (folder / name).write_text(name)
"""


@pytest.mark.dvc
@pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # dvc's use of pygtrie
def test_a_version_of_a_model_is_fetched_by_name_from_an_annotated_tag(tmp_path):
    top = tmp_path / "top"
    top.mkdir()
    environment = os.environ | {
        "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(tmp_path / "site"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip

    def git(*words):
        subprocess.run([*GIT, *words], cwd=top, check=True)

    def dvc(*words):
        return call_dvc(*words, folder=top, environment=environment)

    (top / "dvc.yaml").write_text(PIPELINE)
    (top / "make.py").write_text(MAKE)
    (top / ".gitignore").write_text("/data/*\n")
    git("init", "--quiet")
    for words in (("init", "--quiet"), ("repro", "--quiet")):
        done = dvc(*words)
        assert done.returncode == 0, done.stderr
    git("add", "--all")
    git("commit", "--quiet", "-m", "one")
    git("tag", "-a", "wavlm_ctc@v1.0.0", "-m", "first")
    git("tag", "wavlm_ctc@v1.1.0")
    out = tmp_path / "fetched"
    got = dvc("artifacts", "get", str(top), "wavlm_ctc", "--rev", "v1.0.0", "-o", str(out))
    assert got.returncode == 0, got.stderr
    names = [CARD, "model.json", "model.onnx", PACKAGE]
    assert {path.name: path.read_text() for path in out.iterdir()} == {n: n for n in names}
    # DVC does not see a tag that is not annotated.
    lost = dvc("artifacts", "get", str(top), "wavlm_ctc", "--rev", "v1.1.0", "-o", str(out))
    assert lost.returncode != 0
    assert "Unable to find artifact 'wavlm_ctc @ v1.1.0'" in lost.stderr
