"""Scores of the small models, hop by hop: what is right, how late it is, and for whom."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from stream_maker import BANDS, HOP_S, SCORED, scored, small

from fonoteka.core.files import read_json, write_json
from fonoteka.realtime.events import Counts
from fonoteka.realtime.frame_labels import TASKS, delayed
from stages.realtime.evaluate_realtime import stage
from stages.realtime.evaluate_realtime.hop_scores import Examiner, Heard, counts_by, report_of
from stages.realtime.evaluate_realtime.stage import read_heard

pytestmark = pytest.mark.torch
ROWS = [("z", 0.02, 0.05), ("a", 0.05, 0.10), ("p", 0.15, 0.20), ("a", 0.45, 0.50)]
HOPS = 60
DELAY = 2


def heard(rows=ROWS, speaker="mine/ana", source="mine", language="hr", hops=HOPS):
    names = (np.full(hops, name, dtype=object) for name in (source, language))
    return Heard(np.zeros((hops, BANDS), np.float32), rows, speaker, *names)


def examiner(name, delay=DELAY):
    return Examiner({"name": name, "delay_hops": delay, "threshold": 0.5}, HOP_S, SCORED)


def answers(name, rows=ROWS, late=DELAY, hops=HOPS):
    """The outputs of a model that knows all and answers `late` hops after the sound."""
    question = TASKS[name]
    labels = delayed(question.labels(rows, hops, HOP_S), late)
    if len(question.names) == 1:
        return labels[:, None].astype(np.float32)
    return np.eye(len(question.names), dtype=np.float32)[labels]


def reported(name, said, streams, delay=DELAY):
    asked = examiner(name, delay)
    habit = asked.habit_of([(stream.rows, len(stream.frames)) for stream in streams])
    return report_of(asked, iter(said), streams, habit)


@pytest.mark.parametrize("name", sorted(TASKS))
def test_a_model_that_knows_all_scores_one(name):
    found = reported(name, [answers(name)] * 2, [heard(), heard(speaker="mine/ivo")])
    assert (found["score"], found["low"], found["high"]) == (1, 1, 1)
    assert (found["languages"], found["sources"]) == ({"hr": 1}, {"mine": 1})
    assert found["delay_ms"]["without_answer"] == found["delay_ms"]["answered_before"] == 0


@pytest.mark.parametrize("name", ["speech", "voicing", "phone", "viseme"])
def test_a_model_that_always_says_the_commonest_scores_as_habit_does(name):
    names = len(TASKS[name].names)
    commonest = int(examiner(name).habit_of([(ROWS, HOPS)]))
    assert commonest == (1 if names == 1 else 0)  # silence, in these rows
    said = np.eye(max(2, names), dtype=np.float32)[np.full(HOPS, commonest)]
    found = reported(name, [said[:, -names:]], [heard()], delay=0)
    assert found["score"] == found["baseline"]
    assert 0 < found["score"] < 1


def test_the_habit_of_yes_and_no_is_counted_by_hand():
    speech = TASKS["speech"].labels(ROWS, HOPS, HOP_S).sum()
    found = reported("speech", [np.zeros((HOPS, 1), np.float32)], [heard()])
    assert found["baseline"] == pytest.approx(2 * speech / (speech + HOPS))
    assert found["score"] == 0


def test_who_beats_time_for_onsets_is_right_when_they_come_in_time():
    rows = [("a", 0.05 + 0.1 * n, 0.1 + 0.1 * n) for n in range(6)]
    found = reported("onset", [answers("onset", rows)], [heard(rows)])
    assert found["baseline"] == 1
    assert reported("onset", [answers("onset")], [heard()])["baseline"] < 0.7


@pytest.mark.parametrize("late", [0, 1, 4])
@pytest.mark.parametrize("name", ["speech", "voicing", "phone", "viseme"])
def test_a_delay_is_what_the_answer_was_late_and_its_own_hop(name, late):
    found = reported(name, [answers(name, late=late)], [heard()], delay=late)
    assert found["delay_ms"]["median"] == pytest.approx(10 * (late + 1))
    assert found["delay_ms"]["p90"] == pytest.approx(10 * (late + 1))
    assert found["score"] == 1


def test_an_onset_is_known_a_hop_after_its_peak():
    found = reported("onset", [answers("onset")], [heard()])
    # The peak is two hops after the hop in which the phone begins; that hop and one more pass.
    assert found["delay_ms"]["median"] == pytest.approx(10 * (DELAY + 2))
    assert found["delay_ms"]["changes"] == len(ROWS)


def test_onsets_count_within_their_tolerance():
    early = answers("onset", late=DELAY - 1)  # 5 ms before the onset: a hop's middle
    assert reported("onset", [early], [heard()])["score"] == 1
    late = answers("onset", late=DELAY + 2)  # 25 ms after it
    found = reported("onset", [late], [heard()])
    # 25 ms after the first of two neighbours is 5 ms before the second.
    assert found["score"] == pytest.approx(2 * 1 / 8)
    assert found["delay_ms"]["without_answer"] == 3


def test_a_change_without_an_answer_is_counted():
    said = answers("speech")
    said[40:] = 0
    found = reported("speech", [said], [heard()])["delay_ms"]
    assert (found["changes"], found["without_answer"], found["answered_before"]) == (4, 1, 1)
    none = reported("speech", [np.zeros((HOPS, 1), np.float32)], [heard()])["delay_ms"]
    assert (none["median"], none["without_answer"], none["answered_before"]) == (None, 2, 2)


def test_each_language_and_corpus_has_its_own_hops():
    names = np.array(["hr"] * 30 + ["en"] * 30, dtype=object)
    stream = replace(heard(), languages=names)
    said = answers("phone")
    said[30:, :] = 0
    said[30:, 1] = 1
    found = reported("phone", [said], [stream])
    right = (answers("phone")[30:].argmax(axis=1) == 1).mean()
    assert found["languages"] == {"en": pytest.approx(right), "hr": 1}
    assert found["score"] == found["sources"]["mine"] == pytest.approx((1 + right) / 2)


def test_counts_of_languages_add_up_to_those_of_all():
    asked, rng = examiner("onset"), np.random.default_rng(1)
    streams = [replace(heard(), languages=rng.choice(["hr", "en"], HOPS).astype(object))] * 3
    marks = [asked.marked(rng.random((HOPS, 1)).astype(np.float32), s) for s in streams]
    apart = counts_by([(m, s.languages) for m, s in zip(marks, streams, strict=True)])
    sums = [Counts(int(m.hits.sum()), int(m.extra.sum()), int(m.missed.sum())) for m in marks]
    assert sum(apart.values(), Counts()) == sum(sums, Counts())


def test_an_interval_is_over_speakers_and_one_has_none():
    bad = np.zeros((HOPS, 1), np.float32)
    ana, ivo = heard(), heard(speaker="mine/ivo")
    found = reported("speech", [answers("speech"), answers("speech"), bad], [ana, ana, ivo])
    assert (found["low"], found["high"]) == (0, 1)  # a draw may hold one of them alone
    alone = reported("speech", [answers("speech"), bad], [ana, ana])
    assert (alone["low"], alone["high"]) == (None, None)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Toy streams, two untrained models and their exports."""
    folder = small(tmp_path_factory)
    models, exports = (
        {name: folder / kind / name for name in ("phone", "speech")}
        for kind in ("models", "export")
    )
    return SimpleNamespace(toy=folder / "toy", models=models, exports=exports)


