"""Export of a torch model to RTNeural's JSON, or an error with the nearest supported model.

RTNeural (C++, for audio threads) checks little of what it loads: a wrong file runs and is silently
wrong. So everything is checked here, and a file is always complete: every size, every bias, and
numbers with the fewest digits that give the same float32.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from torch import nn

from fonoteka.core.errors import UserError
from fonoteka.rtneural.layers import (
    WRITERS,
    Layer,
    class_of,
    layer_json,
    output_size,
    require_eval_mode,
    to_layers,
)
from fonoteka.rtneural.unsupported import (
    require_readable,
    runs_in_order,
    unsupported,
    unsupported_module,
)

Layers = nn.Module | Sequence[nn.Module]
FUSED = ("dense", "conv1d")
"""Layer types whose key `activation` RTNeural reads; on others it ignores the key."""

IGNORED = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.AlphaDropout, nn.FeatureAlphaDropout)
PADS = (nn.ConstantPad1d, nn.ZeroPad1d)
ACTIVATIONS: Mapping[type[nn.Module], str] = MappingProxyType(
    {nn.Tanh: "tanh", nn.ReLU: "relu", nn.Sigmoid: "sigmoid", nn.Softmax: "softmax", nn.ELU: "elu"}
)


@dataclass(frozen=True)
class ExportedModel:
    """A model in RTNeural's format.

    Attributes:
        document: the JSON, as Python values.
        skipped_steps: number of first RTNeural outputs that torch does not have, because a
            convolution without padding starts when its kernel is full. Torch's output t is
            RTNeural's output t + skipped_steps.
    """

    document: dict[str, Any]
    skipped_steps: int

    @property
    def text(self) -> str:
        """The file: one line; equal models give equal bytes."""
        return json.dumps(self.document, allow_nan=False, separators=(",", ":")) + "\n"


@dataclass(frozen=True)
class _PlacedModule:
    """A plain module, its name, and whether torch runs it on the axes of a Sequential."""

    module: nn.Module
    name: str
    in_sequential: bool

    @property
    def location(self) -> str:
        return f"layer {self.name} ({class_of(self.module).__name__})"


def export_model(model: Layers, inputs: int | None = None) -> ExportedModel:
    """Return a model in RTNeural's JSON.

    Args:
        model: an `nn.Sequential`, a module whose method `declared_layers` returns a list, or a
            list. A list is run in order, each module on the features of one step, regardless of
            the axes of its torch layers; a recurrent layer passes on its sequence of outputs. A
            convolution is causal if `nn.ConstantPad1d` pads zeros to the left of it.
        inputs: features per step; by default those of the first layer that has a size.

    Raises:
        UserError: the format does not support the model; the message names the layer, the reason
            and the nearest supported form.

    >>> linear = nn.Linear(1, 1)
    >>> _ = nn.init.constant_(linear.weight, 0.1), nn.init.zeros_(linear.bias)
    >>> print(export_model(nn.Sequential(linear, nn.Tanh()), 1).text.strip())
    {"in_shape":[null,null,1],"layers":[{"type":"dense","activation":"tanh",\
"shape":[null,null,1],"weights":[[[0.1]],[0.0]]}]}
    """
    parts = list(_flatten(model, "", in_sequential=False))
    features = _feature_axes(parts)
    exporter = _Exporter(inputs)
    for part in parts:
        # In a list a softmax runs on [batch, time, features]; in a Sequential its axes vary.
        if isinstance(part.module, nn.Softmax):
            _check_softmax_axis(features if part.in_sequential else {-1, 2}, part)
        exporter.add(part.module, part.location)
    return exporter.result()


def _flatten(model: Layers, name: str, in_sequential: bool) -> Iterator[_PlacedModule]:
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
            yield _PlacedModule(model, name or "0", in_sequential)
            return
    items = inner.items() if isinstance(inner, Mapping) else enumerate(inner)
    for key, module in items:
        yield from _flatten(module, f"{name}.{key}" if name else str(key), in_sequential)


def _feature_axes(parts: Sequence[_PlacedModule]) -> set[int]:
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


def _check_softmax_axis(features: set[int], part: _PlacedModule) -> None:
    if (axis := part.module.dim) not in features:
        nearest = f"Softmax(dim={-1 if -1 in features else 1})"
        raise unsupported(
            part.location, f"its dim is {axis}, but the features are on another axis", nearest
        )


class _Exporter:
    """The layers so far, their output size and pending padding."""

    def __init__(self, inputs: int | None) -> None:
        if inputs is not None and inputs < 1:
            raise UserError(f"inputs must be at least 1, found {inputs}")
        self.inputs = self.size = inputs
        self.layers: list[Layer] = []
        self.skipped = 0
        self.zeros: int | None = None
        self.padding = ""

    def add(self, module: nn.Module, location: str) -> None:
        """Add a module, or raise an error if the format does not support it."""
        kind = class_of(module)
        if kind in IGNORED:
            require_eval_mode(module, location, getattr(module, "p", 0.0) > 0)
            return
        if self.zeros is not None and kind is not nn.Conv1d:
            raise unsupported(
                self.padding, f"{location} follows it, not a Conv1d", "no padding there"
            )
        if kind in ACTIVATIONS:
            self.add_activation(module, location)
        elif kind in PADS:
            self.zeros, self.padding = _left_zeros(module, location), location
        elif kind in WRITERS:
            self.check_initial_state(module, location)
            layers = to_layers(module, self.size, location)
            if self.inputs is None:
                self.inputs = int(getattr(module, WRITERS[kind][0]))
            self.layers += layers
            self.size = output_size(layers)
        else:
            raise unsupported_module(module, location)

    def check_initial_state(self, module: nn.Module, location: str) -> None:
        """Require that the state of a module starts with zeros, as it does in RTNeural."""
        history, padded = 0, self.zeros is not None
        if isinstance(module, nn.Conv1d):
            history = (module.kernel_size[0] - 1) * module.dilation[0]
            _causal(module, history, location)
            if self.zeros not in (None, history):
                reason = f"{self.zeros} zeros before {location}, which looks {history} steps back"
                raise unsupported(self.padding, reason, f"ConstantPad1d(({history}, 0), 0.0)")
            self.zeros = None
        if self.skipped and (padded or isinstance(module, nn.LSTM | nn.GRU)):
            reason = "a convolution before it has no padding, so torch starts this layer "
            reason += f"{self.skipped} steps later than RTNeural, which starts at once"
            raise unsupported(
                location, reason, "ConstantPad1d((n, 0), 0.0) before each convolution"
            )
        self.skipped += 0 if padded else history

    def add_activation(self, module: nn.Module, location: str) -> None:
        """Add an activation: to the layer before it if RTNeural reads it there."""
        if self.size is None:
            raise UserError(f"{location}: the number of inputs is unknown; pass `inputs`")
        if isinstance(module, nn.ELU) and module.alpha != 1:
            reason = f"its alpha is {module.alpha:g}, but RTNeural always uses 1"
            raise unsupported(location, reason, "ELU(alpha=1.0)")
        name = ACTIVATIONS[class_of(module)]
        if self.layers and self.layers[-1]["type"] in FUSED and not self.layers[-1]["activation"]:
            self.layers[-1]["activation"] = name
        else:
            self.layers.append(layer_json("activation", self.size, [], name))

    def result(self) -> ExportedModel:
        """Return the model of the layers added so far."""
        if self.zeros is not None:
            raise unsupported(self.padding, "nothing follows it", "no padding there")
        if not self.layers:
            raise UserError(
                "the model has no layer that computes, and RTNeural cannot load an empty model"
            )
        document = {"in_shape": [None, None, self.inputs], "layers": self.layers}
        return ExportedModel(document, self.skipped)


def _left_zeros(module: nn.Module, location: str) -> int:
    """Return the number of zeros that a padding inserts before the first step."""
    (left, right), value = module.padding, getattr(module, "value", 0.0)  # type: ignore[misc]
    if right != 0 or left < 0 or value != 0:
        reason = (
            f"{left} steps of {value:g} before and {right} after; RTNeural has zeros before the "
            "first step"
        )
        raise unsupported(location, reason, "ConstantPad1d((n, 0), 0.0)")
    return int(left)


def _causal(module: nn.Conv1d, history: int, location: str) -> None:
    """Refuse a convolution that depends on future steps or skips steps."""
    if module.stride[0] != 1:
        reason = f"its stride is {module.stride[0]}, and RTNeural gives an output per step"
        raise unsupported(location, reason, "stride=1, with the outputs in between ignored")
    pads = module.padding not in ((0,), "valid")
    if pads and (history or module.padding != "same"):
        reason = f"padding={module.padding!r} with {module.padding_mode} depends on future steps"
        nearest = f"ConstantPad1d(({history}, 0), 0.0) and then a Conv1d with padding=0"
        raise unsupported(location, reason, nearest)
