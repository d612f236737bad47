"""Low-rank adapters on linear layers, merged into the weights after training.

This is the project's own implementation because peft needs accelerate, which nothing else here
needs. The product of the two factors is added to the layer's output and, after training, to its
weight.

Source: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fonoteka.core.errors import UserError


@dataclass(frozen=True)
class LoraParams:
    """Adapters.

    Attributes:
        rank: width of the factors.
        alpha: the product is multiplied by `alpha / rank`.
        targets: names of linear layers, for example `q_proj`; those of both halves are adapted.
    """

    rank: int
    alpha: float
    targets: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise UserError(f"lora.rank must be at least 1, found {self.rank}")


class LoraLinear(nn.Module):
    """A frozen linear layer plus the product of two trainable factors, which begins at 0."""

    def __init__(self, base: nn.Linear, params: LoraParams) -> None:
        super().__init__()
        self.base, self.scale = base, params.alpha / params.rank
        self.down = nn.Parameter(torch.empty(params.rank, base.in_features))
        self.up = nn.Parameter(torch.zeros(base.out_features, params.rank))
        nn.init.kaiming_uniform_(self.down, a=5**0.5)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return `[..., out]` of `[..., in]`."""
        added = F.linear(F.linear(inputs, self.down), self.up)
        output: Tensor = self.base(inputs) + self.scale * added
        return output

    def merged(self) -> nn.Linear:
        """Return the layer with the product added to its weight."""
        with torch.no_grad():
            self.base.weight += self.scale * (self.up @ self.down)
        return self.base


def add_adapters(model: nn.Module, params: LoraParams) -> list[str]:
    """Freeze a model, replace its target layers by adapted ones and return their names.

    Raises:
        UserError: no linear layer has one of the names.
    """
    model.requires_grad_(False)
    names = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and name.rpartition(".")[2] in params.targets
    ]
    missing = sorted({*params.targets} - {name.rpartition(".")[2] for name in names})
    if missing or not names:
        raise UserError(
            f"lora.targets: the model has no linear layers named {missing or params.targets}; "
            "Whisper has q_proj, k_proj, v_proj, out_proj, fc1 and fc2"
        )
    for name in names:
        _replace(model, name, LoraLinear(_layer(model, name), params))
    return names


def merge_adapters(model: nn.Module) -> None:
    """Replace adapted layers by plain ones with merged weights."""
    adapted = [name for name, module in model.named_modules() if isinstance(module, LoraLinear)]
    for name in adapted:
        layer = model.get_submodule(name)
        assert isinstance(layer, LoraLinear)
        _replace(model, name, layer.merged())


def _layer(model: nn.Module, name: str) -> nn.Linear:
    layer = model.get_submodule(name)
    assert isinstance(layer, nn.Linear)
    return layer


def _replace(model: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, layer)
