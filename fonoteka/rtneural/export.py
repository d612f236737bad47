"""Export of a torch model to RTNeural's JSON, or an error with the nearest supported model.

RTNeural (C++, for audio threads) checks little of what it loads: a wrong file runs and is silently
wrong. So everything is checked here, and a file is always complete: every size, every bias, and
numbers with the fewest digits that give the same float32.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
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
from fonoteka.rtneural.placed_modules import (
    Layers,
    check_planes_axis,
    check_softmax_axis,
    feature_axes,
    placed_modules,
)
from fonoteka.rtneural.plane_layers import (
    PLANE_PADS,
    Planes,
    PlaneZeros,
    batchnorm2d,
    conv2d,
    flattened,
    history_of,
    plane_zeros,
    planes_after,
)
from fonoteka.rtneural.unsupported import unsupported, unsupported_module

FUSED = ("dense", "conv1d", "conv2d")
"""Layer types whose key `activation` RTNeural reads; on others it ignores the key."""

IGNORED = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout,
           nn.FeatureAlphaDropout)  # fmt: skip
PADS = (nn.ConstantPad1d, nn.ZeroPad1d)
Inputs = int | tuple[int, int] | None
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


def export_model(model: Layers, inputs: Inputs = None) -> ExportedModel:
    """Return a model in RTNeural's JSON.

    Args:
        model: an `nn.Sequential`, a module whose method `declared_layers` returns a list, or a
            list. A list is run in order, each module on the features of one step, regardless of
            the axes of its torch layers; a recurrent layer passes on its sequence of outputs. A
            convolution is causal if `nn.ConstantPad1d` pads zeros to the left of it. A Conv2d runs
            on `[batch, channels, time, features]`, and is causal if `nn.ZeroPad2d((0, 0, n, 0))`
            comes before it; a layer after it reads all values of a step, as torch flattens them.
        inputs: features per step; by default those of the first layer that has a size. For a model
            that starts with a Conv2d, a pair: features and channels.

    Raises:
        UserError: the format does not support the model; the message names the layer, the reason
            and the nearest supported form.

    >>> linear = nn.Linear(1, 1)
    >>> _ = nn.init.constant_(linear.weight, 0.1), nn.init.zeros_(linear.bias)
    >>> print(export_model(nn.Sequential(linear, nn.Tanh()), 1).text.strip())
    {"in_shape":[null,null,1],"layers":[{"type":"dense","activation":"tanh",\
"shape":[null,null,1],"weights":[[[0.1]],[0.0]]}]}
    """
    parts = list(placed_modules(model, "", in_sequential=False))
    features = feature_axes(parts)
    exporter = _Exporter(inputs)
    for part in parts:
        # In a list a softmax runs on [batch, time, features]; in a Sequential its axes vary.
        if isinstance(part.module, nn.Softmax):
            check_softmax_axis(features if part.in_sequential else {-1, 2}, part)
        if exporter.planes:
            check_planes_axis(part)
        exporter.add(part.module, part.location)
    return exporter.result()


class _Exporter:
    """The layers so far, their output size and pending padding."""

    def __init__(self, inputs: Inputs) -> None:
        self.planes = self.input_planes = Planes(*inputs) if isinstance(inputs, tuple) else None
        size = self.planes.size if self.planes else inputs
        assert not isinstance(size, tuple)
        if size is not None and (size < 1 or (self.planes and min(self.planes) < 1)):
            raise UserError(f"inputs must be at least 1, found {inputs}")
        self.inputs = self.size = size
        self.layers: list[Layer] = []
        self.skipped = 0
        self.zeros: int | PlaneZeros | None = None
        self.padding = ""

    def add(self, module: nn.Module, location: str) -> None:
        """Add a module, or raise an error if the format does not support it."""
        kind = class_of(module)
        if kind in IGNORED:
            require_eval_mode(module, location, getattr(module, "p", 0.0) > 0)
            return
        if self.zeros is not None and kind is not self._padded_kind:
            reason = f"{location} follows it, not a {self._padded_kind.__name__}"
            raise unsupported(self.padding, reason, "no padding there")
        if kind in ACTIVATIONS:
            self.add_activation(module, location)
        elif kind in PADS:
            self.zeros, self.padding = _left_zeros(module, location), location
        elif kind in PLANE_PADS:
            self.zeros, self.padding = plane_zeros(module, location), location
        elif kind in (nn.Conv2d, nn.BatchNorm2d):
            self.add_on_planes(module, location)
        elif kind in WRITERS:
            self.check_initial_state(module, location)
            layers = to_layers(module, self.size, location)
            if self.planes:
                layers[0] = flattened(layers[0], self.planes, location)
            if self.inputs is None:
                self.inputs = int(getattr(module, WRITERS[kind][0]))
            self.layers += layers
            self.size = output_size(layers)
            # A slope per vector keeps the planes, any other layer ends them.
            if kind not in (nn.PReLU, nn.LeakyReLU):
                self.planes = None
        else:
            raise unsupported_module(module, location)

    @property
    def _padded_kind(self) -> type[nn.Module]:
        """The class that has to follow the pending padding."""
        return nn.Conv2d if isinstance(self.zeros, PlaneZeros) else nn.Conv1d

    def add_on_planes(self, module: nn.Module, location: str) -> None:
        """Add a Conv2d or a BatchNorm2d."""
        if self.planes is None:
            reason = "pass inputs=(features, channels)"
            if self.layers:
                reason = "it follows a layer without planes, so put it first"
            raise UserError(f"{location}: the shape of its input is unknown; {reason}")
        if isinstance(module, nn.BatchNorm2d):
            self.layers.append(batchnorm2d(module, self.planes, location))
            return
        assert isinstance(module, nn.Conv2d)
        zeros = self.zeros if isinstance(self.zeros, PlaneZeros) else PlaneZeros()
        layer = conv2d(module, self.planes, zeros, location)
        # Without zeros before the first step a torch layer starts when its kernel is full.
        history, padded = history_of(module), zeros.steps > 0
        if padded and zeros.steps != history:
            reason = f"{zeros.steps} zeros before {location}, which looks {history} steps back"
            raise unsupported(self.padding, reason, f"ZeroPad2d((0, 0, {history}, 0))")
        self.require_start(location, padded)
        self.zeros, self.skipped = None, self.skipped + (0 if padded else history)
        self.layers.append(layer)
        self.planes = planes_after(layer)
        self.size = self.planes.size

    def require_start(self, location: str, from_zeros: bool) -> None:
        """Refuse a layer that starts with zeros after one that torch starts later."""
        if self.skipped and from_zeros:
            reason = "a convolution before it has no padding, so torch starts this layer "
            reason += f"{self.skipped} steps later than RTNeural, which starts at once"
            raise unsupported(
                location, reason, "ConstantPad1d((n, 0), 0.0) before each convolution"
            )

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
        self.require_start(location, padded or isinstance(module, nn.LSTM | nn.GRU))
        self.skipped += 0 if padded else history

    def add_activation(self, module: nn.Module, location: str) -> None:
        """Add an activation: to the layer before it if RTNeural reads it there."""
        if self.size is None:
            raise UserError(f"{location}: the number of inputs is unknown; pass `inputs`")
        if isinstance(module, nn.ELU) and module.alpha != 1:
            reason = f"its alpha is {module.alpha:g}, but RTNeural always uses 1"
            raise unsupported(location, reason, "ELU(alpha=1.0)")
        if self.planes and isinstance(module, nn.Softmax):
            reason = "RTNeural's softmax runs over all features and channels of a step"
            raise unsupported(location, reason, "a Linear between the planes and the Softmax")
        name = ACTIVATIONS[class_of(module)]
        if self.layers and self.layers[-1]["type"] in FUSED and not self.layers[-1]["activation"]:
            self.layers[-1]["activation"] = name
        else:
            layer = layer_json("activation", self.size, [], name)
            if self.planes:
                layer["shape"] = [None, None, *self.planes]
            self.layers.append(layer)

    def result(self) -> ExportedModel:
        """Return the model of the layers added so far."""
        if self.zeros is not None:
            raise unsupported(self.padding, "nothing follows it", "no padding there")
        if not self.layers:
            raise UserError(
                "the model has no layer that computes, and RTNeural cannot load an empty model"
            )
        shape = self.input_planes or (self.inputs,)
        document = {"in_shape": [None, None, *shape], "layers": self.layers}
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
