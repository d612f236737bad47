"""The benchmark of the service on untrained models; no measured time is asserted."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pandas as pd
import pytest
import soundfile as sf
import yaml
from clip_maker import save_clips
from running_service import running
from service_packages import models_folder, written_phones
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from fonoteka import manifest
from fonoteka.bench.service import command
from fonoteka.bench.service.clip_load import PATH, Answers, ClipRequest
from fonoteka.bench.service.command import ServiceBenchParams, demands, page, run
from fonoteka.bench.service.figures import failed, live_row, load_row
from fonoteka.bench.service.live_load import LiveResult
from fonoteka.bench.service.long_recording import beside_long_recording
from fonoteka.bench.service.service_process import running_service
from fonoteka.core.errors import UserError
from fonoteka.core.params import load

PHONES = "d o b a r"
SECTION = {
    "words_model": "whisper-1", "phones_model": "whisper_ctc", "clip_s": 1.0, "long_s": 4.0,
    "rounds": 1, "clients": [1, 2], "seconds": 0.2, "streams": [1, 2],
    "baseline": {"model": "whisper_ctc", "policy": "agree-2"},
    "join": {
        "seed": 1, "seconds": 1.0, "pause_min_s": 0.1, "pause_max_s": 0.2, "gain_min_db": 0.0,
        "gain_max_db": 0.0, "noise_min_db": 60.0, "noise_max_db": 60.0,
    },
    "swaps": 2, "requests": 12,
    "sla": {"max_slowdown": 2.0, "max_lag_p95_ms": 5000.0, "min_streams_ratio": 4.0,
            "max_overhead_ms": 10.0, "max_failed": 0},
}  # fmt: skip


@pytest.fixture
def params(tmp_path):
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"bench_service": SECTION}))
    return load("bench_service", ServiceBenchParams, tmp_path / "params.yaml")


@pytest.fixture
def data(tmp_path):
    """Return a folder like `data` of a build, with two clips whose phones are known."""
    folder = tmp_path / "data"
    models_folder(folder / "models")
    # The models read the label of a frame from the mean of its samples, so no training is needed.
    signals = {f"c{index}": written_phones(PHONES, frames=8) for index in range(2)}
    clips = save_clips(folder / "audio", signals, language="en")
    (folder / "splits").mkdir()
    manifest.write(folder / "splits/test.jsonl", clips)
    # A phone has 8 frames of 20 ms, and 2 of silence follow it.
    rows = [
        (key, "phone", phone, 0.2 * index, 0.2 * index + 0.16)
        for key in signals
        for index, phone in enumerate(PHONES.split())
    ]
    (folder / "corpus").mkdir()
    columns = ["utterance", "kind", "symbol", "start_s", "end_s"]
    pd.DataFrame(rows, columns=columns).to_parquet(folder / "corpus/segments.parquet")
    return folder


def test_every_request_is_answered_over_clips_streams_and_swaps(data, params, monkeypatch):
    async def at_once(url, clip, long, rounds):  # an untrained model ends before the short clips
        assert sf.info(long).duration == SECTION["long_s"]
        return Answers([0.1] * rounds), 3

    monkeypatch.setattr(command, "beside_long_recording", at_once)
    result = run(data, params, ["--no-gates", "--workers", "1"])
    assert all(row["answers"] and not row["failed"] for row in result["clients"].values())
    assert result["streams"]["within_limit"] == 2
    assert result["streams"]["rows"]["2"]["phones"] >= 5
    assert (result["swaps"]["failed"], result["swaps"]["without_version"]) == (0, 0)
    assert 1 < result["swaps"]["versions"] <= 3
    text = page(result)
    assert "12 requests over 2 swaps: 0 failed" in text
    assert "2 streams, engine" in text


def streaming_app(segments):
    """Return a service whose long recordings have `segments` segments, or no end."""

    async def transcribe(request):
        async with request.form() as form:
            is_long = "stream" in form
        if not is_long:
            return Response(headers={"X-Model-Version": "v1"})

        async def events():
            for _ in range(segments or 1):
                yield "data: {}\n\n"
            if not segments:
                await asyncio.Event().wait()

        return StreamingResponse(events(), media_type="text/event-stream")

    return Starlette(routes=[Route(PATH, transcribe, methods=["POST"])])


CLIP = ClipRequest(b"RIFF", 1.0, "whisper-1")


def test_clips_are_sent_while_the_long_recording_is_at_work(tmp_path):
    long = tmp_path / "long.wav"
    long.write_bytes(b"RIFF")
    with running(streaming_app(0)) as url:
        answers, segments = asyncio.run(beside_long_recording(url, CLIP, long, 3))
    assert (answers.versions, segments) == ({"v1": 3}, 1)


def test_a_long_recording_that_ends_first_measures_nothing(tmp_path):
    long = tmp_path / "long.wav"
    long.write_bytes(b"RIFF")
    with running(streaming_app(2)) as url, pytest.raises(UserError, match="ended before"):
        asyncio.run(beside_long_recording(url, CLIP, long, 3))


def test_refusals_are_not_failures_and_other_statuses_are():
    answers = Answers([0.1, 0.3], Counter({200: 2, 429: 3, 500: 1, 0: 1}), Counter(), 2.0)
    assert failed(answers) == 2
    row = load_row(answers, 3.0)
    assert (row["answers"], row["refused"], row["failed"]) == (2, 3, 2)
    assert row["audio_s_per_s"] == 3.0
    assert row["p50_ms"] == pytest.approx(200)


def test_a_stream_that_failed_is_counted():
    row = live_row([LiveResult([0.1, 0.2], ""), LiveResult([], "busy")])
    assert (row["failed"], row["phones"], row["p50_ms"]) == (1, 2, pytest.approx(150))


def test_streams_are_added_until_the_lag_misses_its_limit(monkeypatch, params):
    async def spoken(url, streams, count, options):
        return [LiveResult([1.0 * count], "")] * count

    monkeypatch.setattr(command, "speak_together", spoken)
    params = replace(params, streams=(1, 2, 6, 8))
    result = command._live("", [], {}, params)
    assert result["within_limit"] == 2
    assert [*result["rows"]] == ["1", "2", "6"]


def test_limits_compare_streams_with_those_of_the_baseline(params):
    result = {
        "beside_long": {"slowdown_p95": 1.5}, "overhead": {"overhead_ms": 4.0},
        "swaps": {"failed": 0}, "streams": {"within_limit": 8},
        "baseline_streams": {"within_limit": 2},
    }  # fmt: skip
    assert all(demand.met for demand in demands(result, params.sla))
    result["baseline_streams"]["within_limit"] = 3
    (missed,) = [demand for demand in demands(result, params.sla) if not demand.met]
    assert (missed.name, missed.limit) == ("service.streams", 12)


def test_a_service_that_does_not_start_is_one_sentence(tmp_path):
    with (
        pytest.raises(UserError, match="the service is not ready"),
        running_service(tmp_path / "nothing", tmp_path / "log"),
    ):
        pass


def test_counts_that_measure_nothing_are_refused(params):
    with pytest.raises(UserError, match="every count must be at least 1"):
        replace(params, rounds=0)
    with pytest.raises(UserError, match="streams must ascend"):
        replace(params, streams=(4, 2))
