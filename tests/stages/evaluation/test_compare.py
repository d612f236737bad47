"""One page, one picture, and what is synthetic is called synthetic."""

from __future__ import annotations

import copy
import csv
import sys
from dataclasses import asdict

import pytest
import yaml

from fonoteka.core.files import read_json, write_json
from stages.evaluation.compare import stage
from stages.evaluation.compare.page import interval, page, percent
from stages.evaluation.compare.stage import CompareParams, Lineup, compare, run

PARAMS = CompareParams(title="Models", dpi=50, resamples=200, seed=1, digits=4)
CORPUS = {"parts": {"train": {"speakers": 44, "hours": 1.234}}}
ALIGNMENT = {"clips": {"corpus": 9, "forced": 0}, "start_error": {"clips": 0}}


def metrics(wrong=(10, 30), low=0.1, high=0.3, languages=("bs", "en"), **more):
    """Metrics as the stage evaluate writes them: errors of speakers with 100 phones each."""
    per = sum(wrong) / (100 * len(wrong))
    rates = {"per": per, "per_low": low, "per_high": high}
    judged = {
        f"{name}{end}": value
        for name, value in {
            "segment_accuracy": 0.9, "top3": 0.98, "balanced_accuracy": 0.85, "ece": 0.02,
        }.items()
        for end in ("", "_low", "_high")
    }  # fmt: skip
    return rates | judged | {
        "substitutions": sum(wrong), "deletions": 0, "insertions": 0, "parameters": 250_000,
        "encoder_parameters": 1_700_000, "onnx_bytes": 3 * 2**20, "onnx_head_bytes": 2**20,
        "onnx_int8_bytes": 2**20, "onnx_head_int8_bytes": 2**19, "int8": {"per": per + 0.01},
        "synthetic": True, "speakers": len(wrong), "utterances": 40, "phones": 100 * len(wrong),
        "languages": dict.fromkeys(languages, rates),
        "sources": {"embedded": {"per": per}},
        "by_speaker": {
            f"s{n}": {"errors": errors, "phones": 100} for n, errors in enumerate(wrong)
        },
    } | more  # fmt: skip


MODELS = {"wl": metrics((10, 30)), "mlp": metrics((15, 35), None, None)}
ENSEMBLE = ("all", metrics((5, 25), parameters=None, onnx_int8_bytes=None))
REFERENCE = {  # as the stage compare_heads writes it
    "name": "wl", "speakers": 2, "parameters": 900_000,
    "shape": {"inputs": 192, "outputs": 52, "hidden": 128, "layers": 2, "dropout": 0.2},
    "shipped": {"per": 0.2, "per_low": 0.1, "per_high": 0.3},
    "reference": {"per": 0.205, "per_low": 0.09, "per_high": 0.32},
    "difference": -0.005, "difference_low": -0.02, "difference_high": 0.01,
    "share_of_draws_better": 0.74,
}  # fmt: skip
FULL = Lineup(MODELS, ENSEMBLE, REFERENCE)


def page_of(lineup, **alignment):
    return page(compare(lineup, PARAMS), CORPUS, ALIGNMENT | alignment, "Models")


