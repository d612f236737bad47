"""One table, one picture, and what was spoken by a machine is said to be."""

from __future__ import annotations

import copy
import sys

import pytest
import yaml

from stages.common.files import read_json, write_json
from stages.evaluation import compare as stage
from stages.evaluation.compare import CompareParams, compare, interval, markdown, percent, run

PARAMS = CompareParams(title="Models", dpi=50)
CORPUS = {"parts": {"train": {"speakers": 44, "hours": 1.234}}}
NO_ERROR = {"clips": 0, "median_ms": None, "p90_ms": None, "within_20_ms": None}
ALIGNMENT = {"clips": {"corpus": 9, "forced": 0}, "forced_start_error": NO_ERROR}


def metrics(per, low=0.1, high=0.3, **more):
    return {
        "per": per, "per_low": low, "per_high": high, "segment_accuracy": 0.9,
        "segment_accuracy_low": 0.8, "segment_accuracy_high": 1.0, "parameters": 250_000,
        "encoder_parameters": 1_700_000, "onnx_bytes": 3 * 2**20, "onnx_head_bytes": 2**20,
        "synthetic": True, "speakers": 12, "utterances": 40, "phones": 900,
        "languages": {"bs": {"per": per}, "en": {"per": 2 * per}},
        "sources": {"embedded": {"per": per}},
    } | more  # fmt: skip


MODELS = {"wl": metrics(0.2), "mlp": metrics(0.25, None, None)}


def table_of(models, **alignment):
    return markdown(compare(models), CORPUS, ALIGNMENT | alignment, "Models")


def test_the_table_is_this_one():
    one = {name: m | {"languages": {"bs": {"per": m["per"]}}} for name, m in MODELS.items()}
    assert table_of(one).splitlines() == [
        "# Models",
        "",
        "Test: synthetic speech, 12 voices none of the models has heard, 40 utterances. "
        "Train: 44 voices, 1.23 h.",
        "",
        "| model |    PER |      95 % | segment accuracy | PER bs | parameters |    ONNX |",
        "|-------|-------:|----------:|-----------------:|-------:|-----------:|--------:|",
        "| mlp   | 25.0 % |         - |           90.0 % | 25.0 % |     0.25 M | 3.0 MiB |",
        "| wl    | 20.0 % | 10.0-30.0 |           90.0 % | 20.0 % |     0.25 M | 3.0 MiB |",
        "",
        "PER is the phone error rate of the greedy path; the interval is over speakers. Segment "
        "accuracy names each phone given where it is, on the same segments for every model. "
        "Parameters are the head's; the frozen encoder below it has 1.70 M. ONNX is encoder and "
        "head in one file.",
        "",
        "Phone times (clips): 9 corpus.",
    ]


@pytest.mark.parametrize(("synthetic", "said"), [(True, "synthetic"), (False, "real")])
def test_who_spoke_is_said_above_the_numbers(synthetic, said):
    text = table_of({"a": metrics(0.2, synthetic=synthetic)})
    assert f"Test: {said} speech" in text.partition("|")[0]


def test_two_corpora_have_a_column_each():
    sources = {"mine": {"per": 0.1}, "embedded": {"per": 0.3}}
    text = table_of({"a": metrics(0.2, sources=sources)})
    assert "PER mine | PER embedded" in text
    assert "|   10.0 % |       30.0 % |" in text


def test_the_boundary_error_stands_beside_the_times():
    error = {"clips": 7, "median_ms": 21.5, "p90_ms": 60.0, "within_20_ms": 0.4}
    text = table_of(MODELS, forced_start_error=error, clips={"forced": 3, "corpus": 9})
    assert text.endswith(
        "Phone times (clips): 9 corpus, 3 forced. Forced alignment, where it can be checked "
        "(7 clips): median start error 21.5 ms, 90 % within 60.0 ms."
    )


@pytest.mark.parametrize("count", ["speakers", "utterances", "phones"])
def test_models_scored_on_other_test_parts_are_not_put_side_by_side(count):
    other = metrics(0.2) | {count: 1}
    with pytest.raises(ValueError, match=r"different test parts .*12, 40, 900.*run dvc repro"):
        compare({"a": metrics(0.2), "b": other})


def test_the_json_has_an_entry_a_model_sorted_by_name():
    found = compare(copy.deepcopy(MODELS))
    assert list(found["models"]) == ["mlp", "wl"]
    assert found["models"]["wl"]["per_low"] == 0.1
    assert found["models"]["wl"]["languages"] == {"bs": 0.2, "en": 0.4}
    assert found["models"]["wl"]["test_speakers"] == 12


def test_shares_are_percent_with_one_decimal_and_nothing_is_a_dash():
    assert (percent(0.0), percent(1.5), percent(None)) == ("0.0 %", "150.0 %", "-")
    assert (interval(0.05, 0.1), interval(None, None)) == ("5.0-10.0", "-")


def save_inputs(folder):
    for name, values in MODELS.items():
        write_json(folder / f"{name}.json", values)
    write_json(folder / "corpus.json", CORPUS)
    write_json(folder / "alignment.json", ALIGNMENT)
    return [folder / f"{name}.json" for name in MODELS]


def test_two_runs_are_equal_byte_for_byte(tmp_path):
    places = save_inputs(tmp_path)
    found = []
    for name in ("first", "second"):
        out = tmp_path / name / "comparison.json"
        run(places, tmp_path / "corpus.json", tmp_path / "alignment.json", out, PARAMS)
        found.append({p.name: p.read_bytes() for p in out.parent.iterdir()})
    assert sorted(found[0]) == ["comparison.json", "comparison.md", "comparison.png"]
    assert found[0] == found[1]
    assert found[0]["comparison.png"].startswith(b"\x89PNG")


def test_the_command_reads_params_and_paths(tmp_path, monkeypatch):
    places = save_inputs(tmp_path)
    params = {"compare": {"title": "Models", "dpi": 50}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(tmp_path)
    options = ["--corpus", "corpus.json", "--alignment", "alignment.json", "--out", "out.json"]
    monkeypatch.setattr(sys, "argv", ["compare", *map(str, places), *options])
    stage.main()
    assert list(read_json(tmp_path / "out.json")["models"]) == ["mlp", "wl"]
    assert (tmp_path / "out.md").read_text().startswith("# Models\n")
