"""A server, a catalogue that points to it, and the command in an empty folder."""

from __future__ import annotations

import pytest
from command_line import run_fonoteka
from corpus_server import corpus_server
from huggingface_hub import constants
from public_corpora import REVISION, fleurs, fsdd, librispeech, parlaspeech, write_catalogue

from fonoteka.corpus_fetch import download


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server with all small corpora; the hub is at the same address."""
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(download, "WAIT_S", 0.001)
    with corpus_server() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url.rstrip("/"))
        running.hub[f"google/fleurs@{REVISION}"] = fleurs() | fleurs("sr_rs", hz=500)
        running.files |= parlaspeech() | {
            "dev-clean.tar.gz": librispeech("dev-clean", (84, 174)),
            "test-clean.tar.gz": librispeech("test-clean", (61,)), "digits.zip": fsdd(),
        }  # fmt: skip
        yield running


@pytest.fixture
def fetch(server, tmp_path, monkeypatch):
    """Call `corpus fetch` in an empty folder without asking; DVC does not track the corpora."""
    monkeypatch.chdir(tmp_path)
    catalogue = write_catalogue(tmp_path / "catalogue.yaml", server.url)

    def call(*words, dvc=False, asks=False):
        options = ["--catalogue", str(catalogue), *["--yes"] * (not asks)]
        run_fonoteka("corpus", "fetch", *words, *options, *["--no-dvc"] * (not dvc))

    return call
