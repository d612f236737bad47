"""Which stages and outputs a model needs, from dvc.lock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

OWN_SPEECH = frozenset({"synthesize"})
"""Makes the embedded corpus; who plans for hours of speech has the recordings."""


EVERYTHING = "everything"
"""The row of all stages, which counts shared ones once."""


def needed_stages(lock: Mapping[str, Any], targets: Iterable[str]) -> list[str]:
    """Return some stages and all upstream of them, in the order of dvc.lock.

    A stage needs another if one of its dependencies is an output of the other, inside it, or
    contains it.

    Args:
        lock: the stages of dvc.lock.
        targets: names of stages.
    """
    makers = {
        PurePosixPath(out["path"]): stage
        for stage, entry in lock.items()
        for out in entry.get("outs", ())
    }
    needed: set[str] = set()
    waiting = [target for target in targets if target in lock]
    while waiting:
        stage = waiting.pop()
        if stage in needed:
            continue
        needed.add(stage)
        for dep in lock[stage].get("deps", ()):
            path = PurePosixPath(dep["path"])
            waiting += [
                maker
                for out, maker in makers.items()
                if path.is_relative_to(out) or out.is_relative_to(path)
            ]
    return [stage for stage in lock if stage in needed - OWN_SPEECH]


def models_of(lock: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the last stages of each model that the pipeline packages or exports.

    >>> models_of({"package@mlp": {}, "train_realtime@onset": {}, "package_whisper": {}})
    {'mlp': ('package@mlp',), 'onset': ('export_realtime@onset',), 'Whisper tuned': \
('package_whisper',)}
    """
    heads: dict[str, tuple[str, ...]] = {
        stage.partition("@")[2]: (stage,) for stage in lock if stage.startswith("package@")
    }
    causal: dict[str, tuple[str, ...]] = {
        name: (f"export_realtime@{name}",)
        for stage in lock
        if stage.startswith("train_realtime@")
        for name in [stage.partition("@")[2]]
    }
    others = {
        "ensemble": ("package_ensemble",), "stream_ctc": ("package_streaming",),
        "all realtime models": ("package_realtime",), "Whisper tuned": ("package_whisper",),
    }  # fmt: skip
    present = {name: last for name, last in others.items() if last[0] in lock}
    return heads | causal | present


def outputs_of(lock: Mapping[str, Any], stages: Sequence[str]) -> list[str]:
    """Return the outputs of some stages, and the recordings."""
    outs = [str(out["path"]) for stage in stages for out in lock[stage].get("outs", ())]
    raw = [
        str(out["path"])
        for stage in OWN_SPEECH & lock.keys()
        for out in lock[stage].get("outs", ())
    ]
    return [*raw, *outs]
