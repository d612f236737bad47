"""A folder to import, and the command line on it."""

import pytest
from command_line import run_fonoteka


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in an empty folder; return the path of the recordings to import, which tests write."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "from"


@pytest.fixture
def command(folder):
    """Call `corpus add` or `corpus look` on the folder; return where the corpus should be."""

    def call(*options, kind="add"):
        run_fonoteka("corpus", kind, str(folder), *options)
        return folder.parent / "data/raw/mine"

    return call
