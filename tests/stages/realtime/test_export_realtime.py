"""The stage export_realtime exports trained models, and refuses if the parity check fails."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import onnx
import pandas as pd
import pytest
import yaml
from stream_maker import RTNEURAL, save_random, small

from fonoteka.core.files import read_json
from fonoteka.models.store import load_stack
from fonoteka.realtime.frame_labels import TASKS
from fonoteka.rtneural.interpreter import Network
from fonoteka.rtneural.validate import diagnose
from stages.realtime import export_realtime as stage
from stages.realtime.export_realtime import run, torch_outputs
from stages.realtime.parity_frames import parity_frames

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return small(tmp_path_factory) / "toy"


@pytest.fixture(scope="module")
def phone(tmp_path_factory):
    """An exported model: its folder, its export and the report."""
    folder = small(tmp_path_factory)
    return folder / "models/phone", folder / "export/phone", folder / "parity_reports/phone.json"


def export_of(toy, model, folder, params=RTNEURAL):
    places = (toy / "streams", toy / "times.parquet", folder / "out", folder / "report.json")
    run(model, *places, params)


def test_an_export_is_valid_and_agrees_with_torch(phone, toy):
    model, out, _ = phone
    text = (out / "phone.json").read_bytes()
    assert diagnose(text) == []
    frames = parity_frames(toy / "streams", toy / "times.parquet", 50)
    wanted = torch_outputs(load_stack(model)[0], frames)
    np.testing.assert_allclose(Network(text).run(frames), wanted, atol=1e-6)


def test_a_report_says_the_errors_and_sizes(phone):
    model, out, report = phone
    result = read_json(report)
    assert result["steps"] == RTNEURAL.steps
    assert 0 < max(result["max_error_below"].values()) <= 1e-5
    assert result["bytes"] == {
        kind: (out / f"phone.{kind}").stat().st_size for kind in ("json", "onnx")
    }
    assert result["parameters"] == sum(p.numel() for p in load_stack(model)[0].parameters())


def test_an_onnx_file_contains_its_name_and_labels(phone):
    model, out, _ = phone
    metadata = read_json(model / "model.json")
    stored = {p.key: p.value for p in onnx.load(str(out / "phone.onnx")).metadata_props}
    assert stored == {
        "labels": "\n".join(TASKS["phone"].names), "name": "phone",
        "weights_sha256": metadata["weights_sha256"],
    }  # fmt: skip


def test_two_exports_are_equal_byte_for_byte(phone, toy, tmp_path):
    model, out, report = phone
    export_of(toy, model, tmp_path)
    for path in out.iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()
    assert (tmp_path / "report.json").read_bytes() == report.read_bytes()


def changed_weight(original):
    """The exporter, but for one weight of the last layer."""

    def export(stack, inputs):
        document = json.loads(original(stack, inputs).text)
        document["layers"][-1]["weights"][0][0][0] += 0.01
        return SimpleNamespace(text=json.dumps(document))

    return export


def test_the_parity_check_fails_on_a_changed_weight(phone, toy, tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "export_model", changed_weight(stage.export_model))
    with pytest.raises(ValueError, match=r"phone.json: max abs error .* from the first step on"):
        export_of(toy, phone[0], tmp_path)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "report.json").exists()


def test_the_parity_check_fails_on_another_models_graph(phone, toy, tmp_path, monkeypatch):
    original, other = stage.export_stack, save_random(tmp_path, "phone", seed=9)
    stack = load_stack(other)[0]
    monkeypatch.setattr(stage, "export_stack", lambda _, *rest: original(stack, *rest))
    with pytest.raises(
        ValueError, match=r"phone.onnx: max abs error .* within 300 steps; allowed is"
    ):
        export_of(toy, phone[0], tmp_path)


def test_the_parity_check_fails_if_a_reset_does_not_clear_the_state(
    phone, toy, tmp_path, monkeypatch
):
    class Forgetless(stage.StatefulSession):
        def reset(self):
            if not hasattr(self, "state"):
                super().reset()

    monkeypatch.setattr(stage, "StatefulSession", Forgetless)
    with pytest.raises(ValueError, match=r"phone.onnx: its outputs differ after a reset"):
        export_of(toy, phone[0], tmp_path)


def test_a_parity_check_needs_its_frames(phone, toy, tmp_path):
    with pytest.raises(ValueError, match=r"frames, but 100000 are required; lower steps in"):
        export_of(toy, phone[0], tmp_path, replace(RTNEURAL, steps=100_000))
    table = pd.read_parquet(toy / "times.parquet")
    table[table["part"] == "train"].to_parquet(tmp_path / "times.parquet", index=False)
    with pytest.raises(ValueError, match="no test stream; run the stage realtime_features"):
        parity_frames(toy / "streams", tmp_path / "times.parquet", 10)


@pytest.mark.parametrize("change", [{"steps": 0}, {"max_error": 0.0}])
def test_a_parity_check_of_no_steps_is_refused(change):
    with pytest.raises(ValueError, match="steps and max_error must be above 0"):
        replace(RTNEURAL, **change)


def test_the_command_reads_its_sections_and_its_paths(phone, toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sections = {
        "export_realtime": asdict(replace(RTNEURAL, steps=20)),
        "compute": {"threads": 1, "device": "cpu"},
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(sections))
    places = [str(phone[0]), str(toy / "streams"), str(toy / "times.parquet")]
    monkeypatch.setattr(sys, "argv", ["export_realtime", *places, "out", "report.json"])
    stage.main()
    assert read_json(tmp_path / "report.json")["steps"] == 20
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["phone.json", "phone.onnx"]
