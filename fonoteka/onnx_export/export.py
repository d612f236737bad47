"""Export of torch modules to ONNX files, and a parity check of the files with torch.

The tracing exporter is used because the newer one writes an LSTM with the traced length baked in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fonoteka.core.errors import UserError
from fonoteka.manifest import Utterance
from fonoteka.onnx_export.session import session_posteriors
from fonoteka.onnx_export.trace import Axes, trace
from fonoteka.scoring.decoding import greedy

Array = NDArray[np.float32]
HEAD_AXES: Axes = {
    "embeddings": {0: "batch", 1: "time"}, "log_probs": {0: "batch", 1: "time"},
}  # fmt: skip
MODEL_AXES: Axes = {
    "samples": {0: "batch", 1: "samples"}, "log_probs": {0: "batch", 1: "time"},
}  # fmt: skip


class EndToEndModel(nn.Module):
    """Samples to log posteriors.

    Clips of one batch have equal length, because padding would change the input of the encoder.
    The names of submodules are part of the exported bytes.
    """

    def __init__(self, encoder: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, samples: Tensor) -> Tensor:
        """Return log posteriors `[B, T, V]` of samples `[B, N]`."""
        return self.head(self.encoder(samples))  # type: ignore[no-any-return]


def export(
    module: nn.Module,
    example: Tensor,
    axes: Axes,
    metadata: Mapping[str, Any],
    path: Path,
    opset: int,
) -> None:
    """Write one file; its bytes depend on the module only.

    Args:
        module: the module, in evaluation mode.
        example: an input; the axes in `axes` may have other sizes later.
        axes: names of the input and the output, each with the names of its dynamic axes.
        metadata: name, labels, sample_rate_hz and, if the input has a longest length, max_s, for
            the metadata of the file.
        path: the file.
        opset: opset version of the file.
    """
    properties = {
        "labels": "\n".join(metadata["labels"]), "name": str(metadata["name"]),
        "sample_rate_hz": str(metadata["sample_rate_hz"]),
    }  # fmt: skip
    if metadata.get("max_s"):
        properties["max_s"] = str(metadata["max_s"])
    trace(module, (example,), list(axes)[:1], list(axes)[1:], axes, properties, path, opset)


def check_parity(
    path: Path, session: Any, module: nn.Module, batches: Mapping[str, Array], max_error: float
) -> float:
    """Return the largest absolute difference of log posteriors between a file and its module.

    Args:
        path: the final path of the file, for errors only.
        session: a session of the file.
        module: the exported module.
        batches: real inputs of many lengths and batch sizes.
        max_error: the tolerance.

    Raises:
        UserError: the difference is above `max_error`, or a decoded symbol differs.
    """
    largest = 0.0
    for key, batch in batches.items():
        with torch.inference_mode():
            expected = module(torch.from_numpy(batch)).numpy()
        actual = session_posteriors(session, batch)
        for exported, reference in zip(actual, expected, strict=True):
            error = max_abs_diff(exported, reference, max_error, f"{path}: {key}", "torch")
            largest = max(largest, error)
    return largest


def max_abs_diff(
    actual: Array, expected: Array, allowed: float, location: str, reference: str
) -> float:
    """Return the largest absolute difference of two log posteriors `[T, V]` of one clip.

    Args:
        actual: of the file.
        expected: of the reference.
        allowed: the tolerance.
        location: the file and the clip, for errors.
        reference: the name of the reference, for errors.

    Raises:
        UserError: the difference is above `allowed` or NaN, or the decoded symbols differ.
    """
    largest = float(np.abs(actual - expected).max())
    if not largest <= allowed:  # NaN fails this comparison too
        raise UserError(
            f"{location}: max abs error {largest:.2e} against {reference}; allowed is {allowed}"
        )
    # Two labels may be nearly equal in a frame: then a difference within the tolerance changes a
    # phone, and the error rate of the file is not that of the module.
    if [s.symbol for s in greedy(actual)] != [s.symbol for s in greedy(expected)]:
        raise UserError(f"{location}: its decoded phones differ from those of {reference}")
    return largest


def evenly_spaced(utterances: Sequence[Utterance], count: int) -> list[Utterance]:
    """Return up to `count` utterances, evenly spaced from the shortest to the longest."""
    ordered = sorted(utterances, key=lambda u: (u.duration_s, u.id))
    if len(ordered) <= count:
        return ordered
    return [ordered[round(i)] for i in np.linspace(0, len(ordered) - 1, count)]


def in_batches(arrays: Mapping[str, Array], sizes: Sequence[int], pad: bool) -> dict[str, Array]:
    """Return all arrays in batches of each size, sorted by length.

    Args:
        arrays: `[T, ...]` each, by name.
        sizes: batch sizes; the last batch of a size may be smaller.
        pad: whether shorter arrays are padded with zeros; else longer ones are cut.

    >>> clips = {"a": np.ones(2, "f4"), "b": np.ones(3, "f4")}
    >>> {k: v.shape for k, v in in_batches(clips, [1, 2], pad=False).items()}
    {'a': (1, 2), 'b': (1, 3), 'a and 1 more': (2, 2)}
    """
    return dict(_batches(arrays, sizes, pad))


def _batches(
    arrays: Mapping[str, Array], sizes: Sequence[int], pad: bool
) -> Iterator[tuple[str, Array]]:
    ordered = sorted(arrays, key=lambda key: (len(arrays[key]), key))
    for size in sizes:
        for start in range(0, len(ordered), size):
            names = ordered[start : start + size]
            rows = [arrays[name] for name in names]
            if pad:
                longest = max(map(len, rows))
                rows = [np.pad(r, [(0, longest - len(r))] + [(0, 0)] * (r.ndim - 1)) for r in rows]
            else:  # zeros at the end would change what an encoder returns for the frames before
                rows = [r[: min(map(len, rows))] for r in rows]
            suffix = f" and {len(names) - 1} more" if len(names) > 1 else ""
            yield f"{names[0]}{suffix}", np.stack(rows)
