"""The machine that a time was measured on is described, and a limit knows its better side."""

from __future__ import annotations

import platform

import pytest

from fonoteka.reporting import machine as machine_facts
from fonoteka.reporting.machine import Demand, machine


def test_the_machine_is_described_without_its_name_or_a_path():
    facts = machine()
    assert facts["processor"]
    assert facts["memory_gib"] > 0
    assert {"python", "numpy", "onnxruntime", "torch", "transformers"} < set(facts)
    texts = [value for value in facts.values() if isinstance(value, str)]
    assert not any(platform.node() in text or "/" in text for text in texts)


def test_a_machine_without_cpuinfo_is_described_too(tmp_path, monkeypatch):
    monkeypatch.setattr(machine_facts, "CPUINFO", tmp_path / "none")
    assert machine()["processor"]
    assert machine()["instructions"] == []


@pytest.mark.parametrize(
    ("value", "at_most", "met"),
    [(1.0, True, True), (1.1, True, False), (1.0, False, True), (0.9, False, False),
     (float("nan"), True, False), (float("nan"), False, False)],
)  # fmt: skip
def test_a_limit_is_met_from_its_own_side(value, at_most, met):
    assert Demand("it", value, 1.0, at_most).met is met
