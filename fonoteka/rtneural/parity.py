"""Parity check: a file for RTNeural gives the outputs of its model, and a hint if it does not.

A valid file can be wrong: a square kernel that is not transposed has the right size, and so have
gates in another order. Only a run shows it, step by step from a reset and again after another.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.core.errors import UserError
from fonoteka.rtneural.interpreter import Network
from fonoteka.rtneural.validate import require_valid

Array = NDArray[Any]
COMPARED_STEPS = 200
"""Enough to distinguish orders of weights, which differ from the first steps on."""


def check_parity(
    text: str | bytes,
    frames: Array,
    expected: Array,
    allowed: float,
    file_name: str,
    skipped: int = 0,
) -> float:
    """Return the largest absolute difference between the outputs of a file and of its model.

    Args:
        text: the file.
        frames: inputs `[T, I]`.
        expected: outputs of the model `[T - skipped, O]`, from its first step on.
        allowed: the tolerance of the difference.
        file_name: the name of the file, for errors.
        skipped: number of first RTNeural outputs that the model does not have.

    Raises:
        UserError: RTNeural would not run the file, or the outputs differ by more than `allowed`
            after the first or the second reset; if another order of weights in one layer gives the
            right outputs, the message names the layer.
    """
    network = Network(text, file_name)
    if expected.shape != (len(frames) - skipped, network.outputs):
        raise UserError(
            f"{file_name}: its outputs have the shape {(len(frames) - skipped, network.outputs)}, "
            f"but the model's have {expected.shape}; export this model again"
        )
    max_error = 0.0
    # Twice, so that a state that `reset` does not clear is found.
    for phase in ("from the first step on", "after a reset"):
        error = np.abs(network.run(frames)[skipped:] - expected).max(axis=1)
        if not (error <= allowed).all():
            step = int(np.argmax(~(error <= allowed)))
            message = (
                f"{file_name}: max abs error {float(error.max()):.2e} {phase}, first at step {step}"
            )
            hint = _order_hint(text, frames, expected, allowed, skipped)
            raise UserError(f"{message}; allowed is {allowed}{hint}")
        max_error = max(max_error, float(error.max()))
        network.reset()
    return max_error


def _order_hint(
    text: str | bytes, frames: Array, expected: Array, allowed: float, skipped: int
) -> str:
    """Return the order of weights that makes the file right, or an empty string."""
    document = require_valid(text, "")
    for changed, hint in _other_orders(document):
        first_frames = frames[: skipped + COMPARED_STEPS]
        outputs = Network(json.dumps(changed)).run(first_frames)[skipped:]
        if np.abs(outputs - expected[: len(outputs)]).max() <= allowed:
            return f"; it would be right with {hint}"
    return ""


def _other_orders(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield documents in which one layer has its weights in another order of the same shape."""
    for number, layer in enumerate(document["layers"]):
        weights = [np.array(array) for array in layer["weights"]]
        for name, changed in _orders(layer["type"], weights):
            other = copy.copy(document)
            other["layers"] = list(document["layers"])
            other["layers"][number] = layer | {"weights": [w.tolist() for w in changed]}
            yield other, f"{name} of layers[{number}] ({layer['type']})"


def _orders(kind: str, weights: list[Array]) -> Iterator[tuple[str, list[Array]]]:
    if kind in ("dense", "time-distributed-dense", "conv1d"):
        kernel, *rest = weights
        if kernel.shape[-2] == kernel.shape[-1] > 1:
            yield "the kernel transposed", [np.swapaxes(kernel, -1, -2), *rest]
        if kind == "conv1d" and len(kernel) > 1:
            yield "the taps reversed", [kernel[::-1], *rest]
    if kind in ("gru", "lstm"):
        gates = {"gru": 3, "lstm": 4}[kind]
        parts = [np.split(array, gates, axis=-1) for array in weights]
        pairs = [(0, 1, "first"), (1, 2, "middle"), (2, 3, "last")][: gates - 1]
        for first, second, name in pairs:
            swapped = list(range(gates))
            swapped[first], swapped[second] = second, first
            changed = [np.concatenate([p[gate] for gate in swapped], axis=-1) for p in parts]
            yield f"the {name} two gates swapped", changed


def settling_steps(text: str | bytes, frames: Array, tolerance: float, starts: int) -> int | None:
    """Return the number of steps after which the initial state no longer matters.

    Args:
        text: the file.
        frames: inputs `[T, I]`.
        tolerance: the difference up to which outputs count as equal.
        starts: the number of start positions, evenly spaced over the first half.

    Returns:
        The number of first outputs, at the worst start, that differ from those of a network that
        ran from the beginning; None if outputs differ until the end.
    """
    uninterrupted, network = Network(text), Network(text)
    reference = uninterrupted.run(frames)
    max_steps = 0
    for start in np.linspace(1, len(frames) // 2, starts).astype(int):
        network.reset()
        error = np.abs(network.run(frames[start:]) - reference[start:]).max(axis=1)
        differing = np.flatnonzero(~(error <= tolerance))
        max_steps = max(max_steps, int(differing[-1]) + 1 if len(differing) else 0)
        if max_steps >= len(frames) - start:
            return None
    return max_steps
