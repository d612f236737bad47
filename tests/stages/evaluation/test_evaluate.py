"""Scores are those counted by hand, for every language, corpus, speaker, length and phone."""

from __future__ import annotations

import csv
import sys
from dataclasses import asdict, replace

import pytest
import yaml
from posterior_maker import HEARD, part_of, save_part

from fonoteka.core.files import read_json, write_json
from fonoteka.phones import INVENTORY
from fonoteka.tables import write_table
from stages.evaluation.evaluate import stage
from stages.evaluation.evaluate.stage import EvaluateOutputs, EvaluateParams, report, run
from stages.evaluation.evaluate.summary import confusion, phone_rows
from stages.evaluation.observation import observe

PARAMS = EvaluateParams(
    resamples=200, seed=1, digits=4, confidence_bins=15, lengths=(2, 10), most_frequent=5, dpi=30
)
LIGHT = ["d o", "d o", "n", "h i m"]  # phones that the int8 file predicts


def observed(*args, **more):
    utterances, arrays, _ = part_of(*args, **more)
    segments = {u.id: [INVENTORY.index(p) for p in u.phones] for u in utterances}
    return list(observe(utterances, arrays, segments, "posteriors"))


def test_the_report_is_that_counted_by_hand():
    result = report(observed(), PARAMS)
    counts = {k: result[k] for k in ("substitutions", "deletions", "insertions", "phones")}
    assert counts == {"substitutions": 1, "deletions": 1, "insertions": 1, "phones": 9}
    assert result["per"] == round(3 / 9, 4)
    assert result["segment_accuracy"] == round(7 / 9, 4)
    assert (result["segments"], result["speakers"], result["utterances"]) == (9, 3, 4)
    assert {k: v["per"] for k, v in result["languages"].items()} == {
        "en": round(1 / 3, 4), "hr": 0.25, "sr": 0.5,
    }  # fmt: skip
    assert {k: v["per"] for k, v in result["sources"].items()} == {
        "real": round(2 / 6, 4), "tts": round(1 / 3, 4),
    }  # fmt: skip
    assert result["by_speaker"]["real/ana"] == {
        "errors": 1, "per": 0.25, "phones": 4, "segment_accuracy": 0.75, "utterances": 2,
    }  # fmt: skip


def test_the_phones_of_segments_are_judged_in_four_ways():
    result = report(observed(), PARAMS)
    # d 2 of 2, a 1 of 2, n 1 of 1, e 0 of 1, h, i and m 1 of 1
    assert result["balanced_accuracy"] == round((1 + 0.5 + 1 + 0 + 3) / 7, 4)
    # all are 80 % sure, and 7 of 9 right
    assert result["ece"] == round(0.8 - 7 / 9, 4)
    used = [row for row in result["reliability"] if row["segments"]]
    # 0.8 is 12 fifteenths, and a little more in float32
    assert [(r["segments"], r["confidence"], r["accuracy"]) for r in used] == [(9, 0.8, 0.7778)]
    assert len(result["reliability"]) == 15
    # all other phones are equally likely, so that the first of the inventory are near
    assert 7 / 9 <= result["top3"] <= 1


@pytest.mark.parametrize("rate", ["per", "segment_accuracy", "top3", "balanced_accuracy", "ece"])
def test_an_interval_is_over_speakers_and_one_speaker_has_none(rate):
    result = report(observed(), PARAMS)
    assert result[f"{rate}_low"] <= result[rate] <= result[f"{rate}_high"]
    assert "interval" not in result
    assert "segment_interval" not in result
    english = result["languages"]["en"]
    assert english[rate] is not None
    assert (english[f"{rate}_low"], english[f"{rate}_high"]) == (None, None)
    assert english["interval"] == "one speaker: no interval over speakers"
    assert english["segment_interval"] == "one speaker with segments: no interval over speakers"


def test_speakers_who_differ_leave_doubt():
    result = report(observed(), PARAMS)
    # speakers err in 1 of 4, 1 of 2 and 1 of 3: no draw of them leaves 0.25 to 0.5
    assert 0.25 <= result["per_low"] < result["per"] < result["per_high"] <= 0.5


@pytest.mark.parametrize("synthetic", [True, False])
def test_one_synthetic_clip_makes_the_scores_synthetic(synthetic):
    assert report(observed(synthetic=synthetic), PARAMS)["synthetic"] == synthetic


def test_without_segments_there_is_no_accuracy_and_the_report_states_it():
    utterances, arrays, _ = part_of()
    bare = {key: array for key, array in arrays.items() if "#" not in key}
    result = report(list(observe(utterances, bare, {}, "posteriors")), PARAMS)
    assert (result["segments"], result["utterances_without_segments"]) == (0, 4)
    for rate in ("segment_accuracy", "top3", "balanced_accuracy", "ece"):
        assert (result[rate], result[f"{rate}_low"]) == (None, None)
    assert result["segment_interval"] == "no speaker with segments: no interval over speakers"
    assert result["per"] == round(3 / 9, 4)


