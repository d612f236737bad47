"""The beam finds the best phones, commits what cannot change, and does not depend on the split."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from flashlight.lib.text.decoder import (
    CriterionType,
    LexiconFreeDecoder,
    LexiconFreeDecoderOptions,
)
from flashlight.lib.text.decoder.kenlm import KenLM
from flashlight.lib.text.dictionary import Dictionary
from hypothesis import given, settings
from hypothesis import strategies as st

from fonoteka.audio.dsp import FRAMES_PER_SECOND
from fonoteka.scoring.decoding import greedy
from fonoteka.streaming.arpa import arpa_text, parse_arpa
from fonoteka.streaming.beam_decoder import MOST_UNCOMMITTED, BeamDecoder, beam_search
from fonoteka.streaming.greedy_decoder import LONGEST_RUN
from fonoteka.streaming.ngram_table import LOG_10, table_of
from fonoteka.streaming.phone_ngram import BEGIN, estimate
from fonoteka.streaming.prefix_beam import BeamOptions, PrefixBeam

NAMES = ("", "a", "b", "c")
WORDS = ["abc", "abca", "ab", "cab", "abb"]
ARPA = arpa_text(estimate(WORDS, NAMES[1:], order=3))
MODEL = parse_arpa(ARPA, "toy")
TABLE = table_of(MODEL, NAMES)
ALL = BeamOptions(width=10_000, lm_weight=0.7, insertion=0.3, threshold=1e6, hold_frames=1000)
NARROW = BeamOptions(width=6, lm_weight=0.7, insertion=0.3, threshold=8.0, hold_frames=12)
NO_MODEL = BeamOptions(width=1, lm_weight=0.0, insertion=0.0, threshold=8.0, hold_frames=12)

SEEDS = st.integers(0, 2**32 - 1)
PIECES = st.lists(st.integers(0, 5), max_size=15)


def frames_of(seed, count, spread=0.3):
    """Return random log posteriors `[count, 4]`; with a small spread one label is likely."""
    draws = np.random.default_rng(seed).dirichlet([spread] * len(NAMES), count)
    return np.log(np.maximum(draws, 1e-9)).astype(np.float32)


def path(*best, probability=0.9):
    """Return log posteriors whose most likely labels are `best`."""
    rows = np.full((len(best), len(NAMES)), (1 - probability) / 3, dtype=np.float32)
    rows[np.arange(len(best)), best] = probability
    return np.log(rows)


def text(phones):
    return "".join(phone.symbol for phone in phones)


def pushed(decoder, frames, sizes):
    """Return the phones that frames commit, in pieces of the sizes and then the rest."""
    pieces = np.split(frames, np.minimum(np.cumsum(sizes, dtype=int), len(frames)))
    return [phone for piece in pieces for phone in decoder.advance(piece)]


def best_of_all_paths(log_probs, options):
    """Return the best sequence of phones and its score, from a list of all paths."""
    scores = {}
    for labels in product(range(len(NAMES)), repeat=len(log_probs)):
        runs = [x for i, x in enumerate(labels) if i == 0 or labels[i - 1] != x]
        phones = "".join(NAMES[x] for x in runs)
        score = sum(float(row[x]) for row, x in zip(log_probs, labels, strict=True))
        scores[phones] = max(scores.get(phones, -np.inf), score)
    for phones in scores:
        logs = (MODEL.log10_probability([BEGIN, *phones[:i]], p) for i, p in enumerate(phones))
        scores[phones] += sum(options.lm_weight * LOG_10 * x + options.insertion for x in logs)
    return max(scores.items(), key=lambda item: item[1])


@settings(max_examples=40)
@given(seed=SEEDS, count=st.integers(0, 5), insertion=st.sampled_from([-1.0, 0.0, 2.0]))
def test_the_result_is_the_best_of_all_paths(seed, count, insertion):
    frames, options = frames_of(seed, count, spread=1.0), replace(ALL, insertion=insertion)
    assert text(beam_search(frames, TABLE, options, NAMES)) == best_of_all_paths(frames, options)[0]


@pytest.fixture(scope="module")
def ken_lm(tmp_path_factory):
    """The same model, read by KenLM."""
    file = tmp_path_factory.mktemp("lm") / "toy.arpa"
    file.write_text(ARPA, encoding="utf-8")
    return KenLM(str(file), Dictionary(["<blank>", *NAMES[1:]]))


def phones_of(tokens):
    """Return the phones of a label per frame."""
    return "".join(NAMES[x] for i, x in enumerate(tokens) if i == 0 or tokens[i - 1] != x)


@settings(max_examples=30)
@given(seed=SEEDS, count=st.integers(1, 25), lm_weight=st.sampled_from([0.0, 0.5, 2.0]))
def test_the_scores_are_those_of_flashlight_with_kenlm(ken_lm, seed, count, lm_weight):
    # flashlight weights log10, has no score per phone, and its beam holds the two paths of a
    # hypothesis apart: both beams are wide enough for whatever can become the best.
    frames = frames_of(seed, count)
    theirs = LexiconFreeDecoder(
        LexiconFreeDecoderOptions(
            200, len(NAMES), 40.0, lm_weight * LOG_10, 0.0, False, CriterionType.CTC
        ),
        ken_lm, 0, 0, [],
    )  # fmt: skip
    theirs.decode_begin()
    theirs.decode_step(frames.ctypes.data, *frames.shape)
    scores = {}
    for result in theirs.get_all_final_hypothesis():
        phones = phones_of(result.tokens[1:])  # the first is of the begin
        scores[phones] = max(result.score, scores.get(phones, -np.inf))
    search = PrefixBeam(TABLE, replace(ALL, lm_weight=lm_weight, insertion=0.0, width=200))
    beam = search.first()
    for now, row in enumerate(frames.astype(float).tolist()):
        beam = search.step(beam, now, row)
    phones = "".join(NAMES[x] for x in beam[0].tail)
    # KenLM stores logarithms in float32
    assert beam[0].score == pytest.approx(scores[phones], abs=1e-3)
    assert beam[0].score == pytest.approx(max(scores.values()), abs=1e-3)


@settings(max_examples=60)
@given(seed=SEEDS, count=st.integers(0, 60), sizes=PIECES, width=st.sampled_from([1, 2, 6, 16]))
def test_the_phones_of_any_split_are_those_of_the_recording(seed, count, sizes, width):
    frames, options = frames_of(seed, count), replace(NARROW, width=width)
    whole, split = (BeamDecoder(TABLE, options, NAMES) for _ in range(2))
    expected = whole.preview(frames)
    assert pushed(split, frames, sizes) + split.finish() == expected
    assert [(p.symbol, p.start_s, p.end_s) for p in expected] == [
        (s.symbol, s.start / FRAMES_PER_SECOND, s.end / FRAMES_PER_SECOND)
        for s in beam_search(frames, TABLE, options, NAMES)
    ]


@settings(max_examples=40)
@given(seed=SEEDS, sizes=PIECES)
def test_a_preview_is_what_the_frames_would_give_and_changes_nothing(seed, sizes):
    frames, ahead = frames_of(seed, 30), frames_of(seed + 1, 20)
    decoder, other = (BeamDecoder(TABLE, NARROW, NAMES) for _ in range(2))
    committed, expected = pushed(decoder, frames, sizes), other.preview(np.vstack([frames, ahead]))
    assert committed + decoder.preview(ahead) == expected
    assert committed + decoder.advance(ahead) + decoder.finish() == expected


@settings(max_examples=60)
@given(seed=SEEDS, spread=st.sampled_from([0.1, 0.3, 2.0]), hold_frames=st.sampled_from([1, 4, 40]))
def test_phones_follow_one_another_and_have_at_least_a_frame(seed, spread, hold_frames):
    frames = frames_of(seed, 60, spread)
    decoder = BeamDecoder(TABLE, replace(NARROW, hold_frames=hold_frames), NAMES)
    phones = pushed(decoder, frames, [1] * 60) + decoder.finish()
    edges = [edge for phone in phones for edge in (phone.start_s, phone.end_s)]
    assert edges == sorted(edges)
    assert all(phone.start_s < phone.end_s <= 60 / FRAMES_PER_SECOND for phone in phones)


@settings(max_examples=40)
@given(labels=st.lists(st.integers(0, 3), max_size=30))
def test_sure_posteriors_are_decoded_as_by_the_best_path(labels):
    frames = path(*labels, probability=0.9999)
    assert beam_search(frames, TABLE, NO_MODEL, NAMES) == greedy(frames, NAMES)


def test_the_model_decides_between_phones_that_sound_alike():
    frames = path(1, 0, 2, 0, 3, 0)
    frames[4] = np.log([0.02, 0.01, 0.5, 0.47])  # after ab, b is a little more likely than c
    assert text(greedy(frames, NAMES)) == "abb"
    assert text(beam_search(frames, TABLE, NARROW, NAMES)) == "abc"


def test_a_phone_is_committed_once_no_hypothesis_disagrees():
    decoder = BeamDecoder(TABLE, replace(NARROW, threshold=2.0), NAMES)
    unsure = np.log(np.array([[0.02, 0.49, 0.01, 0.48]], dtype=np.float32))
    assert decoder.advance(unsure) == []
    assert decoder.advance(path(0)) == []  # a and c are both possible
    assert len(decoder.preview(path(0))) == 1
    assert text(decoder.advance(path(2, 0, 3, 0, probability=0.99))) == "abc"


def test_a_disagreement_ends_after_the_hold():
    decoder = BeamDecoder(TABLE, NARROW, NAMES)
    unsure = np.log(np.array([[0.02, 0.49, 0.01, 0.48]], dtype=np.float32))
    assert pushed(decoder, np.vstack([unsure, path(*[0] * 11)]), []) == []
    (phone,) = decoder.advance(path(0))  # it ended with frame 0, 12 frames ago
    assert (phone.start_s, phone.end_s) == (0.0, 0.02)


def test_the_confidence_is_of_the_frames_of_the_phone():
    seen = []

    def confidence(log_probs, label):
        seen.append((log_probs.tolist(), label))
        return 0.25

    frames = path(0, 1, 1, 0, 2, 0, probability=0.999)
    decoder = BeamDecoder(TABLE, NARROW, NAMES, confidence)
    phones = pushed(decoder, frames, [2, 2]) + decoder.finish()
    assert seen == [(frames[1:3].tolist(), 1), (frames[4:5].tolist(), 2)]
    assert [phone.confidence for phone in phones] == [0.25, 0.25]


@pytest.mark.parametrize("sizes", [[], [1] * 1200, [700, 3]])
def test_the_confidence_of_an_endless_phone_does_not_depend_on_the_split(sizes):
    lengths = []
    decoder = BeamDecoder(TABLE, NARROW, NAMES, lambda x, label: lengths.append(len(x)) or 0.5)
    phones = pushed(decoder, path(*[1] * 1200, probability=0.999), sizes) + decoder.finish()
    assert (text(phones), lengths) == ("a", [LONGEST_RUN])


def test_noise_leaves_a_bounded_number_of_uncommitted_phones():
    frames = frames_of(1, 3000, spread=50.0)  # each label about as likely as the others
    decoder = BeamDecoder(TABLE, replace(NARROW, insertion=3.0, hold_frames=5000), NAMES)
    tails = []
    for start in range(0, 3000, 100):
        decoder.advance(frames[start : start + 100])
        tails.append(len(decoder.preview(frames[:0])))
    assert max(tails) <= MOST_UNCOMMITTED < len(pushed(decoder, frames, []))


@pytest.mark.parametrize("count", [1, 7])
def test_frames_in_which_nothing_is_possible_are_decoded(count):
    impossible = np.full((count, len(NAMES)), -np.inf, dtype=np.float32)
    frames = np.vstack([path(1, 0, probability=0.99), impossible, path(2, probability=0.99)])
    decoded = text(beam_search(frames, TABLE, NARROW, NAMES))
    assert decoded[0] + decoded[-1] == "ab"


@pytest.mark.parametrize("method", ["advance", "preview"])
def test_frames_that_no_beam_can_read_are_refused_and_change_nothing(method):
    decoder = BeamDecoder(TABLE, NARROW, NAMES)
    decoder.advance(path(1))
    with pytest.raises(ValueError, match=r"expected posteriors \[T, 4\], found \(2, 3\)"):
        getattr(decoder, method)(np.zeros((2, 3), dtype=np.float32))
    with pytest.raises(ValueError, match="posteriors are NaN, first in frame 1"):
        getattr(decoder, method)(np.array([[0] * 4, [np.nan] * 4], dtype=np.float32))
    assert text(decoder.finish()) == "a"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "width and hold_frames of at least 1"),
        ({"hold_frames": 0}, "width and hold_frames of at least 1"),
        ({"lm_weight": -0.1}, "an lm_weight of 0 or more"),
        ({"threshold": 0.0}, "a threshold above 0"),
        ({"insertion": float("nan")}, "an insertion between -99 and 99"),
    ],
)
def test_options_without_a_meaning_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(NARROW, **change)
