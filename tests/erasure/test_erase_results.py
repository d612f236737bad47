"""An erasure removes the results of a person's clips from the cache, and no others."""

from __future__ import annotations

import time

import pytest
from command_line import run_fonoteka
from corpus_maker import make_corpus

from fonoteka.compute.clip_cache import ClipCache, entry_key
from fonoteka.compute.clip_results import results_of
from fonoteka.compute.content_memo import NAME, ContentMemo
from fonoteka.manifest import utterance_id

PATHS = ("ana/1.wav", "ana/2.wav", "copies/x.wav", "ivo/1.wav")
HEADER = "path,text,speaker,language,session,parent"
ROWS = [
    "ana/1.wav,dan,ana,hr,s1,",
    "ana/2.wav,noć,Ana,hr,s2,",
    "copies/x.wav,dan,robot,hr,,ana/1.wav",
    "ivo/1.wav,dan,ivo,hr,s1,",
]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A corpus without git and without DVC, with a cache elsewhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FONOTEKA_CACHE", str(tmp_path / "shared"))
    folder = make_corpus(tmp_path / "data/raw", ROWS, columns=HEADER)
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 10_000_000_000)
    with ContentMemo(tmp_path / "shared") as memo:
        for path in PATHS:
            id_ = utterance_id("mine", path)
            clips = {f"mine/{path}": "inventory", id_: "embed", f"{id_}#1": "embed"}
            for clip, stage in clips.items():
                key = entry_key(stage, clip, memo.content_hash(folder / path))
                ClipCache(tmp_path / "shared", stage).put(key, clip, b"result")
    return tmp_path


def clips_with_results(project):
    return {
        path: len(results_of(project / "shared", {f"mine/{path}", utterance_id("mine", path)}))
        for path in PATHS
    }


def erase(capsys, *words):
    run_fonoteka("corpus", "erase", "--speaker", "mine/ana", *words)
    return capsys.readouterr().out


def test_without_yes_the_results_are_counted_and_stay(project, capsys):
    assert "9 of these clips in the cache of results\n" in erase(capsys)
    assert clips_with_results(project) == dict.fromkeys(PATHS, 3)


def test_with_yes_the_results_and_the_hashes_are_gone(project, capsys):
    assert b"ana/1.wav" in (project / "shared" / NAME).read_bytes()
    assert "9 of these clips" in erase(capsys, "--yes")
    assert clips_with_results(project) == {**dict.fromkeys(PATHS, 0), "ivo/1.wav": 3}
    database = (project / "shared" / NAME).read_bytes()
    assert b"ana/" not in database
    assert b"x.wav" not in database
    assert b"ivo/1.wav" in database


def test_a_cache_that_is_off_is_left_alone(project, capsys, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setenv("FONOTEKA_CACHE", "off")
        assert "cache of results" not in erase(capsys, "--yes")
    assert clips_with_results(project) == dict.fromkeys(PATHS, 3)