def test_a_report_has_each_model_and_who_was_heard(made, tmp_path):
    found = read_json(scored(made.toy, tmp_path, made.exports, made.models))
    assert sorted(found["models"]) == ["phone", "speech"]
    table = pd.read_parquet(made.toy / "times.parquet")
    assert (found["streams"], found["speakers"], found["synthetic"]) == (4, 4, True)
    own = read_heard(made.toy / "streams", table[table["part"] == "test"], HOP_S)
    assert found["hops"] == sum(len(stream.frames) for stream in own)
    assert list(found["models"]["phone"]["sources"]) == ["mine", "tts"]


def test_a_pause_belongs_to_what_comes_after_it():
    rows = [("mine", "hr", "a", 0.02, 0.04), ("tts", "en", "s", 0.06, 0.08)]
    columns = ["source", "language", "phone", "start_s", "end_s"]
    table = pd.DataFrame(rows, columns=columns).assign(stream="x", speaker="x", part="test")
    frames = np.zeros((10, BANDS), np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "read_arrays", lambda *_: {"x": frames})
        (stream,) = read_heard(None, table.iloc[::-1], HOP_S)
    assert stream.languages.tolist() == ["hr"] * 4 + ["en"] * 6


def test_mixed_up_models_are_refused(made, tmp_path):
    with pytest.raises(ValueError, match=r"exports of \['phone'\]; run dvc repro"):
        scored(made.toy, tmp_path, {"phone": made.exports["phone"]}, made.models)
    shutil.copytree(made.models["phone"], tmp_path / "speech")
    with pytest.raises(ValueError, match=r"call themselves \['phone', 'phone'\]"):
        scored(made.toy, tmp_path, made.exports, made.models | {"speech": tmp_path / "speech"})


def test_a_part_without_a_stream_is_one_clear_sentence(made, tmp_path):
    toy = tmp_path / "toy"
    shutil.copytree(made.toy, toy)
    table = pd.read_parquet(toy / "times.parquet")
    table[table["part"] != "test"].to_parquet(toy / "times.parquet", index=False)
    with pytest.raises(ValueError, match="and 0 of the test part; both are needed"):
        scored(toy, tmp_path, made.exports, made.models)


def test_the_command_reads_its_section_and_its_paths(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    section = {"tolerance_s": 0.02, "longest_delay_s": 0.2, "resamples": 5, "seed": 1, "digits": 2}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"evaluate_realtime": section}))
    places = [str(made.toy / name) for name in ("streams", "times.parquet", "frontend.json")]
    given = ["--exports", *map(str, made.exports.values())]
    given += ["--models", *map(str, made.models.values())]
    monkeypatch.setattr(sys, "argv", ["evaluate_realtime", *places, "out.json", *given])
    stage.main()
    assert read_json(tmp_path / "out.json")["tolerance_ms"] == 20
    write_json(tmp_path / "frontend.json", {"version": 9})
    monkeypatch.setattr(
        sys, "argv", ["evaluate_realtime", *places[:2], "frontend.json", "out.json", *given]
    )
    with pytest.raises(ValueError, match="version 9"):
        stage.main()
