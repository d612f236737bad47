"""The processor time and memory of a process include those of its descendants."""

import subprocess
import sys

import pytest

from fonoteka.core import process_tree
from fonoteka.core.process_tree import tree_usage

# A grandchild, so that the tree is walked and not the children alone.
BUSY = """
import sys, time
block = bytearray(b"x" * 50_000_000)
while time.process_time() < 0.3:
    pass
print("done", flush=True)
sys.stdin.read()
"""
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BUSY!r}], check=True)"

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")


@linux
def test_a_grandchild_counts_while_it_lives_and_its_time_after_it_has_ended():
    before = tree_usage()
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"done\n"
        during = tree_usage()
    after = tree_usage()
    # A tick of the clock is 10 ms, and each of three processes rounds down.
    assert during.cpu_s - before.cpu_s > 0.27
    assert during.memory_mib - before.memory_mib > 50e6 / 2**20
    assert after.cpu_s >= during.cpu_s
    assert after.memory_mib < during.memory_mib - 40


@linux
def test_a_program_whose_name_looks_like_fields_is_read(tmp_path):
    # Linux shows the first 15 characters of a name, any of them.
    program = tmp_path / ") R 1 1 (x 9"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "60"]) as child:
        lines = {line.process: line for line in process_tree._all_processes()}
        child.kill()
    assert lines[child.pid].parent == lines[lines[child.pid].parent].process
    assert lines[child.pid].ticks < 100


@linux
def test_without_proc_the_numbers_are_the_same(tmp_path, monkeypatch):
    with subprocess.Popen([sys.executable, "-c", BUSY], stdin=-1, stdout=-1) as child:
        child.stdout.readline()
        read = tree_usage()
        monkeypatch.setattr(process_tree, "PROC", tmp_path)
        usage = tree_usage()
    # The import of psutil is between the two.
    assert usage.cpu_s == pytest.approx(read.cpu_s, abs=1.0)
    assert usage.memory_mib == pytest.approx(read.memory_mib, abs=20)


def test_the_peak_counts_memory_that_a_child_had_for_a_moment():
    before = process_tree.peak_rss_mib()
    more_mib = round(before) + 200
    subprocess.run([sys.executable, "-c", f"bytearray(b'x') * ({more_mib} << 20)"], check=True)
    assert process_tree.peak_rss_mib() >= more_mib
