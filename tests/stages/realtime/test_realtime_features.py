"""Clips become streams: all are in one, each at the times of its phones, and only once."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from clip_maker import noise, save_clips
from corpus_maker import utterance

from fonoteka import manifest
from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.core.files import read_json
from fonoteka.realtime.frontend import FrontEnd, FrontEndParams
from fonoteka.shards import read_arrays
from stages.realtime import realtime_features as stage
from stages.realtime.realtime_features import (
    RealtimeFeaturesParams,
    constants,
    phone_times,
    run,
    streams_of,
)

FRONT = FrontEndParams(160, 400, 512, 12, 60.0, 7600.0, 1e-6)
PARAMS = RealtimeFeaturesParams(
    seed=1, seconds=1.5, pause_min_s=0.1, pause_max_s=0.3, gain_min_db=0.0, gain_max_db=0.0,
    noise_min_db=60.0, noise_max_db=60.0, shards=2,
)  # fmt: skip
VOICES = {"train": ("ana", "ivo"), "valid": ("eva",), "test": ("una",)}


def clips_of(speaker, lengths, language="hr"):
    """Clips of noise at a fifth of full scale, and the times of their two phones."""
    clips = [
        (utterance(f"mine/{speaker}", n, language, duration_s=s), 2 * noise(s, n))
        for n, s in enumerate(lengths)
    ]
    times = {u.id: [("d", 0.0, u.duration_s / 2), ("a", u.duration_s / 2, u.duration_s)]
             for u, _ in clips}  # fmt: skip
    return clips, times


def all_streams(clips, times, **more):
    return list(streams_of("train", "mine/ana", clips, times, replace(PARAMS, **more)))


def test_each_clip_is_in_one_stream_at_its_times():
    pairs, times = clips_of("ana", [0.4, 0.5, 0.6, 0.7, 0.8])
    streams = all_streams(pairs, times)
    assert len(streams) == 3
    assert [stream.id for stream in streams] == [f"mine/ana-00{n}" for n in range(3)]
    rows = [row for stream in streams for row in stream.rows]
    assert sorted(end - start for *_, phone, start, end in rows if phone == "d") == pytest.approx(
        [0.2, 0.25, 0.3, 0.35, 0.4]
    )
    clips = {round(u.duration_s, 1): signal for u, signal in pairs}
    for stream in streams:
        for (*_, start_s, _), (*_, end_s) in zip(stream.rows[::2], stream.rows[1::2], strict=True):
            clip = clips[round(end_s - start_s, 1)]
            first_sample = round(start_s * SAMPLE_RATE_HZ)
            differences = [  # a time has four decimals, which is up to a sample off
                np.abs(
                    stream.samples[first_sample + off : first_sample + off + len(clip)] - clip
                ).max()
                for off in (-1, 0, 1)
            ]
            assert min(differences) < 0.2 * 6 * 10 ** (-60 / 20)  # six deviations of the noise


def test_pauses_are_as_long_as_they_may_be():
    clips, times = clips_of("ana", [0.4] * 12)
    (stream,) = all_streams(clips, times, seconds=100.0)
    starts = np.array([row[-2] for row in stream.rows[::2]])
    ends = np.array([0.0, *[row[-1] for row in stream.rows[1::2]]])
    last = len(stream.samples) / SAMPLE_RATE_HZ - ends[-1]
    pauses = np.array([*(starts - ends[:-1]), last])
    assert pauses.min() >= 0.1 - 1e-4
    assert pauses.max() <= 0.3 + 1e-4
    assert len(set(pauses.round(3))) > 6


def test_a_speaker_with_one_short_clip_has_a_stream():
    clips, times = clips_of("ana", [0.02])
    (stream,) = all_streams(clips, times)
    assert len(stream.rows) == 2
    assert len(stream.samples) >= round(0.22 * SAMPLE_RATE_HZ)


def test_what_is_drawn_depends_on_the_speaker_and_the_seed_alone():
    clips, times = clips_of("ana", [0.4, 0.5, 0.6])
    first, same, other = (
        all_streams(clips, times),
        all_streams(clips, times),
        all_streams(clips, times, seed=2),
    )
    assert np.array_equal(first[0].samples, same[0].samples)
    assert not np.array_equal(first[0].samples[:8000], other[0].samples[:8000])
    speaker = list(streams_of("train", "mine/ivo", clips, times, PARAMS))
    assert not np.array_equal(first[0].samples[:8000], speaker[0].samples[:8000])


@pytest.mark.parametrize("gain_db", [-20.0, 0.0, 6.0])
def test_noise_lies_below_the_clips_and_the_level_is_the_streams(gain_db):
    clips, times = clips_of("ana", [3.0])
    (stream,) = all_streams(
        clips, times, gain_min_db=gain_db, gain_max_db=gain_db, noise_min_db=20.0,
        noise_max_db=20.0, pause_min_s=2.0, pause_max_s=2.0,
    )  # fmt: skip
    level = lambda samples: 20 * np.log10(np.sqrt(np.mean(np.square(samples))))  # noqa: E731
    # The clip is at -14 dBFS; noise of 32,000 samples is known to some tenths of a dB.
    assert level(stream.samples[: 2 * SAMPLE_RATE_HZ]) == pytest.approx(-34 + gain_db, abs=0.5)
    assert np.abs(stream.samples).max() <= 1


def test_digital_silence_becomes_noise_and_no_division_by_nothing():
    clips, times = clips_of("ana", [0.5])
    (stream,) = all_streams([(clips[0][0], np.zeros(8000, np.float32))], times)
    assert np.isfinite(stream.samples).all()


def test_constants_are_those_of_all_frames():
    rng = np.random.default_rng(1)
    frames = [rng.normal(3, 2, (n, 4)).astype(np.float32) for n in (5, 50, 500)]
    mean, std = constants(frames)
    whole = np.concatenate(frames)
    np.testing.assert_allclose(mean, whole.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(std, whole.std(axis=0), atol=1e-5)
    _, none = constants([np.zeros((9, 4), np.float32)])
    assert none == pytest.approx(1e-3)  # a band that never moves is not divided by 0


def corpus(folder, lost=()):
    """Write clips, manifests and segments; `lost` are ids without times."""
    clips = []
    for part, speakers in VOICES.items():
        signals = {f"{s}-{n}": noise(0.3 + 0.1 * n, n) for s in speakers for n in range(4)}
        for u in save_clips(folder / "audio" / part, signals):
            speaker = u.id.split("-")[0]
            audio = f"{part}.tar/{u.id}.flac"
            clips.append((part, replace(u, speaker=f"mine/{speaker}", audio=audio)))
        (folder / "audio" / part / "shard-00.tar").rename(folder / "audio" / f"{part}.tar")
    for part in VOICES:
        manifest.write(folder / f"{part}.jsonl", [u for other, u in clips if other == part])
    rows = [
        (u.id, part, kind, symbol, start, end)
        for part, u in clips if u.id not in lost
        for kind, symbol, start, end in (
            ("phone", "d", 0.0, 0.1), ("phone", "a", 0.1, u.duration_s),
            ("word", "da", 0.0, u.duration_s), ("silence", "", 0.0, 0.01),
        )
    ]  # fmt: skip
    columns = ["utterance", "part", "kind", "symbol", "start_s", "end_s"]
    pd.DataFrame(rows, columns=columns).to_parquet(folder / "segments.parquet", index=False)
    return folder


def made_of(folder, out, params=PARAMS):
    parts = {part: folder / f"{part}.jsonl" for part in VOICES}
    names = ("streams", "times.parquet", "frontend.json", "report.json")
    places = [out / name for name in names]
    run(folder / "audio", parts, folder / "segments.parquet", *places, params, FRONT)
    return SimpleNamespace(
        **dict(zip(("streams", "times", "frontend", "report"), places, strict=True))
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return corpus(tmp_path_factory.mktemp("corpus"), lost=("ana-0",))


@pytest.fixture(scope="module")
def outputs(folder, tmp_path_factory):
    return made_of(folder, tmp_path_factory.mktemp("out"))


def test_phones_and_nothing_else_are_taken_from_the_segments(folder):
    times = phone_times(folder / "segments.parquet")
    assert "ana-0" not in times
    assert times["ana-1"] == [("d", 0.0, 0.1), ("a", 0.1, 0.4)]


def test_clips_without_times_are_counted_and_left_out(outputs):
    result = read_json(outputs.report)
    assert (result["train"]["clips"], result["train"]["clips_without_times"]) == (7, 1)
    assert (result["test"]["clips"], result["test"]["clips_without_times"]) == (4, 0)
    assert (result["train"]["speakers"], result["valid"]["speakers"]) == (2, 1)


def test_a_speaker_is_in_one_part_alone(outputs):
    table = pd.read_parquet(outputs.times)
    assert table.groupby("speaker")["part"].nunique().eq(1).all()
    assert sorted(table["speaker"].unique()) == ["mine/ana", "mine/eva", "mine/ivo", "mine/una"]
    assert table.groupby("part")["stream"].nunique().to_dict() == {
        part: read_json(outputs.report)[part]["streams"] for part in VOICES
    }


def test_training_frames_are_centred_and_no_others_decide_the_constants(outputs, folder, tmp_path):
    table, arrays = pd.read_parquet(outputs.times), read_arrays(outputs.streams)
    train_frames = np.concatenate(
        [arrays[k] for k in table[table["part"] == "train"]["stream"].unique()]
    )
    np.testing.assert_allclose(train_frames.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(train_frames.std(axis=0), 1, atol=1e-4)
    other = tmp_path / "other"
    corpus(other)
    (other / "audio" / "test.tar").write_bytes((folder / "audio" / "valid.tar").read_bytes())
    u = manifest.read(folder / "valid.jsonl")
    manifest.write(other / "test.jsonl", [replace(x, audio=f"test.tar/{x.id}.flac") for x in u])
    segments = pd.read_parquet(folder / "segments.parquet")
    segments.to_parquet(other / "segments.parquet", index=False)
    result = made_of(other, tmp_path / "out")
    assert result.frontend.read_bytes() == outputs.frontend.read_bytes()


def test_frames_are_those_of_the_front_end_that_is_written(outputs, folder):
    end = FrontEnd.from_json(read_json(outputs.frontend))
    clips = [(u, noise(u.duration_s, int(u.id[-1]))) for u in manifest.read(folder / "test.jsonl")]
    times = phone_times(folder / "segments.parquet")
    arrays = read_arrays(outputs.streams)
    for stream in streams_of("test", "mine/una", clips, times, PARAMS):
        # Clips went through 16 bits, which a quiet band shows.
        np.testing.assert_allclose(end(stream.samples), arrays[stream.id], atol=0.02)


def test_two_runs_are_equal_byte_for_byte(outputs, folder, tmp_path):
    again = made_of(folder, tmp_path)
    for name in ("times", "frontend", "report"):
        assert getattr(again, name).read_bytes() == getattr(outputs, name).read_bytes()
    for path in outputs.streams.iterdir():
        assert (again.streams / path.name).read_bytes() == path.read_bytes()


def test_a_part_without_times_is_one_clear_sentence(tmp_path):
    corpus(tmp_path, lost=[f"una-{n}" for n in range(4)])
    with pytest.raises(ValueError, match=r"test.jsonl: no clip whose phone times are known"):
        made_of(tmp_path, tmp_path / "out")


def test_a_stream_shorter_than_a_hop_is_one_clear_sentence(tmp_path):
    corpus(tmp_path)
    (u,) = save_clips(tmp_path / "audio", {"una-0": noise(0.005)})
    manifest.write(tmp_path / "test.jsonl", [replace(u, speaker="mine/una")])
    params = replace(PARAMS, pause_min_s=0.0, pause_max_s=0.0)
    with pytest.raises(ValueError, match=r"80 samples are less than a hop of 160; raise"):
        made_of(tmp_path, tmp_path / "out", params)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pause_min_s": 0.4}, "range of pause must be ascending, found 0.4 to 0.3"),
        ({"pause_min_s": -0.1}, "range of pause must be ascending, found -0.1 to 0.3"),
        ({"gain_min_db": 3.0}, "range of gain must be ascending, found 3.0 to 0.0"),
        ({"noise_min_db": 61.0}, "range of noise must be ascending, found 61.0 to 60.0"),
        ({"shards": 0}, "shards must be at least 1 and seconds above 0, found 0 and 1.5"),
        ({"seconds": 0.0}, "shards must be at least 1 and seconds above 0, found 2 and 0.0"),
    ],
)
def test_numbers_that_make_no_streams_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        replace(PARAMS, **change)


def test_the_command_reads_its_sections_and_its_paths(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sections = {"realtime_features": asdict(PARAMS), "frontend": asdict(FRONT)}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(sections))
    places = ["audio", *(f"{part}.jsonl" for part in VOICES), "segments.parquet"]
    out = ["streams", "times.parquet", "frontend.json", "report.json"]
    monkeypatch.setattr(
        sys, "argv", ["realtime_features", *(str(folder / p) for p in places), *out]
    )
    stage.main()
    assert read_json(tmp_path / "frontend.json")["bands"] == 12
