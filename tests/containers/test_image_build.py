"""Images are built by the engine that is there, and named by what decides their packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from dvc_yaml import TOP

from fonoteka.core.errors import UserError
from fonoteka.images import build

PROGRAM = """#!{python} -S
import json, os, sys
if sys.argv[1:] == ["info"]:
    sys.exit({info})
with open({log!r}, "a") as file:
    file.write(json.dumps(sys.argv) + "\\n")
sys.exit({code})
"""


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    for name in (*build.DOCKERFILES.values(), *build.LOCKS["serve"], "pyproject.toml"):
        shutil.copy(TOP / name, folder)
    return folder


def engine(folder, name, log, info=0, code=0):
    """Write a program that records its command line, as an engine would be called."""
    folder.mkdir(exist_ok=True)
    text = PROGRAM.format(python=sys.executable, log=str(log), info=info, code=code)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def run(project, *options, path):
    return subprocess.run(
        [sys.executable, "-S", "-m", "fonoteka.images.build", *options],
        cwd=project, env={"PATH": str(path), "PYTHONPATH": str(TOP), "BASE_IMAGE": "a/python:3.11"},
        capture_output=True, text=True,
    )  # fmt: skip


def test_a_tag_depends_on_the_dockerfile_and_the_locks_and_on_nothing_else(project):
    first = build.image_tag(project, "serve")
    assert first.startswith("fonoteka-serve:")
    assert len(first.partition(":")[2]) == 12
    (project / "pyproject.toml").write_text("changed")
    assert build.image_tag(project, "serve") == first
    assert build.image_tag(project, "train").partition(":")[2] != first.partition(":")[2]
    tags = {first}
    for name in ("Dockerfile", "requirements.lock", "requirements-serve.lock"):
        with (project / name).open("a") as file:
            file.write("#\n")
        tags.add(build.image_tag(project, "serve"))
    assert len(tags) == 4


def test_bytes_that_move_from_one_file_to_the_other_change_the_tag(project):
    (project / "Dockerfile").write_text("ab")
    (project / "requirements.lock").write_text("c")
    first = build.image_tag(project, "serve")
    (project / "Dockerfile").write_text("a")
    (project / "requirements.lock").write_text("bc")
    assert build.image_tag(project, "serve") != first


def test_a_folder_without_a_checkout_is_one_sentence(tmp_path):
    done = run(tmp_path, "serve", "--print-tag", path="")
    place = tmp_path / "Dockerfile"
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: {place}: No such file or directory; run in a checkout\n"


def test_a_tag_is_printed_without_an_engine(project):
    done = run(project, "train", "--print-tag", path="")
    assert (done.returncode, done.stdout) == (0, f"{build.image_tag(project, 'train')}\n")


def test_a_host_without_an_engine_is_one_sentence(project, tmp_path):
    message = (
        "error: neither docker with a running daemon nor podman is here; install one of them\n"
    )
    done = run(project, "serve", path="")
    assert (done.returncode, done.stderr) == (1, message)
    engine(tmp_path / "bin", "docker", tmp_path / "log", info=1)  # without its daemon
    done = run(project, "serve", path=tmp_path / "bin")
    assert (done.returncode, done.stderr) == (1, message)


@pytest.mark.parametrize(
    ("programs", "expected"),
    [
        ({"docker": 0, "podman": 0}, "docker"),
        ({"docker": 1, "podman": 0}, "podman"),
        ({"podman": 0}, "podman"),
    ],
)
def test_the_engine_that_works_builds_with_labels_and_both_tags(
    project, tmp_path, programs, expected
):
    for name, info in programs.items():
        engine(tmp_path / "bin", name, tmp_path / "log", info)
    done = run(project, "serve", "--no-cache", path=tmp_path / "bin")
    tag = build.image_tag(project, "serve")
    assert (done.returncode, done.stdout) == (0, f"{tag}\n")
    (line,) = (tmp_path / "log").read_text().splitlines()
    for word in (
        f"/{expected}", "--tag=fonoteka-serve:local", f"--tag={tag}", "--build-arg=VERSION=",
        "--build-arg=BASE=a/python:3.11", "--no-cache", f"--file={project}/Dockerfile",
    ):  # fmt: skip
        assert word in line
    assert ("--format=docker" in line) == (expected == "podman")
    assert "PIP_INDEX_URL" not in line


def test_a_build_that_fails_is_one_sentence_and_prints_no_tag(project, tmp_path):
    engine(tmp_path / "bin", "podman", tmp_path / "log", code=125)
    done = run(project, "serve", path=tmp_path / "bin")
    tag = build.image_tag(project, "serve")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: {tag}: the build failed with exit code 125\n"


def test_the_makefile_prints_both_tags():
    words = ["make", "--no-print-directory", "image-tags", f"PYTHON={sys.executable}"]
    environment = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    done = subprocess.run(words, cwd=TOP, env=environment, capture_output=True, text=True)
    assert done.stdout.split() == [build.image_tag(TOP, image) for image in ("serve", "train")]


def test_an_unreadable_lock_names_its_path(tmp_path):
    with pytest.raises(UserError, match=f"^{tmp_path}/Dockerfile: No such file"):
        build.image_tag(tmp_path, "serve")
