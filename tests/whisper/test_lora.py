"""Adapters begin as nothing, train alone, and are the same model after they are merged."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fonoteka.whisper.lora import LoraLinear, LoraParams, add_adapters, merge_adapters

PARAMS = LoraParams(rank=2, alpha=6.0, targets=("q_proj", "v_proj"))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q_proj, self.v_proj, self.out_proj = (nn.Linear(8, 8) for _ in range(3))

    def forward(self, x):
        return self.out_proj(torch.tanh(self.q_proj(x)) * self.v_proj(x))


def adapted():
    torch.manual_seed(0)
    model = nn.Sequential(Attention(), Attention())
    plain = model(inputs())
    names = add_adapters(model, PARAMS)
    return model, plain, names


def inputs():
    return torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(1))


def test_new_adapters_do_not_change_a_model():
    model, plain, names = adapted()
    assert names == ["0.q_proj", "0.v_proj", "1.q_proj", "1.v_proj"]
    assert torch.equal(model(inputs()), plain)


def test_only_the_factors_are_trained():
    model, _, names = adapted()
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    assert trained == {f"{name}.{part}" for name in names for part in ("down", "up")}


def test_merging_gives_the_same_model_with_the_names_that_it_had():
    model, plain, _ = adapted()
    before = [name for name, _ in Attention().named_parameters()]
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.1 * torch.randn_like(parameter)
    trained = model(inputs())
    assert not torch.allclose(trained, plain, atol=1e-2)
    merge_adapters(model)
    torch.testing.assert_close(model(inputs()), trained, atol=1e-6, rtol=1e-5)
    assert not any(isinstance(m, LoraLinear) for m in model.modules())
    assert [n for n, _ in model[0].named_parameters()] == before


def test_the_product_is_scaled_by_alpha_over_rank():
    layer = LoraLinear(nn.Linear(4, 3), PARAMS)
    with torch.no_grad():
        layer.up.fill_(1.0)
    x = torch.randn(2, 4)
    added = 3.0 * (x @ layer.down.T).sum(dim=1, keepdim=True).expand(2, 3)
    torch.testing.assert_close(layer(x) - layer.base(x), added)


@pytest.mark.parametrize("targets", [("q_proj", "none"), ()])
def test_a_target_that_the_model_lacks_is_refused(targets):
    with pytest.raises(ValueError, match=r"lora\.targets: the model has no linear layers named"):
        add_adapters(Attention(), LoraParams(2, 4.0, targets))


def test_a_rank_below_1_is_refused():
    with pytest.raises(ValueError, match=r"lora\.rank must be at least 1, found 0"):
        LoraParams(0, 4.0, ("q_proj",))
