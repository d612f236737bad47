"""Choose the pieces of a speaker's clips that are embedded: few, long enough, from many clips.

A vector of less than 2 s of speech says little about a voice. So a piece is cut from one clip of
2 s or more, or joined from shorter clips of one speaker and session. Every clip gives its first
piece before any gives its second: two people under one name are then likely to have one each.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.core.errors import UserError

MIN_PIECE_S = 2.0
"""A clip of this length is a piece of its own; shorter ones are joined."""
MAX_PIECES = 6
"""The ways to divide pieces among two people double with each: 31 of six."""

TOO_SHORT = f"less than {MIN_PIECE_S:g} s of speech"
ONLY_COPIES = "augmented copies only"
SILENT = "silent where it was cut"


@dataclass(frozen=True)
class EmbedVoicesParams:
    """Section `embed_voices`.

    Attributes:
        piece_s: seconds of a piece, at most; at least `MIN_PIECE_S`.
        pieces: per speaker and split, at most; 2 to `MAX_PIECES`.
    """

    piece_s: float
    pieces: int

    def __post_init__(self) -> None:
        """Raise for a piece that is too short and for a number that is out of range."""
        if not MIN_PIECE_S <= self.piece_s <= 30:
            raise UserError(
                f"embed_voices.piece_s must be {MIN_PIECE_S:g} to 30, found {self.piece_s}"
            )
        if not 2 <= self.pieces <= MAX_PIECES:
            raise UserError(f"embed_voices.pieces must be 2 to {MAX_PIECES}, found {self.pieces}")


class VoiceClip(Protocol):
    """What is read of an utterance."""

    @property
    def id(self) -> str:
        """The id of the clip."""

    @property
    def duration_s(self) -> float:
        """Seconds of the clip."""

    @property
    def session(self) -> str | None:
        """In which it was recorded, if known."""

    @property
    def parent(self) -> str | None:
        """The id of the clip that this one is a changed copy of."""


@dataclass(frozen=True)
class Cut:
    """Samples `start` to `stop` of the clip `id`, at 16 kHz."""

    id: str
    start: int
    stop: int


Piece = tuple[Cut, ...]
"""One cut, or cuts that are joined."""


def choose_pieces(rows: Sequence[VoiceClip], params: EmbedVoicesParams) -> tuple[list[Piece], str]:
    """Return the pieces of one speaker, and the reason if there are none.

    Augmented copies are not used: a shifted pitch is another voice.

    Args:
        rows: the clips of one speaker in one split.
        params: length and number of the pieces.
    """
    own = [row for row in rows if row.parent is None]
    if not own:
        return [], ONLY_COPIES
    # The order is that of a hash of the id, so that pieces are drawn from all clips of a speaker.
    own.sort(key=lambda row: hashlib.sha256(row.id.encode()).digest())
    rounds: dict[int, list[Piece]] = defaultdict(list)
    for number, piece in _candidates(own, round(params.piece_s * SAMPLE_RATE_HZ)):
        rounds[number].append(piece)
    pieces = [piece for number in sorted(rounds) for piece in rounds[number]][: params.pieces]
    return pieces, "" if pieces else TOO_SHORT


def _candidates(rows: Sequence[VoiceClip], size: int) -> Iterator[tuple[int, Piece]]:
    """Yield `(round, piece)`; the pieces that come first from their clips have round 0."""
    least = round(MIN_PIECE_S * SAMPLE_RATE_HZ)
    short: dict[str, list[Cut]] = defaultdict(list)
    for row in rows:
        length = int(row.duration_s * SAMPLE_RATE_HZ)
        if length < least:
            joined = short[row.session or ""]
            joined.append(Cut(row.id, 0, length))
            if samples_of(joined) >= size:
                yield 0, _shortened(joined, size)
                short[row.session or ""] = []
            continue
        count = max(1, length // size)
        start = max(0, length - count * size) // 2  # equal rests at both ends of the clip
        for number in range(count):
            cut = Cut(row.id, start + number * size, min(length, start + (number + 1) * size))
            yield number, (cut,)
    for joined in short.values():
        if samples_of(joined) >= least:
            yield 0, tuple(joined)


def samples_of(cuts: Sequence[Cut]) -> int:
    """Return the samples of cuts together.

    >>> samples_of([Cut("a", 0, 5), Cut("b", 2, 4)])
    7
    """
    return sum(cut.stop - cut.start for cut in cuts)


def _shortened(cuts: Sequence[Cut], size: int) -> Piece:
    """Return cuts whose last one is shortened, so that they have `size` samples together."""
    last = cuts[-1]
    return (*cuts[:-1], Cut(last.id, last.start, last.stop - (samples_of(cuts) - size)))
