"""Write torch modules as ONNX files and prove that the files say what torch says.

The tracing exporter is used because the newer one writes an LSTM with the traced length baked in.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file
from fonoteka.manifest import Utterance
from fonoteka.models.encoders import VARIANCE_FLOOR, padding, receptive_field
from fonoteka.onnx_export.session import session_posteriors
from fonoteka.scoring.decoding import greedy

Array = NDArray[np.float32]
Axes = Mapping[str, Mapping[int, str]]
HEAD_AXES: Axes = {
    "embeddings": {0: "batch", 1: "time"}, "log_probs": {0: "batch", 1: "time"},
}  # fmt: skip
MODEL_AXES: Axes = {
    "samples": {0: "batch", 1: "samples"}, "log_probs": {0: "batch", 1: "time"},
}  # fmt: skip


class Listener(nn.Module):
    """Samples to embeddings: normalisation, padding and encoder in one graph."""

    def __init__(self, encoder: Any, normalised: bool) -> None:
        super().__init__()
        self.encoder, self.normalised = encoder, normalised
        self.padding = padding(receptive_field(encoder))

    def forward(self, samples: Tensor) -> Tensor:
        """Return embeddings `[B, T, D]` of samples `[B, N]`, T = N / 320 rounded up."""
        if self.normalised:
            centred = samples - samples.mean(-1, keepdim=True)
            variance = centred.square().mean(-1, keepdim=True)
            samples = centred / torch.sqrt(variance + VARIANCE_FLOOR)
        hidden: Tensor = self.encoder(F.pad(samples, self.padding)).last_hidden_state
        return hidden


class WholePath(nn.Module):
    """Samples to log posteriors.

    Clips of one batch have one length: a padded clip would change what the encoder hears.
    """

    def __init__(self, listener: Listener, head: nn.Module) -> None:
        super().__init__()
        self.listener, self.head = listener, head

    def forward(self, samples: Tensor) -> Tensor:
        """Return log posteriors `[B, T, V]` of samples `[B, N]`."""
        return self.head(self.listener(samples))  # type: ignore[no-any-return]


def export(
    module: nn.Module, example: Tensor, axes: Axes, facts: Mapping[str, Any], path: Path, opset: int
) -> None:
    """Write one file; its bytes depend on the module alone.

    Args:
        module: what to write, in evaluation mode.
        example: an input; axes that `axes` names may have other sizes later.
        axes: the input's name and then the output's, with the names of their free axes.
        facts: name, labels and sample_rate_hz, for the file's metadata.
        path: the file.
        opset: of the file.
    """
    inputs, outputs = list(axes)[:1], list(axes)[1:]
    with atomic_file(path) as part:
        with warnings.catch_warnings():
            # The tracer warns of every shape it reads; `prove` looks at other shapes.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module, (example,), str(part), dynamo=False, opset_version=opset,
                input_names=inputs, output_names=outputs,
                dynamic_axes={k: dict(v) for k, v in axes.items()},
            )  # fmt: skip
        model = onnx.load(str(part))
        onnx.helper.set_model_props(
            model, {"labels": "\n".join(facts["labels"]), "name": str(facts["name"]),
                    "sample_rate_hz": str(facts["sample_rate_hz"])},
        )  # fmt: skip
        onnx.checker.check_model(model)
        onnx.save(model, str(part))


def prove(
    path: Path, session: Any, module: nn.Module, batches: Mapping[str, Array], max_error: float
) -> float:
    """Return the largest difference of a log posterior between a file and its module.

    Args:
        path: where the file will lie; it is only named in errors.
        session: the file, opened.
        module: what it was exported from.
        batches: real inputs of many lengths and batch sizes.
        max_error: what is allowed.

    Raises:
        ValueError: it is above `max_error`, or a decoded symbol differs.
    """
    worst = 0.0
    for key, batch in batches.items():
        with torch.inference_mode():
            theirs = module(torch.from_numpy(batch)).numpy()
        ours = session_posteriors(session, batch)
        for one, other in zip(ours, theirs, strict=True):
            worst = max(worst, apart(one, other, max_error, f"{path}: {key}", "torch"))
    return worst


def apart(ours: Array, theirs: Array, allowed: float, where: str, whose: str) -> float:
    """Return the largest difference of two log posteriors `[T, V]` of one clip.

    Raises:
        ValueError: it is above `allowed` or a NaN, or the two decode to different symbols.
    """
    worst = float(np.abs(ours - theirs).max())
    if not worst <= allowed:
        raise UserError(f"{where}: off by {worst:.2e} from {whose}; allowed is {allowed}")
    if [s.symbol for s in greedy(ours)] != [s.symbol for s in greedy(theirs)]:
        raise UserError(f"{where}: decodes differently than {whose}")
    return worst


def spread(utterances: Sequence[Utterance], count: int) -> list[Utterance]:
    """Return up to `count` utterances from the shortest to the longest, evenly spread."""
    ordered = sorted(utterances, key=lambda u: (u.duration_s, u.id))
    if len(ordered) <= count:
        return ordered
    return [ordered[round(i)] for i in np.linspace(0, len(ordered) - 1, count)]


def in_batches(arrays: Mapping[str, Array], sizes: Sequence[int], pad: bool) -> dict[str, Array]:
    """Return all arrays in batches of each size, neighbours in length together.

    Args:
        arrays: `[T, ...]` each, by name.
        sizes: of the batches; the last batch of a size may be smaller.
        pad: fill shorter arrays with zeros, or cut longer ones to the shortest.

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
        for at in range(0, len(ordered), size):
            names = ordered[at : at + size]
            rows = [arrays[name] for name in names]
            if pad:
                far = max(map(len, rows))
                rows = [np.pad(r, [(0, far - len(r))] + [(0, 0)] * (r.ndim - 1)) for r in rows]
            else:
                rows = [r[: min(map(len, rows))] for r in rows]
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            yield f"{names[0]}{more}", np.stack(rows)
