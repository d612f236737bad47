"""The stages that are measured, with the command lines of dvc.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fonoteka.core.errors import UserError

ENCODER, MODEL = "data/models/encoder/wavlm", "data/models/wavlm_ctc"
EXPORTED = "reports/onnx/wavlm_ctc.json"
EMBEDDINGS, SEGMENTS = "data/embeddings/wavlm", "data/corpus/segments.parquet"
TRAIN, VALID, TEST = (f"data/splits/{part}.jsonl" for part in ("train", "valid", "test"))


class StageCommand(NamedTuple):
    """One stage.

    Attributes:
        module: the stage's module.
        arguments: of its command line.
        reads: files and folders that it reads.
        writes: files and folders that it writes.
    """

    module: str
    arguments: tuple[str, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]

    @property
    def command(self) -> tuple[str, ...]:
        """The module and its arguments."""
        return (self.module, *self.arguments)


def _stage(module: str, arguments: str, reads: int, writes: str = "") -> StageCommand:
    """Return a stage whose first `reads` arguments are inputs.

    Args:
        module: after `stages.`.
        arguments: as in dvc.yaml.
        reads: number of inputs.
        writes: outputs; empty for all paths after the inputs.
    """
    words = tuple(arguments.split())
    paths = tuple(word for word in words if "/" in word)
    outputs = tuple(writes.split()) or paths[reads:]
    return StageCommand(f"stages.{module}", words, paths[:reads], outputs)


CORPUS, SPLITS = "data/corpus", "data/splits"
STAGES = {
    "inventory": _stage(
        "corpus.inventory",
        f"data/raw {CORPUS}/inventory.csv {CORPUS}/prints.npy {CORPUS}/phones.jsonl "
        f"{CORPUS}/corpora.json", 1,
    ),
    "dedupe": _stage(
        "corpus.dedupe",
        f"{CORPUS}/inventory.csv {CORPUS}/prints.npy data/raw {CORPUS}/accepted.csv "
        f"{CORPUS}/quarantined.csv {CORPUS}/duplicates.csv reports/duplicates.json", 3,
    ),
    "normalize": _stage(
        "corpus.normalize",
        f"{CORPUS}/accepted.csv {CORPUS}/phones.jsonl {CORPUS}/transcripts.jsonl "
        f"{CORPUS}/refused.csv {CORPUS}/norm reports/text.json", 2,
    ),
    "preprocess": _stage(
        "corpus.preprocess", f"{CORPUS}/accepted.csv data/raw data/audio", 2
    ),
    "manifest": _stage(
        "corpus.manifest",
        f"{CORPUS}/accepted.csv {CORPUS}/transcripts.jsonl data/audio {CORPUS}/manifest.jsonl", 3,
    ),
    "split": _stage(
        "corpus.split",
        f"{CORPUS}/manifest.jsonl {CORPUS}/inventory.csv {TRAIN} {VALID} {TEST} --speakers "
        f"{SPLITS}/speakers.csv --left-out {SPLITS}/left_out.csv --table data/speakers.csv", 2,
        f"{TRAIN} {VALID} {TEST} {SPLITS}/speakers.csv {SPLITS}/left_out.csv",
    ),
    "embed": _stage(
        "features.embed",
        f"{ENCODER} {TRAIN} {VALID} {TEST} data/audio {EMBEDDINGS} --augmented-copies 0", 5,
    ),
    "posteriors": _stage(
        "evaluation.posteriors",
        f"{MODEL} {EMBEDDINGS} {VALID} {TEST} {SEGMENTS} data/posteriors/wavlm_ctc", 5,
    ),
}  # fmt: skip
"""By name, in their order.

One differs from dvc.yaml: `posteriors` runs no int8 file.
"""
TIMES, FRONT_END = "data/realtime/times.parquet", "data/realtime/frontend.json"
STREAMS, POSTERIORS = "data/realtime/streams", "data/posteriors/wavlm_ctc"
TRAINING_STAGES = {
    "train": _stage(
        "training.train",
        f"wavlm_ctc {EMBEDDINGS} {TRAIN} {VALID} {MODEL} reports/curves/wavlm_ctc --head ctc "
        "--checkpoint checkpoints/train/wavlm_ctc", 3,
        f"{MODEL}/model.json {MODEL}/model.safetensors reports/curves/wavlm_ctc",
    ),
    "align": _stage(
        "alignment.align",
        f"{MODEL} {EMBEDDINGS} data/audio {TRAIN} {VALID} {TEST} {SEGMENTS} "
        "reports/alignment.json", 6,
    ),
    "train_mlp": _stage(
        "training.train",
        f"mlp {EMBEDDINGS} {SEGMENTS} {VALID} data/models/mlp reports/curves/mlp --head mlp "
        "--checkpoint checkpoints/train/mlp", 3,
        "data/models/mlp/model.json data/models/mlp/model.safetensors reports/curves/mlp",
    ),
    "posteriors": STAGES["posteriors"],
    "evaluate": _stage(
        "evaluation.evaluate",
        f"wavlm_ctc {POSTERIORS} {TEST} {SEGMENTS} {EXPORTED} "
        "--metrics reports/metrics/wavlm_ctc.json --phones reports/phones/wavlm_ctc.csv "
        "--picture reports/confusion/wavlm_ctc.png --confusion data/plots/wavlm_ctc/confusion.csv "
        f"--speakers {SPLITS}/speakers.csv", 4,
        "reports/metrics/wavlm_ctc.json reports/phones/wavlm_ctc.csv "
        "reports/confusion/wavlm_ctc.png data/plots/wavlm_ctc/confusion.csv",
    ),
    "realtime_features": _stage(
        "realtime.realtime_features",
        f"data/audio {TRAIN} {VALID} {TEST} {SEGMENTS} {STREAMS} {TIMES} {FRONT_END} "
        "reports/streams.json", 5,
    ),
    "train_realtime": _stage(
        "realtime.train_realtime",
        f"onset {STREAMS} {TIMES} {FRONT_END} data/realtime/models/onset reports/curves/onset "
        "--checkpoint checkpoints/realtime/onset", 3,
        "data/realtime/models/onset reports/curves/onset",
    ),
}  # fmt: skip
"""What the part `training` measures, after the stages above; `align` with the head of wavlm_ctc."""
DIVIDED = ("inventory", "preprocess", "embed", "posteriors")
"""Stages whose work per clip is divided among workers; the others run in one process."""


def chosen_stages(names: Sequence[str]) -> dict[str, StageCommand]:
    """Return the named stages in their order; all if no name is given.

    Raises:
        UserError: a name is unknown.
    """
    if unknown := sorted({*names} - {*STAGES}):
        raise UserError(f"--stages: {unknown[0]!r} is not one of {[*STAGES]}")
    return {name: stage for name, stage in STAGES.items() if name in names or not names}