def test_the_page_is_this_one():
    # The whole page: its wording is an output, so each change of it must be intended.
    result = page_of(FULL)
    assert result.splitlines() == [
        "# Models",
        "",
        "Test split: synthetic speech, 2 unseen speakers, 40 utterances. Training split: 44 "
        "speakers, 1.23 h.",
        "",
        "| model   |    PER |   95 % CI |   segment accuracy |   95 % CI |   top-3 accuracy |"
        "   ECE |   int8 PER |",
        "|:--------|-------:|----------:|-------------------:|----------:|-----------------:|"
        "------:|-----------:|",
        "| mlp     | 25.0 % |         - |             90.0 % | 90.0-90.0 |           98.0 % |"
        " 2.0 % |     26.0 % |",
        "| wl      | 20.0 % | 10.0-30.0 |             90.0 % | 90.0-90.0 |           98.0 % |"
        " 2.0 % |     21.0 % |",
        "| all     | 15.0 % | 10.0-30.0 |             90.0 % | 90.0-90.0 |           98.0 % |"
        " 2.0 % |     16.0 % |",
        "",
        "| model   |   PER bs |   PER en |   parameters |   ONNX fp32 |   ONNX int8 |",
        "|:--------|---------:|---------:|-------------:|------------:|------------:|",
        "| mlp     |   25.0 % |   25.0 % |       0.25 M |     3.0 MiB |     1.0 MiB |",
        "| wl      |   20.0 % |   20.0 % |       0.25 M |     3.0 MiB |     1.0 MiB |",
        "| all     |   15.0 % |   15.0 % |            - |     3.0 MiB |           - |",
        "",
        "PER is the phone error rate with greedy decoding. A 95 % CI is a bootstrap interval over "
        "the test speakers. Segment accuracy is the share of segments whose phone is right, with "
        "the boundaries given; top-3 accuracy is the share whose phone is among the three most "
        "likely ones. ECE is the expected calibration error on the same segments. Parameters are "
        "those of the head; the frozen encoder has 1.70 M. ONNX fp32 is encoder and head in one "
        "file, ONNX int8 the same file with 8-bit weights.",
        "",
        "- PER of wl minus PER of mlp: -5.0 percentage points (95 % CI: -5.0 to -5.0); below 0 in "
        "100 % of the bootstrap resamples.",
        "- PER of all minus PER of wl: -5.0 percentage points (95 % CI: -5.0 to -5.0); below 0 in "
        "100 % of the bootstrap resamples.",
        "",
        "Baseline head, which is not shipped: a bidirectional LSTM of 2 layers with 128 units per "
        "direction (0.90 M parameters), trained for about as long as wl, on the same encoder. PER: "
        "20.5 % (95 % CI: 9.0-32.0).",
        "",
        "- PER of wl minus PER of baseline head: -0.5 percentage points (95 % CI: -2.0 to +1.0); "
        "below 0 in 74 % of the bootstrap resamples.",
        "",
        "Clips by origin of their phone times: corpus 9.",
    ]


@pytest.mark.parametrize(("synthetic", "message"), [(True, "synthetic"), (False, "real")])
def test_the_kind_of_speech_is_above_the_numbers(synthetic, message):
    text = page_of(Lineup({"a": metrics(synthetic=synthetic)}))
    assert f"Test split: {message} speech" in text.partition("|")[0]


def test_two_corpora_have_a_column_each():
    sources = {"mine": {"per": 0.1}, "embedded": {"per": 0.3}}
    text = page_of(Lineup({"a": metrics(sources=sources)}))
    assert "|   PER mine |   PER embedded |" in text
    assert "|     10.0 % |         30.0 % |" in text


def test_the_start_errors_are_beside_the_times():
    starts = {"median_ms": 3.5, "p90_ms": 12.0, "within_20_ms": 0.9, "within_50_ms": 0.98}
    group = {"phone_start": starts, "word_start": starts | {"p90_ms": 20.0}}
    error = {
        method: {"all": group, "sr": group}
        for method in ("aligner", "aligner_with_priors", "plain_ctc")
    }
    text = page_of(
        Lineup(MODELS), start_error={"clips": 7} | error, clips={"forced": 3, "corpus": 9}
    )
    assert "Clips by origin of their phone times: corpus 9, forced 3." in text
    (row,) = [line for line in text.splitlines() if line.startswith("| aligner  ")]
    cells = [cell.strip() for cell in row.split("|")][2:-1]
    assert cells == ["3.5 ms", "12.0 ms", "3.5 ms", "20.0 ms", "98.0 %", "3.5 ms"]
    assert "on the 7 clips of validation and test" in text


def rates_of_words(wer):
    """Scores as the stage evaluate_whisper writes them."""
    rate = {"rate": wer, "low": wer / 2, "high": 2 * wer}
    scores = {"wer": {"canonical": rate, "as_written": rate}, "cer": {"canonical": rate}}
    return scores | {"clips": 8, "languages": {"sr": scores}}


def test_words_have_a_table_of_their_own_with_the_base_beside_it():
    words = {
        "run": "tuned", "base": rates_of_words(0.5), "tuned": rates_of_words(0.1),
        "tuned_on_the_clips_of_the_base": rates_of_words(0.1),
        "tuned_minus_base": {
            "wer": {"canonical": {"difference": -0.4, "low": -0.5, "high": -0.3}}
        },
    }  # fmt: skip
    text = page(compare(Lineup(MODELS), PARAMS), CORPUS, ALIGNMENT, "Models", words)
    section = text.partition("\n## Words\n")[2]
    assert "50.0 % (25.0-100.0)" in section
    assert "10.0 % (5.0-20.0)" in section
    assert "on the same clips: -40.0 percentage points (95 % CI: -50.0 to -30.0)." in section
    assert "## Words" not in page_of(Lineup(MODELS))


