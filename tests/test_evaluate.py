"""Scores are those counted by hand, for every language, corpus and speaker."""

from __future__ import annotations

import sys
from dataclasses import asdict

import numpy as np
import onnx
import pandas as pd
import pytest
import yaml
from corpus_maker import utterance
from onnx import TensorProto, helper

from stages.common import manifest
from stages.common.files import read_json, write_json
from stages.common.phones import LABELS
from stages.common.shards import write_arrays
from stages.evaluation import evaluate as stage
from stages.evaluation.evaluate import EvaluateParams, report, run, score

PARAMS = EvaluateParams(resamples=200, seed=1, digits=4)
ABOUT = {"parameters": {"head": 7, "encoder": 70}, "bytes": {"head": 8, "model": 80}}


def frames(said, each=2):
    """Embeddings that a head which adds nothing hears as `said`, a blank after each phone."""
    best = [LABELS.index(p) for phone in said.split() for p in [phone] * each + [LABELS[0]]]
    rows = np.full((len(best), len(LABELS)), -9.0, dtype=np.float32)
    rows[np.arange(len(best)), best] = 0.0
    return rows


# speaker, language, corpus, what was said, what is heard; 3 frames a phone are 60 ms
HEARD = [
    ("real/ana", "hr", "d a", "d a"),
    ("real/ana", "hr", "d a", "d o"),
    ("real/ivo", "sr", "n e", "n"),
    ("tts/eva", "en", "h i m", "h i m s"),
]


def corpus(synthetic=False):
    """Utterances, their embeddings and the segments of their phones."""
    told, arrays, rows = [], {}, []
    for number, (speaker, language, said, heard) in enumerate(HEARD):
        u = utterance(
            speaker, number, language, phones=tuple(said.split()), id=f"u{number}",
            synthetic=synthetic and number == 3,
        )  # fmt: skip
        told.append(u)
        arrays[u.id] = frames(heard)
        rows += [
            (u.id, "test", "phone", phone, 0.06 * at, 0.06 * at + 0.04, "corpus")
            for at, phone in enumerate(u.phones)
        ]
    columns = ["utterance", "part", "kind", "symbol", "start_s", "end_s", "origin"]
    return told, arrays, pd.DataFrame(rows, columns=columns)


def scored(pooled=False, **more):
    told, arrays, segments = corpus(**more)
    return score(lambda x: x, pooled, list(LABELS), told, arrays, segments)


@pytest.mark.parametrize("pooled", [False, True])
def test_each_utterance_has_its_errors_and_its_hits(pooled):
    found = scored(pooled)
    assert [r.errors.wrong for r in found] == [0, 1, 1, 1]
    assert [r.errors.reference for r in found] == [2, 2, 2, 3]
    # the missing e of u2 lies beyond its frames: its last frame, a blank, is no e
    assert [(r.hits, r.segments) for r in found] == [(2, 2), (1, 2), (1, 2), (3, 3)]


def test_a_pooled_model_hears_the_mean_of_a_segment():
    heard = []
    told, arrays, segments = corpus()

    def hear(x):
        heard.append(x)
        return x

    score(hear, True, list(LABELS), told[:1], arrays, segments)
    whole, first, second = heard
    assert np.array_equal(whole, arrays["u0"])
    assert np.array_equal(first, whole[:2].mean(axis=0, keepdims=True))
    assert np.array_equal(second, whole[3:5].mean(axis=0, keepdims=True))


def test_the_report_is_that_counted_by_hand():
    found = report(scored(), PARAMS)
    counts = {k: found[k] for k in ("substitutions", "deletions", "insertions", "phones")}
    assert counts == {"substitutions": 1, "deletions": 1, "insertions": 1, "phones": 9}
    assert found["per"] == round(3 / 9, 4)
    assert found["segment_accuracy"] == round(7 / 9, 4)
    assert (found["segments"], found["speakers"], found["utterances"]) == (9, 3, 4)
    assert {k: v["per"] for k, v in found["languages"].items()} == {
        "en": round(1 / 3, 4), "hr": 0.25, "sr": 0.5,
    }  # fmt: skip
    assert {k: v["per"] for k, v in found["sources"].items()} == {
        "real": round(2 / 6, 4), "tts": round(1 / 3, 4),
    }  # fmt: skip
    assert found["by_speaker"]["real/ana"] == {
        "per": 0.25, "segment_accuracy": 0.75, "utterances": 2,
    }  # fmt: skip


