"""The benchmark of scale with real stages, on a handful of clips."""

from __future__ import annotations

import pytest
from dvc_yaml import TOP

from fonoteka.bench.scale import curve, stand_ins
from fonoteka.bench.scale.project import CACHE_OFF, ScaleProject
from fonoteka.bench.scale.stage_commands import ENCODER, MODEL, chosen_stages
from fonoteka.models.clip_encoder import load_clip_encoder


def project_of(folder, clips):
    project = ScaleProject(folder, TOP / "params.yaml", 0.3, 8000)
    project.grow(clips)
    return project


def test_a_stage_reads_the_clips_and_one_more_changes_its_bytes(tmp_path):
    stages = chosen_stages(["inventory"])
    project = project_of(tmp_path, 4)
    first = project.run(stages)
    assert first["inventory"].cpu_s > 0
    before = project.digests(stages)
    assert project.file_counts()["cache"] >= 4
    project.grow(5)
    project.run(stages)
    reused = project.digests(stages)
    assert reused != before
    project.run(stages, CACHE_OFF)
    assert project.digests(stages) == reused
    project.clear(stages)
    assert project.file_counts() == {"recordings": 7, "results": 1, "cache": 0}


@pytest.mark.torch
def test_all_stages_run_from_inventory_to_posteriors(tmp_path):
    stages = chosen_stages([])
    project = project_of(tmp_path, 80)  # of four voices, so that each split has one
    project.make_models("tiny")
    costs = project.run(stages)
    assert [*costs] == [*stages]
    assert len({*project.digests(stages).values()}) == len(stages)


@pytest.mark.dvc
def test_dvc_is_timed_on_the_outputs(tmp_path, monkeypatch):
    monkeypatch.setattr(curve, "STATUS_ROUNDS", 1)
    stages = chosen_stages(["inventory"])
    project = project_of(tmp_path, 2)
    project.run(stages, CACHE_OFF)
    times = curve.dvc_times(project, stages)
    assert times["status_cpu_s"] > 0.1  # the import of dvc alone takes longer
    assert times["commit_cpu_s"] > 0.1
    assert (tmp_path / "dvc.lock").is_file()


@pytest.mark.torch
def test_the_tiny_encoder_has_the_width_of_its_head(tmp_path):
    stand_ins.write_models(tmp_path, "tiny")
    encoder = load_clip_encoder(tmp_path / ENCODER)
    import numpy as np

    assert encoder.embed(np.zeros(3200, np.float32)).shape == (10, stand_ins.TINY["hidden"])
    assert (tmp_path / MODEL / "head.onnx").is_file()
