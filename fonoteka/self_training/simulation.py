"""Simulate self-training on a labelled folder: hide the labels of some speakers, and compare.

Reads   a folder with audio and a table with path, speaker and text
Writes  a report: what was kept, how right it is, and the gain over speakers

Each speaker is tested once. In fold k the speakers, in a circle, are: one to test, one to validate,
two with hidden labels, and the others with labels. So the interval is over all speakers.

The embeddings are those of an encoder, or log-mel bands, two hops of 10 ms per frame, which need no
model. All heads have the same input. Besides the heads with and without pseudo-labels,
a third is trained on the true labels of the hidden speakers: the most that perfect pseudo-labels
could give.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from fonoteka.audio.dsp import FRAME_HOP, SAMPLE_RATE_HZ, levelled
from fonoteka.core.errors import UserError
from fonoteka.core.files import write_json
from fonoteka.manifest import Utterance, utterance_id
from fonoteka.pseudo_labels import rows_in
from fonoteka.scoring.error_rate import Errors
from fonoteka.self_training.gain import (
    compared,
    join_manifests,
    speaker_errors,
    train_head,
    verdict,
    write_split,
)
from fonoteka.self_training.head_labels import pseudo_labels
from fonoteka.self_training.label_command import label_counts
from fonoteka.self_training.threshold import NoThresholdError
from fonoteka.shards import write_arrays
from fonoteka.text.normalizer import normalize, phones_of
from fonoteka.transcribe import load_recording

BANDS, SHARDS, HIDDEN, FEWEST_SPEAKERS = 40, 4, 2, 5
LEVEL_DBFS = -23.0  # RMS of prepared clips, as in `preprocess.level_dbfs`
HEADS = ("with_pseudo", "without", "with_true_labels")


@dataclass(frozen=True)
class SimulationOptions:
    """How a simulation is run.

    Attributes:
        language: of the texts.
        precision: wanted share of hidden clips with all phones right.
        per_speaker: clips of each speaker, spread over the table; 0 for all.
        epochs: of each training.
        encoder: folder of an encoder; None for log-mel bands.
    """

    language: str
    precision: float
    per_speaker: int
    epochs: int
    encoder: Path | None = None


Arrays = dict[str, NDArray[np.float32]]


def roles(speakers: Sequence[str], fold: int) -> dict[str, list[str]]:
    """Return the speakers of each role in one fold.

    >>> roles(["a", "b", "c", "d", "e"], 3)
    {'test': ['d'], 'valid': ['e'], 'hidden': ['a', 'b'], 'labelled': ['c']}
    """
    circle = [*speakers[fold:], *speakers[:fold]]
    return {
        "test": circle[:1],
        "valid": circle[1:2],
        "hidden": circle[2 : 2 + HIDDEN],
        "labelled": circle[2 + HIDDEN :],
    }


def read_folder(folder: Path, options: SimulationOptions) -> tuple[list[Utterance], Arrays]:
    """Return the clips of a labelled folder as utterances, and their embeddings `[T, D]`.

    Raises:
        UserError: the folder does not have exactly one table, or fewer than five speakers.
    """
    table, rows = rows_in(folder, ("path", "speaker", "text"))
    by_speaker = Counter(row["speaker"] for row in rows)
    if len(by_speaker) < FEWEST_SPEAKERS:
        raise UserError(f"{table}: {len(by_speaker)} speakers; expected {FEWEST_SPEAKERS}")
    seen: Counter[str] = Counter()
    utterances: list[Utterance] = []
    arrays: Arrays = {}
    frames_of = log_mel_frames() if options.encoder is None else encoder_frames(options.encoder)
    for row in rows:
        seen[row["speaker"]] += 1
        if not _drawn(seen[row["speaker"]], by_speaker[row["speaker"]], options.per_speaker):
            continue
        signal = load_recording(folder / row["path"])
        normalized = normalize(row["text"], options.language)
        name = utterance_id(folder.name, row["path"])
        arrays[name] = frames_of(signal)
        utterances.append(Utterance(
            id=name, audio="", speaker=f"{folder.name}/{row['speaker']}",
            language=options.language, text=row["text"], normalized=normalized,
            phones=phones_of(normalized, options.language),
            duration_s=len(signal) / SAMPLE_RATE_HZ, source=folder.name, licence="",
            synthetic=False,
        ))  # fmt: skip
    return utterances, arrays


def _drawn(number: int, total: int, wanted: int) -> bool:
    """Return whether the clip of this number, from 1, is one of those spread over all.

    >>> [number for number in range(1, 11) if _drawn(number, 10, 4)]
    [3, 5, 8, 10]
    """
    return not wanted or number * wanted // total > (number - 1) * wanted // total


def log_mel_frames() -> Any:
    """Return the function from samples at 16 kHz to frames of 20 ms, `[T, 2 * BANDS]` float32."""
    import torch

    from fonoteka.models.log_mel import LogMel

    module = LogMel(BANDS)

    def frames(signal: NDArray[np.float32]) -> NDArray[np.float32]:
        count = max(2, -(-len(signal) // FRAME_HOP))
        padded = np.pad(signal, (0, count * FRAME_HOP - len(signal))).astype(np.float32)
        with torch.inference_mode():
            bands = module(torch.from_numpy(padded)[None])[0].numpy()  # [BANDS, 2 * count]
        centred = bands - bands.mean(axis=1, keepdims=True)  # the channel of a microphone
        return np.ascontiguousarray(centred.T.reshape(count, 2 * BANDS))

    return frames


def encoder_frames(folder: Path) -> Any:
    """Return the function from samples at 16 kHz to embeddings, `[T, D]` float32.

    The samples get the level of prepared clips, for which the encoders of a build are trained.

    Raises:
        UserError: the folder has no encoder.
    """
    from fonoteka.models.clip_encoder import load_clip_encoder

    encoder = load_clip_encoder(folder)
    return lambda signal: encoder.embed(levelled(signal, LEVEL_DBFS))


def run(folder: Path, report: Path, options: SimulationOptions, top: Path) -> None:
    """Run all folds, and write and print the result.

    Raises:
        UserError: the folder is not usable, or a training fails.
    """
    utterances, arrays = read_folder(folder, options)
    speakers = sorted({u.speaker for u in utterances})
    errors: dict[str, dict[str, Errors]] = {head: {} for head in HEADS}
    folds = []
    with TemporaryDirectory() as scratch:
        place = Path(scratch)
        params = yaml.safe_load((top / "params.yaml").read_text(encoding="utf-8"))
        params["ctc"] |= {"epochs": options.epochs, "patience": options.epochs, "repeat": {}}
        (place / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        (place / "embeddings").mkdir()
        write_arrays(place / "embeddings", arrays, SHARDS)
        for fold in range(len(speakers)):
            parts = {
                role: [u for u in utterances if u.speaker in names]
                for role, names in roles(speakers, fold).items()
            }
            models, counts = _train_fold(place, fold, parts, arrays, options.precision)
            folds.append({"test": parts["test"][0].speaker, **counts})
            for name, model in models.items():
                errors[name] |= speaker_errors(model, parts["test"], arrays)
            print(f"self-train: fold {fold + 1} of {len(speakers)}: {counts['kept']} kept")
    write_json(report, _report(folder, options, len(utterances), errors, folds))


def _train_fold(
    place: Path, fold: int, parts: Mapping[str, list[Utterance]], arrays: Arrays, precision: float
) -> tuple[dict[str, Path], dict[str, Any]]:
    """Return the folders of the three heads of a fold by name, and the counts of its labels.

    Args:
        place: folder with the embeddings and a params.yaml.
        fold: its number.
        parts: the clips of each role.
        arrays: frames `[T, D]` by id.
        precision: wanted share of hidden clips with all phones right.
    """
    from fonoteka.models.heads import load_head

    own = place / f"fold{fold}"
    own.mkdir()
    valid = write_split(own / "valid.jsonl", parts["valid"])

    def trained(name: str, extra: Sequence[Utterance]) -> Path:
        joined = join_manifests(parts["labelled"], extra, parts["test"])
        split = write_split(own / f"{name}.jsonl", joined)
        return train_head(name, place / "embeddings", split, valid, own, place)

    base = trained("without", [])
    counts, retained = _labelled(load_head(base)[0], parts, arrays, precision)
    models = {
        "without": base,
        # Without a kept clip the training would be the same, byte by byte.
        "with_pseudo": trained("with_pseudo", retained) if retained else base,
        "with_true_labels": trained("with_true_labels", parts["hidden"]),
    }
    return models, counts


def _labelled(
    head: Any, parts: Mapping[str, list[Utterance]], arrays: Arrays, precision: float
) -> tuple[dict[str, Any], Sequence[Utterance]]:
    """Return the counts of a fold and the kept clips; no clip if no threshold is good enough."""
    try:
        labels = pseudo_labels(head, parts["valid"], parts["hidden"], arrays, precision)
    except NoThresholdError as error:
        left_out = {"no threshold": len(parts["hidden"])}
        return {"kept": 0, "left_out": left_out, "no_threshold": str(error)}, ()
    return label_counts(labels, {u.id: u for u in parts["hidden"]}), labels.retained


def _report(
    folder: Path, options: SimulationOptions, clips: int, errors: Mapping[str, dict[str, Errors]],
    folds: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:  # fmt: skip
    """Return the report, and print its verdict."""
    pseudo = compared(errors["with_pseudo"], errors["without"])
    truth = compared(errors["with_true_labels"], errors["without"])
    print(
        f"self-train: PER {pseudo['per_with']} with and {pseudo['per_without']} without "
        f"pseudo-labels, {truth['per_with']} with true labels: {verdict(pseudo)}"
    )
    return {
        "clips": clips,
        "corpus": folder.name,
        "embeddings": options.encoder.name if options.encoder else "log-mel bands",
        "epochs": options.epochs,
        "folds": list(folds),
        "hidden_speakers_per_fold": HIDDEN,
        "per_speaker": options.per_speaker,
        "pseudo_labels": {**pseudo, "verdict": verdict(pseudo)},
        "true_labels": {**truth, "verdict": verdict(truth)},
    }
