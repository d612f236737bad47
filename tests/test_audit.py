"""The audit counts every file once and lets no leak through."""

from __future__ import annotations

from dataclasses import replace

import pytest
from corpus_maker import utterance

from stages.common.corpora import (
    INDEX_COLUMNS,
    INVENTORY_COLUMNS,
    QUARANTINE_COLUMNS,
    REFUSED_COLUMNS,
)
from stages.common.files import read_json
from stages.common.manifest import write
from stages.common.tables import write_table
from stages.corpus import audit
from stages.corpus.audit import AuditParams, TablePaths, phone_counts, run

PARAMS = AuditParams("report", min_test_speakers=1, min_train_tokens=1, min_test_tokens=0)
PARTS = {
    "train": [utterance("c/a"), utterance("c/b", language="en", synthetic=True)],
    "valid": [utterance("c/v")],
    "test": [utterance("c/t", duration_s=1800.0)],
}


def take(tmp_path, parts=PARTS, params=PARAMS, pcm=None, problems=None):
    """Audit parts with three more files: one quarantined, one refused, one dropped."""
    ids = [u.id for rows in parts.values() for u in rows]
    rows = [{"id": i, "pcm_sha256": (pcm or {}).get(i, i)} for i in {*ids, "q", "r", "d"}]
    empty = dict.fromkeys(INVENTORY_COLUMNS, "")
    tables = TablePaths(*(tmp_path / f"{name}.csv" for name in "iqrx"))
    write_table(tables.inventory, INVENTORY_COLUMNS, [empty | row for row in rows])
    for path, columns, left in (
        (tables.quarantined, QUARANTINE_COLUMNS, {"id": "q", "problem": "silent"}),
        (tables.refused, REFUSED_COLUMNS, {"id": "r", "reason": "digits"}),
    ):
        write_table(path, columns, [dict.fromkeys(columns, "") | left])
    problems = {"d": "too short", "r": "silent"} if problems is None else problems
    index = [
        dict.fromkeys(INDEX_COLUMNS, "") | {"id": i, "problem": problems.get(i, "")}
        for i in [*ids, *problems]
    ]
    write_table(tables.index, INDEX_COLUMNS, index)
    paths = {part: tmp_path / f"{part}.jsonl" for part in parts}
    for part, found in parts.items():
        write(paths[part], found)
    run(tables, paths, tmp_path / "report.json", params)
    return read_json(tmp_path / "report.json")


def test_every_file_is_counted_once(tmp_path):
    report = take(tmp_path)
    assert (report["files"], report["accepted"]) == (7, 6)
    assert report["quarantined"] == {"silent": 1}
    assert report["refused"] == {"digits": 1}
    assert report["dropped_in_preprocessing"] == {"too short": 1}
    assert sum(part["utterances"] for part in report["parts"].values()) == 4


def test_a_part_is_summed_up_for_each_language(tmp_path):
    parts = take(tmp_path)["parts"]
    assert parts["test"]["hours"] == 0.5
    assert parts["train"]["languages"]["en"] == {"utterances": 1, "hours": 0.0003, "speakers": 1}
    assert parts["train"]["synthetic_hours"] == 0.0003
    assert (parts["train"]["phones"], parts["train"]["with_phone_times"]) == (4, 0)


def test_phones_that_nobody_said_are_counted_too():
    counts = phone_counts(PARTS)
    assert counts["d"] == {"train": 2, "valid": 1, "test": 1}
    assert counts["ʒ"] == {"train": 0, "valid": 0, "test": 0}
    assert "θ" in counts
    assert "θ" not in phone_counts({"train": [utterance("c/a")]})
    assert "ʒ" not in phone_counts({"train": [utterance("c/a", language="en")]})


def plant(part, row):
    return {name: [*rows, row] if name == part else rows for name, rows in PARTS.items()}


def test_a_planted_speaker_is_caught(tmp_path):
    with pytest.raises(ValueError, match="speaker 'c/a' is in train and in test; run the stage"):
        take(tmp_path, plant("test", utterance("c/a", 1)))
    assert not (tmp_path / "report.json").exists()


def test_a_planted_id_is_caught(tmp_path):
    twin = replace(PARTS["train"][0], speaker="c/x")
    with pytest.raises(ValueError, match=rf"id '{twin.id}' is in train and in valid"):
        take(tmp_path, plant("valid", twin))


def test_a_planted_sound_is_caught(tmp_path):
    pcm = {PARTS["train"][0].id: "same", PARTS["test"][0].id: "same"}
    with pytest.raises(ValueError, match=r"sound 'c-a-0-\w+ = c-t-0-\w+' is in train and in te"):
        take(tmp_path, pcm=pcm)


def test_shared_sentences_are_counted_or_refused(tmp_path):
    known = PARTS["train"][0].normalized
    parts = plant("test", utterance("c/u", normalized=known))
    parts = parts | {"valid": [*parts["valid"], utterance("c/w", normalized=known)]}
    assert take(tmp_path, parts)["leakage"] == {
        "speakers": 0, "clips": 0, "sentences": 1, "test_utterances_with_a_train_sentence": 1
    }  # fmt: skip
    with pytest.raises(ValueError, match="sentence 'a 0' is in train and in valid and in test; re"):
        take(tmp_path, parts, replace(PARAMS, shared_sentences="refuse"))


def test_further_leaks_are_counted_in_the_sentence(tmp_path):
    parts = plant("test", utterance("c/a", 1))
    parts["test"].append(utterance("c/b", 1))
    with pytest.raises(ValueError, match="speaker 'c/a' is in train and in test, one of 2 such"):
        take(tmp_path, parts)


def test_a_clip_that_no_table_explains_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"first 'c-v-0-.*of different runs: run dvc repro"):
        take(tmp_path, problems={"d": "too short", PARTS["valid"][0].id: "silent"})


def test_an_accepted_clip_that_the_index_does_not_know_is_counted(tmp_path):
    assert take(tmp_path, problems={})["dropped_in_preprocessing"] == {"not in the index": 1}


def test_recommendations_say_what_to_record(tmp_path):
    advice = take(tmp_path, params=AuditParams("report", 2, 1, 1))["recommendations"]
    assert advice[0].startswith("record more speakers of en: 0 are in test, and with fewer than 2")
    assert advice[1].startswith("record more speakers of hr: 1 are in test")
    assert "ʒ 0" in next(line for line in advice if "fewer than 1 times in train" in line)


def test_a_language_without_training_and_a_machines_voice_are_pointed_out(tmp_path):
    parts = plant("test", utterance("c/n", language="bs"))
    parts = parts | {"valid": [utterance("c/v", synthetic=True)]}
    advice = take(tmp_path, parts)["recommendations"]
    assert "record bs for train: it is tested or validated only" in advice
    assert "record people for valid: a machine spoke all of it" in advice


def test_a_word_that_is_no_choice_is_refused():
    with pytest.raises(ValueError, match="must be refuse or report, found 'ignore'"):
        replace(PARAMS, shared_sentences="ignore")


def test_the_command_line_reads_params_and_paths(tmp_path, monkeypatch):
    take(tmp_path)
    (tmp_path / "params.yaml").write_text(
        "audit: {shared_sentences: report, min_test_speakers: 1, min_train_tokens: 1, "
        "min_test_tokens: 1}\n"
    )
    names = ["i.csv", "q.csv", "r.csv", "x.csv", "train.jsonl", "valid.jsonl", "test.jsonl"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["audit", *names, "again.json"])
    audit.main()
    assert read_json(tmp_path / "again.json")["files"] == 7
