"""Measure how well the audit finds one person under two names, and two under one name.

Reads   a folder with labels.tsv (columns path, speaker) and one recording of each speaker;
        data/models/voices
Writes  reports/bench/voices.json
Params  audit_voices, embed_voices

Every recording is cut in halves: the halves of one are one person under two names, those of two
are two people. Pieces of two recordings together are two people under one name. Halves share a day
and a microphone, so a person who is recorded twice is missed more often than this report says.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal, levelled, speech_bounds, to_mono_16k
from fonoteka.audiocheck.decode import read_sound
from fonoteka.bench import report
from fonoteka.bench.report import Benchmark, run_benchmarks
from fonoteka.bench.voices.verification_errors import equal_error, pair_errors
from fonoteka.core.errors import UserError
from fonoteka.core.params import load
from fonoteka.reporting.rounding import rounded
from fonoteka.tables import read_table
from fonoteka.voices.compare_voices import AuditVoicesParams, cosine_of, least_alike_division
from fonoteka.voices.pieces import EmbedVoicesParams, choose_pieces
from fonoteka.voices.store import WIDTH, quantised

LEVEL_DBFS, TRIM_DB, MARGIN_S = -23.0, 40.0, 0.05
"""As the stage preprocess has them: level, and what counts as silence at the ends."""
DRAWS = (1000, 1)
"""Draws of the speakers for the intervals, and their seed."""
OTHERS = 8
"""People whose pieces are mixed with those of each person."""
MIN_SPEAKERS = 2

Pieces = NDArray[np.int16]


@dataclass(frozen=True)
class HalfClip:
    """Half of a recording, as `choose_pieces` reads a clip."""

    id: str
    duration_s: float
    session: str | None = None
    parent: str | None = None


def halves(folder: Path) -> Iterator[tuple[str, Signal, Signal]]:
    """Yield the speaker and both halves of each recording, prepared as the pipeline does it.

    Raises:
        UserError: the table is missing, or a speaker has two recordings, whose pairs would count
            as those of two people.
    """
    rows = read_table(folder / "labels.tsv", ("path", "speaker"), "\t")
    speakers = [row["speaker"] for row in rows]
    if twice := sorted({name for name in speakers if speakers.count(name) > 1}):
        raise UserError(
            f"{folder / 'labels.tsv'}: speaker {twice[0]!r} has two recordings; expected one each"
        )
    for row in rows:
        signal = to_mono_16k(*read_sound(folder / row["path"]))
        start, end = speech_bounds(signal, TRIM_DB, MARGIN_S)
        signal = levelled(signal[start:end], LEVEL_DBFS)
        middle = len(signal) // 2
        yield row["speaker"], signal[:middle], signal[middle:]


def embedded_halves(
    folder: Path, model: Path, params: EmbedVoicesParams
) -> tuple[list[tuple[Pieces, Pieces]], int]:
    """Return the vectors of both halves of each recording, and how many recordings are too short.

    Raises:
        UserError: the model or a recording is missing or damaged.
    """
    import torch

    from fonoteka.voices.voice_encoder import embed, load_encoder

    torch.set_num_threads(1)  # the CPU seconds in the report are those of one thread
    encoder = load_encoder(model)
    result, short = [], 0
    # One recording at a time: the vectors are kept, and the samples are not.
    for _, *signals in halves(folder):
        own = []
        for signal in signals:
            clip = HalfClip("half", len(signal) / SAMPLE_RATE_HZ)
            cuts = [piece[0] for piece in choose_pieces([clip], params)[0]]
            vectors = embed(encoder, (signal[cut.start : cut.stop] for cut in cuts))
            own.append(
                np.array([quantised(v) for v in vectors], np.int16).reshape(len(cuts), WIDTH)
            )
        if min(map(len, own)):
            result.append((own[0], own[1]))
        else:
            short += 1
    if len(result) < MIN_SPEAKERS:
        raise UserError(
            f"{folder}: {len(result)} recordings with a piece in both halves, {short} too short; "
            f"expected at least {MIN_SPEAKERS}"
        )
    return result, short


def two_names(pairs: Sequence[tuple[Pieces, Pieces]], threshold: float) -> dict[str, Any]:
    """Return the error rates for one person under two names, by pieces per name."""
    most = max(min(len(first), len(second)) for first, second in pairs)
    result = {}
    for count in range(1, most + 1):
        long = [pair for pair in pairs if min(map(len, pair)) >= count]
        if len(long) < MIN_SPEAKERS:
            continue
        first, second = (
            np.array([pair[side][:count].astype(float).sum(axis=0) for pair in long])
            for side in (0, 1)
        )
        squares = [np.einsum("sd,sd->s", side, side) for side in (first, second)]
        cosines = cosine_of(first @ second.T, squares[0][:, None], squares[1])
        result[str(count)] = pair_errors(cosines, threshold, *DRAWS)
    return result


def two_people(
    pairs: Sequence[tuple[Pieces, Pieces]], pieces: int, threshold: float
) -> dict[str, Any]:
    """Return the error rates for two people under one name, by pieces of the second person.

    Args:
        pairs: the pieces of both halves of each person.
        pieces: of a name; people with fewer are left out.
        threshold: names whose lowest division is below it are flagged.
    """
    people = [np.concatenate(pair).astype(float) for pair in pairs]
    people = [own[:pieces] for own in people if len(own) >= pieces]
    if len(people) < MIN_SPEAKERS:
        return {}
    pure = np.array([least_alike_division(own)[0] for own in people])
    order = np.random.default_rng(DRAWS[1]).permutation(len(people))
    result: dict[str, Any] = {"people": len(people), "pieces": pieces, "threshold": threshold}
    result["false_alarms"] = float((pure < threshold).mean())
    for second in range(1, pieces // 2 + 1):
        mixed = np.array([
            least_alike_division(
                np.concatenate([people[order[n]][second:], people[order[n - step]][:second]])
            )[0]
            for n in range(len(people))
            for step in range(1, min(OTHERS, len(people) - 1) + 1)
        ])  # fmt: skip
        rate, rate_threshold = equal_error(pure, mixed, np.ones(len(pure)), np.ones(len(mixed)))
        result[f"{second} of {pieces}"] = {
            "names": len(mixed), "misses": float((mixed >= threshold).mean()),
            "equal_error": rate, "equal_error_threshold": rate_threshold,
        }  # fmt: skip
    return result


def run(
    folder: Path, model: Path, limits: AuditVoicesParams, params: EmbedVoicesParams
) -> dict[str, Any]:
    """Return the report."""
    start_s = time.process_time()
    pairs, short = embedded_halves(folder, model, params)
    seconds = time.process_time() - start_s
    result = {
        "recordings": len(pairs),
        "too_short": short,
        "piece_s": params.piece_s,
        "embedded_pieces": sum(len(half) for pair in pairs for half in pair),
        "cpu_s": seconds,
        "two_names": two_names(pairs, limits.same_voice),
        "two_people": two_people(pairs, params.pieces, limits.two_voices),
    }
    return dict(rounded(result, 5))


def page(result: Mapping[str, Any]) -> str:
    """Return the report as text."""
    rows: list[Sequence[object]] = [
        [
            f"two names, {count} pieces each", row["speakers"], _percent(row["equal_error"]),
            row["equal_error_threshold"], row["threshold"], _percent(row["misses"]),
            _percent(row["false_alarms"]),
        ]
        for count, row in result["two_names"].items()
    ]  # fmt: skip
    people = result["two_people"]
    for name, row in people.items():
        if isinstance(row, dict):
            rows.append([
                f"two people, {name} pieces", people["people"], f"{100 * row['equal_error']:.1f}",
                row["equal_error_threshold"], people["threshold"], f"{100 * row['misses']:.1f}",
                f"{100 * people['false_alarms']:.1f}",
            ])  # fmt: skip
    title = (
        f"voices: {result['recordings']} recordings in halves, {result['embedded_pieces']} pieces "
        f"of up to {result['piece_s']:g} s, {result['cpu_s']:.0f} CPU seconds"
    )
    header = ["", "speakers", "EER %", "at", "threshold", "misses %", "false alarms %"]
    return report.page(title, header, rows)


def _percent(entry: Mapping[str, Any]) -> str:
    if entry["low"] is None:
        return f"{100 * entry['value']:.3g}"
    low, high = 100 * entry["low"], 100 * entry["high"]
    return f"{100 * entry['value']:.3g} ({low:.2g} to {high:.2g})"


def bench_voices(folder: Path, busy: bool = False) -> None:
    """Run the measurement of the voices; see `run_benchmarks`."""
    limits = load("audit_voices", AuditVoicesParams)
    params = load("embed_voices", EmbedVoicesParams)
    measure = partial(run, folder, Path("data/models/voices"), limits, params)
    benchmark = Benchmark(measure, page, Path("reports/bench/voices.json"))
    run_benchmarks({"voices": benchmark}, busy=busy)
