"""The table and the figure of the recognition of streams."""

from __future__ import annotations

import pytest

from fonoteka.phones import MANNERS
from fonoteka.reporting.lag_figure import draw, lag_points
from fonoteka.reporting.streaming_table import confidence_table, manner_table, page, policy_table

LAG = {"p50": 81.4, "p50_low": 80.0, "p50_high": 90.0, "p90": 139.6, "p90_low": None,
       "p90_high": None, "n": 9}  # fmt: skip
ENTRY = {
    "per": 0.0712, "per_low": 0.06, "per_high": 0.08, "offline_per": 0.0712,
    "equal_to_offline": 1.0, "commit_lag_ms": LAG, "first_emission_ms": LAG, "erasure": 0.0312,
    "unstable_partials": 0.02, "committed_changed": 0, "streams": 12, "speakers": 6,
    "sources": {"toy": {}}, "utterances": 20,
    "first_emission_ms_by_manner": dict.fromkeys(MANNERS, LAG) | {"stop": {"n": 0}},
}  # fmt: skip
SILENT = ENTRY | {
    "erasure": None,
    "commit_lag_ms": dict.fromkeys(LAG) | {"n": 0},
    "first_emission_ms": dict.fromkeys(LAG) | {"n": 0},
}
SCORE = {"value": 0.0123, "low": 0.01, "high": 0.02}
CONFIDENCE = {
    "toy": {
        "gibbs_min": {"phones": 90, "accuracy": 0.93, "ece": SCORE, "nce": SCORE, "auc_roc": SCORE,
                      "auc_pr": {"value": None, "low": None, "high": None}, "chosen": True},
    }
}  # fmt: skip


def test_a_policy_has_its_numbers_with_units_and_intervals():
    *_, row = policy_table({"stream_ctc": {"exact": ENTRY}}).splitlines()
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == [
        r"stream\_ctc", "exact", "12", "7.1 % (6.0-8.0)", "7.1 %", "100.0 %", "81 ms (80-90)",
        "140 ms", "81 ms (80-90)", "140 ms", "0.031", "2.0 %", "0",
    ]  # fmt: skip


def test_a_policy_that_committed_nothing_has_dashes():
    *_, row = policy_table({"toy": {"exact": SILENT}}).splitlines()
    assert [cell.strip() for cell in row.strip("|").split("|")][6:11] == ["-"] * 5


def test_first_phones_have_a_column_per_manner():
    *_, row = manner_table({"toy": {"exact": ENTRY}}).splitlines()
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == ["toy", "exact", "20", *["81, 140 ms (9)"] * 3, "-"]


def test_several_corpora_have_a_row_each():
    entry = ENTRY | {"sources": {"fsdd": ENTRY, "embedded (synthetic)": ENTRY}}
    rows = policy_table({"toy": {"exact": entry}}).splitlines()[2:]
    assert [row.split("|")[2].strip() for row in rows] == [
        "exact", "exact, fsdd", "exact, embedded (synthetic)",
    ]  # fmt: skip


def test_a_measure_has_its_scores_and_the_chosen_one_is_marked():
    *_, row = confidence_table(CONFIDENCE).splitlines()
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:] == [
        r"gibbs\_min (chosen)", "90", "93.0 %", "1.2 % (1.0-2.0)", "0.012 (0.010-0.020)",
        "0.012 (0.010-0.020)", "-",
    ]  # fmt: skip


def test_the_page_names_the_streams_and_how_they_were_fed():
    report = {
        "chunk_ms": 40.0, "decoder": "greedy", "seconds": 90.0,
        "models": {"offline only": {}, "toy": {"exact": ENTRY}}, "confidence": CONFIDENCE,
        "offline": {"offline only": 0.05, "toy": 0.1},
    }  # fmt: skip
    text = page(report)
    assert "offline: offline only 5.0 %, toy 10.0 %." in text
    assert "12 streams of 6 unseen speakers, 1.5 minutes, fed in chunks of 40 ms" in text
    assert "![Commit lag and erasure](streaming.png)" in text
    assert text.endswith("\n")


def test_a_policy_without_a_lag_or_an_erasure_has_no_point():
    policies = {"late": ENTRY, "silent": SILENT, "exact": ENTRY | {"commit_lag_ms": {"p90": 50.0}}}
    assert lag_points(policies) == [("exact", 50.0, 0.0312), ("late", 139.6, 0.0312)]


def test_a_model_without_a_point_is_not_in_the_legend(monkeypatch, tmp_path):
    texts = []
    monkeypatch.setattr(
        "fonoteka.reporting.lag_figure.save",
        lambda figure, *rest: texts.extend(t.get_text() for t in figure.axes[0].legend_.texts),
    )
    draw({"offline only": {}, "toy": {"exact": ENTRY}}, tmp_path / "one.png", dpi=40)
    assert texts == ["toy"]


@pytest.mark.parametrize("policies", [{"exact": ENTRY, "silent": SILENT}, {"silent": SILENT}])
def test_the_figure_is_the_same_for_the_same_report(policies, tmp_path):
    for name in ("one.png", "two.png"):
        draw({"toy": policies}, tmp_path / name, dpi=40)
    first, second = ((tmp_path / name).read_bytes() for name in ("one.png", "two.png"))
    assert first == second
    assert first.startswith(b"\x89PNG")
