"""The commands list the contents of the cache and remove entries of it."""

from __future__ import annotations

import os
import time

import pytest
from command_line import run_fonoteka

from fonoteka.compute.clip_cache import ClipCache, entry_key
from fonoteka.compute.clip_results import forget_files, results_of
from fonoteka.compute.content_memo import NAME, ContentMemo
from fonoteka.core.errors import UserError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache with results of three clips by two stages, which FONOTEKA_CACHE names."""
    place = tmp_path / "cache"
    monkeypatch.setenv("FONOTEKA_CACHE", str(place))
    for stage in ("embed@wavlm", "inventory"):
        with ClipCache(place, stage) as cache:
            for clip in ("mine-1-aa", "mine-1-aa#1", "mine-2-bb"):
                key = entry_key(stage, clip, "samples")
                if cache.get(key) is None:
                    cache.put(key, clip, bytes(10_000))
    return place


@pytest.fixture
def ask(capsys):
    """Call the command line and return its output."""

    def call(*words):
        run_fonoteka("cache", *words)
        return capsys.readouterr().out

    return call


def test_status_lists_stages_with_sizes_and_the_last_run(folder, ask):
    with ClipCache(folder, "inventory") as cache:
        cache.get(entry_key("inventory", "mine-2-bb", "samples"))
    assert ask("status").splitlines() == [
        f"folder  {folder}",
        "limit   20.0 GiB, 0.00 GiB are used",
        "stage         entries       MiB  last run",
        "embed@wavlm         3       0.0  0 of 3 were here",
        "inventory           3       0.0  1 of 1 were here",
    ]


def test_status_of_an_empty_cache_says_so(tmp_path, monkeypatch, ask):
    monkeypatch.setenv("FONOTEKA_CACHE", str(tmp_path / "nothing"))
    assert "no stage has stored a result" in ask("status")
    assert not (tmp_path / "nothing").exists()


def test_status_of_a_cache_that_is_off_is_a_mistake(monkeypatch, ask):
    monkeypatch.setenv("FONOTEKA_CACHE", "off")
    with pytest.raises(ValueError, match="the cache is off, because FONOTEKA_CACHE is 'off'"):
        ask("status")


def test_clear_removes_one_stage_or_all(folder, ask):
    own = folder / "inventory" / "song.wav"
    own.write_bytes(b"of the user")
    with ContentMemo(folder):
        pass
    assert ask("clear", "--stage", "embed@wavlm").startswith("removed 3 entries, 0.0 MiB, from")
    assert not (folder / "embed@wavlm").exists()
    with pytest.raises(ValueError, match=r"no entries of stage 'x', only of \['inventory'\]"):
        ask("clear", "--stage", "x")
    assert "removed 3 entries" in ask("clear")
    assert "removed 0 entries" in ask("clear")
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["song.wav"]


def test_prune_brings_the_cache_below_its_limit(folder, ask, monkeypatch):
    for path in folder.rglob("[0-9a-f]*"):
        os.utime(path, (time.time() - 7200,) * 2)
    (folder / ".parts/left").write_bytes(b"half")
    os.utime(folder / ".parts/left", (0, 0))
    assert ask("prune").startswith("removed 0 entries, 0.00 GiB, and 1 unfinished files")
    monkeypatch.setenv("FONOTEKA_CACHE_LIMIT", "0")
    assert ask("prune").startswith("removed 6 entries, 0.00 GiB, and 0 unfinished files")


def test_the_results_of_a_clip_are_found_in_all_stages_with_its_copies(folder):
    assert len(results_of(folder, {"mine-1-aa"})) == 4
    assert len(results_of(folder, {"mine-2-bb", "mine-1"})) == 2
    assert results_of(folder / "nothing", {"mine-1-aa"}) == []


def test_the_memo_is_not_made_by_an_erasure(folder, tmp_path):
    assert forget_files(folder, [tmp_path / "clip.wav"]) == 0
    assert not (folder / NAME).exists()


def test_a_limit_of_words_is_a_mistake(folder, ask, monkeypatch):
    monkeypatch.setenv("FONOTEKA_CACHE_LIMIT", "20 GB")
    with pytest.raises(UserError, match="expected a number of GiB"):
        ask("status")
