"""How long a stage took is remembered where no commit and no hash sees it."""

from pathlib import Path

import pytest
from command_line import exit_code
from forked_child import forked_stages  # noqa: F401 - a fixture
from toy import toy_repository  # noqa: F401 - a fixture

from fonoteka.pipeline import durations
from fonoteka.pipeline.durations import FILE, remember, remembered


def test_a_stage_is_remembered_beside_the_others(tmp_path):
    assert remembered(tmp_path) == {}
    remember(tmp_path, "split", 2.04)
    remember(tmp_path, "train@mlp", 8.16)
    remember(tmp_path, "split", 3.0)
    assert remembered(tmp_path) == {"split": 3.0, "train@mlp": 8.2}


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"a": -1, "b": "2", "c": true, "d": NaN}'])
def test_what_is_no_duration_is_as_good_as_never_measured(text, tmp_path):
    (tmp_path / FILE).parent.mkdir(parents=True)
    (tmp_path / FILE).write_text(text)
    assert remembered(tmp_path) == {}
    remember(tmp_path, "split", 2.0)
    assert remembered(tmp_path) == {"split": 2.0}


def test_a_disk_that_takes_nothing_stops_no_stage(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durations, "write_json", full)
    remember(tmp_path, "split", 2.0)
    assert remembered(tmp_path) == {}


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
    before = remembered(Path())
    assert sorted(before) == ["slow", "top"]
    assert before["slow"] >= 0.6  # it sleeps that long
    Path("top.txt").unlink()  # comes back from the cache, which says nothing of how long it takes
    assert exit_code("repro") == 0
    assert remembered(Path()) == before
