"""A file of audio is described, however broken it is."""

from __future__ import annotations

import numpy as np
import pytest
from corpus_maker import RATE, shared_corpus, tone, write_clip

from fonoteka.audiocheck.probe import probe

FORMATS = [("a.wav", "PCM_16"), ("a.flac", "PCM_16"), ("a.wav", "PCM_24"), ("a.wav", "FLOAT")]


def test_equal_sound_has_one_hash_in_every_container(tmp_path):
    samples = np.rint(tone() * 32768) / 32768  # exact at 16 bits
    hashes = set()
    for name, subtype in FORMATS:
        write_clip(tmp_path / name, samples, subtype)
        hashes.add(probe(tmp_path / name).pcm_sha256)
    assert len(hashes) == 1


def test_one_sample_or_another_rate_makes_another_hash(tmp_path):
    samples = tone()
    hashes = []
    for number, changed in enumerate((samples, samples[:-1], samples + 2 / 32768)):
        write_clip(tmp_path / f"{number}.wav", changed)
        hashes.append(probe(tmp_path / f"{number}.wav").pcm_sha256)
    assert len(set(hashes)) == 3


def test_what_is_in_a_file_is_measured(tmp_path):
    write_clip(tmp_path / "a.flac", np.stack([tone(), tone()], axis=1))
    result = probe(tmp_path / "a.flac")
    assert (result.frames, result.sample_rate_hz, result.channels) == (RATE // 2, RATE, 2)
    assert (result.codec, result.problem) == ("FLAC PCM_16", "")
    assert result.peak_dbfs == pytest.approx(-6.02, abs=0.001)  # half of full scale


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_sample_that_is_not_finite_is_reported(bad, tmp_path):
    samples = tone()
    samples[7] = bad
    write_clip(tmp_path / "a.wav", samples, "FLOAT")
    result = probe(tmp_path / "a.wav")
    assert (result.problem, result.detail) == ("not finite", f"sample 7 is {bad}")


def test_a_wav_file_that_ends_early_is_noticed(tmp_path):
    write_clip(tmp_path / "a.wav", tone(1.0))
    data = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(data[: len(data) // 2])
    result = probe(tmp_path / "a.wav")
    assert (result.problem, result.detail) == (
        "truncated",
        "ends after 7978 of 16000 bytes of sound",
    )


def test_a_flac_file_that_ends_early_is_noticed(tmp_path):
    write_clip(tmp_path / "a.flac", np.random.default_rng(0).uniform(-0.5, 0.5, 3 * RATE))
    data = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(data[: len(data) // 2])
    assert probe(tmp_path / "a.flac").problem == "truncated"


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0x80000000, 0xFFFFFFFF])
def test_a_wav_file_that_states_no_length_cannot_be_known_to_be_whole(size, tmp_path):
    write_clip(tmp_path / "a.wav", tone())
    data = bytearray((tmp_path / "a.wav").read_bytes())
    data[40:44] = size.to_bytes(4, "little")  # as programs write to a pipe
    (tmp_path / "a.wav").write_bytes(data)
    assert probe(tmp_path / "a.wav").problem == "unknown length"


@pytest.mark.parametrize("content", [b"", b"RIFF", b"not audio at all", bytes(100)])
def test_the_error_of_a_file_that_is_not_audio_does_not_name_its_folder(content, tmp_path):
    (tmp_path / "a.wav").write_bytes(content)
    result = probe(tmp_path / "a.wav")
    assert (result.problem, str(tmp_path) in result.detail) in (
        ("unreadable", False), ("truncated", False)
    )  # fmt: skip


def test_every_malformed_file_is_described():
    paths = sorted(
        p for p in shared_corpus("malformed").rglob("*") if p.suffix in (".wav", ".flac")
    )
    result = {path.name: probe(path) for path in paths}
    assert len(result) > 70
    assert all(pipe.problem or pipe.frames for pipe in result.values())
    unstated = result["45 - no total number of samples set.flac"]
    assert (unstated.problem, unstated.detail) == ("", "length not stated")  # its MD5 is right
