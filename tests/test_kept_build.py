"""A built pipeline is cached completely, for the same packages and processor, and never grows."""

import hashlib
import json
from pathlib import Path

import kept_build
import pytest
import yaml

RUN = Path(".dvc/cache/runs/ab/abc")


@pytest.fixture
def top(tmp_path, monkeypatch):
    """Set a folder as the cache of builds."""
    monkeypatch.setenv(kept_build.VARIABLE, str(tmp_path / "kept"))
    monkeypatch.setattr(kept_build, "mark", lambda: {"python": "3.11"})
    return tmp_path / "kept"


def put(folder, data, suffix=""):
    """Put an object into the cache of a folder and return its name."""
    oid = hashlib.md5(data).hexdigest() + suffix
    path = folder / kept_build.OBJECTS / oid[:2] / oid[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o444)
    return oid


def clone(folder, words="one", names=("make", "page")):
    """Write the results of a build: a folder as output, and a page that is only in git."""
    listed = [{"md5": put(folder, words.encode()), "relpath": "in/words.txt"}]
    inside = put(folder, json.dumps(listed).encode(), ".dir")
    entry = {"cmd": "x", "outs": [{"path": "data", "md5": inside}]}
    page = hashlib.md5(b"page").hexdigest()
    lock = {names[0]: entry, names[1]: {"cmd": "y", "outs": [{"path": "page.md", "md5": page}]}}
    (folder / "dvc.lock").write_text(yaml.safe_dump({"stages": lock}, sort_keys=False))
    for name, value in (("new", entry), ("old", {"cmd": "w"})):
        (folder / RUN).mkdir(parents=True, exist_ok=True)
        (folder / RUN / name).write_text(yaml.safe_dump(value))
    (folder / "data/in").mkdir(parents=True)
    (folder / "data/in/words.txt").write_text(words)
    return folder


def fresh(folder, names=("make", "page")):
    """Write a clone before its build: other results, and the page."""
    clone(folder, "committed", names)
    (folder / "data/extra.txt").touch()
    (folder / "page.md").write_text("page")
    return folder


def text(folder):
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_the_next_clone_starts_with_the_results_of_the_last_build(top, tmp_path):
    kept_build.keep(clone(tmp_path / "one"))
    other = fresh(tmp_path / "other")
    assert kept_build.lay(other)
    assert (other / "dvc.lock").read_bytes() == (tmp_path / "one/dvc.lock").read_bytes()
    assert [p.name for p in (other / "data").rglob("*")] == ["in", "words.txt"]
    assert (other / "data/in/words.txt").read_text() == "one"
    assert (other / "page.md").read_text() == "page"  # DVC's cache has no copy of it
    copied = put(tmp_path / "any", b"one")
    cached = other / kept_build.OBJECTS / copied[:2] / copied[2:]
    assert cached.stat().st_mode & 0o777 == 0o444


def test_what_the_newest_build_does_not_use_is_dropped(top, tmp_path):
    kept_build.keep(clone(tmp_path / "one"))
    kept_build.keep(clone(tmp_path / "two", "two"))
    assert {path.name for path in top.iterdir()} == {".lock", "build"}
    objects = [p for p in (top / "build" / kept_build.OBJECTS).rglob("*") if p.is_file()]
    assert sorted(len(path.read_bytes()) > 3 for path in objects) == [False, True]
    assert "two" in {path.read_text() for path in objects}
    assert [path.name for path in (top / "build" / RUN).iterdir()] == ["new"]


def test_a_damaged_object_is_left_out_with_the_output_that_needs_it(top, tmp_path):
    kept_build.keep(clone(tmp_path / "one"))
    oid = hashlib.md5(b"one").hexdigest()
    bad = top / "build" / kept_build.OBJECTS / oid[:2] / oid[2:]
    bad.chmod(0o644)
    bad.write_text("eno")
    other = fresh(tmp_path / "other")
    assert kept_build.lay(other)
    assert not (other / kept_build.OBJECTS / oid[:2] / oid[2:]).exists()
    assert (other / "data/in/words.txt").read_text() == "committed"


def test_with_other_packages_or_another_processor_nothing_is_taken(top, tmp_path, monkeypatch):
    kept_build.keep(clone(tmp_path / "one"))
    monkeypatch.setattr(kept_build, "mark", lambda: {"python": "3.12"})
    other = fresh(tmp_path / "other")
    before = text(other)
    assert not kept_build.lay(other)
    assert text(other) == before


def test_the_mark_names_packages_processor_and_python():
    mark = kept_build.mark()
    assert set(mark) == {"packages", "processor", "python"}
    assert "dvc" in mark["packages"]


def test_a_lock_file_of_other_stages_is_left_to_the_run_cache(top, tmp_path):
    kept_build.keep(clone(tmp_path / "one"))
    other = fresh(tmp_path / "other", ("page", "make"))
    lock = (other / "dvc.lock").read_bytes()
    assert kept_build.lay(other)
    assert (other / "dvc.lock").read_bytes() == lock
    assert (other / "data/in/words.txt").read_text() == "committed"
    assert (other / RUN / "new").is_file()


@pytest.mark.parametrize("left", ["new", "old"])
def test_what_a_killed_run_left_is_removed(top, tmp_path, left):
    (top / left / "build").mkdir(parents=True)
    assert not kept_build.lay(fresh(tmp_path / "other"))
    kept_build.keep(clone(tmp_path / "one"))
    assert {path.name for path in top.iterdir()} == {".lock", "build"}


def test_without_a_folder_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv(kept_build.VARIABLE, "")
    folder = clone(tmp_path / "one")
    before = text(folder)
    kept_build.keep(folder)
    assert not kept_build.lay(folder)
    assert text(folder) == before
