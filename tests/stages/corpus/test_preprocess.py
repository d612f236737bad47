"""Every accepted clip comes out at 16 kHz, trimmed and levelled, and equal sound is equal bytes."""

from __future__ import annotations

import importlib
import io
import sys
import tarfile
from dataclasses import asdict, replace
from functools import partial

import numpy as np
import pytest
import soundfile
import yaml
from execution_maker import EXECUTION

from fonoteka.audio.dsp import rms_dbfs
from fonoteka.shards import open_clips, shard_of
from fonoteka.tables import read_table, write_table
from stages.corpus import preprocess as stage
from stages.corpus.preprocess import PreprocessParams, prepare, run

PARAMS = PreprocessParams(
    level_dbfs=-23.0, trim_below_peak_db=40.0, trim_margin_s=0.05, min_s=0.15, shards=3
)


def tone(seconds=0.5, hz=300.0, rate=8000, before_s=0.0, peak=0.3):
    """A sine with silence around it."""
    sound = peak * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)
    return np.pad(sound, round(before_s * rate))


def corpus(folder, clips, rate=8000):
    """Write clips and accepted.csv and return the stage's first two arguments."""
    folder.mkdir(exist_ok=True)
    for key, samples in clips.items():
        soundfile.write(folder / f"{key}.wav", samples, rate)
    rows = [{"id": key, "path": f"{key}.wav"} for key in clips]
    write_table(folder / "accepted.csv", ("id", "path"), rows)
    return folder / "accepted.csv", folder


def prepared(folder, clips, params=PARAMS, name="audio"):
    run(*corpus(folder, clips), folder / name, params)
    return {p.name: p.read_bytes() for p in (folder / name).iterdir()}


def sound_of(clip):
    samples, rate = soundfile.read(io.BytesIO(clip.flac))
    assert rate == 16_000
    return samples


def many(count):
    return {f"clip-{n}": tone(hz=200 + 10 * n) for n in range(count)}


@pytest.mark.parametrize("name", ["take 1,-2 dB", "=1+1", "a;@b", "-x", "'=1", "a, b", 'a "b"'])
def test_a_name_that_a_spreadsheet_takes_for_a_formula_is_read_as_it_is(name, tmp_path):
    soundfile.write(tmp_path / f"{name}.wav", tone(), 8000)
    rows = [{"id": "a", "path": f"{name}.wav"}]
    write_table(tmp_path / "accepted.csv", ("id", "path"), rows)
    run(tmp_path / "accepted.csv", tmp_path, tmp_path / "audio", PARAMS)
    (row,) = read_table(tmp_path / "audio/index.csv", ("id", "problem"))
    assert (row["id"], row["problem"]) == ("a", "")


def test_stereo_at_44100_hz_becomes_mono_at_16_khz_and_at_its_level(tmp_path):
    stereo = np.stack([tone(1.0, rate=44_100), 0.5 * tone(1.0, rate=44_100)], axis=1)
    corpus(tmp_path, {"a": stereo}, rate=44_100)
    clip = prepare(("a", "a.wav"), tmp_path, PARAMS)
    samples = sound_of(clip)
    assert samples.shape == (16_000,)
    assert (clip.duration_s, clip.offset_s, clip.problem) == (1.0, 0.0, "")
    assert rms_dbfs(samples) == pytest.approx(-23.0, abs=0.01)  # 16 bits
    spectrum = np.abs(np.fft.rfft(samples))
    assert spectrum.argmax() == 300  # Hz, in a clip of one second


def test_silence_around_is_cut_but_for_the_margin_and_the_cut_is_noted(tmp_path):
    corpus(tmp_path, {"a": tone(0.5, before_s=0.4)})
    clip = prepare(("a", "a.wav"), tmp_path, PARAMS)
    # resampling rings into one more frame of 10 ms on each side
    assert clip.offset_s == pytest.approx(0.35, abs=0.0101)
    assert clip.duration_s == pytest.approx(0.6, abs=0.0201)
    assert len(sound_of(clip)) == round(clip.duration_s * 16_000)


