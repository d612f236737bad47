"""Pieces of a speaker are few, long enough, and from as many clips as possible."""

from __future__ import annotations

from itertools import pairwise

import pytest
from corpus_maker import utterance

from fonoteka.voices.pieces import (
    MIN_PIECE_S,
    ONLY_COPIES,
    TOO_SHORT,
    EmbedVoicesParams,
    choose_pieces,
    samples_of,
)

PARAMS = EmbedVoicesParams(piece_s=2.4, pieces=4)


def clips(*seconds, **more):
    return [
        utterance("c/a", number, duration_s=length, **more) for number, length in enumerate(seconds)
    ]


def lengths_s(rows, params=PARAMS):
    return sorted(samples_of(piece) / 16_000 for piece in choose_pieces(rows, params)[0])


def test_every_long_clip_gives_a_piece_before_any_gives_two():
    pieces, _ = choose_pieces(clips(30.0, 2.4, 2.1, 5.0), PARAMS)
    assert len({piece[0].id for piece in pieces}) == 4
    assert lengths_s(clips(30.0, 2.4, 2.1, 5.0)) == [2.1, 2.4, 2.4, 2.4]


def test_one_long_clip_gives_pieces_that_do_not_overlap():
    pieces, _ = choose_pieces(clips(15.0), PARAMS)
    places = sorted((piece[0].start, piece[0].stop) for piece in pieces)
    assert len(places) == 4
    assert all(stop <= start for (_, stop), (start, _) in pairwise(places))
    assert places[0][0] >= 0
    assert places[-1][1] <= 15 * 16_000


def test_short_clips_are_joined_and_the_last_one_is_cut():
    (first, *_), _ = choose_pieces(clips(*[0.5] * 12), PARAMS)
    assert len(first) == 5
    assert samples_of(first) == 2.4 * 16_000
    assert lengths_s(clips(*[0.5] * 12)) == [2.4, 2.4]
    assert lengths_s(clips(*[0.5] * 4)) == [2.0]


def test_clips_of_two_sessions_are_not_joined():
    rows = clips(*[0.7] * 2, session="c/x") + [
        utterance("c/a", number, duration_s=0.7, session="c/y") for number in (7, 8)
    ]
    assert choose_pieces(rows, PARAMS) == ([], TOO_SHORT)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (clips(1.99), TOO_SHORT),
        (clips(0.5, 0.5, 0.9), TOO_SHORT),
        (clips(9.0, parent="c/other"), ONLY_COPIES),
    ],
    ids=["one clip", "three clips", "a copy"],
)
def test_a_speaker_without_a_piece_has_a_reason(rows, reason):
    assert choose_pieces(rows, PARAMS) == ([], reason)


def test_the_order_of_the_rows_does_not_matter():
    rows = clips(*[2.5] * 20)
    assert choose_pieces(rows, PARAMS) == choose_pieces(rows[::-1], PARAMS)


@pytest.mark.parametrize(
    ("piece_s", "pieces", "message"),
    [
        (MIN_PIECE_S - 0.1, 4, r"piece_s must be 2 to 30, found 1\.9"),
        (31.0, 4, r"piece_s must be 2 to 30, found 31\.0"),
        (2.4, 1, "pieces must be 2 to 6, found 1"),
        (2.4, 7, "pieces must be 2 to 6, found 7"),
    ],
    ids=["short", "long", "one", "seven"],
)
def test_lengths_and_numbers_out_of_range_are_refused(piece_s, pieces, message):
    with pytest.raises(ValueError, match=rf"^embed_voices\.{message}"):
        EmbedVoicesParams(piece_s, pieces)
