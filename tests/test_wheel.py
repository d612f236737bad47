"""A wheel contains every file of the code: modules, pages, profiles and lists of words."""

from __future__ import annotations

import os
import subprocess

import pytest
from dvc_yaml import TOP, TOPS

setuptools = pytest.importorskip(
    "setuptools", minversion="77", reason="pyproject.toml needs setuptools 77 to build a wheel"
)


def files_of_wheel(scratch):
    """Return the files that a wheel would contain; nothing is built."""
    wheel = setuptools.dist.Distribution({"script_name": "setup.py"})
    wheel.parse_config_files(["pyproject.toml"])
    wheel.get_command_obj("egg_info").egg_base = str(scratch)
    build = wheel.get_command_obj("build_py")
    build.ensure_finalized()
    paths = build.get_outputs(include_bytecode=False)
    return {os.path.relpath(path, build.build_lib) for path in paths}


def test_a_wheel_has_every_file_of_the_packages(tmp_path, monkeypatch):
    monkeypatch.chdir(TOP)
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *TOPS]
    names = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split("\0")
    expected = {name for name in names if name and (TOP / name).is_file()}
    assert "fonoteka/pipeline/profiles/small.yaml" in expected
    assert files_of_wheel(tmp_path) == expected
