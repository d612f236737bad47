"""A fold is an experiment in which one speaker is held out."""

from __future__ import annotations

import pytest
import yaml
from command_line import run_fonoteka
from dvc.utils.hydra import apply_overrides

from fonoteka.pipeline.leave_one_out import commands, folds, override
from fonoteka.tables import write_table

ROWS = [
    {"speaker": "c/a", "together": "c/a"}, {"speaker": "c/b", "together": "c/a"},
    {"speaker": "d/x", "together": "d/x"}, {"speaker": "c/e", "together": "c/e"},
]  # fmt: skip


def test_speakers_that_cannot_be_parted_are_one_fold():
    assert folds(ROWS, "") == ["c/a", "c/e", "d/x"]
    assert folds(ROWS, "c") == ["c/a", "c/e"]


def test_a_corpus_without_speakers_is_an_error():
    with pytest.raises(ValueError, match=r"--corpus 'e': no .* corpus; there are \['c', 'd'\]"):
        folds(ROWS, "e")


@pytest.mark.parametrize(
    "name", ["fsdd/theo", "a/Ana Marić", "a/it's", "a/x=1,{y}", "a/\\b", "a/\\'", "a/[z]", "a/5\\"]
)
def test_dvc_reads_the_name_as_it_is(tmp_path, name):
    path = tmp_path / "params.yaml"
    path.write_text("split:\n  held_out: ''\n")
    apply_overrides(path, [override(name)])
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["split"]["held_out"] == name


def test_no_two_folds_have_one_name():
    names = [command[5] for command in commands(["c/ž", "c/š", "c/ž ž"])]
    assert names == ["fold-1-c", "fold-2-c", "fold-3-c"]


def test_the_command_line_shows_the_folds_and_queues_none(tmp_path, capsys):
    write_table(tmp_path / "s.csv", ("speaker", "together"), ROWS)
    run_fonoteka("folds", "--speakers", tmp_path / "s.csv", "--corpus", "d")
    assert capsys.readouterr().out == (
        "dvc exp run --queue --name fold-1-d-x --set-param 'split.held_out='\"'\"'d/x'\"'\"''\n"
    )


@pytest.mark.dvc
def test_a_fold_that_dvc_refuses_is_an_error(tmp_path, monkeypatch):
    write_table(tmp_path / "s.csv", ("speaker", "together"), ROWS)
    monkeypatch.chdir(tmp_path)  # no repository
    with pytest.raises(ValueError, match=r"fold-1-c-a .* failed; its output is above"):
        run_fonoteka("folds", "--speakers", "s.csv", "--queue")
