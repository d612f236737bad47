"""An artefact is made once per run, completely or not at all, and does not change."""

from __future__ import annotations

import pytest
from artefacts import artefact


def test_an_artefact_is_made_once(tmp_path_factory):
    calls = []

    def make(folder):
        calls.append(folder)
        (folder / "a.txt").write_text("a")

    first, second = (artefact(tmp_path_factory, "once", make) for _ in range(2))
    assert first == second == calls[0]
    assert len(calls) == 1
    assert (first / "a.txt").read_text() == "a"


def test_an_artefact_whose_making_failed_is_made_again(tmp_path_factory):
    def fail(folder):
        (folder / "half").touch()
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        artefact(tmp_path_factory, "failed", fail)
    folder = artefact(tmp_path_factory, "failed", lambda folder: (folder / "whole").touch())
    assert [path.name for path in folder.iterdir()] == ["whole"]


def test_a_test_that_changes_an_artefact_is_named_as_the_fault(tmp_path_factory):
    def make(folder):
        (folder / "a.txt").write_text("a")

    (artefact(tmp_path_factory, "changed", make) / "b.txt").touch()
    with pytest.raises(AssertionError, match="a test changed the artefact 'changed'; it has to co"):
        artefact(tmp_path_factory, "changed", make)
