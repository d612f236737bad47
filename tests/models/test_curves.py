"""Training curves are one table per metric, without timestamps."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fonoteka.models.curves import write_curves

HISTORY = [{"loss": 2.5, "per": 1.0}, {"loss": 0.25, "per": 0.5}]


def test_a_curve_has_one_row_per_epoch_and_no_time(tmp_path):
    write_curves(tmp_path / "curves", HISTORY)
    assert sorted(p.name for p in (tmp_path / "curves").iterdir()) == ["loss.tsv", "per.tsv"]
    assert (tmp_path / "curves" / "loss.tsv").read_text() == "step\tloss\n0\t2.5\n1\t0.25\n"


def test_curves_of_an_earlier_run_are_removed(tmp_path):
    write_curves(tmp_path, HISTORY)
    write_curves(tmp_path, [{"loss": 1.0}])
    assert [p.name for p in tmp_path.iterdir()] == ["loss.tsv"]


def test_trainings_in_one_repository_share_no_file(tmp_path, monkeypatch):
    # The root that DVC gives a stage: DVCLive would write its signal file there.
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    write_curves(tmp_path / "curves", HISTORY)
    assert not (tmp_path / ".dvc" / "tmp" / "exps").exists()
    assert os.environ["DVC_ROOT"] == str(tmp_path)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system lists no open files")
def test_a_process_may_train_as_often_as_it_likes(tmp_path):
    open_files = []
    for number in range(3):
        write_curves(tmp_path / str(number), HISTORY)
        open_files.append(len([*Path("/proc/self/fd").iterdir()]))
    assert open_files[2] <= open_files[0]  # it was 32 more
