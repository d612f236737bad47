"""Open a streaming recogniser by the name of its model, from packaged files alone."""

from __future__ import annotations

from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.streaming.interfaces import FrameSource
from fonoteka.streaming.step_source import StepSource
from fonoteka.streaming.window_source import WindowPolicy, WindowSource

STEP, MODEL = "step.onnx", "model.onnx"
EXACT = "exact"


def frame_source(folder: Path, policy: str) -> FrameSource:
    """Return the model of a folder as a source of frames.

    Args:
        folder: with a step file, or the whole path of a recogniser with unbounded context.
        policy: `exact` for a step file; `hold-N` or `agree-N` for the others.

    Raises:
        UserError: the folder has neither file, or the policy does not fit the model.
    """
    if (folder / STEP).is_file():
        if policy != EXACT:
            raise UserError(
                f"policy {policy!r}: every frame of {folder.name} is exact once it is final; "
                f"use --policy {EXACT}"
            )
        return StepSource(folder / STEP)
    if policy == EXACT:
        raise UserError(
            f"policy {EXACT!r}: each frame of {folder.name} depends on the whole recording; "
            "use --policy hold-16 or agree-2, or --model streaming"
        )
    return WindowSource(folder / MODEL, WindowPolicy(policy))
