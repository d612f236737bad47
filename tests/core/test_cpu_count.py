"""Workers are counted by the cores that are ours, not by those the machine has."""

import subprocess
import sys

import pytest

from fonoteka.core.cpu_count import worker_count


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a process to cores")
def test_a_process_tied_to_one_core_has_one_worker():
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from fonoteka.core.cpu_count import worker_count; print(worker_count())"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "1"


def test_where_cores_cannot_be_asked_for_all_of_the_machine_count(monkeypatch):
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    assert worker_count() == 3


def test_a_machine_that_does_not_know_its_cores_has_one_worker(monkeypatch):
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert worker_count() == 1
