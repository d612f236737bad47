"""A recording is read in blocks, and the blocks are what `read_sound` returns as a whole."""

import shutil
import subprocess

import numpy as np
import pytest
import soundfile
from clip_maker import noise

from fonoteka.audiocheck import stream
from fonoteka.audiocheck.decode import read_sound
from fonoteka.audiocheck.stream import sound_blocks

needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")


def joined(path, seconds=0.1):
    blocks = [*sound_blocks(path, seconds)]
    return np.concatenate([block.samples for block in blocks]), blocks


@pytest.mark.parametrize(
    ("name", "subtype"),
    [
        ("a.wav", "PCM_16"), ("a.wav", "PCM_24"), ("a.wav", "FLOAT"), ("a.flac", "PCM_16"),
        ("a.flac", "PCM_24"), ("a.ogg", "VORBIS"), ("a.mp3", "MPEG_LAYER_III"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("channels", [1, 2])
def test_blocks_are_the_whole_recording(name, subtype, channels, tmp_path):
    path = tmp_path / name
    sound = np.stack([noise(0.75, seed) for seed in range(channels)], axis=1)
    soundfile.write(path, sound, 44_100, subtype=subtype)
    samples, blocks = joined(path)
    whole, rate = read_sound(path)
    assert {block.sample_rate_hz for block in blocks} == {rate} == {44_100}
    assert max(len(block.samples) for block in blocks) <= 4_410
    assert np.array_equal(samples, whole.reshape(len(whole), -1))


@needs_ffmpeg
@pytest.mark.parametrize("name", ["a.m4a", "a.webm", "a.mp4", "a.mkv"])
def test_ffmpeg_formats_are_read_in_blocks_too(name, tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(3.0), 48_000)  # 1 s
    subprocess.run(["ffmpeg", "-v", "error", "-i", tmp_path / "a.wav", tmp_path / name], check=True)
    samples, blocks = joined(tmp_path / name)
    whole, _ = read_sound(tmp_path / name)
    assert len(blocks) > 5
    assert np.array_equal(samples, whole.reshape(len(whole), -1))


@needs_ffmpeg
def test_a_fault_that_ffmpeg_finds_is_an_error_of_one_sentence(tmp_path):
    path = tmp_path / "a.m4a"
    path.write_bytes(b"\0\0\0\x18ftypM4A " + bytes(5_000))
    with pytest.raises(ValueError, match="ffmpeg found a fault"):
        joined(path)


@needs_ffmpeg
def test_ffmpeg_ends_if_its_reader_stops(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(20.0), 48_000)
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", tmp_path / "a.wav", tmp_path / "a.m4a"], check=True
    )
    blocks = sound_blocks(tmp_path / "a.m4a", 0.1)
    assert len(next(blocks).samples) == 4_800
    blocks.close()  # waits for ffmpeg, and would wait for ever if it were not killed


def test_a_file_without_ffmpeg_is_refused_with_the_reason(tmp_path, monkeypatch):
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x18ftypM4A " + bytes(50))
    monkeypatch.setattr(stream.shutil, "which", lambda _: None)
    with pytest.raises(ValueError, match="is mov, which ffmpeg would read"):
        joined(tmp_path / "a.m4a")


def test_a_large_file_is_left_to_the_decoder(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(0.5), 16_000)
    monkeypatch.setattr(stream, "_CHECKED_BYTES", 1_000)
    monkeypatch.setattr(stream, "layout_of", None)  # a call would fail
    samples, _ = joined(path)
    assert np.array_equal(samples[:, 0], read_sound(path)[0])


def test_a_file_that_is_not_sound_is_refused(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"no sound, only text")
    with pytest.raises(ValueError, match=r"\w"):
        joined(tmp_path / "a.wav")
