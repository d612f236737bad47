"""No input up to the given magnitude exceeds the bound inside a model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rtneural_maker import ModelSpec, architectures

from fonoteka.rtneural.bounds import SAFE_LOGIT, max_abs_logit
from fonoteka.rtneural.export import export_model

pytestmark = pytest.mark.torch


@given(architectures(), st.sampled_from([0.1, 1.0, 20.0]))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_no_logit_exceeds_its_bound(spec, max_abs_input):
    spec = ModelSpec(spec.inputs, (*spec.layers, ("softmax",)), spec.seed)
    stack = spec.stack()
    bound = max_abs_logit(export_model(stack, spec.inputs).document, max_abs_input)
    signs = np.random.default_rng(spec.seed).choice([-1.0, 1.0], (1, 40, spec.inputs))
    with torch.inference_mode():
        logits, _ = stack.logits(torch.from_numpy(max_abs_input * signs).float())
    assert float(logits.abs().max()) <= bound * (1 + 1e-5)  # float32


def test_the_bound_of_one_matrix_is_reached():
    torch.manual_seed(0)
    linear = torch.nn.Linear(4, 1)
    document = export_model(torch.nn.Sequential(linear, torch.nn.Softmax(dim=-1))).document
    weight, bias = linear.weight.detach().numpy(), linear.bias.item()
    worst = np.sign(weight) * 3 * np.sign(bias)
    assert np.isclose(max_abs_logit(document, 3.0), abs(float((worst * weight).sum()) + bias))


def test_up_to_the_safe_logit_float32_holds_a_softmax_of_a_thousand():
    for logit in (-SAFE_LOGIT, SAFE_LOGIT):
        powers = np.exp(np.full(1000, logit, np.float32))
        assert np.finfo(np.float32).tiny < powers[0]
        assert np.isfinite(powers.sum())
    with np.errstate(over="ignore"):
        assert np.isinf(np.exp(np.float32(89)))


def test_without_a_softmax_there_is_no_bound():
    assert max_abs_logit(export_model(torch.nn.Linear(2, 2)).document, 1.0) is None
