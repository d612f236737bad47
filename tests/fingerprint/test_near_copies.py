"""Copies of real speech through Opus, AAC and an equaliser are proposed and known; takes stay."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import soundfile
from corpus_maker import shared_corpus

from fonoteka.audiocheck.decode import read_sound
from fonoteka.bench.degradations import degrade, write
from fonoteka.fingerprint.fingerprint import SIZE, fingerprint
from stages.corpus.dedupe.groups import DedupeClip
from stages.corpus.dedupe.near_duplicates import find_copies

ENCODED = [
    "opus 16 kbit/s", "opus 24 kbit/s", "opus 32 kbit/s", "aac 32 kbit/s",
    "equalised, opus 24 kbit/s", "equalised, aac 32 kbit/s",
]  # fmt: skip
LENGTHS_S = (0.8, 1.2, 1.9, 3.0, 4.7)  # one after the other in each recording
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


def sentences():
    """Six pieces, five voices and five lengths; the last two are of one recording."""
    paths = sorted((shared_corpus("librispeech251") / "audio").glob("*.flac"))
    paths = [path for path in paths if soundfile.info(path).duration > sum(LENGTHS_S)][40:45]
    ends_s = np.cumsum((0, *LENGTHS_S))
    pieces = []
    for path, length in zip([*paths, paths[-1]], [*range(5), 0], strict=True):
        samples, rate = soundfile.read(path)
        first, last = (round(end * rate) for end in ends_s[length : length + 2])
        pieces.append((samples[first:last], rate))
    return pieces


def takes():
    """Takes of one digit by one voice, of all voices the one whose takes are the most similar."""
    paths = sorted((shared_corpus("fsdd") / "audio").glob("4_george_*.wav"))[:6]
    return [soundfile.read(path) for path in paths]


def pairs_found(folder, sounds, kind):
    """Return which originals and copies are found to be one recording, as numbers of originals."""
    raw = folder / "raw"
    raw.mkdir()
    for number, (samples, rate) in enumerate(sounds):
        soundfile.write(raw / f"{number:02d}.flac", samples, rate, subtype="PCM_16")
        copy = degrade(kind, samples, rate, np.random.default_rng(number))
        write(copy, raw / f"{number:02d}-copy")
    entries, codes = [], []
    for path in sorted(raw.iterdir()):
        copied, rate = read_sound(path)
        copy_codes = fingerprint(copied, rate)
        codes.append(np.pad(copy_codes, (0, SIZE - len(copy_codes))))
        entries.append(DedupeClip(path.name, path.name, "", rate, len(copied) / rate, ""))
    result = find_copies(entries, np.stack(codes), raw, 0.97, 0.6, 1)
    return sorted((int(c.first[:2]), int(c.second[:2])) for c in result.copies)


@needs_ffmpeg
@pytest.mark.parametrize("kind", ENCODED)
def test_copies_of_sentences_through_a_codec_are_found(kind, tmp_path):
    assert pairs_found(tmp_path, sentences(), kind) == [(n, n) for n in range(6)]


@needs_ffmpeg
@pytest.mark.parametrize("kind", ENCODED[::2])
def test_copies_of_digits_are_found_and_other_takes_of_the_digit_are_not(kind, tmp_path):
    assert pairs_found(tmp_path, takes(), kind) == [(n, n) for n in range(6)]


def test_copies_of_sentences_through_an_equaliser_are_found(tmp_path):
    assert pairs_found(tmp_path, sentences(), "equalised") == [(n, n) for n in range(6)]


def test_of_equalised_digits_most_are_proposed_and_no_other_take_is_taken_for_a_copy(tmp_path):
    result = pairs_found(tmp_path, takes(), "equalised")
    assert all(original == copy for original, copy in result)
    assert len(result) >= 5  # of 6; the frames of the second fall elsewhere in the copy's sound
