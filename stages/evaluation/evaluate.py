"""Score one model, as it is shipped, on voices it has never heard.

Reads   data/models/<name>/head.onnx and model.json, embeddings, test.jsonl, segments.parquet,
        reports/onnx/<name>.json
Writes  reports/metrics/<name>.json
Params  evaluate

The phone error rate asks what was said; the segment accuracy asks, given where a phone is, which
one it is, on the same segments for every model. Both have an interval over speakers, because
another draw of speakers is what would change them.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.common import manifest
from stages.common.cli import stage
from stages.common.decoding import frames_of, greedy, segment_label
from stages.common.files import read_json, write_json
from stages.common.manifest import Utterance
from stages.common.params import load
from stages.common.runtime import labels_of, open_model, session_posteriors
from stages.common.scoring import Errors, bootstrap, errors
from stages.common.shards import read_arrays

Array = NDArray[np.float32]
Hear = Callable[[Array], Array]


@dataclass(frozen=True)
class EvaluateParams:
    """Section `evaluate`.

    Attributes:
        resamples: draws of the speakers for an interval.
        seed: of the draws.
        digits: decimals of a rate in the report.
    """

    resamples: int
    seed: int
    digits: int


@dataclass(frozen=True)
class Scored:
    """One utterance's result."""

    utterance: Utterance
    errors: Errors
    segments: int
    hits: int


def score(
    hear: Hear, pooled: bool, labels: list[str], utterances: Iterable[Utterance],
    arrays: dict[str, Array], segments: pd.DataFrame,
) -> list[Scored]:  # fmt: skip
    """Return the result of every utterance.

    Args:
        hear: embeddings `[T, D]` to log posteriors `[T, V]`.
        pooled: the model hears a segment as one vector, the mean of its frames.
        labels: of the V columns.
        utterances: the test part.
        arrays: embeddings of each utterance.
        segments: columns utterance, symbol, start_s, end_s.
    """
    groups: dict[str, list[tuple[str, float, float]]] = defaultdict(list)
    for key, *row in segments[["utterance", "symbol", "start_s", "end_s"]].to_numpy():
        groups[key].append((row[0], float(row[1]), float(row[2])))
    results = []
    for u in utterances:
        frames = arrays[u.id]
        log_probs = hear(frames)
        said = [spoken.symbol for spoken in greedy(log_probs, labels)]
        hits = rows = 0
        for symbol, start_s, end_s in groups.get(u.id, []):
            start, end = frames_of(start_s, end_s, len(frames))
            if pooled:
                mean = frames[start:end].mean(axis=0, keepdims=True)
                named = segment_label(hear(mean), 0, 1, labels)
            else:
                named = segment_label(log_probs, start, end, labels)
            hits, rows = hits + (named == symbol), rows + 1
        results.append(Scored(u, errors([u.phones], [said]), rows, hits))
    return results


def summary(results: list[Scored], params: EvaluateParams) -> dict[str, Any]:
    """Return rates, intervals and counts of a list of results."""
    by_speaker = _grouped(results, lambda r: r.utterance.speaker)
    total = sum((r.errors for r in results), Errors())
    sums = [sum((r.errors for r in rs), Errors()) for rs in by_speaker.values()]
    per = bootstrap([(e.wrong, e.reference) for e in sums], params.resamples, params.seed)
    counts = [(sum(r.hits for r in rs), sum(r.segments for r in rs)) for rs in by_speaker.values()]
    segments = sum(n for _, n in counts)
    heard = [pair for pair in counts if pair[1]]
    accuracy = bootstrap(heard, params.resamples, params.seed)

    def rounded(value: float | None) -> float | None:
        return None if value is None else round(value, params.digits)

    return {
        "per": rounded(total.rate), "per_low": rounded(per.low), "per_high": rounded(per.high),
        "substitutions": total.substitutions, "deletions": total.deletions,
        "insertions": total.insertions, "phones": total.reference,
        "segment_accuracy": rounded(sum(n for n, _ in counts) / segments) if segments else None,
        "segment_accuracy_low": rounded(accuracy.low),
        "segment_accuracy_high": rounded(accuracy.high), "segments": segments,
        "speakers": len(by_speaker), "utterances": len(results),
        **({"interval": per.reason} if per.reason else {}),
    }  # fmt: skip


def report(results: list[Scored], params: EvaluateParams) -> dict[str, Any]:
    """Return the whole report: all, and by language, corpus and speaker."""

    def by(key: Callable[[Scored], str], keep: tuple[str, ...] | None = None) -> dict[str, Any]:
        tables = {k: summary(rs, params) for k, rs in _grouped(results, key).items()}
        return {k: {n: t[n] for n in keep or t} for k, t in tables.items()}

    return summary(results, params) | {
        "synthetic": any(r.utterance.synthetic for r in results),
        "languages": by(lambda r: r.utterance.language),
        "sources": by(lambda r: r.utterance.source),
        "by_speaker": by(lambda r: r.utterance.speaker, ("per", "segment_accuracy", "utterances")),
    }


def _grouped(results: list[Scored], key: Callable[[Scored], str]) -> dict[str, list[Scored]]:
    groups: dict[str, list[Scored]] = defaultdict(list)
    for result in results:
        groups[key(result)].append(result)
    return dict(sorted(groups.items()))


def run(
    model: Path, embeddings: Path, test: Path, segments: Path, exported: Path, out: Path,
    params: EvaluateParams,
) -> None:  # fmt: skip
    """Score one model."""
    utterances = manifest.read(test)
    if not utterances:
        raise ValueError(f"{test}: no utterance to test on")
    path = model / "head.onnx"
    session = open_model(path)
    facts = read_json(model / "model.json")
    labels = labels_of(session, path)
    if labels != facts["labels"]:
        raise ValueError(f"{path}: its labels differ from {model / 'model.json'}; export it anew")
    table = pd.read_parquet(segments)
    phones = table[(table["part"] == "test") & (table["kind"] == "phone")]
    results = score(
        lambda frames: session_posteriors(session, frames[None]), facts["kind"] == "mlp", labels,
        utterances, read_arrays(embeddings, [u.id for u in utterances]), phones,
    )  # fmt: skip
    origins = sorted(phones["origin"].unique())
    about = read_json(exported)
    write_json(
        out,
        report(results, params) | {
            "segment_times": origins, "parameters": about["parameters"]["head"],
            "encoder_parameters": about["parameters"]["encoder"],
            "onnx_bytes": about["bytes"]["model"], "onnx_head_bytes": about["bytes"]["head"],
        },
    )  # fmt: skip


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "embeddings", "test", "segments", "exported", "out"):
        parser.add_argument(name, type=Path)
    run(**vars(parser.parse_args()), params=load("evaluate", EvaluateParams))


if __name__ == "__main__":
    stage(main)