def test_errors_are_reported_by_the_length_of_utterances():
    result = report(observed(), PARAMS)["lengths"]
    assert result == {
        "01-02": {"errors": 2, "per": round(2 / 6, 4), "phones": 6, "utterances": 3},
        "03-10": {"errors": 1, "per": round(1 / 3, 4), "phones": 3, "utterances": 1},
        "11-": {"errors": 0, "per": None, "phones": 0, "utterances": 0},
    }


@pytest.mark.parametrize("lengths", [(), (0, 5), (5, 5), (9, 3)])
def test_lengths_that_do_not_rise_are_refused(lengths):
    with pytest.raises(ValueError, match=r"evaluate\.lengths must rise from above 0, found \["):
        replace(PARAMS, lengths=lengths)


def test_an_utterance_without_a_reference_is_counted_and_is_in_no_rate():
    silent = ("real/mia", "bs", "", "d a", "")
    result = report(observed([*HEARD, silent]), PARAMS)
    assert result.pop("empty_references") == {"utterances": 1, "insertions": 2}
    without = report(observed(), PARAMS)
    assert without.pop("empty_references") == {"utterances": 0, "insertions": 0}
    assert result == without


def test_a_test_part_without_a_reference_is_refused():
    with pytest.raises(ValueError, match="none of 1 test utterances holds a phone"):
        report(observed([("a/x", "hr", "", "d", "")]), PARAMS)


def test_the_most_frequent_errors_come_first():
    result = report(observed([*HEARD, ("real/mia", "hr", "d e a", "d a a o o", "d e a")]), PARAMS)
    assert result["most_frequent_substitutions"] == [
        {"reference": "a", "hypothesis": "o", "count": 1},
        {"reference": "e", "hypothesis": "a", "count": 1},
    ]  # fmt: skip
    assert result["most_frequent_deletions"] == [{"reference": "e", "count": 1}]
    assert result["most_frequent_insertions"] == [
        {"hypothesis": "o", "count": 2}, {"hypothesis": "s", "count": 1},
    ]  # fmt: skip
    none_listed = report(observed(), replace(PARAMS, most_frequent=0))
    assert none_listed["most_frequent_insertions"] == []


def test_the_int8_file_is_compared_on_the_same_draws():
    result = report(observed(light=LIGHT), PARAMS)["int8"]
    assert result["per"] == round(3 / 9, 4)  # one phone more wrong, one insertion less
    assert (result["difference"], result["decoded_symbols"]) == (0.0, 9)
    assert result["decoded_symbols_changed"] == 2
    assert result["difference_low"] < 0 < result["difference_high"]
    assert result["per_low"] <= result["per"] <= result["per_high"]


def test_an_int8_file_with_the_same_phones_differs_by_0():
    result = report(observed(light=[phones for _, _, _, phones, _ in HEARD]), PARAMS)["int8"]
    assert (result["difference_low"], result["difference"], result["difference_high"]) == (0, 0, 0)
    assert result["decoded_symbols_changed"] == 0


def test_without_an_int8_file_the_report_has_none():
    assert "int8" not in report(observed(), PARAMS)


def test_a_phone_has_its_rates_and_its_errors():
    rows = {row["phone"]: row for row in phone_rows(observed())}
    assert list(rows) == list(INVENTORY)
    a = rows["a"]  # predicted twice, once for e; twice a label, once predicted as o
    assert (a["segments"], a["precision"], a["recall"], a["f1"]) == (2, 0.5, 0.5, 0.5)
    assert a["accuracy"] == pytest.approx(7 / 9)
    assert (a["substitutions"], a["deletions"], a["insertions"]) == (1, 0, 0)
    assert rows["e"]["deletions"] == rows["s"]["insertions"] == 1
    assert rows["o"]["substitutions"] == 0


def test_confusions_are_counted_in_segments():
    counts = confusion(observed())
    assert counts.sum() == 9
    assert counts[INVENTORY.index("a"), INVENTORY.index("o")] == 1
    assert counts[INVENTORY.index("e"), INVENTORY.index("a")] == 1


def save_project(folder, **more):
    places = save_part(folder, *part_of(**more))
    out = EvaluateOutputs(*(folder / name for name in ("m.json", "p.csv", "c.png", "c.csv")))
    return ["toy", *places, out]


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_all_results_are_written(tmp_path):
    *places, out = save_project(tmp_path, light=LIGHT)
    run(*places, out, PARAMS)
    result = read_json(out.metrics)
    assert (result["per"], result["segments"]) == (round(3 / 9, 4), 9)
    assert result["segment_times"] == ["corpus"]
    assert (result["parameters"], result["encoder_parameters"]) == (7, 70)
    assert (result["onnx_head_bytes"], result["onnx_bytes"]) == (8, 80)
    assert (result["onnx_head_int8_bytes"], result["onnx_int8_bytes"]) == (2, 20)
    assert rows_of(out.confusion)[:4] == [
        {"reference": "d", "hypothesis": "d"}, {"reference": "a", "hypothesis": "a"},
        {"reference": "d", "hypothesis": "d"}, {"reference": "a", "hypothesis": "o"},
    ]  # fmt: skip
    assert len(rows_of(out.confusion)) == 9
    assert out.picture.read_bytes().startswith(b"\x89PNG")


