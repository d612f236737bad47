"""No input up to the given one makes a model louder than is said."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rtneural_maker import Drawn, architectures

from fonoteka.rtneural.bounds import SAFE_LOGIT, loudest_logit
from fonoteka.rtneural.export import export

pytestmark = pytest.mark.torch


@given(architectures(), st.sampled_from([0.1, 1.0, 20.0]))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_no_logit_is_louder_than_its_bound(drawn, loudest):
    drawn = Drawn(drawn.inputs, (*drawn.layers, ("softmax",)), drawn.seed)
    stack = drawn.stack()
    bound = loudest_logit(export(stack, drawn.inputs).document, loudest)
    signs = np.random.default_rng(drawn.seed).choice([-1.0, 1.0], (1, 40, drawn.inputs))
    with torch.inference_mode():
        logits, _ = stack.logits(torch.from_numpy(loudest * signs).float())
    assert float(logits.abs().max()) <= bound * (1 + 1e-5)  # float32


def test_the_bound_of_one_matrix_is_reached():
    torch.manual_seed(0)
    linear = torch.nn.Linear(4, 1)
    document = export(torch.nn.Sequential(linear, torch.nn.Softmax(dim=-1))).document
    weight, bias = linear.weight.detach().numpy(), linear.bias.item()
    worst = np.sign(weight) * 3 * np.sign(bias)
    assert np.isclose(loudest_logit(document, 3.0), abs(float((worst * weight).sum()) + bias))


def test_up_to_the_safe_logit_float32_holds_a_softmax_of_a_thousand():
    for logit in (-SAFE_LOGIT, SAFE_LOGIT):
        powers = np.exp(np.full(1000, logit, np.float32))
        assert np.finfo(np.float32).tiny < powers[0]
        assert np.isfinite(powers.sum())
    with np.errstate(over="ignore"):
        assert np.isinf(np.exp(np.float32(89)))


def test_without_a_softmax_there_is_no_bound():
    assert loudest_logit(export(torch.nn.Linear(2, 2)).document, 1.0) is None
