"""The durations of stages are stored outside commits and hashes."""

from pathlib import Path

import pytest
from command_line import exit_code
from forked_child import forked_stages  # noqa: F401 - a fixture
from toy import toy_repository  # noqa: F401 - a fixture

from fonoteka.pipeline import durations
from fonoteka.pipeline.durations import FILE, read_durations, store_duration


def test_a_stage_is_remembered_beside_the_others(tmp_path):
    assert read_durations(tmp_path) == {}
    store_duration(tmp_path, "split", 2.04)
    store_duration(tmp_path, "train@mlp", 8.16)
    store_duration(tmp_path, "split", 3.0)
    assert read_durations(tmp_path) == {"split": 3.0, "train@mlp": 8.2}


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"a": -1, "b": "2", "c": true, "d": NaN}'])
def test_a_value_that_is_not_a_duration_counts_as_not_measured(text, tmp_path):
    (tmp_path / FILE).parent.mkdir(parents=True)
    (tmp_path / FILE).write_text(text)
    assert read_durations(tmp_path) == {}
    store_duration(tmp_path, "split", 2.0)
    assert read_durations(tmp_path) == {"split": 2.0}


def test_a_disk_that_takes_nothing_stops_no_stage(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durations, "write_json", full)
    store_duration(tmp_path, "split", 2.0)
    assert read_durations(tmp_path) == {}


@pytest.mark.dvc
@pytest.mark.usefixtures("forked_stages")
@pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # dvc's use of pygtrie
def test_the_runner_remembers_stages_that_ran_and_no_others(toy):
    toy("""
stages:
  top: {cmd: cat in.txt > top.txt, deps: [in.txt], outs: [top.txt]}
  slow: {cmd: sleep 0.6; cat top.txt > slow.txt, deps: [top.txt], outs: [slow.txt]}
""")
    assert exit_code("repro") == 0
    before = read_durations(Path())
    assert sorted(before) == ["slow", "top"]
    assert before["slow"] >= 0.6  # it sleeps that long
    Path("top.txt").unlink()  # comes back from the cache, which says nothing of how long it takes
    assert exit_code("repro") == 0
    assert read_durations(Path()) == before
