"""The cache stays below its limit: what was used the longest ago goes first."""

from __future__ import annotations

import os
import time

from fonoteka.compute import cache_size
from fonoteka.compute.cache_folder import GIB, stages_in, stored_entries
from fonoteka.compute.cache_size import prune
from fonoteka.compute.clip_cache import ClipCache, entry_key

DAY = 86_400
KEYS = [entry_key("code", "clip", str(number)) for number in range(10)]
BLOCK = 4096


def filled(folder, ages=range(10), stage="embed"):
    """Put ten entries, the last one the oldest."""
    cache = ClipCache(folder, stage)
    for key, age in zip(KEYS, ages, strict=True):
        cache.put(key, "clip", b"result")
        used = time.time() - age * DAY
        os.utime(folder / stage / key[:2] / key, (used, used))


def left(folder):
    """Return the numbers of the entries that are left."""
    return {KEYS.index(e.key) for stage in stages_in(folder) for e in stored_entries(folder, stage)}


def limited(monkeypatch, blocks):
    monkeypatch.setenv("FONOTEKA_CACHE_LIMIT", repr(blocks * BLOCK / GIB))


def test_the_oldest_use_is_removed_first_down_to_nine_tenths_of_the_limit(tmp_path):
    filled(tmp_path)
    pruned = prune(tmp_path, 5 * BLOCK, time.time() - 3600)
    assert left(tmp_path) == {0, 1, 2, 3}
    assert (pruned.removed, pruned.removed_bytes, pruned.left_bytes) == (6, 6 * BLOCK, 4 * BLOCK)


def test_below_the_limit_nothing_is_removed(tmp_path):
    filled(tmp_path)
    assert prune(tmp_path, 10 * BLOCK, time.time()).removed == 0
    assert left(tmp_path) == set(range(10))


def test_the_stages_share_the_limit(tmp_path):
    filled(tmp_path, stage="inventory", ages=range(10, 20))
    filled(tmp_path, stage="embed")
    prune(tmp_path, 10 * BLOCK, time.time())
    assert stages_in(tmp_path) == ["embed", "inventory"]
    assert not list(stored_entries(tmp_path, "inventory"))
    assert len(list(stored_entries(tmp_path, "embed"))) == 9


def test_a_use_makes_an_old_entry_new(tmp_path, monkeypatch, capsys):
    filled(tmp_path)
    limited(monkeypatch, blocks=2)
    with ClipCache(tmp_path, "embed") as cache:
        assert cache.get(KEYS[9]) == b"result"
    assert left(tmp_path) == {9, 0}  # number 0 was put within the last hour
    assert "cache: 8 entries, 0.00 GiB, were removed" in capsys.readouterr().out


def test_what_the_run_uses_stays_even_above_the_limit(tmp_path, monkeypatch, capsys):
    filled(tmp_path)
    limited(monkeypatch, blocks=2)
    with ClipCache(tmp_path, "embed") as cache:
        for key in KEYS[3:8]:
            cache.get(key)
    assert left(tmp_path) == {0, 3, 4, 5, 6, 7}
    assert "this run alone uses 0.00 GiB, above the limit of 0.00" in capsys.readouterr().out


def test_the_files_are_counted_again_only_when_that_is_due(tmp_path, monkeypatch):
    counted = []
    monkeypatch.setattr(
        cache_size, "prune", lambda *words, real=prune: counted.append(0) or real(*words)
    )
    for expected in (1, 1, 1):  # the first run counts, the next ones add
        with ClipCache(tmp_path, "embed") as cache:
            cache.put(KEYS[0], "clip", b"result")
        assert len(counted) == expected
    limited(monkeypatch, blocks=1)  # 3 were written, so the sum is above it
    with ClipCache(tmp_path, "embed"):
        pass
    assert len(counted) == 2
    (tmp_path / cache_size.SIZE).write_text('{"bytes": ')
    with ClipCache(tmp_path, "embed"):
        pass
    assert len(counted) == 3


def test_files_that_are_not_entries_stay(tmp_path):
    filled(tmp_path)
    own = tmp_path / "music" / "ab" / "song.wav"
    own.parent.mkdir(parents=True)
    own.write_bytes(bytes(100_000))
    os.utime(own, (0, 0))
    assert prune(tmp_path, 0, time.time() + 1).removed == 10
    assert own.is_file()
    assert left(tmp_path) == set()
