"""The plain modules of a torch model in the order they run, and the axes that they run on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from fonoteka.rtneural.layers import class_of
from fonoteka.rtneural.unsupported import require_readable, runs_in_order, unsupported

Layers = nn.Module | Sequence[nn.Module]


@dataclass(frozen=True)
class PlacedModule:
    """A plain module, its name, and whether torch runs it on the axes of a Sequential."""

    module: nn.Module
    name: str
    in_sequential: bool

    @property
    def location(self) -> str:
        """The name and the class of the module, for errors."""
        return f"layer {self.name} ({class_of(self.module).__name__})"


def placed_modules(model: Layers, name: str, in_sequential: bool) -> Iterator[PlacedModule]:
    """Yield the plain modules of a model in the order they run, each as often as it runs.

    A module that occurs twice becomes two layers of the file with the same weights, each with its
    own state, as torch runs it.
    """
    inner: Mapping[str, nn.Module] | Sequence[nn.Module]
    if not isinstance(model, nn.Module):
        inner, in_sequential = model, False
    else:
        require_readable(model, f"layer {name or '0'} ({type(model).__name__})")
        if declared := getattr(model, "declared_layers", None):
            inner, in_sequential = declared(), False
        elif runs_in_order(type(model)):
            # Not `named_children`, which yields a module once even if it occurs twice.
            inner, in_sequential = {k: m for k, m in model._modules.items() if m is not None}, True
        else:
            yield PlacedModule(model, name or "0", in_sequential)
            return
    items = inner.items() if isinstance(inner, Mapping) else enumerate(inner)
    for key, module in items:
        yield from placed_modules(module, f"{name}.{key}" if name else str(key), in_sequential)


def feature_axes(parts: Sequence[PlacedModule]) -> set[int]:
    """Return the axes on which the Sequentials of a model have their features.

    Raises:
        UserError: layers need them on different axes, so torch would run one of them over time.
    """
    ordered = [part for part in parts if part.in_sequential]
    last = [part for part in ordered if isinstance(part.module, nn.Linear | nn.LSTM | nn.GRU)]
    second = [part for part in ordered if isinstance(part.module, nn.Conv1d)]
    if last and second:
        reason = (
            f"its features are on the second axis and those of {last[0].location} on the last, so "
            "in one Sequential one of them runs over time"
        )
        nearest = "a list of the same layers, which runs each layer on the features"
        raise unsupported(second[0].location, reason, nearest)
    if second:
        return {1, -2}
    # Without a recurrent layer the input may also be frames alone: [N, features].
    return {-1, 2} if any(isinstance(p.module, nn.LSTM | nn.GRU) for p in last) else {-1, 1, 2}


def check_softmax_axis(features: set[int], part: PlacedModule) -> None:
    """Refuse a softmax over another axis than those of the features.

    Raises:
        UserError: it runs over another axis.
    """
    if (axis := part.module.dim) not in features:
        nearest = f"Softmax(dim={-1 if -1 in features else 1})"
        raise unsupported(
            part.location, f"its dim is {axis}, but the features are on another axis", nearest
        )


def check_planes_axis(part: PlacedModule) -> None:
    """Refuse a layer in a Sequential that torch would run on one axis of planes.

    Raises:
        UserError: it is such a layer.
    """
    if part.in_sequential and isinstance(part.module, nn.Linear | nn.LSTM | nn.GRU | nn.Conv1d):
        reason = "it follows planes, and in a Sequential torch runs it on one of their axes"
        nearest = "a list of the same layers, which runs each layer on all values of a step"
        raise unsupported(part.location, reason, nearest)
