"""Small causal networks that run alike on a whole sequence, on blocks of it and step by step.

What a layer has to remember goes in and comes out as tensors: a convolution its last inputs, a
recurrent layer its state. So training sees the sequences as they will run, with the state carried
from one piece to the next, and the exported file needs no memory of its own.

Only layers are taken that RTNeural's format can say; see rtneural/export.py.
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
"""Layers that want the features on the second axis."""

STATELESS = (nn.Linear, nn.LeakyReLU, nn.Dropout, *BY_CHANNEL, *ACTIVATIONS.values())


@dataclass(frozen=True)
class LayerShape:
    """One layer.

    Attributes:
        kind: conv, dense, gru or lstm.
        outputs: numbers a step.
        kernel: taps of a convolution; 1 for others.
        dilation: steps from one tap to the next; 1 for others.
        groups: of a convolution; 1 for others.
        activation: what follows: elu, none, relu, sigmoid, softmax or tanh.
    """

    kind: str
    outputs: int
    kernel: int
    dilation: int
    groups: int
    activation: str

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f"kind {self.kind!r} is none of {', '.join(KINDS)}")
        if self.activation not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise UserError(f"activation {self.activation!r} is none of {known}")
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
        inputs: features a step.
        dropout: before each layer but the first, in training only.
        layers: in the order they run.
    """

    inputs: int
    dropout: float
    layers: tuple[LayerShape, ...]


class Stack(nn.Module):
    """Plain layers one after another, on `[B, T, features]`, with their memory in the open."""

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        """Take layers in the order they run.

        Args:
            layers: Linear, LSTM and GRU (`batch_first`), Conv1d (without padding: it is given its
                past), BatchNorm1d, PReLU, LeakyReLU, activations, Dropout and Identity.

        Raises:
            ValueError: a layer is of another kind, or looks ahead.
        """
        super().__init__()
        self.layers = nn.ModuleList(layers)
        for number, layer in enumerate(self.layers):
            _check(layer, f"layer {number} ({type(layer).__name__})")

    def forward(self, frames: Tensor, state: Sequence[Tensor] = ()) -> tuple[Tensor, State]:
        """Return outputs `[B, T, O]` and the state after them.

        Args:
            frames: `[B, T, I]`, T >= 1.
            state: that after the frames before these; none of it: these are the first.
        """
        hidden, after, left = self._run(self.layers, frames, state)
        assert not left, "a state of another stack"
        return hidden, after

    def logits(self, frames: Tensor, state: Sequence[Tensor] = ()) -> tuple[Tensor, State]:
        """Return what goes into the last layer, an activation: losses want it so."""
        assert isinstance(self.layers[-1], nn.Sigmoid | nn.Softmax)
        hidden, after, _ = self._run(self.layers[:-1], frames, state)
        return hidden, after

    def _run(
        self, layers: Iterable[nn.Module], frames: Tensor, state: Sequence[Tensor]
    ) -> tuple[Tensor, State, Sequence[Tensor]]:
        given = state or self.initial_state(len(frames))
        after: list[Tensor] = []
        for layer in layers:
            before = given[len(after) : len(after) + _parts(layer)]
            frames, own = _one(layer, frames, before)
            after += own
        return frames, tuple(after), given[len(after) :]

    def initial_state(self, batch: int = 1) -> State:
        """Return the state before a first step: zeros."""
        like = next(self.parameters(), torch.zeros(()))
        return tuple(
            torch.zeros(shape, dtype=like.dtype, device=like.device)
            for layer in self.layers
            for shape in _memory(layer, batch)
        )

    def declared_layers(self) -> list[nn.Module]:
        """Return the layers with the zeros that stand before the first step written out."""
        declared: list[nn.Module] = []
        for layer in self.layers:
            if isinstance(layer, nn.Conv1d):
                declared.append(nn.ConstantPad1d((history(layer), 0), 0.0))
            declared.append(layer)
        return declared


def stack_of(shape: StackShape) -> Stack:
    """Return an untrained network; torch's seed decides its weights.

    Raises:
        ValueError: groups of a convolution do not divide its inputs or outputs, or there is no
            layer.

    >>> gru = LayerShape("gru", 3, kernel=1, dilation=1, groups=1, activation="none")
    >>> outputs, state = stack_of(StackShape(2, 0.0, (gru,)))(torch.zeros(1, 5, 2))
    >>> outputs.shape, [part.shape for part in state]
    (torch.Size([1, 5, 3]), [torch.Size([1, 1, 3])])
    """
    if not shape.layers:
        raise UserError("layers must hold at least one layer, found none")
    layers: list[nn.Module] = []
    size = shape.inputs
    for layer in shape.layers:
        if layers and shape.dropout:
            layers.append(nn.Dropout(shape.dropout))
        layers.append(_new(layer, size))
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
    """Return how many steps back a convolution looks."""
    return (layer.kernel_size[0] - 1) * layer.dilation[0]


def detached(state: Sequence[Tensor]) -> State:
    """Return a state through which no gradient flows: training goes back one piece, not all."""
    return tuple(part.detach() for part in state)


def _check(layer: nn.Module, where: str) -> None:
    if isinstance(layer, nn.Conv1d):
        if layer.padding not in ((0,), "valid") or layer.stride != (1,):
            raise UserError(f"{where}: padding must be 0 and stride 1; its past is given to it")
    elif isinstance(layer, nn.LSTM | nn.GRU):
        if layer.bidirectional or not layer.batch_first or layer.proj_size:
            raise UserError(f"{where}: must be batch_first, not bidirectional, without proj_size")
    elif isinstance(layer, nn.Softmax):
        if layer.dim != -1:
            raise UserError(f"{where}: dim must be -1, found {layer.dim}")
    elif not isinstance(layer, STATELESS):
        known = sorted({kind.__name__ for kind in (*STATELESS, nn.Conv1d, nn.LSTM, nn.GRU)})
        raise UserError(f"{where}: it is none of {', '.join(known)}")


def _memory(layer: nn.Module, batch: int) -> list[tuple[int, ...]]:
    """Return the shapes of what a layer remembers."""
    if isinstance(layer, nn.Conv1d):
        return [(batch, layer.in_channels, history(layer))] if history(layer) else []
    if isinstance(layer, nn.LSTM | nn.GRU):
        shape = (layer.num_layers, batch, layer.hidden_size)
        return [shape] * (2 if isinstance(layer, nn.LSTM) else 1)
    return []


def _parts(layer: nn.Module) -> int:
    return len(_memory(layer, 1))


def _one(layer: nn.Module, frames: Tensor, before: Sequence[Tensor]) -> tuple[Tensor, State]:
    """Return outputs and state of one layer."""
    if isinstance(layer, nn.Conv1d):
        heard = torch.cat([*before, frames.transpose(1, 2)], dim=2)
        after = (heard[:, :, -history(layer) :],) if before else ()
        return layer(heard).transpose(1, 2), after
    if isinstance(layer, nn.LSTM):
        outputs, (hidden, cell) = layer(frames, (before[0], before[1]))
        return outputs, (hidden, cell)
    if isinstance(layer, nn.GRU):
        outputs, hidden = layer(frames, before[0])
        return outputs, (hidden,)
    if isinstance(layer, BY_CHANNEL):
        return layer(frames.transpose(1, 2)).transpose(1, 2), ()
    return layer(frames), ()
