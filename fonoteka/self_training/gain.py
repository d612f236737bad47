"""What training gains by pseudo-labels: the PER of a head with and without them.

The training program runs as a process of its own, once per manifest, with the parameters of a
params.yaml. Both heads are scored on the same test clips, and the difference has an interval over
speakers. It may be a loss: wrong labels are learned too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fonoteka
from fonoteka import manifest
from fonoteka.core.errors import UserError
from fonoteka.manifest import Utterance
from fonoteka.scoring.decoding import greedy
from fonoteka.scoring.error_rate import Errors, errors_by, paired_bootstrap

CODE = Path(fonoteka.__file__).parents[1]
RESAMPLES, SEED = 2000, 1
DIGITS = 4


def train_head(name: str, embeddings: Path, train: Path, valid: Path, out: Path, top: Path) -> Path:
    """Train a CTC head by `stages.training.train` and return its folder.

    Args:
        name: of the model.
        embeddings: folder of shards.
        train: manifest of the training split.
        valid: manifest of the validation split.
        out: folder for the model, its curves and its checkpoint.
        top: folder with the params.yaml that is used.

    Raises:
        UserError: the program failed; its last line is quoted.
    """
    model = out / name
    words = [embeddings, train, valid, model, out / f"{name}_curves"]
    command = [
        sys.executable, "-m", "stages.training.train", name,
        *(str(path.resolve()) for path in words), "--head", "ctc",
        "--checkpoint", str((out / f"{name}_checkpoint").resolve()),
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(CODE)}
    done = subprocess.run(
        command, cwd=top, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(
            f"stages.training.train: training {name} failed with {done.returncode}: {last}"
        )
    return model


def speaker_errors(
    model: Path, test: Sequence[Utterance], arrays: Mapping[str, NDArray[np.float32]]
) -> dict[str, Errors]:
    """Return the errors of a trained head per speaker of the test clips."""
    from fonoteka.models.heads import load_head, posteriors

    head, _ = load_head(model)
    decoded = [[s.symbol for s in greedy(posteriors(head, arrays[u.id]))] for u in test]
    return errors_by([u.speaker for u in test], [u.phones for u in test], decoded)


def compared(with_pseudo: Mapping[str, Errors], without: Mapping[str, Errors]) -> dict[str, Any]:
    """Return the PER of both and the gain, which is positive if pseudo-labels help.

    Raises:
        UserError: the test parts differ.

    >>> ours = {"a": Errors(reference=10), "b": Errors(1, reference=10)}
    >>> theirs = {"a": Errors(1, reference=10), "b": Errors(1, reference=10)}
    >>> compared(ours, theirs)["gain"]
    0.05
    """
    interval, better = paired_bootstrap(with_pseudo, without, RESAMPLES, SEED)
    rates = [sum(errors.values(), Errors()).rate for errors in (with_pseudo, without)]
    difference = rates[0] - rates[1]

    def rounded(value: float | None) -> float | None:
        return None if value is None or value != value else round(value, DIGITS) + 0.0

    low, high = interval.low, interval.high
    return {
        "gain": rounded(-difference),
        "gain_high": rounded(None if low is None else -low),
        "gain_low": rounded(None if high is None else -high),
        "interval_missing": interval.reason,
        "per_with": rounded(rates[0]),
        "per_without": rounded(rates[1]),
        "share_of_resamples_with_gain": rounded(better),
        "speakers": len(without),
    }


def verdict(result: Mapping[str, Any]) -> str:
    """Return `gain`, `loss` or `undecided`: whether the interval is on one side of 0.

    >>> verdict({"gain_low": 0.01, "gain_high": 0.02}), verdict({"gain_low": -1, "gain_high": 1})
    ('gain', 'undecided')
    """
    low, high = result["gain_low"], result["gain_high"]
    if low is None or high is None or low <= 0 <= high:
        return "undecided"
    return "gain" if low > 0 else "loss"


def join_manifests(
    labelled: Sequence[Utterance], pseudo: Sequence[Utterance], test: Sequence[Utterance]
) -> list[Utterance]:
    """Return the utterances of a training split with pseudo-labels.

    Raises:
        UserError: a clip is in both, or a speaker of the test split has pseudo-labels.
    """
    if both := sorted({u.id for u in labelled} & {u.id for u in pseudo}):
        raise UserError(f"clip {both[0]!r} has a label and a pseudo-label; remove one")
    if shared := sorted({u.speaker for u in pseudo} & {u.speaker for u in test}):
        raise UserError(f"speaker {shared[0]!r} is in the test split; leave its clips out")
    return [*labelled, *pseudo]


def write_split(path: Path, utterances: Sequence[Utterance]) -> Path:
    """Write a manifest and return its path."""
    manifest.write(path, utterances)
    return path
