"""The table on beam search has a row per model, and a dash for a number that is missing."""

from __future__ import annotations

from fonoteka.reporting.beam_table import beam_table

ROW = {
    "greedy": {"per": 0.0634},
    "beam": {
        "per": 0.025, "difference": -0.0384, "difference_low": -0.0447, "difference_high": -0.0322,
        "shipped": True,
    },
    "stream": {"per": 0.0378, "commit_lag_ms": {"p50": 40.0, "p90": 120.0}},
    "chosen": {"width": 16, "lm_weight": 0.8, "insertion": 3.0},
}  # fmt: skip
UNSURE = ROW | {
    "beam": {
        "per": 0.07, "difference": 0.0066, "difference_low": None, "difference_high": None,
        "shipped": False,
    },
    "stream": {"per": 0.07, "commit_lag_ms": {"p50": None, "p90": None}},
}  # fmt: skip


def test_each_model_has_a_row_in_the_order_of_names():
    lines = beam_table({"models": {"b": UNSURE, "a": ROW}}).splitlines()
    first, second = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:])
    assert first == [
        "a", "6.3 %", "2.5 %", "-3.84 (-4.47 to -3.22)", "yes", "3.8 %", "40 ms", "120 ms", "16",
        "0.8", "+3",
    ]  # fmt: skip
    assert second[:8] == ["b", "6.3 %", "7.0 %", "+0.66", "no", "7.0 %", "-", "-"]
    assert lines[0].count("|") == 12
