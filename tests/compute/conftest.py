"""Folders in which the executors run, and one Dask cluster for a module."""

import os
from pathlib import Path

import fake_slurm
import pytest

SUPPORT = Path(fake_slurm.__file__).parent
TOP = SUPPORT.parents[2]


@pytest.fixture(autouse=True)
def own_folder(tmp_path, tmp_path_factory, monkeypatch):
    """Run in an empty folder, with workers that find the toy task and commands of Slurm."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{SUPPORT}{os.pathsep}{TOP}")
    monkeypatch.setenv(
        "PATH", str(fake_slurm.install(tmp_path_factory.mktemp("slurm"))), prepend=os.pathsep
    )
    monkeypatch.delenv("FONOTEKA_EXECUTOR", raising=False)
