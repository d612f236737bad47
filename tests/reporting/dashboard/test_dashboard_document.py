"""A dashboard's document has the clips of the models, and the numbers of the reports."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from dashboard_files import CLIPS, PARAMS, ToyClip, inputs_of, privacy_in, save_project

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, write_json, write_json_lines
from fonoteka.reporting.dashboard.document import document_of
from fonoteka.reporting.dashboard.phone_task import CODES
from fonoteka.scoring.error_rate import Errors


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    top = tmp_path_factory.mktemp("dashboard")
    save_project(top)
    return top


def document_in(top, name_people=False, params=PARAMS):
    return document_of(inputs_of(top), params.document, privacy_in(top, name_people))[0]


@pytest.fixture(scope="module")
def document(project):
    return document_in(project)


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    top = tmp_path_factory.mktemp("named")
    save_project(top, name_people=True)
    return document_in(top, name_people=True)


def part_of(document, task, model):
    tasks = {each["name"]: each for each in document["tasks"]}
    return next(each for each in tasks[task]["models"] if each["name"] == model)


def value_at(report, key):
    """Return the value under a dotted key of a report."""
    for name in key.split("."):
        report = report[int(name)] if isinstance(report, list) else report[name]
    return report


def test_phones_are_codes_and_alignments_are_the_scorers(named):
    model = part_of(named, "phones", "mlp")
    labels = {code: label for label, code in CODES.items()}
    texts = [[labels[code] for code in text] for text in model["hypotheses"]["phones"]]
    assert [" ".join(text) for text in texts] == [clip.decoded[0] for clip in CLIPS]
    assert model["ops"]["phones"] == ["==", "=sd", "=d", "===i", "ss"]
    assert model["substitutions"]["phones"] == [0, 1, 0, 0, 2]
    assert model["confidence"] == pytest.approx([0.9] * 5)


def test_words_are_scored_in_three_normalisations_and_null_is_not_decoded(named):
    task = named["tasks"][1]
    assert task["normalisations"] == ["as_written", "within_script", "canonical"]
    assert task["references"]["canonical"] == ["da", "dan", "ne", "him two", "hi"]
    base, tuned = part_of(named, "words", "whisper_base"), part_of(named, "words", "whisper_tuned")
    assert base["hypotheses"]["canonical"] == ["da", None, "ne", "him", "i"]
    assert base["ops"]["canonical"] == ["=", None, "=", "=d", "s"]
    assert base["deletions"]["canonical"] == [0, None, 0, 1, 0]
    assert tuned["ops"] == {
        "as_written": ["=", "s", "s", "ss", "s"],
        "within_script": ["=", "s", "=", "=s", "="],
        "canonical": ["=", "s", "=", "==", "="],
    }
    assert tuned["character_errors"]["canonical"] == [0, 1, 0, 0, 0]
    assert task["characters"]["canonical"] == [2, 3, 2, 7, 2]


def test_every_number_with_a_key_is_that_of_its_file(document):
    checked = 0
    for task in document["tasks"]:
        for model in task["models"]:
            report = read_json(Path(model["report"]["file"]))
            for rate in model["report"]["rate"].values():
                assert rate["value"] == value_at(report, rate["key"])
            for label, value, low, high, key in model["report"]["extra"]:
                assert value == value_at(report, key), label
                if low is not None:
                    above, _, name = key.rpartition(".")
                    entry = value_at(report, above) if above else report
                    bounds = ("low", "high") if name == "rate" else (f"{name}_low", f"{name}_high")
                    assert (low, high) == tuple(entry[bound] for bound in bounds), label
                checked += 1
        for pair in task["pairs"]:
            entry = value_at(read_json(Path(pair["file"])), pair["key"])
            assert pair["difference"] == entry["difference"]
            assert pair["better_draws"] == entry["better_draws"]
    assert checked > 60


def test_a_share_of_other_clips_than_the_rates_names_their_number(document):
    for model in document["tasks"][1]["models"]:
        labels = [label for label, *_ in model["report"]["extra"]]
        assert labels[-2:] == [
            "share of 3 clips whose language is found",
            "share of 200 sounds without a word that give one",
        ]


def test_groups_have_the_rates_of_the_report_and_name_what_was_computed(document, project):
    for name in PARAMS.models:
        own = part_of(document, "phones", name)["report"]["by"]["phones"]
        report = read_json(project / "metrics" / f"{name}.json")
        keys = {"language": "languages", "speaker": "by_speaker", "source": "sources"}
        for group, rows in own.items():
            entries = report[keys.get(group, "lengths")]
            assert [row["value"] for row in rows] == sorted(entries)
            for row in rows:
                assert row["rate"] == entries[row["value"]]["per"]
                assert row["units"] == entries[row["value"]]["phones"]
                assert row["low"] == entries[row["value"]].get("per_low", row["low"])
        computed = {tuple(row["computed"]) for row in own["length"] if row["clips"]}
        assert computed == {("low", "high")}
        assert not any(row["computed"] for row in own["language"])
    tuned = part_of(document, "words", "whisper_tuned")["report"]["by"]
    assert [row["computed"] for row in tuned["canonical"]["speaker"]] == [["clips"]] * 4
    assert "rate" in tuned["as_written"]["speaker"][0]["computed"]


def test_counts_of_clips_add_up_to_the_report(document, project):
    report = read_json(project / "metrics/mlp.json")
    model = part_of(document, "phones", "mlp")
    for kind in ("substitutions", "deletions", "insertions"):
        assert sum(model[kind]["phones"]) == report[kind]
    assert sum(document["tasks"][0]["units"]["phones"]) == report["phones"]
    # The matrix has every aligned pair, also of clips whose phones are withheld.
    counts = model["confusion"]["counts"]
    off_diagonal = sum(map(sum, counts)) - sum(counts[n][n] for n in range(len(counts)))
    assert off_diagonal == report["substitutions"]


def test_the_corpus_has_the_tables_of_the_report_and_the_values_of_the_splits(document):
    corpus = document["corpus"]
    tables = {table["name"]: table for table in corpus["tables"]}
    assert tables["Splits"]["columns"] == ["", "train", "valid", "test"]
    assert ["utterances", 1, 1, 5] in tables["Splits"]["rows"]
    assert ["refused: too short", 2] in tables["Not in a split"]["rows"]
    assert ["real: secret", 2, 0, 0] in tables["Licences of the test clips"]["rows"]
    lengths = next(h for h in corpus["histograms"] if h["name"] == "phones per clip")
    assert (lengths["edges"], lengths["counts"]["test"]) == ([2, 3, 4], [3, 2])
    assert {len(h["edges"]) - len(h["counts"]["test"]) for h in corpus["histograms"]} == {1}
    snr = next(h for h in corpus["histograms"] if h["unit"] == "dB")
    assert [sum(snr["counts"][part]) for part in ("train", "valid", "test")] == [1, 0, 5]
    assert [bar["name"] for bar in corpus["bars"]][:2] == ["phones", "hours per language"]


def test_a_clip_without_a_reference_is_shown_and_is_in_no_rate(tmp_path):
    silent = ToyClip("tts/max", "en", "", ("s", ""), "", (None, ""), "synthetic: x")
    save_project(tmp_path, [*CLIPS, silent])
    document = document_in(tmp_path)
    phones, words = document["tasks"]
    model = part_of(document, "phones", "mlp")
    assert (phones["units"]["phones"][-1], phones["references"]["phones"][-1]) == (0, None)
    assert (model["hypotheses"]["phones"][-1], model["ops"]["phones"][-1]) == (CODES["s"], None)
    assert model["insertions"]["phones"][-1] == 1
    assert model["report"]["extra"][4][:2] == ["clips", 5]
    assert part_of(document, "phones", "ensemble")["confidence"][-1] is None
    assert words["references"]["canonical"][-1] is None
    assert part_of(document, "words", "whisper_tuned")["substitutions"]["canonical"][-1] is None
    assert len(document["clips"]["id"]) == 6


def test_the_same_files_give_the_same_document(project, document):
    assert json.dumps(document_in(project)) == json.dumps(document)


def test_a_report_of_another_build_is_refused(tmp_path):
    save_project(tmp_path)
    report = read_json(tmp_path / "metrics/mlp.json")
    with pytest.raises(UserError, match=r"mlp\.json: counts .*'deletions': 9.* are of two builds"):
        refused(tmp_path, "metrics/mlp.json", report | {"deletions": 9})
    speakers = {"x" if k == "tts/eva" else k: v for k, v in report["by_speaker"].items()}
    with pytest.raises(UserError, match=r"2 speakers are in the report or the clips alone"):
        refused(tmp_path, "metrics/mlp.json", report | {"by_speaker": speakers})
    lengths = {"long": report["lengths"]["1-2"]}
    with pytest.raises(UserError, match=r"lengths \['long'\] are not bins"):
        refused(tmp_path, "metrics/mlp.json", report | {"lengths": lengths})


@pytest.mark.parametrize(
    ("name", "key", "value", "reason"),
    [
        ("comparison", "models.mlp.per", 0.1, r"models\.mlp\.per is 0\.1, but .* has 0\.5"),
        ("comparison", "models.mlp", {}, r"models\.mlp\.per is None"),
        ("corpus", "parts.test.utterances", 4, r"utterances is 4, but the split has 5"),
        ("words", "tuned.wer.canonical.rate", 0.1, r"tuned\.wer\.canonical is 0\.1, but the texts"),
        ("words", "base.cer.as_written.rate", 0.1, r"base\.cer\.as_written is 0\.1, but the texts"),
    ],
)
def test_numbers_of_another_build_are_refused(tmp_path, name, key, value, reason):
    save_project(tmp_path)
    report = read_json(tmp_path / f"{name}.json")
    above, _, last = key.rpartition(".")
    value_at(report, above)[last] = value
    with pytest.raises(UserError, match=rf"{name}\.json: .*{reason}"):
        refused(tmp_path, f"{name}.json", report)


def refused(top, name, content):
    """Make the document with other content of a report, and put the report back."""
    before = (top / name).read_bytes()
    write_json(top / name, content)
    try:
        document_in(top)
    finally:
        (top / name).write_bytes(before)


TEXT = {"id": "clip-0", "model": "tuned", "text": "da", "log_prob": -1.0}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (TEXT | {"id": "other"}, r"texts\.jsonl:1: clip 'other' is not in test\.jsonl"),
        (TEXT | {"model": "large"}, r"texts\.jsonl:1: not a text of base or tuned"),
        (TEXT | {"log_prob": "low"}, r"texts\.jsonl:1: not a text of base or tuned"),
        ({"id": "clip-0"}, r"texts\.jsonl:1: not a text of base or tuned .*run the stage"),
        (TEXT, r"base\.clips is 4, but 0 clips have texts"),
    ],
)
def test_texts_of_another_build_are_refused(project, tmp_path, row, reason):
    write_json_lines(tmp_path / "texts.jsonl", [row])
    inputs = replace(inputs_of(project), texts=tmp_path / "texts.jsonl")
    with pytest.raises(UserError, match=reason):
        document_of(inputs, PARAMS.document, privacy_in(project))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"texts": None}, "give both the report and the texts"),
        ({"corpus": "no.json"}, r"no\.json: no such file"),
        ({"texts": "no.jsonl"}, r"no\.jsonl: no such file; run the stage evaluate_whisper"),
        ({"posteriors": "no"}, "mlp: no shards; run dvc repro"),
    ],
)
def test_a_missing_input_is_named(project, change, reason):
    paths = {k: v and project / v for k, v in change.items()}
    with pytest.raises(UserError, match=reason):
        document_of(replace(inputs_of(project), **paths), PARAMS.document, privacy_in(project))


def test_a_run_without_words_has_phones_alone(project):
    inputs = replace(inputs_of(project), texts=None, words=None)
    document, clips, errors = document_of(inputs, PARAMS.document, privacy_in(project))
    assert [task["name"] for task in document["tasks"]] == ["phones"]
    assert len(errors) == len(PARAMS.models)
    assert errors[0][0] == Errors(reference=2)
    assert len(clips) == 5


def test_a_curve_that_is_not_numbers_is_refused(tmp_path):
    save_project(tmp_path)
    (tmp_path / "curves/mlp/valid_per.tsv").write_text("step\tvalid_per\n0\tlow\n")
    with pytest.raises(UserError, match=r"valid_per\.tsv: not a table of numbers"):
        document_in(tmp_path)


def test_a_test_split_without_a_clip_is_refused(project):
    inputs = inputs_of(project)
    splits = {**inputs.splits, "test": []}
    with pytest.raises(UserError, match="the test split has no utterance"):
        document_of(replace(inputs, splits=splits), PARAMS.document, privacy_in(project))
