"""Bytes of outputs, per hour of speech or constant, as dvc.lock records them."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from fonoteka.planning.build import FinishedBuild

GROWING = (
    "data/raw", "data/audio", "data/corpus", "data/embeddings", "data/posteriors",
    "data/realtime/streams", "data/realtime/times.parquet", "data/splits", "data/streaming/logs",
)  # fmt: skip
"""Outputs that grow with the hours of speech; models and reports do not."""

CHECKPOINT_BYTES = 16
"""Bytes per weight, at most: the weight, its best value and AdamW's two moments in float32."""

SAFETENSORS_MOST = 100_000_000
"""Bytes of a header; more are not safetensors, whose own limit this is."""


def sizes(lock: Mapping[str, Any]) -> dict[str, int]:
    """Return the bytes of each output of the pipeline."""
    return {
        str(out["path"]): int(out.get("size") or 0)
        for entry in lock.values()
        for out in entry.get("outs", ())
    }


def grows(path: str) -> bool:
    """Return whether an output grows with the hours of speech.

    >>> grows("data/embeddings/wavlm"), grows("data/models/mlp/model.onnx")
    (True, False)
    """
    return any(PurePosixPath(path).is_relative_to(top) for top in GROWING)


def storage(build: FinishedBuild) -> dict[str, Any]:
    """Return the bytes per hour of speech of growing outputs, and the bytes of the others."""
    growing: dict[str, float] = {}
    constant: dict[str, int] = {}
    for path, size in sizes(build.lock).items():
        if grows(path):
            growing[path] = round(size / build.hours.all)
        else:
            constant[path] = size
    return {"bytes_per_hour": growing, "bytes": constant}


def checkpoint_bytes(build: FinishedBuild) -> dict[str, int]:
    """Return the most bytes of a checkpoint of each trained model, by its folder.

    A checkpoint is removed when its training has finished, so its size is computed from the number
    of weights in the model's file. Models that are not in the workspace are left out.
    """
    entries = {}
    for stage in build.lock:
        if not stage.startswith(("encoder@", "train")):
            continue
        for path in _weight_files(build, stage):
            if (count := weights_in(path)) is not None:
                entries[path.parent.relative_to(build.folder).as_posix()] = count * CHECKPOINT_BYTES
    return entries


def _weight_files(build: FinishedBuild, stage: str) -> Iterator[Path]:
    for out in build.lock[stage].get("outs", ()):
        path = build.folder / out["path"]
        if path.suffix == ".safetensors":
            yield path
        elif path.is_dir():
            yield from sorted(path.glob("*.safetensors"))


def weights_in(path: Path) -> int | None:
    """Return the number of weights in a safetensors file; None if it is missing or damaged.

    The header is read alone: 8 bytes with its length, then JSON with the shape of each tensor.
    """
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(min(length, SAFETENSORS_MOST)))
    except (OSError, ValueError, struct.error):
        return None
    shapes = [entry["shape"] for name, entry in header.items() if name != "__metadata__"]
    return sum(math.prod(map(int, shape)) for shape in shapes)
