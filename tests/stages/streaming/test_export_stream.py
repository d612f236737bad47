"""A step file is written only if a stream of it gives what the model gives for the whole clip."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
from stream_model_maker import CLIPS, EXPORT, export_step, stream_model

from fonoteka import manifest
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json

pytestmark = pytest.mark.torch


@pytest.fixture
def folder(tmp_path, tmp_path_factory):
    copy = tmp_path / "stream_model"
    shutil.copytree(stream_model(tmp_path_factory), copy)
    return copy


def test_the_report_states_size_and_error(folder):
    report = read_json(folder / "step.json")
    assert report["clips"] == len(CLIPS)
    assert report["max_error_below"] <= EXPORT.max_error
    assert report["bytes"] == (folder / "step" / "step.onnx").stat().st_size


def test_equal_models_give_equal_bytes(folder):
    before = (folder / "step" / "step.onnx").read_bytes()
    export_step(folder)
    assert (folder / "step" / "step.onnx").read_bytes() == before


def test_a_file_that_differs_from_torch_is_not_written(folder):
    shutil.rmtree(folder / "step")
    with pytest.raises(UserError, match=r"step\.onnx: c\d: max abs error .* against torch"):
        export_step(folder, replace(EXPORT, max_error=1e-12))
    assert not (folder / "step").exists()


def test_an_empty_test_part_is_refused(folder):
    manifest.write(folder / "test.jsonl", [])
    with pytest.raises(UserError, match="no utterance to check the export with"):
        export_step(folder)


def test_impossible_parameters_are_refused():
    with pytest.raises(UserError, match=r"must be above 0, found 4, 0 and 0\.001"):
        replace(EXPORT, piece_samples=0)
