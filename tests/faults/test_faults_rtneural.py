"""Torch, ONNX Runtime and the interpreter of RTNeural's files agree in long draws and long runs."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from rtneural_maker import FIXED, architectures, require_agreement, require_long_agreement

pytestmark = [pytest.mark.faults, pytest.mark.torch]


@given(architectures())
@settings(
    max_examples=300, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
def test_no_drawn_model_is_understood_in_two_ways(tmp_path, spec):
    require_agreement(spec, tmp_path / "model.onnx")


@pytest.mark.parametrize("name", FIXED)
def test_ten_thousand_steps_from_a_reset_bring_no_difference(name, tmp_path):
    require_long_agreement(FIXED[name], 10_000, tmp_path / "model.onnx")
