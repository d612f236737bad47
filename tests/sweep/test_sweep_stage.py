"""A sweep as a stage of dvc: experiments run it with other values and show its numbers."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import yaml
from dvc_yaml import TOP
from sweep_maker import make_project, started
from toy import GIT, keep_apart, run_dvc

STAGES = {
    "stages": {
        "sweep": {
            "cmd": f"{sys.executable} -m fonoteka sweep space.yaml --resume --restart "
            "--trials 1 --workers 1 --out results",
            "deps": ["data/targets.txt", "space.yaml"],
            "params": ["toy"],
            "outs": [{"results/trials.csv": {"cache": False}}],
            "metrics": [{"results/report.json": {"cache": False}}],
        }
    }
}


@pytest.mark.dvc
def test_an_experiment_sweeps_with_other_values_and_shows_the_numbers(tmp_path, monkeypatch):
    keep_apart(monkeypatch, tmp_path)
    project = make_project(tmp_path / "project")
    monkeypatch.chdir(project)
    monkeypatch.setenv("PYTHONPATH", str(TOP))
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "test")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "test@example.org")
    (project / "dvc.yaml").write_text(yaml.safe_dump(STAGES))
    (project / ".gitignore").write_text("/checkpoints/\n/data/starts.txt\n")
    subprocess.run(["git", "init", "--quiet"], check=True)
    run_dvc("init", "--quiet")
    subprocess.run(["git", "add", "."], check=True)
    subprocess.run([*GIT, "commit", "--quiet", "--message", "toy"], check=True)
    run_dvc("repro")
    assert started(project) == ["today/0000", "random/0000", "tpe/0000"]
    subprocess.run(["git", "add", "."], check=True)
    subprocess.run([*GIT, "commit", "--quiet", "--message", "sweep"], check=True)
    # Seed 2 of the training makes the recorded trials incomparable, so all run again.
    run_dvc("exp", "run", "--name", "other-seed", "--set-param", "toy.seed=2")
    assert len(started(project)) == 6
    shown = json.loads(run_dvc("exp", "show", "--json"))
    (experiment,) = shown[1]["experiments"]
    data = experiment["revs"][0]["data"]
    assert experiment["name"] == "other-seed"
    assert data["params"]["params.yaml"]["data"]["toy"]["seed"] == 2
    assert data["metrics"]["results/report.json"]["data"]["found"]["error"] > 0
