"""The work of each stage: the quantity that its cost grows with.

A stage costs `constant + rate x work` processor seconds. The work of a training is its passes over
the training split, in hours or in steps; that of other stages is the hours of speech that they
read, or nothing if `params.yaml` fixes how many clips they read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fonoteka.planning.build import HOUR_S, SplitHours

FIXED, HOURS, STEPS = "fixed", "hours", "steps"

TRAIN_STAGES = frozenset({"phone_ngram"})
HELD_OUT_STAGES = frozenset({"ensemble", "evaluate_beam", "posteriors"})
TEST_STAGES = frozenset({
    "check_alignment", "compare_heads", "evaluate", "evaluate_realtime", "evaluate_streaming",
    "evaluate_whisper",
})  # fmt: skip
FIXED_STAGES = frozenset({
    "compare", "evaluate_endpoints", "export_realtime", "export_stream", "export_whisper",
    "karaoke", "onnx", "onnx_ensemble", "package", "package_ensemble", "package_realtime",
    "package_streaming", "package_whisper", "whisper_base", "whisper_encoder",
})  # fmt: skip
"""Stages whose clips params.yaml counts, or that read none."""

GROUPS = {
    "corpus": "corpus", "encoder": "encoders", "whisper_base": "encoders",
    "whisper_encoder": "encoders", "features": "embeddings", "alignment": "embeddings",
    "realtime_features": "embeddings", "training": "training", "train_realtime": "training",
    "train_stream": "training", "train_whisper": "training",
}  # fmt: skip
"""Column of PLANNING.md by stage, else by the folder of its module, else `export`."""
EXPORT = "export"


@dataclass(frozen=True)
class StageWork:
    """The work of a stage in one build.

    Attributes:
        unit: `hours` of speech, `steps` of a training, or `fixed`.
        amount: of that unit; 0 if it is fixed.
        passes: over the training split; None if the stage does not train.
    """

    unit: str
    amount: float
    passes: float | None = None


def work_of(stage: str, hours: SplitHours, params: Mapping[str, Any]) -> StageWork:
    """Return the work of a stage.

    A stage that is not listed here counts as one that reads the whole corpus.

    Args:
        stage: its name, as in dvc.yaml.
        hours: of the corpus.
        params: the sections of params.yaml.
    """
    base, _, item = stage.partition("@")
    if base in FIXED_STAGES:
        return StageWork(FIXED, 0.0)
    if training := _training(base, item, hours, params):
        return training
    if base == "embed":
        copies = params["embedded"][item]["augmented_copies"]
        return StageWork(HOURS, hours.all + copies * hours.train)
    read = hours.all
    if base in TRAIN_STAGES:
        read = hours.train
    elif base in HELD_OUT_STAGES:
        read = hours.valid + hours.test
    elif base in TEST_STAGES:
        read = hours.test
    return StageWork(HOURS, read) if read else StageWork(FIXED, 0.0)


def _training(
    base: str, item: str, hours: SplitHours, params: Mapping[str, Any]
) -> StageWork | None:
    if not hours.train:
        return None
    if base == "encoder":
        if params["encoder"]["source"] != "pretrain":
            return StageWork(FIXED, 0.0)
        pretrain = params["encoder"]["pretrain"]
        return _steps(pretrain["steps"], pretrain["batch_s"], hours)
    if base == "train_stream":
        section = params["train_stream"]
        return _steps(section["epochs"] * section["batches"], section["batch_s"], hours)
    if base == "train_whisper":
        section = params["train_whisper"]
        clips = section["batch"] * section["accumulate"]
        return _steps(section["steps"], clips * hours.train_clip_s, hours)
    sections = {"train_realtime": "train_realtime", "train_reference": "reference"}
    if base == "train":
        epochs = params[params["models"][item]["head"]]["epochs"]
    elif base in sections:
        epochs = params[sections[base]]["epochs"]
    else:
        return None
    return StageWork(HOURS, epochs * hours.train, float(epochs))


def _steps(steps: int, step_s: float, hours: SplitHours) -> StageWork:
    return StageWork(STEPS, float(steps), steps * step_s / (hours.train * HOUR_S))


def group_of(stage: str, command: str) -> str:
    """Return the column of PLANNING.md that a stage is in.

    >>> group_of("encoder@wavlm", "python -m stages.features.encoder wavlm")
    'encoders'
    >>> group_of("evaluate@mlp", "python -m stages.evaluation.evaluate mlp")
    'export'
    """
    words = command.split()
    module = words[words.index("-m") + 1] if "-m" in words[:-1] else ""
    folder = module.split(".")[1] if module.startswith("stages.") else ""
    return GROUPS.get(stage.partition("@")[0]) or GROUPS.get(folder, EXPORT)
