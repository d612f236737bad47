"""A stream is decoded to the phones of the whole recording, wherever it is split."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteka.audio.dsp import FRAMES_PER_SECOND
from fonoteka.scoring.decoding import greedy
from fonoteka.streaming.greedy_decoder import LONGEST_RUN, GreedyDecoder, peak_posterior

NAMES = ("", "a", "b", "c")
BEST = st.lists(st.integers(0, 3), max_size=30)
PIECES = st.lists(st.integers(0, 4), max_size=12)


def rows(best, probabilities=(0.9,)):
    """Return log posteriors `[T, 4]` whose most likely labels are `best`."""
    sure = np.resize(np.array(probabilities, dtype=np.float32), len(best))
    table = np.repeat((1 - sure)[:, None] / 3, 4, axis=1)
    table[np.arange(len(best)), best] = sure
    return np.log(table)


def pieces_of(frames, sizes):
    """Return the frames in pieces of the sizes, and then the rest."""
    return np.split(frames, np.minimum(np.cumsum(sizes, dtype=int), len(frames)))


def streamed(frames, sizes, decoder=None):
    decoder = decoder or GreedyDecoder(NAMES)
    phones = [phone for piece in pieces_of(frames, sizes) for phone in decoder.advance(piece)]
    return phones + decoder.finish()


def spans(phones):
    """Return the phones with their frames instead of seconds."""
    return [
        (p.symbol, round(p.start_s * FRAMES_PER_SECOND), round(p.end_s * FRAMES_PER_SECOND))
        for p in phones
    ]


@given(best=BEST, sizes=PIECES)
def test_the_phones_of_any_split_are_those_of_the_recording(best, sizes):
    frames = rows(best, (0.9, 0.5, 0.7))
    whole = [(s.symbol, s.start, s.end) for s in greedy(frames, NAMES)]
    assert spans(streamed(frames, sizes)) == whole
    assert streamed(frames, sizes) == streamed(frames, [])


@given(best=BEST, sizes=PIECES, ahead=BEST)
def test_a_preview_is_what_the_provisional_frames_would_give_and_changes_nothing(
    best, sizes, ahead
):
    frames, provisional = rows(best), rows(ahead)
    decoder = GreedyDecoder(NAMES)
    committed = [p for piece in pieces_of(frames, sizes) for p in decoder.advance(piece)]
    expected = streamed(np.concatenate([frames, provisional]), [])
    assert committed + decoder.preview(provisional) == expected
    assert committed + decoder.preview(frames[:0]) + decoder.advance(frames[:0]) == [
        *committed, *decoder.finish()
    ]  # fmt: skip


def test_a_phone_is_committed_by_the_first_frame_of_another_label():
    decoder = GreedyDecoder(NAMES)
    assert decoder.advance(rows([1, 1])) == []
    assert spans(decoder.advance(rows([0]))) == [("a", 0, 2)]
    assert decoder.finish() == []


def test_a_run_across_pieces_is_one_phone_and_a_blank_makes_it_two():
    assert spans(streamed(rows([1, 1, 1, 1]), [1, 1, 1])) == [("a", 0, 4)]
    assert spans(streamed(rows([1, 0, 1, 1]), [1, 1, 1])) == [("a", 0, 1), ("a", 2, 4)]


def test_a_finished_decoder_begins_a_new_stream():
    decoder = GreedyDecoder(NAMES)
    first = streamed(rows([0, 1, 1]), [], decoder)
    assert streamed(rows([0, 1, 1]), [2], decoder) == first


def test_the_confidence_is_the_highest_posterior_of_the_run():
    (phone,) = streamed(rows([0, 1, 1, 1, 0], (0.99, 0.6, 0.8, 0.7, 0.99)), [2])
    assert phone.confidence == pytest.approx(0.8, abs=1e-6)


def test_another_confidence_gets_all_frames_of_the_run_and_its_label():
    seen = []

    def confidence(log_probs, label):
        seen.append((log_probs.tolist(), label))
        return 0.5

    frames = rows([0, 2, 2, 2, 0], (0.99, 0.6, 0.8, 0.7, 0.99))
    (phone,) = streamed(frames, [2], GreedyDecoder(NAMES, confidence))
    assert phone.confidence == 0.5
    assert seen == [(frames[1:4].tolist(), 2)]


def test_no_confidence_is_above_one():
    assert peak_posterior(np.array([[-9.0, 1e-6]], dtype=np.float32), 1) == 1.0


def test_the_frames_of_an_endless_run_are_stored_for_ten_seconds():
    lengths = []
    decoder = GreedyDecoder(NAMES, lambda frames, label: lengths.append(len(frames)) or 0.5)
    for _ in range(3):
        assert decoder.advance(rows([1] * 400)) == []
    assert spans(decoder.finish()) == [("a", 0, 1200)]
    assert lengths == [LONGEST_RUN]


@pytest.mark.parametrize("method", ["advance", "preview"])
def test_frames_that_cannot_be_decoded_are_refused_and_change_nothing(method):
    decoder = GreedyDecoder(NAMES)
    decoder.advance(rows([1]))
    with pytest.raises(ValueError, match=r"expected posteriors \[T, 4\], found \(2, 3\)"):
        getattr(decoder, method)(np.zeros((2, 3), dtype=np.float32))
    with pytest.raises(ValueError, match="posteriors are NaN, first in frame 1"):
        getattr(decoder, method)(np.array([[0] * 4, [np.nan] * 4], dtype=np.float32))
    assert spans(decoder.finish()) == [("a", 0, 1)]
