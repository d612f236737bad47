"""Train the head of one recogniser on mixtures of corpora, and score each corpus apart.

    python -m fonoteka bench mixtures fsdd fsdd+librispeech251 fsdd+librispeech251+embedded/en

Reads   data/splits, data/embeddings/whisper of a build that contains all corpora
Writes  reports/bench/mixtures.json
Params  ctc, compute

All heads are trained by the stage `train` with the same parameters and scored on the same test
clips. The best epoch is chosen on the validation clips of the mixture, as in a build of it alone.
Nothing is timed, so the load of the machine does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fonoteka import manifest
from fonoteka.bench.mixtures.parts import check_parts, parse_mixture
from fonoteka.core.files import write_json
from fonoteka.manifest import Utterance
from fonoteka.reporting.rounding import rounded
from fonoteka.reporting.text_table import table
from fonoteka.scoring.error_rate import Errors, bootstrap, paired_bootstrap
from fonoteka.self_training.gain import speaker_errors, train_head
from fonoteka.shards import open_arrays

REPORT, SPLITS = Path("reports/bench/mixtures.json"), Path("data/splits")
RESAMPLES, SEED, DIGITS = 2000, 1, 4


def bench_mixtures(names: Sequence[str], embeddings: Path) -> None:
    """Train and score the mixtures, write the report and print it.

    Raises:
        UserError: a mixture is not one of this build, or a part of the build is missing.
    """
    report = run(names, SPLITS, embeddings)
    write_json(REPORT, report)
    print(page(report))


def run(names: Sequence[str], splits: Path, embeddings: Path) -> dict[str, Any]:
    """Return the report.

    Raises:
        UserError: see `bench_mixtures`.
    """
    # Copies of test clips would count a sentence twice; those of training clips stay.
    train, valid = (manifest.read(splits / f"{part}.jsonl") for part in ("train", "valid"))
    test = [u for u in manifest.read(splits / "test.jsonl") if u.parent is None]
    mixtures = [parse_mixture(name) for name in names]
    check_parts(mixtures, train, f"{splits}/train.jsonl")
    check_parts(mixtures, valid, f"{splits}/valid.jsonl")
    arrays = open_arrays(embeddings, [u.id for u in test])
    corpora = sorted({u.source for u in test})
    rows: dict[str, Any] = {}
    first: dict[str, dict[str, Errors]] = {}
    with TemporaryDirectory(prefix="fonoteka-mixtures-") as folder:
        for number, mixture in enumerate(mixtures):
            out = Path(folder)
            clips = mixture.take(train)
            # Numbers and not the names of mixtures, which may have a slash.
            name = f"mixture{number}"
            targets, checked = (out / f"{name}-{part}.jsonl" for part in ("train", "valid"))
            manifest.write(targets, clips)
            manifest.write(checked, mixture.take(valid))
            model = train_head(name, embeddings, targets, checked, out, Path.cwd())
            errors = {
                corpus: speaker_errors(model, [u for u in test if u.source == corpus], arrays)
                for corpus in corpora
            }
            first = first or errors
            rows[mixture.name] = {
                "clips": len(clips),
                "hours": sum(u.duration_s for u in clips) / 3600,
                "test": {corpus: row_of(errors[corpus], first[corpus]) for corpus in corpora},
            }
            scores = rows[mixture.name]["test"].items()
            shown = [f"{corpus} {row['per']:.3f}" for corpus, row in scores]
            print(f"mixtures: {mixture.name}: {', '.join(shown)}", flush=True)
    report: dict[str, Any] = rounded(
        {
            "embeddings": embeddings.name, "resamples": RESAMPLES, "test": sizes_of(test),
            "base": mixtures[0].name, "mixtures": rows,
        },
        DIGITS,
    )  # fmt: skip
    return report


def row_of(ours: Mapping[str, Errors], first: Mapping[str, Errors]) -> dict[str, Any]:
    """Return the PER of a head, and its difference to the head of the first mixture.

    >>> errors = {"a": Errors(1, reference=10), "b": Errors(1, reference=10)}
    >>> row_of(errors, errors)["per"]
    0.1
    """
    total, base = (sum(side.values(), Errors()) for side in (ours, first))
    interval = bootstrap([(e.wrong, e.reference) for e in ours.values()], RESAMPLES, SEED)
    difference, _ = paired_bootstrap(ours, first, RESAMPLES, SEED)
    return {
        "per": total.rate, "low": interval.low, "high": interval.high,
        "difference": total.rate - base.rate, "difference_low": difference.low,
        "difference_high": difference.high,
    }  # fmt: skip


def sizes_of(test: Sequence[Utterance]) -> dict[str, dict[str, int]]:
    """Return the numbers of test clips and speakers of each corpus."""
    by_corpus: dict[str, list[str]] = {}
    for utterance in test:
        by_corpus.setdefault(utterance.source, []).append(utterance.speaker)
    return {
        corpus: {"clips": len(speakers), "speakers": len({*speakers})}
        for corpus, speakers in sorted(by_corpus.items())
    }


def page(report: Mapping[str, Any]) -> str:
    """Return the table of a report: PER with its interval, and the difference to the first row."""
    rows = []
    for name, row in report["mixtures"].items():
        cells = [cell for scores in row["test"].values() for cell in _cells(scores)]
        rows.append([name.replace("+", ", "), f"{row['clips']:,}", *cells])
    header = ["trained on", "clips"]
    for corpus in report["test"]:
        header += [f"PER {corpus}", "difference"]
    return table(header, rows)


def _cells(scores: Mapping[str, Any]) -> tuple[str, str]:
    per = f"{100 * scores['per']:.1f} %"
    if scores["low"] is None:  # one speaker
        return per, f"{100 * scores['difference']:+.1f}"
    per += f" ({100 * scores['low']:.1f}-{100 * scores['high']:.1f})"
    low, high = 100 * scores["difference_low"], 100 * scores["difference_high"]
    return per, f"{100 * scores['difference']:+.1f} ({low:+.1f} to {high:+.1f})"
