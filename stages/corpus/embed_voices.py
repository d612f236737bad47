"""Embed a few seconds of every speaker, for the audit's comparison of voices.

    python -m stages.corpus.embed_voices data/models/voices data/splits/train.jsonl \
        data/splits/valid.jsonl data/splits/test.jsonl data/audio data/corpus/voices

Reads   the weights of the speaker encoder, the splits, the audio in the shards
Writes  data/corpus/voices/: pieces.npy, pieces.csv, left_out.csv, see `fonoteka.voices.store`
Params  compute, embed_voices

It is a stage apart from `audit`, because vectors differ between processors in the last digit: the
audit reads whole numbers and writes the same report on every machine. About 10 s of a speaker are
embedded, however many hours there are.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from fonoteka.audio.dsp import Signal, rms_dbfs
from fonoteka.core.params import load
from fonoteka.core.run_stage import stage
from fonoteka.manifest import PARTS, Utterance, read
from fonoteka.models.determinism import ComputeParams, configure
from fonoteka.tables import Row
from fonoteka.voices.piece_signals import piece_signals
from fonoteka.voices.pieces import SILENT, EmbedVoicesParams, Piece, choose_pieces
from fonoteka.voices.store import WIDTH, VoicePieces, quantised, write_voices

SILENT_BELOW_DBFS = -60.0
"""RMS of a piece; prepared clips have -23 dBFS, so that only a cut can be silent."""

Chosen = tuple[Row, Piece]


def run(
    model: Path, parts: Mapping[str, Path], audio: Path, out: Path, params: EmbedVoicesParams,
    threads: int,
) -> None:  # fmt: skip
    """Write the vectors of all speakers, and who has none and why.

    Raises:
        UserError: the model, a manifest or a clip is missing or damaged.
    """
    configure(threads)
    # 4 CPU seconds, which a missing manifest does not have to wait for.
    from fonoteka.voices.voice_encoder import embed, load_encoder

    rows = {part: read(parts[part]) for part in PARTS}
    encoder = load_encoder(model)
    chosen, left_out = choose(rows, params)
    references = {u.id: u.audio for part in PARTS for u in rows[part]}
    audible_rows: list[Row] = []
    signals = piece_signals(audio, references, [piece for _, piece in chosen])
    vectors = list(embed(encoder, audible(chosen, signals, audible_rows)))
    # Without a positive value in all windows the network's answer is 0, and names no voice.
    voiced = [number for number, vector in enumerate(vectors) if vector.any()]
    table = [audible_rows[number] for number in voiced]
    numbers = [quantised(vectors[number]) for number in voiced]
    speakers = {(row["part"], row["speaker"]) for row in table}
    for part, speaker in sorted({(row["part"], row["speaker"]) for row, _ in chosen} - speakers):
        left_out.append({"part": part, "speaker": speaker, "reason": SILENT})
    array = np.array(numbers, np.int16).reshape(len(numbers), WIDTH)
    write_voices(out, VoicePieces(array, table, left_out))
    reasons = Counter(row["reason"] for row in left_out)
    counted = "".join(f", {count} {reason}" for reason, count in sorted(reasons.items()))
    print(f"embed_voices: {len(table)} pieces of {len(speakers)} speakers{counted}")


def choose(
    parts: Mapping[str, Sequence[Utterance]], params: EmbedVoicesParams
) -> tuple[list[Chosen], list[Row]]:
    """Return the pieces of all speakers with their rows, and the speakers without a piece."""
    chosen: list[Chosen] = []
    left_out: list[Row] = []
    for part, utterances in parts.items():
        own: dict[str, list[Utterance]] = defaultdict(list)
        for utterance in utterances:
            own[utterance.speaker].append(utterance)
        for speaker, rows in sorted(own.items()):
            pieces, reason = choose_pieces(rows, params)
            if reason:
                left_out.append({"part": part, "speaker": speaker, "reason": reason})
            for piece in pieces:
                clips = " ".join(dict.fromkeys(cut.id for cut in piece))
                chosen.append(({"part": part, "speaker": speaker, "clips": clips}, piece))
    return chosen, left_out


def audible(
    chosen: Iterable[Chosen], signals: Iterable[Signal], audible_rows: list[Row]
) -> Iterator[Signal]:
    """Yield the pieces that are not silent, and add the row of each to `audible_rows`."""
    for (row, _), signal in zip(chosen, signals, strict=True):
        if rms_dbfs(signal) > SILENT_BELOW_DBFS:
            audible_rows.append(row)
            yield signal


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", *PARTS, "audio", "out"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    params = load("embed_voices", EmbedVoicesParams)
    threads = load("compute", ComputeParams).threads
    parts = {part: getattr(args, part) for part in PARTS}
    run(args.model, parts, args.audio, args.out, params, threads)


if __name__ == "__main__":
    stage(main)
