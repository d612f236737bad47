"""A recording is read again only if it changed, and a damaged memo costs time alone."""

from __future__ import annotations

import os
import sqlite3
import time

import pytest

from fonoteka.compute.content_memo import NAME, ContentMemo, open_memo
from fonoteka.core.errors import UserError
from fonoteka.core.files import sha256_file


@pytest.fixture
def later(monkeypatch):
    """Make the clock of the memo 10 s late, so that the files of the test are settled."""
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 10_000_000_000)


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.wav"
    path.write_bytes(b"samples")
    return path


def hashed(folder, *paths):
    """Return how many of the files are read, after all their hashes are compared."""
    with ContentMemo(folder) as memo:
        for path in paths:
            assert memo.content_hash(path) == sha256_file(path)
        return memo.hashed


def test_an_unchanged_file_is_read_once(tmp_path, clip, later):
    assert [hashed(tmp_path / "c", clip, clip), hashed(tmp_path / "c", clip)] == [1, 0]


def test_a_file_that_may_still_change_is_not_noted(tmp_path, clip):
    assert [hashed(tmp_path / "c", clip), hashed(tmp_path / "c", clip)] == [1, 1]


def test_a_file_with_the_size_and_the_time_of_the_old_one_is_read_again(tmp_path, clip, later):
    assert hashed(tmp_path, clip) == 1
    before = clip.stat()
    time.sleep(0.02)  # more than a tick of the clock of the file system
    clip.write_bytes(b"selpmas")
    os.utime(clip, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert clip.stat().st_size == before.st_size
    assert hashed(tmp_path, clip) == 1


def test_a_replaced_file_is_read_again(tmp_path, clip, later):
    assert hashed(tmp_path, clip) == 1
    other = tmp_path / "other.wav"
    other.write_bytes(b"selpmas")
    other.replace(clip)
    assert hashed(tmp_path, clip) == 1


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99], ids=["empty", "half", "nearly"])
def test_half_a_memo_costs_time_alone(tmp_path, clip, later, share):
    others = [tmp_path / f"{number}.wav" for number in range(200)]
    for path in others:
        path.write_text(path.name)
    hashed(tmp_path, clip, *others)
    memo = tmp_path / NAME
    memo.write_bytes(memo.read_bytes()[: int(memo.stat().st_size * share)])
    hashed(tmp_path, clip, *others)  # compares all hashes
    hashed(tmp_path, clip, *others)  # SQLite reads more or less of it, depending on where it ends
    assert hashed(tmp_path, clip, *others) == 0


def test_a_memo_of_other_bytes_is_made_again_with_a_sentence(tmp_path, clip, later, capsys):
    (tmp_path / NAME).write_bytes(b"not a database file" * 100)
    assert hashed(tmp_path, clip) == 1
    assert "file is not a database; recordings are read again" in capsys.readouterr().out
    assert hashed(tmp_path, clip) == 0


def test_a_folder_that_is_a_file_costs_time_alone(tmp_path, clip, capsys):
    place = tmp_path / "file"
    place.write_text("not a folder")
    assert hashed(place, clip) == 1
    assert "unable to open database file" in capsys.readouterr().out


def test_without_a_cache_each_hash_is_computed(tmp_path, clip, later, monkeypatch):
    monkeypatch.setenv("FONOTEKA_CACHE", "off")
    for _ in range(2):
        with open_memo() as memo:
            assert memo.content_hash(clip) == sha256_file(clip)
            assert memo.hashed == 1


def test_two_open_memos_do_not_disturb_each_other(tmp_path, clip, later):
    others = [tmp_path / f"{number}.wav" for number in range(20)]
    for path in others:
        path.write_text(path.name)
    with ContentMemo(tmp_path) as first, ContentMemo(tmp_path) as second:
        for path in others:
            assert first.content_hash(path) == second.content_hash(path) == sha256_file(path)
    assert hashed(tmp_path, *others) == 0


def test_forgotten_files_are_not_in_the_database(tmp_path, clip, later):
    assert hashed(tmp_path, clip) == 1
    with ContentMemo(tmp_path) as memo:
        assert memo.forget([clip, tmp_path / "unknown.wav"]) == 1
    assert b"clip.wav" not in (tmp_path / NAME).read_bytes()


def test_a_locked_memo_forgets_nothing_and_says_so(tmp_path, clip, later, monkeypatch):
    assert hashed(tmp_path, clip) == 1
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, **_: connect(path, timeout=0))
    with ContentMemo(tmp_path) as memo:
        other = connect(tmp_path / NAME)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UserError, match="database is locked, so names of recordings are still"):
            memo.forget([clip])
        other.close()