def test_a_rate_that_is_undefined_is_left_empty_and_not_zero(tmp_path):
    *places, out = save_project(tmp_path)
    run(*places, out, PARAMS)
    rows = {row["phone"]: row for row in rows_of(out.phones)}
    assert list(rows) == list(INVENTORY)
    rates = ("precision", "recall", "f1", "accuracy")
    assert [rows["e"][k] for k in rates] == ["", "0.0", "", "0.8889"]  # never predicted
    assert [rows["o"][k] for k in rates] == ["0.0", "", "", "0.8889"]  # never a label
    assert [rows["z"][k] for k in ("precision", "recall", "f1")] == ["", "", ""]
    assert rows["z"]["segments"] == rows["z"]["deletions"] == "0"


def test_a_model_without_some_files_has_no_sizes_for_them(tmp_path):
    *places, out = save_project(tmp_path)
    write_json(places[-1], {"parameters": {"encoder": 70}, "bytes": {"model": 80}})
    run(*places, out, PARAMS)
    result = read_json(out.metrics)
    assert (result["onnx_bytes"], result["encoder_parameters"]) == (80, 70)
    missing = ("onnx_head_bytes", "onnx_int8_bytes", "onnx_head_int8_bytes", "parameters")
    assert [result[key] for key in missing] == [None] * 4


def test_scores_are_the_same_byte_for_byte(tmp_path):
    *places, out = save_project(tmp_path, light=LIGHT)
    runs = []
    for _ in range(2):
        run(*places, out, PARAMS)
        runs.append([path.read_bytes() for path in vars(out).values()])
    assert runs[0] == runs[1]
    assert runs[0][0].endswith(b"}\n")


def test_a_picture_of_every_phone_is_small(tmp_path):
    every = " ".join(INVENTORY)
    clips = [("a/x", "en", every, every, " ".join(INVENTORY[::-1]))]
    places = save_part(tmp_path, *part_of(clips))
    out = EvaluateOutputs(*(tmp_path / name for name in ("m.json", "p.csv", "c.png", "c.csv")))
    run("toy", *places, out, replace(PARAMS, dpi=100))
    assert out.picture.stat().st_size < 150_000


def test_an_empty_test_part_is_refused(tmp_path):
    *places, out = save_project(tmp_path)
    places[2].write_text("")
    with pytest.raises(ValueError, match=r"test\.jsonl: no utterance to test on"):
        run(*places, out, PARAMS)
    assert not out.metrics.exists()


def test_the_command_reads_params_and_paths(tmp_path, monkeypatch):
    name, *places, out = save_project(tmp_path)
    (tmp_path / "params.yaml").write_text(
        yaml.safe_dump({
            "evaluate": asdict(PARAMS) | {"lengths": [2, 10]}, "privacy": {"name_people": False},
        })
    )  # fmt: skip
    save_speakers(tmp_path)
    monkeypatch.chdir(tmp_path)
    results = [word for key, path in vars(out).items() for word in (f"--{key}", str(path))]
    args = [*map(str, places), *results, "--speakers", "speakers.csv"]
    monkeypatch.setattr(sys, "argv", ["evaluate", name, *args])
    stage.main()
    assert read_json(out.metrics)["speakers"] == 3
    assert "ana" not in out.metrics.read_text()


def save_speakers(folder, *names):
    rows = [{"speaker": name} for name in names or ("real/ana", "real/iva", "real/ivo", "tts/eva")]
    write_table(folder / "speakers.csv", ("speaker",), rows)
    return folder / "speakers.csv"


def test_people_have_pseudonyms_and_synthetic_voices_by_name(tmp_path):
    *places, out = save_project(tmp_path, light=LIGHT)
    run(*places, out, PARAMS)
    named = read_json(out.metrics)
    run(*places, out, PARAMS, save_speakers(tmp_path))
    result = read_json(out.metrics)
    assert list(result["by_speaker"]) == ["real/speaker 001", "real/speaker 003", "tts/eva"]
    # the speakers are the same, so that no number of the others is another
    assert result["by_speaker"].pop("real/speaker 003") == named["by_speaker"].pop("real/ivo")
    assert result["by_speaker"].pop("real/speaker 001") == named["by_speaker"].pop("real/ana")
    assert result == named


def test_a_speaker_whom_the_table_does_not_know_is_an_error(tmp_path):
    *places, out = save_project(tmp_path)
    with pytest.raises(ValueError, match=r"csv: 1 speakers .* no row, first 'real/ana'; run dvc"):
        run(*places, out, PARAMS, save_speakers(tmp_path, "real/ivo"))
    assert not out.metrics.exists()
