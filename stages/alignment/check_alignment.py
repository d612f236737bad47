"""Cut single words out of the test clips at their times, and let recognisers recognise the cuts.

Reads   data/splits/test.jsonl, data/audio, data/posteriors/<name> of the model that places phones,
        data/models/<name>/model.onnx of the recognisers
Writes  reports/alignment_check.json, reports/alignment_check.md
Params  check_alignment

A word that is cut too early, too late or at another word is recognised worse, so the phone error
rate of the cuts measures times without knowing the right ones: on real speech too. Words are
placed by the aligner and by the plain path of CTC, both on the same posteriors; where the corpus
has exact times, cuts at these show what the best times reach; cuts 50 ms later than the aligner's
show what a wrong time costs. A recogniser that placed the words favours times that fit its own
errors, so the report states which one did.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka import manifest
from fonoteka.audio.dsp import Signal
from fonoteka.core.errors import UserError
from fonoteka.core.files import write_json, write_text
from fonoteka.core.params import load
from fonoteka.core.run_stage import stage
from fonoteka.manifest import Utterance
from fonoteka.models.determinism import ComputeParams, configure
from fonoteka.onnx_export.session import labels_of, open_model, session_posteriors
from fonoteka.reporting.cut_word_table import cut_word_page
from fonoteka.reporting.rounding import rounded
from fonoteka.scoring.decoding import greedy
from fonoteka.scoring.error_rate import Errors, bootstrap, errors_by, paired_bootstrap
from fonoteka.shards import open_arrays, read_clips
from stages.alignment.cut_words import ALIGNER, METHODS, PLAIN, CutWord, cut_words, drawn_words

Recognise = Callable[[Signal], list[str]]
"""Maps samples at 16 kHz, `[N]`, to phones."""


@dataclass(frozen=True)
class CheckAlignmentParams:
    """Section `check_alignment`.

    Attributes:
        words_per_speaker: that are drawn; all if a speaker has fewer.
        seed: of the draw and of the resamples.
        resamples: draws of the speakers for an interval.
        digits: decimals of a rate in the report.
    """

    words_per_speaker: int
    seed: int
    resamples: int
    digits: int


def recogniser(path: Path) -> Recognise:
    """Return a function that recognises the phones of a signal with an ONNX file.

    Raises:
        UserError: the file is missing, damaged or foreign.
    """
    session = open_model(path)
    labels = labels_of(session, path)

    def recognise(signal: Signal) -> list[str]:
        log_probs: NDArray[np.float32] = session_posteriors(session, signal[None])[0]
        return [segment.symbol for segment in greedy(log_probs, labels)]

    return recognise


def read_words(
    utterances: Sequence[Utterance], posteriors: Path, audio: Path, params: CheckAlignmentParams
) -> tuple[list[CutWord], int]:
    """Return the drawn words, and the number of those whose clips have too few frames."""
    drawn = {
        u.id: (u, spans)
        for u, spans in drawn_words(utterances, params.words_per_speaker, params.seed)
    }
    arrays = open_arrays(posteriors, list(drawn))
    words = [
        word
        for key, signal in read_clips(audio, {key: u.audio for key, (u, _) in drawn.items()})
        for word in cut_words(*drawn[key], arrays[key], signal)
    ]
    return words, sum(len(spans) for _, spans in drawn.values()) - len(words)


def scored(
    words: Sequence[CutWord], recognise: Recognise, params: CheckAlignmentParams
) -> dict[str, Any]:
    """Return the phone error rate of the cuts of each method, and ours against the plain path's."""
    by_speaker: dict[str, dict[str, Errors]] = {}
    report: dict[str, Any] = {}
    for method in METHODS:
        own = [word for word in words if method in word.cuts]
        phones = [recognise(word.cuts[method]) for word in own]
        report[method] = None
        if own:
            by_speaker[method] = _errors(own, phones, lambda u: u.speaker)
            report[method] = _rates(by_speaker[method], params) | {
                "words": len(own),
                "languages": _rate_by(own, phones, lambda u: u.language),
                "sources": _rate_by(own, phones, lambda u: u.source),
            }
    interval, better = paired_bootstrap(
        by_speaker[ALIGNER], by_speaker[PLAIN], params.resamples, params.seed
    )
    report["aligner_minus_plain_ctc"] = {
        "difference": report[ALIGNER]["per"] - report[PLAIN]["per"],
        "low": interval.low, "high": interval.high, "share_of_draws_better": better,
    }  # fmt: skip
    return report


def _errors(
    words: Sequence[CutWord], phones: Sequence[Sequence[str]], key: Callable[[Utterance], str]
) -> dict[str, Errors]:
    return errors_by([key(word.utterance) for word in words], [w.phones for w in words], phones)


def _rate_by(
    words: Sequence[CutWord], phones: Sequence[Sequence[str]], key: Callable[[Utterance], str]
) -> dict[str, float]:
    return {name: errors.rate for name, errors in _errors(words, phones, key).items()}


def _rates(by_speaker: Mapping[str, Errors], params: CheckAlignmentParams) -> dict[str, Any]:
    interval = bootstrap(
        [(errors.wrong, errors.reference) for errors in by_speaker.values()],
        params.resamples, params.seed,
    )  # fmt: skip
    per = sum(by_speaker.values(), Errors()).rate
    return {"per": per, "per_low": interval.low, "per_high": interval.high}


def checked(
    words: Sequence[CutWord], left_out: int, placed_by: str,
    recognisers: Mapping[str, Recognise], params: CheckAlignmentParams,
) -> dict[str, Any]:  # fmt: skip
    """Return the report.

    Args:
        words: at least one.
        left_out: number of words whose clips have too few frames.
        placed_by: name of the model whose posteriors the words were placed with.
        recognisers: by name.
        params: of the intervals.
    """
    return {
        "clips": len({word.utterance.id for word in words}),
        "words": len(words),
        "speakers": len({word.utterance.speaker for word in words}),
        "left_out": {"too few frames": left_out},
        "synthetic": any(word.utterance.synthetic for word in words),
        "placed_by": placed_by,
        "recognisers": {
            name: rounded(scored(words, recognise, params), params.digits)
            for name, recognise in recognisers.items()
        },
    }


def run(
    test: Path, audio: Path, placed_by: Path, recognisers: Sequence[Path], report: Path,
    params: CheckAlignmentParams,
) -> None:  # fmt: skip
    """Write the report and its page."""
    utterances = [u for u in manifest.read(test) if u.phones]
    words, left_out = read_words(utterances, placed_by, audio, params)
    if not words:
        raise UserError(f"{test}: no word to cut; {left_out} were left out")
    by_name = {path.parent.name: recogniser(path) for path in recognisers}
    result = checked(words, left_out, placed_by.name, by_name, params)
    write_json(report, result)
    write_text(report.with_suffix(".md"), cut_word_page(result))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("test", "audio", "report"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--placed-by", type=Path, required=True, help="a folder of posteriors")
    parser.add_argument("--recognisers", type=Path, nargs="+", required=True, help="ONNX files")
    args = parser.parse_args()
    configure(load("compute", ComputeParams).threads)
    run(**vars(args), params=load("check_alignment", CheckAlignmentParams))


if __name__ == "__main__":
    stage(main)