def test_an_interval_is_over_speakers_and_one_speaker_has_none():
    found = report(scored(), PARAMS)
    # speakers err in 1 of 4, 1 of 2 and 1 of 3: no draw of them leaves 0.25 to 0.5
    assert 0.25 <= found["per_low"] < found["per"] < found["per_high"] <= 0.5
    assert "interval" not in found
    english = found["languages"]["en"]
    assert (english["per_low"], english["segment_accuracy_high"]) == (None, None)
    assert english["interval"] == "one speaker: no interval over speakers"


@pytest.mark.parametrize("synthetic", [True, False])
def test_one_synthetic_clip_makes_the_scores_synthetic(synthetic):
    assert report(scored(synthetic=synthetic), PARAMS)["synthetic"] == synthetic


def test_without_segments_there_is_no_accuracy():
    told, arrays, segments = corpus()
    found = report(score(lambda x: x, False, list(LABELS), told, arrays, segments[:0]), PARAMS)
    assert (found["segments"], found["segment_accuracy"]) == (0, None)
    assert found["per"] == round(3 / 9, 4)


def save_project(folder, labels=LABELS, known=LABELS):
    """Write a model that hears what is written, and all else that the stage reads."""
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b", "t", len(LABELS)])
        for name in ("embeddings", "log_probs")
    ]
    node = helper.make_node("Identity", ["embeddings"], ["log_probs"])
    graph = helper.make_graph([node], "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"labels": "\n".join(labels)})
    (folder / "model").mkdir()
    onnx.save(model, folder / "model" / "head.onnx")
    write_json(folder / "model" / "model.json", {"labels": list(known), "kind": "ctc"})
    told, arrays, segments = corpus()
    (folder / "e").mkdir()
    write_arrays(folder / "e", arrays, 2)
    manifest.write(folder / "test.jsonl", told)
    foreign = segments.assign(part="train", symbol="x")
    words = segments.assign(kind="word", symbol="da")
    pd.concat([segments, foreign, words]).to_parquet(folder / "s.parquet", index=False)
    write_json(folder / "onnx.json", ABOUT)
    names = ("model", "e", "test.jsonl", "s.parquet", "onnx.json", "out.json")
    return [folder / name for name in names]


def test_the_shipped_file_is_what_is_scored(tmp_path):
    run(*save_project(tmp_path), PARAMS)
    found = read_json(tmp_path / "out.json")
    assert (found["per"], found["segments"]) == (round(3 / 9, 4), 9)
    assert found["segment_times"] == ["corpus"]
    assert (found["parameters"], found["encoder_parameters"]) == (7, 70)
    assert (found["onnx_head_bytes"], found["onnx_bytes"]) == (8, 80)


def test_scores_are_the_same_byte_for_byte(tmp_path):
    places = save_project(tmp_path)
    run(*places, PARAMS)
    before = (tmp_path / "out.json").read_bytes()
    run(*places, PARAMS)
    assert (tmp_path / "out.json").read_bytes() == before
    assert before.endswith(b"}\n")


def test_a_file_with_other_labels_than_its_description_is_refused(tmp_path):
    places = save_project(tmp_path, known=LABELS[::-1])
    with pytest.raises(ValueError, match=r"head\.onnx: its labels differ from .*export it anew"):
        run(*places, PARAMS)
    assert not places[-1].exists()


def test_an_empty_test_part_is_refused(tmp_path):
    places = save_project(tmp_path)
    places[2].write_text("")
    with pytest.raises(ValueError, match=r"test\.jsonl: no utterance to test on"):
        run(*places, PARAMS)


def test_the_command_reads_params_and_paths(tmp_path, monkeypatch):
    places = save_project(tmp_path)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"evaluate": asdict(PARAMS)}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["evaluate", *map(str, places)])
    stage.main()
    assert read_json(places[-1])["speakers"] == 3
