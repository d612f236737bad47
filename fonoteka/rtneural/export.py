"""Say a torch model in RTNeural's JSON, or refuse it by name with what would work.

RTNeural (C++, for audio threads) checks almost nothing that it loads: a wrong file runs and is
silently wrong. So everything is checked here, and what is written is always complete: every size,
every bias, numbers as short as float32 allows without changing a bit.
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
    kind_of,
    layer_of,
    outputs_of,
    settled,
    written,
)
from fonoteka.rtneural.unsupported import readable, refusal, refused, runs_in_order

Layers = nn.Module | Sequence[nn.Module]
FUSED = ("dense", "conv1d")
"""RTNeural reads the key `activation` of these; on others it ignores it."""

FOLDED = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.AlphaDropout, nn.FeatureAlphaDropout)
PADS = (nn.ConstantPad1d, nn.ZeroPad1d)
CURVES: Mapping[type[nn.Module], str] = MappingProxyType(
    {nn.Tanh: "tanh", nn.ReLU: "relu", nn.Sigmoid: "sigmoid", nn.Softmax: "softmax", nn.ELU: "elu"}
)


@dataclass(frozen=True)
class Exported:
    """A model as RTNeural reads it.

    Attributes:
        document: the JSON, as Python values.
        skipped_steps: how many of RTNeural's first outputs torch does not have: it has none before
            a convolution without padding has heard its whole kernel. Torch's output t is
            RTNeural's output t + skipped_steps.
    """

    document: dict[str, Any]
    skipped_steps: int

    @property
    def text(self) -> str:
        """The file: one line; equal models are equal bytes."""
        return json.dumps(self.document, allow_nan=False, separators=(",", ":")) + "\n"


@dataclass(frozen=True)
class _Part:
    """A plain module, where it stands, and whether torch runs it on the axes of a Sequential."""

    module: nn.Module
    name: str
    in_sequential: bool

    @property
    def where(self) -> str:
        return f"layer {self.name} ({kind_of(self.module).__name__})"


def export(model: Layers, inputs: int | None = None) -> Exported:
    """Return a model in RTNeural's JSON.

    Args:
        model: an `nn.Sequential`, a module whose method `declared_layers` returns a list, or a
            list. A list is run in order, each module on the features of one step, whatever axes
            its torch layers want; a recurrent layer stands for its sequence of outputs. A
            convolution is causal where `nn.ConstantPad1d` puts its zeros to the left of it.
        inputs: features a step; the first layer that has a size says it too.

    Raises:
        ValueError: the format cannot say the model; the message names layer, reason and way out.

    >>> linear = nn.Linear(1, 1)
    >>> _ = nn.init.constant_(linear.weight, 0.1), nn.init.zeros_(linear.bias)
    >>> print(export(nn.Sequential(linear, nn.Tanh()), 1).text.strip())
    {"in_shape":[null,null,1],"layers":[{"type":"dense","activation":"tanh",\
"shape":[null,null,1],"weights":[[[0.1]],[0.0]]}]}
    """
    parts = list(_flat(model, "", in_sequential=False))
    features = _features(parts)
    walk = _Walk(inputs)
    for part in parts:
        if isinstance(part.module, nn.Softmax):
            _over(features if part.in_sequential else {-1, 2}, part)
        walk.take(part.module, part.where)
    return walk.done()


def _flat(model: Layers, name: str, in_sequential: bool) -> Iterator[_Part]:
    """Yield the plain modules of a model in the order they run, each as often as it runs.

    A module that stands in two places is two layers of the file: with the same weights where it
    has any, and each with a state of its own, as torch runs it.
    """
    inner: Mapping[str, nn.Module] | Sequence[nn.Module]
    if not isinstance(model, nn.Module):
        inner, in_sequential = model, False
    else:
        readable(model, f"layer {name or '0'} ({type(model).__name__})")
        if declared := getattr(model, "declared_layers", None):
            inner, in_sequential = declared(), False
        elif runs_in_order(type(model)):
            # Not `named_children`, which gives a module once, however often it stands there.
            inner, in_sequential = {k: m for k, m in model._modules.items() if m is not None}, True
        else:
            yield _Part(model, name or "0", in_sequential)
            return
    items = inner.items() if isinstance(inner, Mapping) else enumerate(inner)
    for key, module in items:
        yield from _flat(module, f"{name}.{key}" if name else str(key), in_sequential)


def _features(parts: Sequence[_Part]) -> set[int]:
    """Return the axes on which the Sequentials of a model have their features.

    Raises:
        ValueError: its layers want them on different ones, so torch takes time for features.
    """
    plain = [part for part in parts if part.in_sequential]
    last = [part for part in plain if isinstance(part.module, nn.Linear | nn.LSTM | nn.GRU)]
    second = [part for part in plain if isinstance(part.module, nn.Conv1d)]
    if last and second:
        why = f"its features are on the second axis and those of {last[0].where} on the last, so "
        why += "that in one Sequential either runs over time"
        nearest = "a list of the same layers, each of which stands for one on the features"
        raise refused(second[0].where, why, nearest)
    if second:
        return {1, -2}
    # Where nothing looks back, what goes through may as well be frames alone: [N, features].
    return {-1, 2} if any(isinstance(p.module, nn.LSTM | nn.GRU) for p in last) else {-1, 1, 2}


def _over(features: set[int], part: _Part) -> None:
    if (found := part.module.dim) not in features:
        nearest = f"Softmax(dim={-1 if -1 in features else 1})"
        raise refused(part.where, f"its dim is {found}, and the features are elsewhere", nearest)


class _Walk:
    """The layers so far, and what they pass on."""

    def __init__(self, inputs: int | None) -> None:
        if inputs is not None and inputs < 1:
            raise UserError(f"inputs must be at least 1, found {inputs}")
        self.inputs = self.size = inputs
        self.layers: list[Layer] = []
        self.skipped = 0
        self.zeros: int | None = None
        self.padding = ""

    def take(self, module: nn.Module, where: str) -> None:
        """Add a module."""
        kind = kind_of(module)
        if kind in FOLDED:
            settled(module, where, getattr(module, "p", 0.0) > 0)
            return
        if self.zeros is not None and kind is not nn.Conv1d:
            raise refused(self.padding, f"{where} follows it and no Conv1d", "no padding there")
        if kind in CURVES:
            self.curve(module, where)
        elif kind in PADS:
            self.zeros, self.padding = _left_zeros(module, where), where
        elif kind in WRITERS:
            self.memory(module, where)
            layers = written(module, self.size, where)
            if self.inputs is None:
                self.inputs = int(getattr(module, WRITERS[kind][0]))
            self.layers += layers
            self.size = outputs_of(layers)
        else:
            raise refusal(module, where)

    def memory(self, module: nn.Module, where: str) -> None:
        """See that what a module remembers begins with the zeros that RTNeural begins with."""
        history, padded = 0, self.zeros is not None
        if isinstance(module, nn.Conv1d):
            history = (module.kernel_size[0] - 1) * module.dilation[0]
            _causal(module, history, where)
            if self.zeros not in (None, history):
                why = f"{self.zeros} zeros before {where}, which looks {history} steps back"
                raise refused(self.padding, why, f"ConstantPad1d(({history}, 0), 0.0)")
            self.zeros = None
        if self.skipped and (padded or isinstance(module, nn.LSTM | nn.GRU)):
            why = "a convolution before it has no padding, so torch starts this layer "
            why += f"{self.skipped} steps later than RTNeural, which never waits"
            raise refused(where, why, "ConstantPad1d((n, 0), 0.0) before each convolution")
        self.skipped += 0 if padded else history

    def curve(self, module: nn.Module, where: str) -> None:
        """Add an activation: to the layer before it, where RTNeural reads it there."""
        if self.size is None:
            raise UserError(f"{where}: nothing says how many inputs there are; give `inputs`")
        if isinstance(module, nn.ELU) and module.alpha != 1:
            why = f"its alpha is {module.alpha:g}, and a file cannot say that: RTNeural takes 1"
            raise refused(where, why, "ELU(alpha=1.0)")
        name = CURVES[kind_of(module)]
        if self.layers and self.layers[-1]["type"] in FUSED and not self.layers[-1]["activation"]:
            self.layers[-1]["activation"] = name
        else:
            self.layers.append(layer_of("activation", self.size, [], name))

    def done(self) -> Exported:
        """Return what was added."""
        if self.zeros is not None:
            raise refused(self.padding, "nothing follows it", "no padding there")
        if not self.layers:
            raise UserError("the model has no layer that computes, and RTNeural runs no empty one")
        document = {"in_shape": [None, None, self.inputs], "layers": self.layers}
        return Exported(document, self.skipped)


def _left_zeros(module: nn.Module, where: str) -> int:
    """Return how many zeros a padding puts before the first step."""
    (left, right), value = module.padding, getattr(module, "value", 0.0)  # type: ignore[misc]
    if right != 0 or left < 0 or value != 0:
        why = f"{left} steps of {value:g} before and {right} after; all there is before the first "
        raise refused(where, f"{why}step is zeros", "ConstantPad1d((n, 0), 0.0)")
    return int(left)


def _causal(module: nn.Conv1d, history: int, where: str) -> None:
    """Refuse a convolution that hears what is yet to come, or not every step."""
    if module.stride[0] != 1:
        why = f"its stride is {module.stride[0]}, and RTNeural answers each step"
        raise refused(where, why, "stride=1, with the outputs in between left aside")
    fills = module.padding not in ((0,), "valid")
    if fills and (history or module.padding != "same"):
        why = f"padding={module.padding!r} with {module.padding_mode} hears what is yet to come"
        nearest = f"ConstantPad1d(({history}, 0), 0.0) and then a Conv1d with padding=0"
        raise refused(where, why, nearest)
