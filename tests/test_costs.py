"""Tests carry the marks of what they cost, and a cost without its mark is a failure."""

import subprocess
import sys

import collecting
import costs
import pytest
from dvc_yaml import TOP


@pytest.fixture
def running():
    """Play a test with the given marks; the test that runs is named again afterwards."""
    before = costs._test, costs._allowed

    def begin(*marks):
        costs.begin("tests/test_x.py::test_y", set(marks))

    yield begin
    costs._test, costs._allowed = before


@pytest.mark.parametrize("mark", ["dvc", "pipeline", "faults"])
def test_dvc_starts_in_a_test_that_is_marked(running, mark):
    running(mark)
    costs.spend("dvc", "starts dvc")


def test_dvc_in_a_test_without_a_mark_is_a_failure_before_it_starts(running):
    running("torch")
    message = r"tests/test_x\.py::test_y starts dvc; mark it with pytest\.mark\.dvc"
    with pytest.raises(AssertionError, match=message):
        subprocess.run([sys.executable, "-m", "dvc", "--version"], check=False)
    running()
    with pytest.raises(AssertionError, match=message):
        subprocess.run(["dvc", "--version"], check=False)


def test_a_browser_in_a_test_without_a_mark_is_a_failure_before_it_starts(running):
    running("dvc")
    message = r"starts a browser; mark it with pytest\.mark\.browser"
    with pytest.raises(AssertionError, match=message):
        subprocess.run(["chromium", "--version"], check=False)


@pytest.mark.torch
def test_training_in_a_test_without_a_mark_is_a_failure(running):
    import torch

    costs.watch_torch()
    weight = torch.ones(1, requires_grad=True)
    running("dvc")
    with pytest.raises(
        AssertionError, match=r"trains with torch; mark it with pytest\.mark\.torch"
    ):
        (weight * 2).sum().backward()
    running("torch")
    (weight * 2).sum().backward()
    assert weight.grad == 2


def test_the_marks_of_a_file_are_read_from_its_source(tmp_path):
    path = tmp_path / "test_x.py"
    path.write_text(
        "import pytest\npytestmark = [pytest.mark.dvc, pytest.mark.skipif(1, reason='')]\n"
    )
    assert costs.marks_of(path) == {"dvc", "skipif"}
    (tmp_path / "test_y.py").write_text("pytestmark = pytest.mark.torch\n")
    assert costs.marks_of(tmp_path / "test_y.py") == {"torch"}


def test_faults_are_whole_files_with_a_name_of_their_own():
    # `make test-faults` names the files, so that it need not import the others.
    for path in sorted((TOP / "tests").rglob("test_*.py")):
        whole = "faults" in costs.marks_of(path)
        assert whole == path.name.startswith("test_faults_"), path.name
        named = path.read_text(encoding="utf-8").count("pytest.mark.faults")
        assert named == whole or path.name == "test_costs.py", path.name


def test_the_parts_of_the_files_are_all_of_them_and_disjoint():
    paths = [f"test_{n}.py" for n in range(10)]
    parts = [collecting.part(f"{k}/4", paths) for k in range(1, 5)]
    assert sorted(path for part in parts for path in part) == paths
    for text in ("0/4", "5/4", "x", "1/"):
        with pytest.raises(pytest.UsageError, match="expected K/N"):
            collecting.part(text, paths)