def test_streams_have_a_table_of_their_own_with_the_offline_models_below_it():
    lag = {f"{p}{end}": 115.2 for p in ("p50", "p90") for end in ("", "_low", "_high")}
    row = {
        "per": 0.11, "per_low": 0.09, "per_high": 0.13, "offline_per": 0.1, "erasure": 0.02,
        "commit_lag_ms": lag, "first_emission_ms": lag, "streams": 2, "sources": {},
        "equal_to_offline": 1.0, "unstable_partials": 0.0, "committed_changed": 0,
    }  # fmt: skip
    streams = {
        "models": {"stream": {"exact": row}, "whole": {"hold-2": row, "agree-2": row}},
        "offline": {"whole": 0.07}, "seconds": 90.0, "chunk_ms": 20.0,
    }  # fmt: skip
    text = page(compare(Lineup(MODELS), PARAMS), CORPUS, ALIGNMENT, "Models", None, streams)
    section = text.partition("\n## Streams\n")[2].partition("\n\nClips by origin")[0]
    lines = [[cell.strip() for cell in line.split("|")][1:-1] for line in section.splitlines()]
    assert [line[:4] for line in lines[3:6]] == [
        ["stream", "exact", "2", "11.0 % (9.0-13.0)"],
        ["whole", "hold-2", "2", "11.0 % (9.0-13.0)"],
        ["whole", "agree-2", "2", "11.0 % (9.0-13.0)"],
    ]
    assert "1.5 minutes, in chunks of 20 ms;" in section
    assert section.endswith("PER of the whole streams offline: whole 7.0 %.")
    assert "## Streams" not in page_of(Lineup(MODELS))


def test_encoders_of_two_sizes_are_named_with_their_models():
    large = metrics(encoder_parameters=20_600_000)
    text = page_of(Lineup({"a": metrics(), "b": metrics(), "c": large}))
    assert "the frozen encoders have 1.70 M (a, b), 20.60 M (c)." in text


def test_one_model_alone_is_compared_with_none():
    assert compare(Lineup({"a": metrics()}), PARAMS)["paired"] == []
    assert "minus" not in page_of(Lineup({"a": metrics()}))


def test_a_difference_on_one_speaker_has_no_interval():
    result = compare(Lineup({"a": metrics((10,)), "b": metrics((12,))}), PARAMS)["paired"]
    assert result == [{
        "ours": "a", "theirs": "b", "difference": -0.02, "difference_low": None,
        "difference_high": None, "better_draws": None,
    }]  # fmt: skip
    text = page_of(Lineup({"a": metrics((10,)), "b": metrics((12,))}))
    assert "- PER of a minus PER of b: -2.0 percentage points (one speaker: no interval)." in text


@pytest.mark.parametrize("count", ["speakers", "utterances", "phones"])
@pytest.mark.parametrize("place", ["single", "ensemble"])
def test_models_scored_on_other_test_splits_are_refused(count, place):
    other = "b", metrics(**{count: 1})
    singles = {"a": metrics()} | dict([other] if place == "single" else [])
    with pytest.raises(ValueError, match=r"different test splits .*2, 40, 200.*run dvc repro"):
        compare(Lineup(singles, other if place == "ensemble" else None), PARAMS)


def test_models_scored_on_other_speakers_are_not_paired():
    other = metrics(by_speaker={"x": {"errors": 1, "phones": 200}})
    with pytest.raises(ValueError, match=r"the test parts differ: \{'s0': 100"):
        compare(Lineup({"a": metrics(), "b": other}), PARAMS)


@pytest.mark.parametrize("wrong", [{"name": "other"}, {"speakers": 3}])
def test_a_baseline_of_another_model_or_other_speakers_is_refused(wrong):
    message = (
        r"the baseline head was compared with '.*' on \d test speakers, .*'wl': 2.*run dvc repro"
    )
    with pytest.raises(ValueError, match=message):
        compare(Lineup(MODELS, ENSEMBLE, REFERENCE | wrong), PARAMS)


def test_the_json_has_one_entry_per_model_and_the_ensemble_last():
    result = compare(copy.deepcopy(FULL), PARAMS)
    assert list(result["models"]) == ["mlp", "wl", "all"]
    single = result["models"]["wl"]
    assert (single["per"], single["per_low"], single["test_speakers"], single["top3"]) == (
        0.2,
        0.1,
        2,
        0.98,
    )
    assert single["languages"] == {"bs": 0.2, "en": 0.2}
    assert single["int8_per"] == pytest.approx(0.21)


def test_the_reference_is_not_a_model_among_the_others():
    result = compare(FULL, PARAMS)
    assert list(result["models"]) == ["mlp", "wl", "all"]
    assert (result["reference"]["per"], result["reference"]["per_high"]) == (0.205, 0.32)
    assert result["reference"]["against"] == {
        "ours": "wl", "theirs": "baseline head", "difference": -0.005, "difference_low": -0.02,
        "difference_high": 0.01, "better_draws": 0.74,
    }  # fmt: skip


