"""Compare the shipped head with the reference head, trained alike on the same encoder.

Reads   data/models/reference, data/posteriors/<name>, the embeddings of both, test.jsonl
Writes  reports/reference.json
Params  compare_heads, compute

The shipped head is several times faster; this stage tests that its error rate is not higher. The
two-layer BiLSTM is not shipped, so torch computes its posteriors. Clips, decoder and draws of
speakers are the same for both.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteka import manifest
from fonoteka.core.errors import UserError
from fonoteka.core.files import write_json
from fonoteka.core.params import load
from fonoteka.core.run_stage import stage
from fonoteka.manifest import Utterance
from fonoteka.models.determinism import ComputeParams, configure
from fonoteka.models.heads import load_head, posteriors
from fonoteka.models.numbers import parameter_count
from fonoteka.reporting.rounding import rounded
from fonoteka.scoring.decoding import greedy
from fonoteka.scoring.error_rate import Errors, bootstrap, errors_by, paired_bootstrap
from fonoteka.shards import open_arrays


@dataclass(frozen=True)
class CompareHeadsParams:
    """Section `compare_heads`.

    Attributes:
        resamples: draws of the speakers for an interval.
        seed: of the draws.
        digits: decimals of a rate in the report.
    """

    resamples: int
    seed: int
    digits: int


def by_speaker(
    utterances: Sequence[Utterance], log_probs: Callable[[Utterance], Any]
) -> dict[str, Errors]:
    """Return the errors of each speaker; `log_probs` returns an utterance's posteriors `[T, V]`."""
    decoded = [[s.symbol for s in greedy(log_probs(u))] for u in utterances]
    return errors_by([u.speaker for u in utterances], [u.phones for u in utterances], decoded)


def compared(
    ours: dict[str, Errors], theirs: dict[str, Errors], params: CompareHeadsParams
) -> dict[str, Any]:
    """Return both rates with their intervals, and their difference with its own."""

    def rate(side: dict[str, Errors]) -> dict[str, Any]:
        total = sum(side.values(), Errors())
        pairs = [(side[s].wrong, side[s].reference) for s in sorted(side)]
        interval = bootstrap(pairs, params.resamples, params.seed)
        return {
            "per": total.rate, "per_low": interval.low, "per_high": interval.high,
        }  # fmt: skip

    interval, better = paired_bootstrap(ours, theirs, params.resamples, params.seed)
    report: dict[str, Any] = {"shipped": rate(ours), "reference": rate(theirs)}
    totals = [sum(side.values(), Errors()).rate for side in (ours, theirs)]
    report |= {
        "difference": totals[0] - totals[1], "difference_low": interval.low,
        "difference_high": interval.high, "share_of_draws_better": better,
        "speakers": len(ours), **({"interval": interval.reason} if interval.reason else {}),
    }  # fmt: skip
    result: dict[str, Any] = rounded(report, params.digits)
    return result


def run(
    reference: Path,
    shipped: Path,
    embeddings: Path,
    test: Path,
    out: Path,
    params: CompareHeadsParams,
) -> None:
    """Score both heads on the test part."""
    head, metadata = load_head(reference)
    tested = manifest.read(test)
    utterances = [u for u in tested if u.phones]
    if not utterances:
        raise UserError(f"{test}: no utterance to test on")
    keys = [u.id for u in utterances]
    frames, log_probs = open_arrays(embeddings, keys), open_arrays(shipped, keys)
    ours = by_speaker(utterances, lambda u: log_probs[u.id])
    theirs = by_speaker(utterances, lambda u: posteriors(head, frames[u.id]))
    description = {
        "name": shipped.name, "shape": metadata["shape"], "encoder": metadata["encoder"],
        "empty_references": len(tested) - len(utterances),
        "parameters": parameter_count(head),
        "valid_per": metadata["valid_per"],
    }  # fmt: skip
    write_json(out, compared(ours, theirs, params) | description)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("reference", "shipped", "embeddings", "test", "out"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    configure(load("compute", ComputeParams).threads)
    run(**vars(args), params=load("compare_heads", CompareHeadsParams))


if __name__ == "__main__":
    stage(main)
