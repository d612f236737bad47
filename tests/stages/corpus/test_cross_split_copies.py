"""Copies of a recording are found by their sound in any format; another take is not a copy."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import pytest
import soundfile as sf
from audit_maker import Scene, babble
from corpus_maker import shared_corpus
from scipy.signal import resample_poly

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, levelled, speech_bounds, to_mono_16k
from fonoteka.shards import add_to_tar
from stages.corpus.audit.cross_split_copies import (
    candidate_pairs,
    correlation,
    cross_split_duplicates,
)
from stages.corpus.audit.shard_digest import MAX_MARKS, ClipDigest, digest_shards, marks_of

MIN_CORRELATION = 0.85


def prepared(signal, rate=SAMPLE_RATE_HZ):
    """Return a signal as in the shards: 16 kHz, trimmed, levelled."""
    mono = to_mono_16k(signal.astype(np.float32), rate)
    start, end = speech_bounds(mono, 40.0, 0.05)
    return levelled(mono[start:end], -23.0)


def encoded(signal, **encoding):
    """Return a signal after encoding and decoding."""
    buffer = io.BytesIO()
    sf.write(buffer, signal, SAMPLE_RATE_HZ, **encoding)
    buffer.seek(0)
    return sf.read(buffer, dtype="float32")[0]


def noisy(signal):
    """Return a signal with noise 20 dB below it, in its silence too."""
    noise = np.random.default_rng(1).standard_normal(len(signal))
    return signal + noise * signal.std() / 10


COPIES = {
    "mp3": lambda x: encoded(x, format="MP3", subtype="MPEG_LAYER_III", compression_level=0.9),
    "ogg": lambda x: encoded(x, format="OGG", subtype="VORBIS"),
    "a telephone's rate": lambda x: resample_poly(resample_poly(x, 1, 2), 2, 1),
    "quieter": lambda x: 0.2 * x,
    "noisy": noisy,
    "later by half a second": lambda x: np.pad(x, (8000, 0)),
    "later and noisy": lambda x: noisy(np.pad(x, (6400, 1600))),
    "cut at the end": lambda x: x[: len(x) * 17 // 20],
    "cut at the start": lambda x: x[len(x) * 3 // 20 :],
}


def digest_of(signal):
    return ClipDigest("", len(signal), "", *marks_of(signal))


def is_found(left, right):
    pairs = candidate_pairs({"a": digest_of(left)}, {"b": digest_of(right)})
    return pairs == [("a", "b")] and correlation(left, right) > MIN_CORRELATION


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_found(name):
    originals = [prepared(babble(f"clip {n}", 0.4 + 0.3 * n)) for n in range(8)]
    count = sum(is_found(x, prepared(COPIES[name](x))) for x in originals)
    assert count >= 8 - ("cut" in name)  # a cut may take the loudest moments with it


def test_another_sound_is_not_found():
    signals = [prepared(babble(f"clip {n}")) for n in range(40)]
    assert max(correlation(signals[0], other) for other in signals[1:]) < 0.5
    clips = {str(n): digest_of(signal) for n, signal in enumerate(signals)}
    assert not candidate_pairs({"0": clips.pop("0")}, clips)


def test_clips_that_share_a_snippet_are_not_copies():
    jingle, rest = babble("jingle", 0.3), babble("rest", 1.5)
    assert correlation(np.concatenate([rest, jingle]), np.concatenate([jingle, rest[::-1]])) < 0.5


@pytest.mark.parametrize("length", [1, 100, 1600, 80_000])
def test_clips_of_any_length_have_marks(length):
    moments, marks = marks_of(babble("x", 5.0)[:length] + np.float32(1e-3))
    assert 1 <= len(moments) == len(marks) <= MAX_MARKS
    assert np.linalg.norm(marks, axis=1) == pytest.approx(1, abs=1e-5)


def test_silence_has_no_mark_and_no_twin():
    silence = np.zeros(8000, np.float32)
    assert not candidate_pairs({"a": digest_of(silence)}, {"b": digest_of(silence)})
    assert correlation(silence, silence) == 0.0


def test_a_pair_is_named_with_its_parts(tmp_path):
    scene = Scene()
    original = scene.parts["train"][3]
    copy = scene.add("valid", "c/x", sound=noisy(scene.sounds[original.audio]).astype(np.float32))
    paths = scene.lay(tmp_path)
    sounds = digest_shards(paths.audio, scene.sounds, 1)
    (leak,) = cross_split_duplicates(scene.parts, sounds, paths.audio, MIN_CORRELATION)
    assert leak.value == f"{original.id} = {copy.id}"
    assert leak.clips == {"train": (original.id,), "valid": (copy.id,)}


def test_a_clip_that_lies_twice_in_a_shard_is_a_problem(tmp_path):
    scene = Scene()
    paths = scene.lay(tmp_path)
    shard, name = scene.parts["train"][0].audio.split("/")
    with tarfile.open(paths.audio / shard, "a") as tar:
        add_to_tar(tar, name, b"")
    assert digest_shards(paths.audio, [f"{shard}/{name}"], 1)[f"{shard}/{name}"].problem == (
        "is twice in the shard"
    )


def test_copies_of_real_digits_are_found_and_no_two_voices_match():
    """Five takes of ten digits by six voices; three voices are compared with the others."""
    folder = shared_corpus("fsdd")
    paths = sorted(path for take in range(5) for path in folder.rglob(f"*_{take}.wav"))
    clips = {p.stem: prepared(*sf.read(p, dtype="float32")) for p in paths}
    marks = {name: digest_of(signal) for name, signal in clips.items()}
    voices = sorted({name.split("_")[1] for name in clips})
    left = {name: marks[name] for name in clips if name.split("_")[1] in voices[:3]}
    right = {name: marks[name] for name in clips if name.split("_")[1] in voices[3:]}
    assert len(left) == len(right) == 150
    pairs = candidate_pairs(left, right)
    assert all(
        correlation(clips[original], clips[other]) < MIN_CORRELATION for original, other in pairs
    )
    copies = {f"copy of {n}": prepared(COPIES["later and noisy"](x)) for n, x in clips.items()}
    pairs = candidate_pairs(marks, {name: digest_of(signal) for name, signal in copies.items()})
    matched = {
        original for original, other in pairs
        if other == f"copy of {original}"
        and correlation(clips[original], copies[other]) > MIN_CORRELATION
    }  # fmt: skip
    assert len(matched) >= 0.97 * len(clips)
