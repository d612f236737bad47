"""What a killed process left beside its output goes when the output is written again."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from fonoteka.core import files
from fonoteka.core.files import (
    atomic_file,
    atomic_folder,
    read_json_lines,
    write_json_lines,
    write_text,
)


def dead():
    """Return the number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


@pytest.mark.parametrize("name", ["model.json", "a[b]*"])
def test_parts_of_the_dead_go_and_those_of_the_living_stay(tmp_path, name):
    of_the_dead = tmp_path / f".{name}.{dead()}.part"
    of_another = tmp_path / f".other.{dead()}.part"
    of_the_living = tmp_path / f".{name}.{os.getppid()}.part"
    of_nobody = tmp_path / f".{name}.x.part"
    for path in (of_the_dead, of_another, of_the_living, of_nobody):
        path.write_text("half")
    write_text(tmp_path / name, "whole")
    assert {*tmp_path.iterdir()} == {tmp_path / name, of_another, of_the_living, of_nobody}


def test_on_windows_no_signal_is_sent_to_learn_whether_a_process_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "ON_WINDOWS", True)
    monkeypatch.setattr(psutil, "pid_exists", lambda process: process == os.getppid())
    monkeypatch.delattr(os, "kill")  # number 0 is Ctrl-C on Windows
    parts = [tmp_path / f".a.{process}.part" for process in (dead(), os.getppid())]
    for path in parts:
        path.write_text("half")
    write_text(tmp_path / "a", "whole")
    assert {*tmp_path.iterdir()} == {tmp_path / "a", parts[1]}


def test_a_folder_of_the_dead_goes_too(tmp_path):
    left = tmp_path / f".shards.{dead()}.part"
    left.mkdir()
    (left / "shard-00.tar").touch()
    with atomic_folder(tmp_path / "shards") as part:
        (part / "shard-01.tar").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["shards"]
    assert [path.name for path in (tmp_path / "shards").iterdir()] == ["shard-01.tar"]


@pytest.mark.parametrize("owner", ["mine", "1"])  # 1 runs on every Unix, often as another user
def test_a_block_that_fails_leaves_the_old_result(tmp_path, owner):
    path = tmp_path / "out"
    path.write_text("old")
    Path(tmp_path / f".out.{owner}.part").touch()
    with pytest.raises(FileNotFoundError, match="no-folder"), atomic_file(path) as part:
        part.with_name("no-folder").joinpath("new").touch()
    assert path.read_text() == "old"
    assert {p.name for p in tmp_path.iterdir()} == {"out", f".out.{owner}.part"}


def test_json_lines_come_back_though_a_string_has_a_line_separator(tmp_path):
    records = [{"id": "b", "text": "dan\u2028noć\x85"}, {"id": "a", "times_s": [0.1, 2]}]
    write_json_lines(tmp_path / "x.jsonl", records)
    assert [*read_json_lines(tmp_path / "x.jsonl")] == records
    write_json_lines(tmp_path / "x.jsonl", [])
    assert [*read_json_lines(tmp_path / "x.jsonl")] == []
    with pytest.raises(ValueError, match="Out of range float values"):
        write_json_lines(tmp_path / "x.jsonl", [{"x": float("nan")}])