def test_a_model_that_has_no_int8_file_has_no_rate_for_it():
    without = metrics()
    del without["int8"]
    assert compare(Lineup({"a": without}), PARAMS)["models"]["a"]["int8_per"] is None


def test_the_best_meets_the_second_and_the_ensemble_meets_the_best():
    three = MODELS | {"mid": metrics((12, 31))}
    result = compare(Lineup(three, ENSEMBLE), PARAMS)["paired"]
    assert [(p["ours"], p["theirs"]) for p in result] == [("wl", "mid"), ("all", "wl")]
    assert [p["difference"] for p in result] == [-0.015, -0.05]


def test_equal_models_are_ordered_by_name():
    result = compare(Lineup({"b": metrics(), "a": metrics()}), PARAMS)["paired"]
    assert [(p["ours"], p["difference"], p["better_draws"]) for p in result] == [("a", 0.0, 0.0)]


def test_shares_are_percent_with_one_decimal_and_nothing_is_a_dash():
    assert (percent(0.0), percent(1.5), percent(None)) == ("0.0 %", "150.0 %", "-")
    assert (interval(0.05, 0.1), interval(None, None)) == ("5.0-10.0", "-")


def save_inputs(folder):
    """Write what the stage reads; the metrics of the models lie in a folder of their own."""
    for name, values in FULL.models.items():
        write_json(folder / f"metrics/{name}.json", values)
    write_json(folder / "ref.json", REFERENCE)
    write_json(folder / "corpus.json", CORPUS)
    write_json(folder / "alignment.json", ALIGNMENT)


def test_two_runs_are_equal_byte_for_byte(tmp_path):
    save_inputs(tmp_path)
    result = []
    for name in ("first", "second"):
        out = tmp_path / name / "comparison.json"
        run(
            FULL, tmp_path / "corpus.json", tmp_path / "alignment.json", out,
            out.with_name("by.csv"), PARAMS,
        )  # fmt: skip
        result.append({p.name: p.read_bytes() for p in out.parent.iterdir()})
    assert sorted(result[0]) == ["by.csv", "comparison.json", "comparison.md", "comparison.png"]
    assert result[0] == result[1]
    assert result[0]["comparison.png"].startswith(b"\x89PNG")


def test_the_command_reads_params_and_paths(tmp_path, monkeypatch):
    save_inputs(tmp_path)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"compare": asdict(PARAMS)}))
    monkeypatch.chdir(tmp_path)
    options = {
        "ensemble": "all", "reference": "ref.json", "corpus": "corpus.json",
        "alignment": "alignment.json", "by-language": "by.csv", "out": "out.json",
    }  # fmt: skip
    args = [word for name, value in options.items() for word in (f"--{name}", value)]
    monkeypatch.setattr(sys, "argv", ["compare", "metrics", *args])
    stage.main()
    result = read_json(tmp_path / "out.json")
    assert sorted(result["models"]) == ["all", "mlp", "wl"]
    assert result["reference"]["against"]["ours"] == "wl"
    assert (tmp_path / "out.md").read_text().startswith("# Models\n")
    with (tmp_path / "by.csv").open(encoding="utf-8", newline="") as file:
        rows = [tuple(row.values()) for row in csv.DictReader(file)]
    assert rows[:3] == [("mlp", "bs", "0.25"), ("mlp", "en", "0.25"), ("wl", "bs", "0.2")]
    assert len(rows) == 6


def test_models_without_an_ensemble_and_a_reference_are_compared_too(tmp_path, monkeypatch):
    save_inputs(tmp_path)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"compare": asdict(PARAMS)}))
    monkeypatch.chdir(tmp_path)
    args = "--corpus corpus.json --alignment alignment.json --by-language by.csv --out out.json"
    monkeypatch.setattr(sys, "argv", ["compare", "metrics", *args.split()])
    (tmp_path / "metrics/all.json").unlink()
    stage.main()
    assert "reference" not in read_json(tmp_path / "out.json")


def test_metrics_that_are_not_in_the_folder_are_named(tmp_path):
    with pytest.raises(ValueError, match="no metrics of a model; run dvc repro"):
        stage.lineup_of(tmp_path, None, None)
    write_json(tmp_path / "mlp.json", MODELS["mlp"])
    with pytest.raises(ValueError, match=r"no all\.json; found \['mlp'\]"):
        stage.lineup_of(tmp_path, "all", None)
