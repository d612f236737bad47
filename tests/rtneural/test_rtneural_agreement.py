"""Torch, ONNX Runtime and the interpreter of RTNeural files agree step by step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, seed, settings
from rtneural_maker import (
    ALLOWED,
    FIXED,
    ModelSpec,
    architectures,
    max_rel_diff,
    noise,
    require_agreement,
    require_long_agreement,
    torch_steps,
)

from fonoteka.rtneural.export import export_model
from fonoteka.rtneural.interpreter import Network

pytestmark = pytest.mark.torch
# Two tests with one seed draw the same models: 300, of which more than 200 are distinct.
DRAWS = settings(max_examples=300, database=None, deadline=None)
SEED = 1
LONG = 2_000  # 10,000 in tests/faults/test_faults_rtneural.py


def is_fourth(spec):
    """Return whether a model is exported as ONNX too; test_faults_rtneural.py exports all."""
    return spec.seed % 4 == 0


@seed(SEED)
@given(architectures())
@settings(DRAWS, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_torch_onnx_and_the_interpreter_agree_on_random_models(tmp_path, spec):
    require_agreement(spec, tmp_path / "model.onnx" if is_fourth(spec) else None)


def test_the_random_models_are_many_and_of_all_kinds():
    seen = []

    @seed(SEED)
    @given(architectures())
    @settings(DRAWS)
    def draw(spec):
        seen.append(spec)

    draw()
    exported = [spec for spec in seen if is_fourth(spec)]
    for specs, count in ((seen, 200), (exported, 60)):
        kinds = {kind for spec in specs for kind, *_ in spec.layers}
        assert kinds >= {"dense", "conv", "gru", "lstm", "norm", "prelu", "tanh", "relu", "sigmoid",
                         "softmax", "elu", "leaky", "dropout", "identity"}  # fmt: skip
        assert len({(spec.inputs, spec.layers) for spec in specs}) >= count


@pytest.mark.parametrize("name", FIXED)
def test_two_thousand_steps_from_a_reset_agree(name, tmp_path):
    require_long_agreement(FIXED[name], LONG, tmp_path / "model.onnx")


@pytest.mark.parametrize("name", FIXED)
def test_rounding_does_not_accumulate(name):
    spec = FIXED[name]
    frames, text = noise(4000, spec.inputs), export_model(spec.stack(), spec.inputs).text
    exact, rounded = (Network(text, dtype=dtype).run(frames) for dtype in ("f8", "f4"))
    error = np.abs(exact - rounded).max(axis=1)
    # a state forgets its own rounding: the last steps are no worse than the first
    assert error[-1000:].max() < 3 * error[:1000].max() < 3e-6


def test_the_interpreter_computes_in_float32_like_rtneural():
    softmax = torch.nn.Sequential(torch.nn.Softmax(dim=-1))
    loud = np.array([[100.0, 0.0]], np.float32)
    assert torch_steps(ModelSpec(2, (("softmax",),), 0).stack(), loud)[0] == pytest.approx([1, 0])
    # RTNeural does not subtract the maximum, so e^100 is infinite
    assert np.isnan(Network(export_model(softmax, 2).text).run(loud)).any()
    assert np.isfinite(Network(export_model(softmax, 2).text, dtype=np.float64).run(loud)).all()


@pytest.mark.parametrize("block", [1, 3, 40])
@pytest.mark.parametrize("name", FIXED)
def test_a_stack_gives_the_same_outputs_at_once_and_in_blocks(name, block):
    spec = FIXED[name]
    frames = noise(40, spec.inputs)
    assert (
        max_rel_diff(torch_steps(spec.stack(), frames, block), run_at_once(spec, frames)) < ALLOWED
    )


@torch.inference_mode()
def run_at_once(spec, frames):
    """Return the outputs of the declared layers on all frames at once."""
    hidden = torch.from_numpy(frames)[None]
    across = (torch.nn.ConstantPad1d, torch.nn.Conv1d, torch.nn.BatchNorm1d, torch.nn.PReLU)
    for layer in spec.stack().declared_layers():
        if isinstance(layer, across):
            hidden = layer(hidden.transpose(1, 2)).transpose(1, 2)
        else:
            hidden = layer(hidden)
            hidden = hidden[0] if isinstance(hidden, tuple) else hidden
    return hidden[0].numpy()
