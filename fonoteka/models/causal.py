"""Small causal networks with equal outputs for a whole sequence, for blocks and step by step.

The state of each layer is an argument and a result: the last inputs of a convolution, the state of
a recurrent layer. So training runs sequences as a host does, with the state carried from one block
to the next, and the exported file needs no internal state.

Only layers that RTNeural's format supports are accepted; see rtneural/export.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn

from fonoteka.core.errors import UserError

State = tuple[Tensor, ...]
KINDS = ("conv", "dense", "gru", "lstm")
ACTIVATIONS: Mapping[str, type[nn.Module]] = MappingProxyType(
    {"elu": nn.ELU, "none": nn.Identity, "relu": nn.ReLU, "sigmoid": nn.Sigmoid,
     "softmax": nn.Softmax, "tanh": nn.Tanh}
)  # fmt: skip
BY_CHANNEL = (nn.BatchNorm1d, nn.PReLU)
"""Layers that expect the features on the second axis."""

STATELESS = (nn.Linear, nn.LeakyReLU, nn.Dropout, *BY_CHANNEL, *ACTIVATIONS.values())


@dataclass(frozen=True)
class LayerShape:
    """One layer.

    Attributes:
        kind: conv, dense, gru or lstm.
        outputs: number of outputs per step.
        kernel: taps of a convolution; 1 for others.
        dilation: steps between two taps; 1 for others.
        groups: groups of a convolution; 1 for others.
        activation: the activation after the layer: elu, none, relu, sigmoid, softmax or tanh.
    """

    kind: str
    outputs: int
    kernel: int
    dilation: int
    groups: int
    activation: str

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f"kind {self.kind!r} is not one of {', '.join(KINDS)}")
        if self.activation not in ACTIVATIONS:
            names = ", ".join(ACTIVATIONS)
            raise UserError(f"activation {self.activation!r} is not one of {names}")
        sizes = (self.outputs, self.kernel, self.dilation, self.groups)
        if min(sizes) < 1:
            raise UserError(f"outputs, kernel, dilation, groups must be at least 1, found {sizes}")
        if self.kind != "conv" and sizes[1:] != (1, 1, 1):
            raise UserError(
                f"a {self.kind} has kernel, dilation and groups 1, found "
                f"{self.kernel}, {self.dilation} and {self.groups}"
            )


@dataclass(frozen=True)
class StackShape:
    """A whole network.

    Attributes:
        inputs: features per step.
        dropout: probability before each layer except the first, in training only.
        layers: in the order they run.
    """

    inputs: int
    dropout: float
    layers: tuple[LayerShape, ...]


class Stack(nn.Module):
    """A sequence of layers on `[B, T, features]`, with an explicit state."""

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        """Take layers in the order they run.

        Args:
            layers: Linear, LSTM and GRU (`batch_first`), Conv1d (without padding: the state has
                its past inputs), BatchNorm1d, PReLU, LeakyReLU, activations, Dropout and Identity.

        Raises:
            UserError: a layer is of another kind, or depends on future steps.
        """
        super().__init__()
        self.layers = nn.ModuleList(layers)
        for number, layer in enumerate(self.layers):
            _check(layer, f"layer {number} ({type(layer).__name__})")

    def forward(self, frames: Tensor, state: Sequence[Tensor] = ()) -> tuple[Tensor, State]:
        """Return outputs `[B, T, O]` and the state after them.

        Args:
            frames: `[B, T, I]`, T >= 1.
            state: the state after the previous frames; empty for the first frames.
        """
        hidden, after, unused = self._run(self.layers, frames, state)
        assert not unused, "a state of another stack"
        return hidden, after

    def logits(self, frames: Tensor, state: Sequence[Tensor] = ()) -> tuple[Tensor, State]:
        """Return the input of the last layer, an activation, as losses on logits need it."""
        assert isinstance(self.layers[-1], nn.Sigmoid | nn.Softmax)
        hidden, after, _ = self._run(self.layers[:-1], frames, state)
        return hidden, after

    def _run(
        self, layers: Iterable[nn.Module], frames: Tensor, state: Sequence[Tensor]
    ) -> tuple[Tensor, State, Sequence[Tensor]]:
        all_states = state or self.initial_state(len(frames))
        after: list[Tensor] = []
        for layer in layers:
            before = all_states[len(after) : len(after) + _state_count(layer)]
            frames, new_state = _run_layer(layer, frames, before)
            after += new_state
        return frames, tuple(after), all_states[len(after) :]

    def initial_state(self, batch: int = 1) -> State:
        """Return the state before a first step: zeros."""
        like = next(self.parameters(), torch.zeros(()))
        return tuple(
            torch.zeros(shape, dtype=like.dtype, device=like.device)
            for layer in self.layers
            for shape in _state_shapes(layer, batch)
        )

    def declared_layers(self) -> list[nn.Module]:
        """Return the layers with explicit padding of zeros before each convolution."""
        declared: list[nn.Module] = []
        for layer in self.layers:
            if isinstance(layer, nn.Conv1d):
                declared.append(nn.ConstantPad1d((history(layer), 0), 0.0))
            declared.append(layer)
        return declared


def build_stack(shape: StackShape) -> Stack:
    """Return an untrained network; its weights depend on torch's seed.

    Raises:
        ValueError: groups of a convolution do not divide its inputs or outputs.
        UserError: there is no layer.

    >>> gru = LayerShape("gru", 3, kernel=1, dilation=1, groups=1, activation="none")
    >>> outputs, state = build_stack(StackShape(2, 0.0, (gru,)))(torch.zeros(1, 5, 2))
    >>> outputs.shape, [part.shape for part in state]
    (torch.Size([1, 5, 3]), [torch.Size([1, 1, 3])])
    """
    if not shape.layers:
        raise UserError("layers must contain at least one layer, found none")
    layers: list[nn.Module] = []
    size = shape.inputs
    for layer in shape.layers:
        if layers and shape.dropout:
            layers.append(nn.Dropout(shape.dropout))
        layers.append(_new(layer, size))
        # Softmax needs an axis: features are on the last one.
        if layer.activation == "softmax":
            layers.append(nn.Softmax(dim=-1))
        elif layer.activation != "none":
            layers.append(ACTIVATIONS[layer.activation]())
        size = layer.outputs
    return Stack(layers)


def _new(layer: LayerShape, inputs: int) -> nn.Module:
    if layer.kind == "dense":
        return nn.Linear(inputs, layer.outputs)
    if layer.kind == "conv":
        return nn.Conv1d(
            inputs, layer.outputs, layer.kernel, dilation=layer.dilation, groups=layer.groups
        )  # fmt: skip
    kind = nn.GRU if layer.kind == "gru" else nn.LSTM
    return kind(inputs, layer.outputs, batch_first=True)


def history(layer: nn.Conv1d) -> int:
    """Return the number of past steps that a convolution depends on."""
    return (layer.kernel_size[0] - 1) * layer.dilation[0]


def detach(state: Sequence[Tensor]) -> State:
    """Return a state without gradients, so backpropagation ends at the start of a block."""
    return tuple(part.detach() for part in state)


def _check(layer: nn.Module, location: str) -> None:
    if isinstance(layer, nn.Conv1d):
        if layer.padding not in ((0,), "valid") or layer.stride != (1,):
            raise UserError(
                f"{location}: padding must be 0 and stride 1; the state has its past inputs"
            )
    elif isinstance(layer, nn.LSTM | nn.GRU):
        if layer.bidirectional or not layer.batch_first or layer.proj_size:
            raise UserError(
                f"{location}: must be batch_first, not bidirectional, without proj_size"
            )
    elif isinstance(layer, nn.Softmax):
        if layer.dim != -1:
            raise UserError(f"{location}: dim must be -1, found {layer.dim}")
    elif not isinstance(layer, STATELESS):
        names = sorted({kind.__name__ for kind in (*STATELESS, nn.Conv1d, nn.LSTM, nn.GRU)})
        raise UserError(f"{location}: it is not one of {', '.join(names)}")


def _state_shapes(layer: nn.Module, batch: int) -> list[tuple[int, ...]]:
    """Return the shapes of the state of a layer."""
    if isinstance(layer, nn.Conv1d):
        return [(batch, layer.in_channels, history(layer))] if history(layer) else []
    if isinstance(layer, nn.LSTM | nn.GRU):
        shape = (layer.num_layers, batch, layer.hidden_size)
        return [shape] * (2 if isinstance(layer, nn.LSTM) else 1)
    return []


def _state_count(layer: nn.Module) -> int:
    return len(_state_shapes(layer, 1))


def _run_layer(layer: nn.Module, frames: Tensor, before: Sequence[Tensor]) -> tuple[Tensor, State]:
    """Return the outputs and the new state of one layer."""
    if isinstance(layer, nn.Conv1d):
        inputs = torch.cat([*before, frames.transpose(1, 2)], dim=2)
        after = (inputs[:, :, -history(layer) :],) if before else ()
        return layer(inputs).transpose(1, 2), after
    if isinstance(layer, nn.LSTM):
        outputs, (hidden, cell) = layer(frames, (before[0], before[1]))
        return outputs, (hidden, cell)
    if isinstance(layer, nn.GRU):
        outputs, hidden = layer(frames, before[0])
        return outputs, (hidden,)
    if isinstance(layer, BY_CHANNEL):
        return layer(frames.transpose(1, 2)).transpose(1, 2), ()
    return layer(frames), ()
