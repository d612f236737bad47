"""The machine of a measurement is described, and a limit is a maximum or a minimum."""

from __future__ import annotations

import platform

import pytest

from fonoteka.reporting import machine as machine_module
from fonoteka.reporting.machine import Demand, machine


def test_the_machine_is_described_without_its_name_or_a_path():
    metadata = machine()
    assert metadata["processor"]
    assert metadata["memory_gib"] > 0
    assert {"python", "numpy", "onnxruntime", "torch", "transformers"} < set(metadata)
    texts = [value for value in metadata.values() if isinstance(value, str)]
    assert not any(platform.node() in text or "/" in text for text in texts)


def test_a_machine_without_cpuinfo_is_described_too(tmp_path, monkeypatch):
    monkeypatch.setattr(machine_module, "CPUINFO", tmp_path / "none")
    assert machine()["processor"]
    assert machine()["instructions"] == []


@pytest.mark.parametrize(
    ("value", "at_most", "met"),
    [(1.0, True, True), (1.1, True, False), (1.0, False, True), (0.9, False, False),
     (float("nan"), True, False), (float("nan"), False, False)],
)  # fmt: skip
def test_a_limit_is_a_maximum_or_a_minimum(value, at_most, met):
    assert Demand("it", value, 1.0, at_most).met is met
