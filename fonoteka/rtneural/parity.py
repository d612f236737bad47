"""Prove that a file for RTNeural says what the model it came from says, and find out why not.

A file can be whole and wrong: a square kernel that was not transposed has the right size, and so
have gates in another order. Only running it tells, step by step from a reset and again after one.
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
from fonoteka.rtneural.validate import require_sound

Array = NDArray[Any]
TRIED_STEPS = 200
"""Enough to tell one order of weights from another, which is off from the first steps on."""


def prove(
    text: str | bytes, frames: Array, wanted: Array, allowed: float, where: str, skipped: int = 0
) -> float:
    """Return the largest difference between a file and its model.

    Args:
        text: the file.
        frames: inputs `[T, I]`.
        wanted: the model's outputs `[T - skipped, O]`, from its first step on.
        allowed: the largest difference that may be.
        where: the file's name, for errors.
        skipped: how many of RTNeural's first outputs the model does not have.

    Raises:
        ValueError: RTNeural would not run the file, or the outputs differ by more than `allowed`,
            from the first reset or from the next; the message names the layer that would be right
            with its weights in another order, if there is one.
    """
    network = Network(text, where)
    if wanted.shape != (len(frames) - skipped, network.outputs):
        raise UserError(
            f"{where}: gives outputs of the shape {(len(frames) - skipped, network.outputs)}, "
            f"and the model's are {wanted.shape}; is it another model's file?"
        )
    worst = 0.0
    for turn in ("from the first step on", "after a reset"):
        error = np.abs(network.run(frames)[skipped:] - wanted).max(axis=1)
        if not (error <= allowed).all():
            step = int(np.argmax(~(error <= allowed)))
            message = f"{where}: off by {float(error.max()):.2e} {turn}, first at step {step}"
            raise UserError(
                f"{message}; allowed is {allowed}{_guess(text, frames, wanted, allowed, skipped)}"
            )
        worst = max(worst, float(error.max()))
        network.reset()
    return worst


def _guess(text: str | bytes, frames: Array, wanted: Array, allowed: float, skipped: int) -> str:
    """Return what the file would have to be to be right, where another order of weights is it."""
    document = require_sound(text, "")
    for changed, guess in _other_orders(document):
        few = frames[: skipped + TRIED_STEPS]
        found = Network(json.dumps(changed)).run(few)[skipped:]
        if np.abs(found - wanted[: len(found)]).max() <= allowed:
            return f"; it would be right with {guess}"
    return ""


def _other_orders(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield documents in which one layer has its weights in another order that fits as well."""
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
        for one, other, name in pairs:
            swapped = list(range(gates))
            swapped[one], swapped[other] = other, one
            changed = [np.concatenate([p[at] for at in swapped], axis=-1) for p in parts]
            yield f"the {name} two gates swapped", changed


def forgotten_after(text: str | bytes, frames: Array, tolerance: float, starts: int) -> int | None:
    """Return how many steps it takes until a start from zeros is forgotten.

    Args:
        text: the file.
        frames: inputs `[T, I]`.
        tolerance: a difference below which outputs count as equal.
        starts: how many places, evenly spread over the first half, to start anew at.

    Returns:
        The number of first outputs, at the worst of these places, that differ from those of a
        network which has heard all from the beginning; None if some differ to the end.
    """
    whole, network = Network(text), Network(text)
    known = whole.run(frames)
    longest = 0
    for start in np.linspace(1, len(frames) // 2, starts).astype(int):
        network.reset()
        error = np.abs(network.run(frames[start:]) - known[start:]).max(axis=1)
        differing = np.flatnonzero(~(error <= tolerance))
        longest = max(longest, int(differing[-1]) + 1 if len(differing) else 0)
        if longest >= len(frames) - start:
            return None
    return longest
