"""Read the samples of pieces from the shards, a block of pieces at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from fonoteka.audio.dsp import Signal
from fonoteka.shards import read_clips
from fonoteka.voices.pieces import Cut, Piece

PIECES_PER_READ = 1000
"""Pieces of 2.4 s between two readings of the shards: 150 MB of samples."""


def piece_signals(
    folder: Path, references: Mapping[str, str], pieces: Sequence[Piece]
) -> Iterator[Signal]:
    """Yield the samples of each piece, in the order of the pieces.

    Args:
        folder: data/audio.
        references: `shard.tar/name.flac` by id.
        pieces: of `choose_pieces`.

    Raises:
        UserError: a shard or a clip in it is missing.
    """
    for start in range(0, len(pieces), PIECES_PER_READ):
        block = pieces[start : start + PIECES_PER_READ]
        cuts_of: dict[str, list[Cut]] = defaultdict(list)
        for cut in (cut for piece in block for cut in piece):
            cuts_of[cut.id].append(cut)
        samples = {
            cut: signal[cut.start : cut.stop].copy()  # not a view, which would keep the whole clip
            for id_, signal in read_clips(folder, {id_: references[id_] for id_ in cuts_of})
            for cut in cuts_of[id_]
        }
        for piece in block:
            yield np.concatenate([samples[cut] for cut in piece])