@pytest.mark.parametrize(
    ("samples", "problem"),
    [
        (np.zeros(8000), "silent"),
        (np.zeros(0), "silent"),
        (tone(0.03, before_s=0.2), "too short"),
    ],
)
def test_a_clip_without_speech_has_a_reason_and_no_sound(samples, problem, tmp_path):
    corpus(tmp_path, {"a": samples})
    clip = prepare(("a", "a.wav"), tmp_path, PARAMS)
    assert (clip.problem, clip.flac) == (problem, b"")


def test_the_index_has_the_shard_or_the_problem_of_each_clip(tmp_path):
    prepared(tmp_path, {"b": tone(), "a": np.zeros(4000), "c": tone(0.6)})
    rows = read_table(tmp_path / "audio" / "index.csv", ("id", "audio"))
    assert [row["id"] for row in rows] == ["a", "b", "c"]
    assert (rows[0]["audio"], rows[0]["problem"]) == ("", "silent")
    for row in rows[1:]:
        assert row["audio"] == f"shard-{shard_of(row['id'], 3):02d}.tar/{row['id']}.flac"
    samples = open_clips(tmp_path / "audio", {r["id"]: r["audio"] for r in rows[1:]})
    assert {k: len(v) / 16_000 for k, v in samples.items()} == {"b": 0.5, "c": 0.6}
    assert [row["duration_s"] for row in rows[1:]] == ["0.5000", "0.6000"]


def test_tar_headers_hold_nothing_of_the_machine_and_its_clock(tmp_path):
    prepared(tmp_path, many(4))
    for path in (tmp_path / "audio").glob("*.tar"):
        with tarfile.open(path) as tar:
            for member in tar:
                assert (member.mtime, member.uid, member.gid, member.uname) == (0, 0, 0, "")
                assert member.mode == 0o644


def test_two_runs_are_equal_byte_for_byte(tmp_path):
    first, second = (prepared(tmp_path, many(20), name=name) for name in ("a", "b"))
    assert sorted(first) == ["index.csv", "shard-00.tar", "shard-01.tar", "shard-02.tar"]
    assert first == second


def test_one_more_clip_changes_one_shard(tmp_path):
    before = prepared(tmp_path, many(8))
    after = prepared(tmp_path, many(9), name="more")
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"index.csv", f"shard-{shard_of('clip-8', 3):02d}.tar"}


def test_webdataset_reads_the_shards(tmp_path, monkeypatch):
    # Reading needs no torch, whose import takes 3 CPU seconds; WebDataset works without it.
    monkeypatch.setitem(sys.modules, "torch", None)
    webdataset = importlib.import_module("webdataset.tariterators")
    prepared(tmp_path, many(5))
    clips = {}
    for path in (tmp_path / "audio").glob("*.tar"):
        with path.open("rb") as stream:  # WebDataset itself leaves it open
            files = webdataset.tar_file_expander([{"url": path.name, "stream": stream}])
            samples = webdataset.group_by_keys(files)
            clips |= {sample["__key__"]: sample["flac"] for sample in samples}
    assert sorted(clips) == sorted(many(5))
    assert soundfile.info(io.BytesIO(clips["clip-0"])).samplerate == 16_000


@pytest.mark.parametrize("clips", [{}, {"a": np.zeros(4000), "b": np.zeros(4000)}])
def test_nothing_but_silence_is_one_sentence_and_earlier_audio_stays(clips, tmp_path):
    before = prepared(tmp_path, many(2))
    with pytest.raises(ValueError, match=rf"none of {len(clips)} clips is left after trimming"):
        prepared(tmp_path, clips)
    assert {p.name: p.read_bytes() for p in (tmp_path / "audio").iterdir()} == before


def test_less_than_one_shard_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"preprocess\.shards must be at least 1, found 0"):
        prepared(tmp_path, many(1), replace(PARAMS, shards=0))


def test_the_command_reads_params_and_paths(tmp_path, monkeypatch):
    corpus(tmp_path, many(2))
    sections = {"preprocess": asdict(PARAMS), "execution": EXECUTION}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(sections))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["preprocess", "accepted.csv", ".", "out"])
    stage.main()
    work = partial(prepare, raw=tmp_path, params=PARAMS)
    clips = [work((key, f"{key}.wav")).flac for key in many(2)]
    data = b"".join(p.read_bytes() for p in (tmp_path / "out").glob("*.tar"))
    assert all(clip in data for clip in clips)
