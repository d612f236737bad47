"""The table of endpoint detection has a row per detector and group of streams."""

from __future__ import annotations

import copy

from fonoteka.reporting.endpoint_table import endpoint_page, endpoint_table

GROUP = {
    "utterances": 504, "false_cuts": 2, "missed": 1, "false_cut_share": 0.004,
    "missed_share": 0.002, "extra": 0, "delay_ms_p50": 620.4, "delay_ms_p90": 651.6,
    "delay_over_rule2_ms_p90": 51.6, "frames": {"precision": 0.951, "recall": 0.98},
}  # fmt: skip
VAD = {"name": "silero", "threshold": 0.5, "release": 0.35, "mode": 0, "hangover_s": 0.1}
ENTRY = {
    "params": {"vad": VAD, "rule2_silence_s": 0.6},
    "test": {"all": GROUP, "noise_below_db": {"5": GROUP, "10": GROUP}, "sources": {"mine": GROUP}},
}
OTHER = {"vad": VAD | {"threshold": 0.7}, "rule2_silence_s": 0.6}
REPORT = {
    "commit_lag_s": 0.15, "vads": {"silero": ENTRY}, "default": ENTRY | {"params": OTHER},
    "valid": {"utterances": 240},
    "test": {
        "synthetic": True, "speakers": 12, "utterances": 504, "clips": 300, "hours": 0.75,
        "pause_between_min_s": 0.9, "pause_between_max_s": 2.1, "pause_within_max_s": 0.31,
    },
}  # fmt: skip


def cells(report):
    rows = endpoint_table(report).splitlines()[2:]
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]


def test_a_detector_has_a_row_for_all_streams_and_one_per_noise():
    scores = ["504", "0.4 %", "0.2 %", "600 ms", "620 ms", "652 ms", "95.1 %", "98.0 %"]
    assert cells(REPORT) == [
        [name, streams, *scores]
        for name in ("silero", "default")
        for streams in ("all", "noise at -10 dB", "noise at -5 dB")
    ]


def test_a_default_as_tuned_has_no_rows_of_its_own():
    report = REPORT | {"default": ENTRY}
    assert {row[0] for row in cells(report)} == {"silero"}
    assert "release 0.35 and hangover 100 ms, is as tuned here." in endpoint_page(report)


def test_corpora_have_rows_if_there_are_several():
    report = copy.deepcopy(REPORT)
    report["default"]["test"]["sources"] = {"a*b": GROUP, "mine": GROUP}
    assert [row[1] for row in cells(report)][-2:] == ["a\\*b", "mine"]


def test_detectors_without_an_endpoint_have_dashes():
    report = copy.deepcopy(REPORT)
    report["default"]["test"] = {
        "all": GROUP | {"delay_ms_p50": None, "delay_ms_p90": None,
                        "frames": {"precision": None, "recall": 0.0}},
        "noise_below_db": {}, "sources": {},
    }  # fmt: skip
    assert cells(report)[-1][6:] == ["-", "-", "-", "0.0 %"]


def test_the_page_states_the_speech_the_pauses_and_the_defaults():
    page = endpoint_page(REPORT)
    assert "synthetic speech, 12 unseen speakers, 504 joined utterances (300 different" in page
    assert "Pauses between utterances: 0.90 to 2.10 s; the longest pause within one: 0.31 s" in page
    assert "committed 150 ms after its end" in page
    assert "silero with threshold 0.7, release 0.35 and hangover 100 ms, has rows of its" in page
