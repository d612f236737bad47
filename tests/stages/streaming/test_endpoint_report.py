"""The stage evaluate_endpoints from manifests to its report, with a toy model and toy clips."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from clip_maker import noise, save_clips
from stream_maker import small

from fonoteka import manifest
from fonoteka.core.files import read_json
from fonoteka.reporting.endpoint_table import endpoint_page
from stages.streaming.evaluate_endpoints.joined_streams import UtteranceJoinParams
from stages.streaming.evaluate_endpoints.settings import EvaluateEndpointsParams
from stages.streaming.evaluate_endpoints.stage import run

pytestmark = pytest.mark.torch
PARAMS = EvaluateEndpointsParams(
    join=UtteranceJoinParams(1, 0.8, 1.2, (30.0, 10.0), -6.0, 0.0), valid_utterances=4,
    test_utterances=100, commit_lag_s=0.15, thresholds=(0.5,), release_below=(0.1,),
    max_over_rule2_s=0.1, rule2_silence_s=(0.4, 0.7), digits=4,
)  # fmt: skip
COLUMNS = ["utterance", "kind", "symbol", "start_s", "end_s"]


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
    """The arguments of `run`, with four clips of two voices; one clip has no phone times."""
    folder, toy = tmp_path_factory.mktemp("endpoints"), small(tmp_path_factory)
    clips = save_clips(folder / "audio", {str(n): noise(1.0, n) for n in range(4)})
    voices = [replace(u, speaker=f"mine/s{n % 2}") for n, u in enumerate(clips)]
    for part in ("valid", "test"):
        manifest.write(folder / f"{part}.jsonl", voices)
    rows = [("silence", "", 0.9, 1.0), ("phone", "a", 0.3, 0.9), ("phone", "d", 0.05, 0.3)]
    table = [(u.id, *row) for u in voices[:3] for row in rows]
    pd.DataFrame(table, columns=COLUMNS).to_parquet(folder / "segments.parquet")
    return {
        "audio": folder / "audio", "parts": (folder / "valid.jsonl", folder / "test.jsonl"),
        "segments": folder / "segments.parquet",
        "speech": (toy / "export/speech", toy / "models/speech"),
        "frontend": toy / "toy/frontend.json", "params": PARAMS,
    }  # fmt: skip


def test_a_report_scores_each_detector_and_states_its_utterances(arguments, tmp_path):
    run(**arguments, out=tmp_path / "endpoints.json")
    report = read_json(tmp_path / "endpoints.json")
    # Three clips have times, and each is used once per noise, however many are asked for.
    test = report["test"]
    assert (test["utterances"], test["clips"], test["speakers"]) == (6, 3, 2)
    assert (test["streams"], test["clips_without_times"], test["synthetic"]) == (4, 1, False)
    assert 0.9 < test["pause_between_min_s"] < test["pause_between_max_s"] < 1.4
    assert list(report["vads"]) == ["silero", "speech", "webrtc"]
    for scores in [report["default"], *report["vads"].values()]:
        own, groups = scores["test"], scores["test"]["noise_below_db"]
        assert [*groups] == ["10", "30"]
        assert sum(group["utterances"] for group in groups.values()) == 6
        assert own["all"]["utterances"] == own["sources"]["mine"]["utterances"] == 6
    assert [*report["default"]["valid_by_rule2_silence_s"]] == ["0.4", "0.7"]
    page = (tmp_path / "endpoints.md").read_text(encoding="utf-8")
    assert page == endpoint_page(report) + "\n"


def test_a_second_run_writes_the_same_bytes(arguments, tmp_path):
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    run(**arguments, out=first)
    run(**arguments, out=second)
    assert first.read_bytes() == second.read_bytes()


def test_a_split_without_phone_times_is_named(arguments, tmp_path):
    empty = tmp_path / "segments.parquet"
    pd.DataFrame([], columns=COLUMNS).to_parquet(empty)
    with pytest.raises(ValueError, match=r"valid\.jsonl: no clip whose phone times are known"):
        run(**arguments | {"segments": empty}, out=tmp_path / "endpoints.json")
