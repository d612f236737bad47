"""A FLAC file is decoded quickly where its own MD5 proves the samples, and left alone elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile as sf
from corpus_maker import RATE

from fonoteka.audiocheck import dr_flac as module
from fonoteka.audiocheck.containers.container import CorruptFileError
from fonoteka.audiocheck.containers.sniff import layout_of
from fonoteka.audiocheck.dr_flac import decode_flac_16
from fonoteka.audiocheck.probe import probe


@pytest.fixture
def write(tmp_path):
    """Return a function that writes noise as FLAC and gives the file's bytes and its path."""

    def written(channels=1, frames=RATE, subtype="PCM_16", seed=1):
        path = tmp_path / f"{seed}.flac"
        noise = np.random.default_rng(seed).uniform(-0.5, 0.5, (frames, channels))
        sf.write(path, noise, RATE, subtype=subtype)
        return path.read_bytes(), path

    return written


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("frames", [1, 4096, 50_001])
def test_samples_are_those_that_libsndfile_gives(channels, frames, write):
    data, path = write(channels, frames)
    samples = decode_flac_16(data, layout_of(data))
    assert np.array_equal(samples, sf.read(path, dtype="int16")[0].ravel())


def test_what_is_deeper_or_too_long_is_left_to_libsndfile(write, monkeypatch):
    data, _ = write(subtype="PCM_24")
    assert decode_flac_16(data, layout_of(data)) is None
    data, path = write(2)
    monkeypatch.setattr(module, "MAX_SAMPLES", 2 * RATE - 1)
    assert decode_flac_16(data, layout_of(data)) is None
    assert probe(path).frames == RATE


def test_a_file_without_an_md5_is_left_to_libsndfile_and_taken(write):
    data, path = write()
    without = data[:26] + bytes(16) + data[42:]
    assert decode_flac_16(without, layout_of(without)) is None
    path.write_bytes(without)
    assert (probe(path).problem, probe(path).frames) == ("", RATE)


def test_no_sample_passes_that_the_md5_is_not_of(write):
    data, _ = write()
    rng = np.random.default_rng(2)
    for offset in rng.integers(26, len(data), 300).tolist():
        changed = data[:offset] + bytes([data[offset] ^ 1 << offset % 8]) + data[offset + 1 :]
        try:
            layout = layout_of(changed)
        except CorruptFileError:
            continue
        samples = decode_flac_16(changed, layout)
        assert samples is None or np.array_equal(samples, decode_flac_16(data, layout_of(data)))


def test_both_decoders_give_a_clip_one_hash(write, monkeypatch):
    _, path = write(2)
    quick = probe(path)
    monkeypatch.setattr(module, "MAX_SAMPLES", 0)
    slow = probe(path)
    assert quick._replace(sound=None) == slow._replace(sound=None)
    assert np.array_equal(quick.sound, slow.sound)


def test_the_result_contains_the_first_minute(tmp_path):
    for seconds, expected in ((2, 2), (70, 60)):
        noise = np.random.default_rng(0).uniform(-0.5, 0.5, (seconds * 8000, 2))
        sf.write(tmp_path / "a.flac", noise, 8000)
        assert probe(tmp_path / "a.flac").sound.size == 2 * expected * 8000
