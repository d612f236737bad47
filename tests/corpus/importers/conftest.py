"""A folder to import, and the command line on it."""

import pytest

from fonoteka.corpus.importers import add as add_corpus


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in an empty folder; return the path of the recordings to import, which tests write."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "from"


@pytest.fixture
def command(folder, monkeypatch):
    """Call the command line on the folder; return where the corpus should be."""

    def call(*options):
        monkeypatch.setattr("sys.argv", ["add_corpus", str(folder), *options])
        add_corpus.main()
        return folder.parent / "data/raw/mine"

    return call
