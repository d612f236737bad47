"""Torch, ONNX Runtime and the interpreter of RTNeural's files say the same, step by step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, seed, settings
from rtneural_maker import (
    ALLOWED,
    FIXED,
    Drawn,
    apart,
    architectures,
    noise,
    require_agreement,
    require_long_agreement,
    torch_steps,
)

from fonoteka.rtneural.export import export
from fonoteka.rtneural.interpreter import Network

pytestmark = pytest.mark.torch
# Two tests with one seed draw the same models: 300, of which more than 200 are distinct.
DRAWS = settings(max_examples=300, database=None, deadline=None)
SEED = 1
LONG = 2_000  # 10,000 in tests/faults/test_faults_rtneural.py


def is_fourth(drawn):
    """Whether a model is exported as ONNX too; tests/faults/test_faults_rtneural.py exports all."""
    return drawn.seed % 4 == 0


@seed(SEED)
@given(architectures())
@settings(DRAWS, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_drawn_model_is_understood_in_two_ways(tmp_path, drawn):
    require_agreement(drawn, tmp_path / "model.onnx" if is_fourth(drawn) else None)


def test_the_models_drawn_are_many_and_of_all_kinds():
    seen = []

    @seed(SEED)
    @given(architectures())
    @settings(DRAWS)
    def draw(drawn):
        seen.append(drawn)

    draw()
    exported = [drawn for drawn in seen if is_fourth(drawn)]
    for some, count in ((seen, 200), (exported, 60)):
        kinds = {kind for drawn in some for kind, *_ in drawn.layers}
        assert kinds >= {"dense", "conv", "gru", "lstm", "norm", "prelu", "tanh", "relu", "sigmoid",
                         "softmax", "elu", "leaky", "dropout", "identity"}  # fmt: skip
        assert len({(drawn.inputs, drawn.layers) for drawn in some}) >= count


@pytest.mark.parametrize("name", FIXED)
def test_two_thousand_steps_from_a_reset_bring_no_difference(name, tmp_path):
    require_long_agreement(FIXED[name], LONG, tmp_path / "model.onnx")


@pytest.mark.parametrize("name", FIXED)
def test_rounding_does_not_pile_up(name):
    drawn = FIXED[name]
    frames, text = noise(4000, drawn.inputs), export(drawn.stack(), drawn.inputs).text
    exact, rounded = (Network(text, dtype=dtype).run(frames) for dtype in ("f8", "f4"))
    error = np.abs(exact - rounded).max(axis=1)
    # a state forgets its own rounding: the last steps are no worse than the first
    assert error[-1000:].max() < 3 * error[:1000].max() < 3e-6


def test_the_interpreter_keeps_to_float32_as_rtneural_does():
    softmax = torch.nn.Sequential(torch.nn.Softmax(dim=-1))
    loud = np.array([[100.0, 0.0]], np.float32)
    assert torch_steps(Drawn(2, (("softmax",),), 0).stack(), loud)[0] == pytest.approx([1, 0])
    # RTNeural subtracts no maximum, so that e^100 is infinite
    assert np.isnan(Network(export(softmax, 2).text).run(loud)).any()
    assert np.isfinite(Network(export(softmax, 2).text, dtype=np.float64).run(loud)).all()


@pytest.mark.parametrize("block", [1, 3, 40])
@pytest.mark.parametrize("name", FIXED)
def test_a_stack_says_the_same_whole_and_in_pieces(name, block):
    drawn = FIXED[name]
    frames = noise(40, drawn.inputs)
    assert apart(torch_steps(drawn.stack(), frames, block), plain(drawn, frames)) < ALLOWED


@torch.inference_mode()
def plain(drawn, frames):
    """The declared layers on the whole, each as torch alone runs it."""
    hidden = torch.from_numpy(frames)[None]
    across = (torch.nn.ConstantPad1d, torch.nn.Conv1d, torch.nn.BatchNorm1d, torch.nn.PReLU)
    for layer in drawn.stack().declared_layers():
        if isinstance(layer, across):
            hidden = layer(hidden.transpose(1, 2)).transpose(1, 2)
        else:
            hidden = layer(hidden)
            hidden = hidden[0] if isinstance(hidden, tuple) else hidden
    return hidden[0].numpy()
