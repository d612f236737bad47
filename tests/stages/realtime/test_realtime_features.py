"""Causal features of streams: their constants, their times and their report."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from clip_maker import noise, save_clips, speed_alone, write_recipes

from fonoteka import manifest
from fonoteka.alignment.phone_rows import read_phone_rows
from fonoteka.audio.recipe import NONE
from fonoteka.core.files import read_json
from fonoteka.realtime.frontend import FrontEnd, FrontEndParams
from fonoteka.realtime.joined_streams import streams_of
from fonoteka.shards import open_arrays
from stages.realtime import realtime_features as stage
from stages.realtime.realtime_features import RealtimeFeaturesParams, constants, run

FRONT = FrontEndParams(160, 400, 512, 12, 60.0, 7600.0, 1e-6)
PARAMS = RealtimeFeaturesParams(
    seed=1, seconds=1.5, pause_min_s=0.1, pause_max_s=0.3, gain_min_db=0.0, gain_max_db=0.0,
    noise_min_db=60.0, noise_max_db=60.0, shards=2, augment="none",
)  # fmt: skip
VOICES = {"train": ("ana", "ivo"), "valid": ("eva",), "test": ("una",)}


def test_constants_are_those_of_all_frames():
    rng = np.random.default_rng(1)
    frames = [rng.normal(3, 2, (n, 4)).astype(np.float32) for n in (5, 50, 500)]
    mean, std = constants(dict(enumerate(frames)), range(len(frames)))
    whole = np.concatenate(frames)
    np.testing.assert_allclose(mean, whole.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(std, whole.std(axis=0), atol=1e-5)
    _, none = constants({"a": np.zeros((9, 4), np.float32)}, ["a"])
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


def made_of(folder, out, params=PARAMS, recipe=NONE):
    parts = {part: folder / f"{part}.jsonl" for part in VOICES}
    names = ("streams", "times.parquet", "frontend.json", "report.json")
    places = [out / name for name in names]
    run(folder / "audio", parts, folder / "segments.parquet", *places, params, FRONT, recipe)
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
    times = read_phone_rows(folder / "segments.parquet")
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
    table, arrays = pd.read_parquet(outputs.times), open_arrays(outputs.streams)
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
    times = read_phone_rows(folder / "segments.parquet")
    arrays = open_arrays(outputs.streams)
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


def test_the_messages_on_wrong_numbers_name_the_section():
    with pytest.raises(ValueError, match="realtime_features: shards must be at least 1, found 0"):
        replace(PARAMS, shards=0)
    with pytest.raises(ValueError, match=r"realtime_features: seconds must be above 0, found 0\.0"):
        replace(PARAMS, seconds=0.0)


def test_a_recipe_moves_the_phones_of_the_training_streams_alone(folder, tmp_path):
    plain = made_of(folder, tmp_path / "plain")
    same = made_of(folder, tmp_path / "same", recipe=speed_alone(0.0))
    moved = made_of(folder, tmp_path / "moved", recipe=speed_alone(0.4))
    assert open_arrays(same.streams).keys() == open_arrays(plain.streams).keys()
    before, unmoved, after = (pd.read_parquet(m.times) for m in (plain, same, moved))
    pd.testing.assert_frame_equal(before, unmoved)
    lengths = {part: [] for part in VOICES}
    for old, new in zip(before.itertuples(), after.itertuples(), strict=True):
        assert (old.part, old.phone) == (new.part, new.phone)
        lengths[old.part].append((new.end_s - new.start_s) / (old.end_s - old.start_s))
    assert lengths["test"] == pytest.approx([1.0] * len(lengths["test"]))
    # Each clip has a factor of its own, of which its two phones have the same.
    assert len({round(length, 2) for length in lengths["train"]}) > 2
    # times are rounded to 0.1 ms, and a phone lasts at least 0.1 s
    assert lengths["train"][::2] == pytest.approx(lengths["train"][1::2], abs=0.003)
    assert all(1 / 1.41 < length < 1.41 for length in lengths["train"])


def test_the_command_reads_its_sections_and_its_paths(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sections = {"realtime_features": asdict(PARAMS), "frontend": asdict(FRONT)}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(sections))
    write_recipes(tmp_path)
    places = ["audio", *(f"{part}.jsonl" for part in VOICES), "segments.parquet"]
    out = ["streams", "times.parquet", "frontend.json", "report.json"]
    monkeypatch.setattr(
        sys, "argv", ["realtime_features", *(str(folder / p) for p in places), *out]
    )
    stage.main()
    assert read_json(tmp_path / "frontend.json")["bands"] == 12
