"""Compare prefix beam search with the best path, for every model, on whole recordings and streams.

Reads   data/posteriors/<name> of each model, data/models/phone_ngram, valid.jsonl, test.jsonl
Writes  reports/beam.json, reports/beam.md
Params  beam

The settings of a model's beam are chosen on the validation part alone; then the test part is
decoded once. The beam is shipped for a model if it has fewer errors than the best path beyond
doubt: the whole 95 % interval of the difference, over the same draws of speakers, is below 0. That
holds for sentences like those of the training part; `sources` has the rates of each corpus. A
stream has the same settings with a shorter hold; its commit lag is counted in frames, which no
machine changes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fonoteka import manifest
from fonoteka.audio.dsp import FRAMES_PER_SECOND
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, write_json, write_text
from fonoteka.core.params import load
from fonoteka.manifest import Utterance
from fonoteka.phones import LABELS
from fonoteka.reporting.beam_table import beam_table
from fonoteka.reporting.rounding import rounded
from fonoteka.scoring.decoding import check_posteriors, greedy
from fonoteka.scoring.error_rate import Errors, bootstrap, errors_by, paired_bootstrap
from fonoteka.shards import open_arrays
from fonoteka.streaming.arpa import parse_arpa
from fonoteka.streaming.beam_decoder import BeamDecoder, beam_search
from fonoteka.streaming.ngram_table import NgramTable, table_of
from fonoteka.streaming.prefix_beam import BeamOptions
from stages.evaluation.evaluate_beam.tuning import (
    EvaluateBeamParams,
    ScoredPart,
    tuned,
)

SpeakerErrors = dict[str, Errors]
Phones = Sequence[Sequence[str]]


@dataclass(frozen=True)
class StreamedPart:
    """The phones of each utterance as a stream commits them, and their commit lags in frames."""

    phones: list[list[str]]
    lags: list[int]


def scored_part(utterances: Iterable[Utterance], folder: Path, place: Path) -> ScoredPart:
    """Return the utterances that have a reference with a model's posteriors.

    Raises:
        UserError: none has a reference, or posteriors are missing or cannot be decoded.
    """
    rows = [u for u in utterances if u.phones]
    if not rows:
        raise UserError(f"{place}: no utterance has a phone to score")
    arrays = open_arrays(folder, [u.id for u in rows])
    for key, log_probs in arrays.items():
        try:
            check_posteriors(log_probs, LABELS)
        except ValueError as error:
            raise UserError(f"{folder}: {key!r}: {error}") from error
    return ScoredPart(rows, [arrays[u.id] for u in rows])


def by_speaker(part: ScoredPart, phones: Phones) -> SpeakerErrors:
    """Return the errors of decoded phones per speaker."""
    return errors_by(
        [u.speaker for u in part.utterances], [u.phones for u in part.utterances], phones
    )


def streamed(part: ScoredPart, table: NgramTable, options: BeamOptions) -> StreamedPart:
    """Decode each utterance frame by frame.

    The lag of a phone is the number of frames after its end at which it is committed; phones that
    only the end of the utterance commits have none.
    """
    phones, lags = [], []
    # One decoder for all: `finish` resets it, as between two utterances of a stream.
    decoder = BeamDecoder(table, options)
    for log_probs in part.log_probs:
        symbols = []
        for number in range(len(log_probs)):
            for phone in decoder.advance(log_probs[number : number + 1]):
                symbols.append(phone.symbol)
                lags.append(number + 1 - round(phone.end_s * FRAMES_PER_SECOND))
        phones.append(symbols + [phone.symbol for phone in decoder.finish()])
    return StreamedPart(phones, lags)


def lag_ms(lags: Sequence[int]) -> dict[str, Any]:
    """Return quantiles of commit lags in ms; None if there is none.

    >>> lag_ms([1, 1, 1, 3])
    {'p50': 20.0, 'p90': 48.0}
    """
    if not lags:
        return {"p50": None, "p90": None}
    ms = np.quantile(np.array(lags) * (1000 / FRAMES_PER_SECOND), [0.5, 0.9])
    return {"p50": round(float(ms[0]), 1), "p90": round(float(ms[1]), 1)}


def rate(errors: SpeakerErrors, params: EvaluateBeamParams) -> dict[str, Any]:
    """Return the error rate with its interval, and the counts of errors."""
    total = sum(errors.values(), Errors())
    pairs = [(e.wrong, e.reference) for e in errors.values()]
    interval = bootstrap(pairs, params.resamples, params.seed)
    counts = {key: count for key, count in asdict(total).items() if key != "reference"}
    return {"per": total.rate, "per_low": interval.low, "per_high": interval.high, **counts}


def against(
    ours: SpeakerErrors, theirs: SpeakerErrors, params: EvaluateBeamParams
) -> dict[str, Any]:
    """Return the rate of ours, its difference to theirs, and whether it is shipped."""
    interval, better = paired_bootstrap(ours, theirs, params.resamples, params.seed)
    row = rate(ours, params)
    return row | {
        "difference": row["per"] - sum(theirs.values(), Errors()).rate,
        "difference_low": interval.low,
        "difference_high": interval.high,
        "share_of_draws_better": better,
        # The whole interval must be below 0: a beam costs time, which chance does not pay.
        "shipped": interval.high is not None and interval.high < 0,
        **({"interval": interval.reason} if interval.reason else {}),
    }


def model_report(
    valid: ScoredPart, test: ScoredPart, table: NgramTable, params: EvaluateBeamParams
) -> dict[str, Any]:
    """Tune on the validation part, decode the test part, and return the results of a model."""
    # Weights are chosen on the validation part, so that the test part is decoded once.
    errors, options = tuned(valid, table, params)
    reference = sum(len(u.phones) for u in valid.utterances)
    path = [[s.symbol for s in greedy(x)] for x in test.log_probs]
    beam = [[s.symbol for s in beam_search(x, table, options)] for x in test.log_probs]
    stream = streamed(test, table, replace(options, hold_frames=params.stream_hold_frames))
    greedy_errors, beam_errors = by_speaker(test, path), by_speaker(test, beam)
    return {
        "chosen": {
            "width": options.width, "lm_weight": options.lm_weight, "insertion": options.insertion,
        },
        "valid_per": errors / reference,
        "greedy": rate(greedy_errors, params),
        "beam": against(beam_errors, greedy_errors, params),
        "stream": against(by_speaker(test, stream.phones), greedy_errors, params)
        | {"commit_lag_ms": lag_ms(stream.lags)},
        "languages": rates_by([u.language for u in test.utterances], test, path, beam),
        "sources": rates_by([u.source for u in test.utterances], test, path, beam),
    }  # fmt: skip


def rates_by(
    keys: Sequence[str], part: ScoredPart, path: Phones, beam: Phones
) -> dict[str, dict[str, float]]:
    """Return the error rates of the best path and of the beam per key of an utterance."""
    references = [u.phones for u in part.utterances]
    both = {"greedy": errors_by(keys, references, path), "beam": errors_by(keys, references, beam)}
    return {
        key: {name: errors[key].rate for name, errors in both.items()} for key in both["greedy"]
    }


def run(
    posteriors: Sequence[Path], ngram: Path, valid: Path, test: Path, report_to: Path,
    table_to: Path, params: EvaluateBeamParams,
) -> None:  # fmt: skip
    """Score the beam of every model."""
    arpa = ngram / "phones.arpa"
    table = table_of(parse_arpa(arpa.read_text(encoding="utf-8"), str(arpa)), LABELS)
    parts = {path: manifest.read(path) for path in (valid, test)}
    models: dict[str, Any] = {}
    for folder in posteriors:
        valid_part, test_part = (scored_part(rows, folder, path) for path, rows in parts.items())
        models[folder.name] = model_report(valid_part, test_part, table, params)
    sizes = {
        path.stem: {
            "utterances": sum(bool(u.phones) for u in rows),
            "phones": sum(len(u.phones) for u in rows),
            "speakers": len({u.speaker for u in rows if u.phones}),
            "empty_references": sum(not u.phones for u in rows),
        }
        for path, rows in parts.items()
    }
    report = {
        "models": models,
        "parts": sizes,
        "phone_ngram": read_json(ngram / "ngram.json"),
        "threshold": params.threshold,
        "hold_frames": {"beam": params.hold_frames, "stream": params.stream_hold_frames},
    }
    result = rounded(report, params.digits)
    write_json(report_to, result)
    write_text(table_to, f"# Prefix beam search with a phone n-gram\n\n{beam_table(result)}\n")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("posteriors", type=Path, nargs="+", help="data/posteriors/<name> of each")
    for name in ("ngram", "valid", "test"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True, dest="report_to")
    parser.add_argument("--table", type=Path, required=True, dest="table_to")
    run(**vars(parser.parse_args()), params=load("beam", EvaluateBeamParams))
