"""Label clips of a manifest by a trained head, and compare training with and without them.

Reads   embeddings, the manifests of the splits, a manifest of untranscribed clips, a head
Writes  pseudo.jsonl, confidence.csv and labels.json; or the report of the gain
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fonoteka import manifest
from fonoteka.core.errors import UserError
from fonoteka.core.files import write_json
from fonoteka.manifest import Utterance
from fonoteka.scoring.error_rate import errors
from fonoteka.self_training.gain import (
    compared,
    join_manifests,
    speaker_errors,
    train_head,
    verdict,
    write_split,
)
from fonoteka.self_training.head_labels import PseudoLabels, pseudo_labels
from fonoteka.shards import open_arrays
from fonoteka.tables import write_table

MANIFEST, CONFIDENCES, REPORT = "pseudo.jsonl", "confidence.csv", "labels.json"


def label(
    embeddings: Path, valid: Path, untranscribed: Path, model: Path, out: Path, precision: float
) -> None:
    """Write pseudo-labels of a manifest into a new folder, and print the counts.

    Raises:
        UserError: the folder exists, a part is wrong, or no threshold has that precision.
    """
    from fonoteka.models.heads import load_head

    if out.exists():
        raise UserError(f"{out}: exists already; name a new folder")
    parts = manifest.read(valid), manifest.read(untranscribed)
    head, metadata = load_head(model)
    arrays = open_arrays(embeddings, [u.id for part in parts for u in part])
    labels = pseudo_labels(head, *parts, arrays, precision)
    out.mkdir(parents=True)
    manifest.write(out / MANIFEST, labels.retained)
    pairs = sorted(
        (u.id, f"{confidence:.4f}")
        for u, confidence in zip(labels.retained, labels.confidences, strict=True)
    )
    write_table(
        out / CONFIDENCES, ("id", "confidence"), [{"id": id_, "confidence": c} for id_, c in pairs]
    )
    write_json(out / REPORT, {"model": metadata["name"], **label_counts(labels)})
    print(
        f"self-train: {len(labels.retained)} kept, expected precision "
        f"{labels.expected_precision:.3f}; left out: {dict(labels.left_out) or 'none'}"
    )


def label_counts(labels: PseudoLabels, truth: dict[str, Utterance] | None = None) -> dict[str, Any]:
    """Return the counts of a labelling for a report.

    Args:
        labels: of untranscribed clips.
        truth: the true utterances by id, if they are known because labels were hidden.
    """
    counts: dict[str, Any] = {
        "expected_precision": round(labels.expected_precision, 4),
        "kept": len(labels.retained),
        "left_out": dict(sorted(labels.left_out.items())),
        "threshold": labels.threshold.summary(),
    }
    if truth and labels.retained:
        pairs = [(truth[u.id].phones, u.phones) for u in labels.retained]
        counts["true_precision"] = round(sum(a == b for a, b in pairs) / len(pairs), 4)
        counts["true_per"] = round(errors([a for a, _ in pairs], [b for _, b in pairs]).rate, 4)
    return counts


def gain(
    embeddings: Path, train: Path, valid: Path, test: Path, pseudo: Path, report: Path, top: Path
) -> None:
    """Train with and without pseudo-labels, and write and print the difference.

    Args:
        embeddings: folder of shards with all clips.
        train: manifest of the labelled training split.
        valid: manifest of the validation split.
        test: manifest of the test split.
        pseudo: manifest that `label` wrote.
        report: file to write.
        top: folder with the params.yaml that is used.

    Raises:
        UserError: the manifests share clips or speakers, or a training fails.
    """
    labelled, predicted, tested = map(manifest.read, (train, pseudo, test))
    joined = join_manifests(labelled, predicted, tested)
    arrays = open_arrays(embeddings, [u.id for u in tested])
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        longer = write_split(folder / "train.jsonl", joined)
        ours, theirs = (
            speaker_errors(train_head(name, embeddings, split, valid, folder, top), tested, arrays)
            for name, split in (("with_pseudo", longer), ("without", train))
        )
    result = compared(ours, theirs)
    clips = {"labelled": len(labelled), "pseudo": len(predicted), "test": len(tested)}
    write_json(report, {"clips": clips, **result, "verdict": verdict(result)})
    print(
        f"self-train: PER {result['per_with']} with and {result['per_without']} without "
        f"pseudo-labels: {verdict(result)}"
    )
